"""Rows that must meet are sent to the same partition, and the partition's answers are sent back to the shards that asked.

Only integers, hashes and the documents in question travel, through files (`pipeline.arrow_files`); the driver sees counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files, storage
from stages.dedup.grouping import by_number

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Exchange:
    """Where the messages of one round stand: `sent-<sender>.arrow` for partitions, `answers-<partition>.arrow` for shards."""

    folder: str
    senders: int
    partitions: int

    def sent(self, sender: int) -> str:
        """File with one batch for each partition."""
        return storage.join(self.folder, f"sent-{sender:06d}.arrow")

    def answers(self, partition: int) -> str:
        """File with one batch for each shard."""
        return storage.join(self.folder, f"answers-{partition:06d}.arrow")

    def forget_sent(self) -> None:
        """Remove what was sent, once every partition has answered: band keys and shingles take more disk than the texts."""
        for sender in range(self.senders):
            storage.remove(self.sent(sender))

    def messages(self, partition: int) -> list[pa.RecordBatch]:
        """What each sender sent to a partition, in the order of senders: views of the files, where these are local."""
        return [arrow_files.read_batch(self.sent(sender), partition) for sender in range(self.senders)]

    def received(self, partition: int) -> pa.Table:
        """What all senders sent to a partition, in their order, as one table of contiguous columns."""
        return arrow_files.united(self.messages(partition))

    def replies(self, shard: int) -> pa.Table:
        """What all partitions answered to a shard, one partition after the other."""
        return arrow_files.united([arrow_files.read_batch(self.answers(partition), shard) for partition in range(self.partitions)])

    def answered(self, shard: int) -> pa.Table:
        """What all partitions answered to a shard, in document order; `row` says which of its rows each is about."""
        table = self.replies(shard)
        rows = table["doc"].to_numpy() & 0xFFFFFFFF
        order, _ = by_number(rows, int(rows.max(initial=-1)) + 1)
        return table.take(pa.array(order)).append_column("row", pa.array(rows[order]))

    def all_answers(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """What each partition answered to each shard, one message after the other."""
        for partition in range(self.partitions):
            yield from arrow_files.read_batches(self.answers(partition), columns)

    def send(self, sender: int, rows: pa.RecordBatch, destination: npt.NDArray[np.integer[Any]]) -> None:
        """Write a sender's rows, cut by partition."""
        batches = arrow_files.scatter(rows, destination, self.partitions)
        arrow_files.write_batches(self.sent(sender), rows.schema, batches)

    def answer(self, partition: int, docs: Int64s, columns: dict[str, Any], schema: pa.Schema, num_shards: int) -> None:
        """Write answers about documents, cut by their shards. `schema` begins with `doc`."""
        rows = pa.RecordBatch.from_pydict({"doc": docs, **columns}, schema=schema)
        arrow_files.write_batches(self.answers(partition), schema, arrow_files.scatter(rows, docs >> 32, num_shards))


def spread(keys: npt.NDArray[np.integer[Any]], partitions: int) -> npt.NDArray[np.uint64]:
    """A partition for each key; keys are mixed first, since they come from few shards."""
    mixed: npt.NDArray[np.uint64] = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(32)) % np.uint64(partitions)
