"""From the columns of a shard to reasons: final ids and records, what each stage speaks against, and both as Arrow columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import arrow_files, storage
from stages.mixture.stage import HELD_OUT
from stages.schema import doc_reference
from stages.stage import Stage

Mask = npt.NDArray[np.bool_]
Verdicts = dict[str, dict[str, Mask]]
"""stage key -> reason -> which rows; in the order of the run's stages, faults of reading first under `read`."""

HEAVY = ("text", "raw", "meta", "band_keys")
"""Columns that no decision reads."""


def is_heavy(column: str) -> bool:
    """Whether a column stays out of decisions and the ledger: `HEAVY` ones, and what stages propose to remove."""
    return column in HEAVY or column.endswith("_spans")


@dataclass(frozen=True)
class Shard:
    """What later passes need to know of one finished local unit."""

    index: int
    uri: str
    rows: tuple[int, ...]
    """Rows that each entry of the split gave."""
    bases: tuple[int, ...]
    """What to add to `record` of each entry's rows."""
    earlier: str = ""
    """Of an earlier run's shard, the ledger: documents that were kept there take part, under the ids that they have there, and those that
    were held out there if this run has a mixture: they keep what resembles them out of the training."""

    @property
    def earlier_folder(self) -> str:
        """Folder of the earlier run."""
        return self.earlier.rpartition("/")[0].rpartition("/")[0]

    @property
    def num_rows(self) -> int:
        """Documents in the shard."""
        return sum(self.rows)

    def held_out(self) -> Mask:
        """Which rows an earlier run held out to measure models on; none of this run's own, which are judged for that."""
        if not self.earlier:
            return np.zeros(self.num_rows, np.bool_)
        lists = _ledger(self.earlier, "reasons").combine_chunks()
        rows = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), HELD_OUT))
        return np.isin(np.arange(self.num_rows), rows.to_numpy())

    def documents(self) -> npt.NDArray[np.int64]:
        """Document references of all rows, (num_rows,); see `stages.schema.doc_reference`."""
        return doc_reference(self.index, 0) + np.arange(self.num_rows, dtype=np.int64)

    def taking_part(self) -> Mask:
        """Which rows take part in the run: all of its own, and of an earlier run's those that it kept."""
        if not self.earlier:
            return np.ones(self.num_rows, np.bool_)
        return np.asarray(pc.equal(_ledger(self.earlier, "fate"), "kept"))

    def names(self) -> list[str]:
        """All columns of the shard."""
        return arrow_files.column_names(self.uri)

    def columns(self, names: Sequence[str] | None = None) -> pa.Table:
        """Columns of the shard; all but heavy ones if none are named. `record` counts from the beginning of its file."""
        if names is None:
            names = [name for name in self.names() if not is_heavy(name)]
        table = arrow_files.read_table(self.uri, names).combine_chunks()
        if "record" in names and any(self.bases):
            records = table["record"].to_numpy() + np.repeat(np.array(self.bases, np.int64), self.rows)
            table = table.set_column(table.schema.get_field_index("record"), "record", pa.array(records))
        return table


def _ledger(uri: str, column: str) -> pa.ChunkedArray:
    with storage.open_input(uri) as file:
        return pq.read_table(file, columns=[column])[column]


def own_ids(columns: pa.Table) -> pa.Array:
    """The user's id, else `source/relative-path#record`. `columns` has id, source, path and final records."""
    made = pc.binary_join_element_wise(
        pc.binary_join_element_wise(columns["source"], columns["path"], "/"), columns["record"].cast(pa.string()), "#"
    )
    ids = pc.coalesce(columns["id"], made)
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


def ids_of(shard: Shard, columns: pa.Table) -> pa.Array:
    """As `own_ids`; for an earlier run's shard the ids that it gave."""
    return _ledger(shard.earlier, "id").combine_chunks() if shard.earlier else own_ids(columns)


def final_ids(columns: pa.Table, repeats: pa.Table | None) -> tuple[pa.Array, Mask]:
    """Ids unique in the run, and which of them were repeated: the second `a` is `a~2`.

    `repeats` holds the answers of the id exchange: `row` and `suffix` of each repeated id of this shard.
    """
    ids = own_ids(columns)
    repeated = np.zeros(len(ids), np.bool_)
    if repeats is None or repeats.num_rows == 0:
        return ids, repeated
    rows = repeats["row"].to_numpy()
    repeated[rows] = True
    values = ids.to_pylist()
    for row, suffix in zip(rows.tolist(), repeats["suffix"].to_pylist(), strict=True):
        values[row] = f"{values[row]}~{suffix}"
    return pa.array(values, pa.string()), repeated


def verdicts(stages: Sequence[Stage], columns: pa.Table, capped: pa.Table | None = None) -> Verdicts:
    """Ask every stage for its reasons, less what another excuses.

    `columns` holds final ids; `capped`, the answers of `pipeline.hosts`, is a reason of `select`.
    """
    faults = columns["fault"].to_numpy(zero_copy_only=False)
    read = {str(fault): np.asarray(faults == fault) for fault in pc.unique(columns["fault"].drop_null()).to_pylist()}
    judged = {"read": dict(sorted(read.items()))} | {stage.key: stage.reasons(columns) for stage in stages}
    for key, excused in ((key, mask) for stage in stages for key, mask in stage.excuses(columns).items() if key in judged):
        left = {reason: mask & ~excused for reason, mask in judged[key].items()}
        judged[key] = {reason: mask for reason, mask in left.items() if mask.any()}
    if capped is not None and capped.num_rows:
        mask = np.zeros(columns.num_rows, np.bool_)
        mask[capped["row"].to_numpy()] = True
        judged["select"] = judged["select"] | {"host_cap": mask}
    return judged


def any_reason(judged: Verdicts, num_rows: int, but: Sequence[str] = ()) -> Mask:
    """Rows with a reason from any stage that is not in `but`."""
    result = np.zeros(num_rows, np.bool_)
    for key, reasons in judged.items():
        if key not in but:
            for mask in reasons.values():
                result |= mask
    return result


def reason_lists(judged: Verdicts, num_rows: int) -> pa.Array:
    """All reasons of each row as a list of texts, in the order of stages and rules."""
    names = [reason for reasons in judged.values() for reason in reasons]
    masks = [mask for reasons in judged.values() for mask in reasons.values()]
    if not names:
        return pa.array([[]] * num_rows, pa.list_(pa.string()))
    rows, which = np.nonzero(np.stack(masks, axis=1))
    offsets = np.zeros(num_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=num_rows), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names, pa.string()).take(pa.array(which)))
