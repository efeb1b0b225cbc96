"""What the passes found, as the write pass reads it: spans with their owners' ids, and documents that are mostly others'."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files
from pipeline.exchange import Exchange
from pipeline.judge import Mask, Shard
from pipeline.passages.cut import shares_of, spans_of
from pipeline.passages.texts import RULES

SPAN = pa.struct(
    [
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("rule", pa.string()),
        pa.field("partner", pa.string()),
        pa.field("similarity", pa.float64()),
    ]
)


class Proposals(NamedTuple):
    """One value for each row of the shard."""

    spans: pa.Array
    """Lists of `SPAN`."""
    share: npt.NDArray[np.float32]
    """Share of the characters in passages that other documents own."""
    owner: pa.Array
    """Id of the document that owns most of them; null where the share is 0."""
    relied_on: Mask
    """Rows that own a passage of another document."""


def proposals(owners: Exchange, shard: Shard, ids: pa.Array) -> Proposals:
    """Read the proposals of a shard whose documents have these ids."""
    spans = arrow_files.read_table(spans_of(owners, shard.index)).combine_chunks()
    row, owner = spans["row"].to_numpy().astype(np.int64), spans["owner"].to_numpy()
    known = _Known(owners, shard, ids)
    arrays = [
        spans["start"].combine_chunks(),
        spans["end"].combine_chunks(),
        pa.array(RULES, pa.string()).take(spans["rule"].combine_chunks()),
        known.ids_of(row, owner),
        pa.array(spans["similarity"].to_numpy(), pa.float64(), mask=owner < 0),
    ]
    offsets = np.searchsorted(row, np.arange(shard.num_rows + 1)).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, fields=list(SPAN)))
    shares = arrow_files.read_table(shares_of(owners, shard.index)).combine_chunks()
    rows = shares["row"].to_numpy().astype(np.int64)
    share = np.zeros(shard.num_rows, np.float32)
    share[rows] = shares["share"].to_numpy()
    most = np.full(shard.num_rows, -1, np.int64)
    most[rows] = shares["owner"].to_numpy()
    relied_on = np.zeros(shard.num_rows, np.bool_)
    relied_on[known.relied_on] = True
    return Proposals(lists, share, known.ids_of(np.arange(shard.num_rows), most), relied_on)


class _Known:
    """Ids of owners, of this shard's own documents and of those that it asked for, and which of its rows others rely on."""

    def __init__(self, owners: Exchange, shard: Shard, ids: pa.Array) -> None:
        answers = owners.answered(shard.index)
        told = answers["owner"].to_numpy() < 0
        self.relied_on = answers["row"].to_numpy()[told]
        answers = answers.filter(pa.array(~told))
        order = np.lexsort((answers["owner"].to_numpy(), answers["row"].to_numpy()))
        self.shard, self.own = shard, ids
        self.row, self.owner = answers["row"].to_numpy()[order], answers["owner"].to_numpy()[order]
        self.names = answers["id"].combine_chunks().take(pa.array(order))

    def ids_of(self, row: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]) -> pa.Array:
        """The id of the owner of each row's passage; null where that is -1."""
        keys = np.stack([self.row, self.owner], axis=1)
        unique, which = np.unique(np.concatenate([keys, np.stack([row, owner], axis=1)]), axis=0, return_inverse=True)
        which = which.reshape(-1)
        place = np.full(len(unique), -1, np.int64)
        place[which[: len(keys)]] = len(self.own) + np.arange(len(keys))
        place = place[which[len(keys) :]]
        itself = (owner >> 32 == self.shard.index) & ((owner & 0xFFFFFFFF) == row)
        place[itself] = row[itself]
        return pa.concat_arrays([self.own, self.names]).take(pa.array(place, mask=place < 0))
