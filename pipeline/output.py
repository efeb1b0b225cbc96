"""Select and write: the last pass over each shard makes one file each of corpus, rejected and ledger, and of edits if a stage proposes.

The file number is the shard number, so the same input gives the same files whoever writes them, and a killed run leaves either a whole
file or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import arrow_files, contamination, judge, storage
from pipeline.config import Rejected
from pipeline.edit import Edited, edit, span_columns
from pipeline.exchange import Exchange
from pipeline.judge import Mask, Shard, Verdicts
from pipeline.mixture import cells, held_out
from pipeline.parquet_files import write_parquet
from pipeline.passages.proposals import Proposals, proposals
from stages.dedup.sentence_stage import SentenceDedup
from stages.dedup.survivors import CONTAINED, EXACT, NEAR, URL
from stages.edits import spans_column
from stages.schema import DOCUMENT
from stages.select import Select
from stages.stage import Stage

CORPUS = (
    "id",
    "text",
    "source",
    "domain",
    "lang",
    "url",
    "licence",
    "meta",
    "num_chars",
    "num_bytes",
    "content_hash",
    "cluster_size",
    "sampling_weight",
)
REJECTED = (
    *("id", "text", "reasons", "duplicate_of", "similarity", "cluster_size", "source", "domain", "lang", "url", "licence", "meta"),
    *("path", "record", "num_chars", "num_bytes", "content_hash", "fault_detail", "raw"),
)
LEDGER = (
    *("id", "source", "domain", "lang", "fate", "reasons", "duplicate_of", "similarity", "cluster_size", "path", "record"),
    *("repeated_id", "url", "licence", "fault_detail"),
)
"""The ledger's first columns; those that the stages added follow."""

EDIT_SHARES = ("edit_share", "cut_share")
"""Further columns of corpus and ledger where a stage proposes edits; see `pipeline.edit.Edited`."""
DUPLICATES = ("duplicate_url", "exact_duplicate", "near_duplicate", "contained", "mostly_repeated")
"""Reasons of a document that goes for another one."""

OTHER_CODES = "other codes"
MOST_LANGUAGES = 100
"""A field of the user's that is taken for the language may hold anything; the summary names so many values."""


@dataclass(frozen=True)
class WriteWork:
    """A shard and all that was found out about its documents."""

    shard: Shard
    stages: tuple[Stage, ...]
    ids: Exchange
    capped: Exchange | None
    survivors: Exchange | None
    passages: Exchange | None
    output: str
    rejected: Rejected


def write(work: WriteWork) -> dict[str, Any]:
    """Decide every document of the shard and write it where it belongs.

    Reports counts by language, reason and stage, see `_counts`, and the entries of lists that matched. Asserts that each document is kept
    or rejected, never both.
    """
    shard = work.shard
    columns = shard.columns()
    ids, repeated = judge.final_ids(columns, work.ids.answered(shard.index))
    columns = columns.set_column(columns.schema.get_field_index("id"), "id", ids)
    (select,) = [stage for stage in work.stages if isinstance(stage, Select)]
    answers = work.survivors.answered(shard.index) if work.survivors else None
    columns, kind = _with_duplicates(columns, answers)
    capped = work.capped.answered(shard.index) if work.capped else None
    verdicts = _with_duplicate_reasons(judge.verdicts(work.stages, columns, capped), work.stages, kind)
    verdicts = held_out.with_neighbours(verdicts, answers, shard.num_rows)
    passages = proposals(work.passages, shard, ids) if work.passages else None
    if passages:
        columns, verdicts = _with_repeats(columns, verdicts, work.stages, passages)
    rejected = judge.any_reason(verdicts, shard.num_rows)
    columns = columns.append_column("reasons", judge.reason_lists(verdicts, shard.num_rows))
    columns = columns.append_column("fate", pa.array(np.where(rejected, "rejected", "kept"), pa.string()))
    columns = columns.append_column("repeated_id", pa.array(repeated))

    spans = span_columns(work.stages)
    heavy = arrow_files.read_table(shard.uri, ["text", "meta", "raw", *spans])
    full = columns
    for name in ("text", "meta", "raw"):
        full = full.append_column(name, heavy[name])
    proposed = heavy.select(spans)
    if passages:
        proposed = proposed.append_column(spans_column(SentenceDedup.key), passages.spans)
    proposed = contamination.with_proposals(proposed, work.stages, columns)
    edited = edit(full, proposed, ~rejected) if proposed.num_columns else None
    if edited:
        for name in EDIT_SHARES:
            columns = columns.append_column(name, pa.array(getattr(edited, name)))
    columns = columns.append_column("sampling_weight", _weights(work.stages, columns, answers, passages))
    full = full.append_column("sampling_weight", columns["sampling_weight"])
    kept_rows = _edited(full, edited).filter(pa.array(~rejected))
    kept_rows = kept_rows.select([*CORPUS, *EDIT_SHARES] if edited else CORPUS)
    rejected_rows = _thinned(full.filter(pa.array(rejected)).select(REJECTED), work.rejected)
    assert kept_rows.num_rows + rejected_rows.num_rows == shard.num_rows
    signals = [name for name in columns.column_names if name not in LEDGER and name not in DOCUMENT.names]
    part = f"part-{shard.index:06d}.parquet"
    write_parquet(storage.join(work.output, "corpus", part), kept_rows)
    write_parquet(storage.join(work.output, "rejected", part), rejected_rows)
    write_parquet(storage.join(work.output, "ledger", part), columns.select([*LEDGER, *signals]))
    if edited:
        write_parquet(storage.join(work.output, "edits", part), edited.cuts)
    held = contamination.held(work.stages, full, proposed)
    matched = select.matched(columns.filter(pa.array(rejected)))
    found = {"matched": matched, **held}
    if (apart := held_out.held_out_rows(full, proposed, work.stages, verdicts)) is not None:
        write_parquet(storage.join(work.output, held_out.FOLDER, part), apart)
        found |= {"held_out": held_out.counts(apart), "cells": cells.cells_of(kept_rows)}
    return _counts(columns, verdicts, rejected, [stage.key for stage in work.stages if stage.judges], edited) | found


def _weights(stages: Sequence[Stage], columns: pa.Table, answers: pa.Table | None, passages: Proposals | None) -> pa.Array:
    """What all stages say together of how much each document counts."""
    num_clean = np.ones(columns.num_rows, np.int64)
    if answers is not None:
        num_clean[answers["row"].to_numpy()] = answers["num_clean"].to_numpy()
    columns = columns.append_column("num_clean", pa.array(num_clean))
    if passages:
        columns = columns.append_column("relied_on", pa.array(passages.relied_on))
    said = [weights for stage in stages if (weights := stage.weights(columns)) is not None]
    return pa.array(np.prod(said, axis=0).astype(np.float32))


def _edited(full: pa.Table, edited: Edited | None) -> pa.Table:
    """The rows with their texts and sizes after the cuts. `content_hash` stays that of the normalised text, which edits rebuild."""
    if edited is None:
        return full
    for name in ("text", "num_chars", "num_bytes"):
        full = full.set_column(full.schema.get_field_index(name), name, pa.array(getattr(edited, name)))
    for name in EDIT_SHARES:
        full = full.append_column(name, pa.array(getattr(edited, name)))
    return full


def _with_duplicates(columns: pa.Table, answers: pa.Table | None) -> tuple[pa.Table, npt.NDArray[np.int8]]:
    """Add `duplicate_of`, `similarity`, `cluster_size`; the kind of each row: `EXACT` and `NEAR` bits, or 0."""
    num_rows = columns.num_rows
    kind, size = np.zeros(num_rows, np.int8), np.ones(num_rows, np.int64)
    partner, similarity = pa.nulls(num_rows, pa.string()), pa.nulls(num_rows, pa.float64())
    if answers is not None and answers.num_rows:
        rows = answers["row"].to_numpy()
        kind[rows] = answers["kind"].to_numpy()
        size[rows] = answers["cluster_size"].to_numpy()
        position = np.full(num_rows, -1, np.int64)
        position[rows] = np.arange(len(rows))
        where = pa.array(position, mask=position < 0)
        partner, similarity = answers["duplicate_of"].take(where), answers["similarity"].take(where)
    for name, values in (("duplicate_of", partner), ("similarity", similarity), ("cluster_size", pa.array(size))):
        columns = columns.append_column(name, values)
    return columns, kind


def _with_duplicate_reasons(verdicts: Verdicts, stages: Sequence[Stage], kind: npt.NDArray[np.int8]) -> Verdicts:
    """Duplicates are reasons of the stage that found them, unless `select` keeps duplicates."""
    if any(isinstance(stage, Select) and stage.duplicates in ("keep_with_count", "soft") for stage in stages):
        return verdicts
    keys = [stage.key for stage in stages]
    near = NEAR if "exact_dedup" in keys else NEAR | EXACT  # without it a copy is the nearest of near-duplicates
    for key, reason, bits in (
        ("exact_dedup", "duplicate_url", URL),
        ("exact_dedup", "exact_duplicate", EXACT),
        ("document_dedup", "near_duplicate", near),
        ("document_dedup", "contained", CONTAINED),
    ):
        if key in keys and (mask := kind & bits != 0).any():
            verdicts[key] = {**verdicts[key], reason: mask}
    return verdicts


def _with_repeats(columns: pa.Table, verdicts: Verdicts, stages: Sequence[Stage], passages: Proposals) -> tuple[pa.Table, Verdicts]:
    """Documents of which others keep most, if nobody relies on them: they duplicate the one that keeps most of it."""
    (stage,) = [stage for stage in stages if isinstance(stage, SentenceDedup)]
    columns = columns.append_column("repeated_char_share", pa.array(passages.share))
    alone = (columns["cluster_size"].to_numpy() == 1) & np.asarray(columns["duplicate_of"].is_null())
    mask = (passages.share > np.float32(stage.max_repeated_share)) & ~passages.relied_on & alone
    if mask.any():
        verdicts = {**verdicts, stage.key: {"mostly_repeated": mask}}
        share = pa.array(passages.share.astype(np.float64))
        for name, values in (("duplicate_of", passages.owner), ("similarity", share)):
            merged = pc.if_else(pa.array(mask), values, columns[name])
            columns = columns.set_column(columns.schema.get_field_index(name), name, merged)
    return columns, verdicts


def _thinned(rows: pa.Table, rejected: Rejected) -> pa.Table:
    """Rejected rows with the texts that the setting keeps; null for the others."""
    if rejected.text == "all":
        return rows
    share = rejected.sample_share if rejected.text == "sample" else 0.0
    limit = int(share * (1 << 64))
    keep = pa.array([xxhash.xxh3_64_intdigest(i) < limit for i in rows["id"].cast(pa.binary()).to_pylist()], pa.bool_())
    text = pc.if_else(keep, rows["text"], pa.scalar(None, pa.large_string()))
    raw = pc.if_else(keep, rows["raw"], pa.scalar(None, pa.large_binary()))
    rows = rows.set_column(rows.schema.get_field_index("text"), pa.field("text", pa.large_string()), text)
    return rows.set_column(rows.schema.get_field_index("raw"), "raw", raw)


def _counts(columns: pa.Table, verdicts: Verdicts, rejected: Mask, order: Sequence[str], edited: Edited | None) -> dict[str, Any]:
    """Counts of this shard by language, each `[documents, characters, bytes]`.

    `{"documents": n, "by_language": {lang: {"input", "kept", "duplicates", "left": {stage: ...}, "reasons": {reason: ...}}}}`, where
    `left` is what no stage up to and including this one spoke against: the waterfall. `duplicates` have a reason of `DUPLICATES`. `kept`
    counts what is left after the cuts, all others the normalised texts. `"edits"`: `{rule: [documents, characters]}` of the cuts.
    """
    sizes = np.stack([np.ones(columns.num_rows, np.int64), columns["num_chars"].to_numpy(), columns["num_bytes"].to_numpy()], axis=1)
    kept_sizes = np.stack([sizes[:, 0], edited.num_chars, edited.num_bytes], axis=1) if edited else sizes
    left = np.ones(columns.num_rows, np.bool_)
    after: dict[str, Mask] = {}
    for key in ("read", *order):
        for mask in verdicts.get(key, {}).values():
            left = left & ~mask
        after[key] = left
    languages, group = np.unique(_named_languages(columns["lang"]).astype(str), return_inverse=True)

    def totals(mask: Mask, sizes: npt.NDArray[np.int64] = sizes) -> list[list[int]]:
        """Of each language; one pass, however many there are."""
        summed = np.zeros((len(languages), 3), np.int64)
        np.add.at(summed, group[mask], sizes[mask])
        return [[int(n) for n in row] for row in summed]

    everything, kept = totals(np.ones(columns.num_rows, np.bool_)), totals(~rejected, kept_sizes)
    duplicate = np.zeros(columns.num_rows, np.bool_)
    for reason in DUPLICATES:
        for found in verdicts.values():
            duplicate |= found.get(reason, False)
    duplicates = totals(duplicate)
    lefts = {key: totals(mask) for key, mask in after.items()}
    reasons = {reason: totals(mask) for found in verdicts.values() for reason, mask in found.items()}
    by_language = {
        lang: {
            "input": everything[i],
            "kept": kept[i],
            "duplicates": duplicates[i],
            "left": {key: found[i] for key, found in lefts.items()},
            "reasons": {reason: found[i] for reason, found in reasons.items() if found[i][0]},
        }
        for i, lang in enumerate(languages.tolist())
    }
    source = columns["source"][0].as_py() if columns.num_rows else None
    counts = {"documents": columns.num_rows, "bytes": int(sizes[:, 2].sum()), "source": source, "by_language": by_language}
    return counts | {"edits": _edit_counts(edited.cuts)} if edited else counts


def _named_languages(codes: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """The code of each row; beyond the `MOST_LANGUAGES` most frequent of the shard, `OTHER_CODES`."""
    counts = sorted(pc.value_counts(codes).to_pylist(), key=lambda row: (-row["counts"], str(row["values"])))
    named = pa.array([row["values"] for row in counts[:MOST_LANGUAGES]], pa.string())
    return np.asarray(pc.if_else(pc.is_in(codes, value_set=named), codes, OTHER_CODES).to_numpy(zero_copy_only=False), object)


def _edit_counts(cuts: pa.Table) -> dict[str, list[int]]:
    cuts = cuts.append_column("chars", pc.utf8_length(pc.coalesce(cuts["removed"], cuts["replacement"])))
    found = cuts.group_by("rule").aggregate([("id", "count_distinct"), ("chars", "sum")]).to_pylist()
    return {row["rule"]: [row["id_count_distinct"], row["chars_sum"]] for row in sorted(found, key=lambda row: str(row["rule"]))}
