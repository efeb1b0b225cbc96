"""Which questions of evaluation sets are common quotations: counted over the whole corpus before anything is decided.

No document knows how often the line of a poem is quoted. So each shard sends the questions that its documents hold to the question's
partition, which counts the different texts (copies count once) and names what is common. Only documents that hold a question send anything.
Passages and pieces of long stems are counted by themselves: a famous passage does not excuse the question about it.
The run goes on with the stage that knows (`stages.decontaminate.stage.Informed`), so every later decision does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline.config import as_settings
from pipeline.dedup.found import Found
from pipeline.dedup.rounds import Phases, exchange, folder_of
from pipeline.dedup.send import content_hashes
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from pipeline.manifest import code_identity, identity
from pipeline.plan import Plan
from stages.decontaminate.stage import Decontaminate, Informed, Touching, informed
from stages.edits import Span, remove, spans_column
from stages.stage import Stage

QUESTION_ROWS = pa.schema({"question": pa.string(), "unit": pa.string(), "source": pa.string(), "content": pa.uint64()})

EXAMPLE_CHARS = 200
"""An example in the summary shows the first so many characters of what matched."""


@dataclass(frozen=True)
class TellWork:
    """A shard whose documents hold questions."""

    shard: Shard
    stage: Decontaminate
    out: Exchange


@dataclass(frozen=True)
class CountWork:
    """One partition of the questions."""

    exchange: Exchange
    partition: int
    stage: Decontaminate
    num_documents: int


def know_common(runner: Phases, found: Found) -> Plan:
    """The plan with a stage that knows the common quotations; the plan as it is for a run without the stage."""
    plan, shards = runner.plan, found.own
    stage = plan.stage(Decontaminate)
    if stage is None:
        return plan
    assert isinstance(stage, Decontaminate)
    key = identity(code_identity(), [shard.uri for shard in shards], as_settings(stage))
    out = exchange(runner, shards, "questions", 64, key)
    tells = {f"send-{shard.index}": TellWork(shard, stage, out) for shard in shards}
    runner.phase("questions", folder_of(out), tell, tells)
    num_documents = sum(shard.num_rows for shard in shards)
    works = {str(p): CountWork(out, p, stage, num_documents) for p in range(out.partitions)}
    counted = runner.phase("common questions", folder_of(out), count, works)
    knowing = informed(stage, sorted(name for counts in counted for name in counts["common"]))
    return plan.informed(stage, knowing)


def tell(work: TellWork) -> dict[str, Any]:
    """Send the questions that the documents of a shard hold."""
    columns = work.shard.columns(["contamination", "content_hash", "source"])
    touched = work.stage.touching(columns)
    content, _ = content_hashes(columns["content_hash"])
    rows = pa.array(touched.document)
    values = [touched.question, touched.unit, columns["source"].combine_chunks().take(rows), pa.array(content[touched.document])]
    hashes = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in touched.question.to_pylist()], np.uint64)
    work.out.send(work.shard.index, pa.RecordBatch.from_arrays(values, schema=QUESTION_ROWS), hashes % np.uint64(work.out.partitions))
    return {"documents": len(np.unique(touched.document))}


def count(work: CountWork) -> dict[str, Any]:
    """`common`: question or part of one -> how many texts hold it; `questions`: benchmark -> source -> how many different ones."""
    rows = work.exchange.received(work.partition).group_by(["question", "unit", "source", "content"]).aggregate([])
    texts = rows.select(["unit", "content"]).group_by(["unit", "content"]).aggregate([]).group_by("unit")
    held = {row["unit"]: row["content_count"] for row in texts.aggregate([("content", "count")]).to_pylist()}
    least = max(work.stage.max_documents, work.stage.max_document_share * work.num_documents)
    common = {name: texts for name, texts in sorted(held.items()) if texts > least}
    questions: dict[str, dict[str, int]] = {}
    for row in rows.select(["question", "source"]).group_by(["question", "source"]).aggregate([]).to_pylist():
        by_source = questions.setdefault(row["question"].partition("/")[0], {})
        by_source[row["source"]] = by_source.get(row["source"], 0) + 1
    return {"common": common, "questions": questions}


def with_proposals(proposed: pa.Table, stages: Sequence[Stage], columns: pa.Table) -> pa.Table:
    """Proposals of a shard with those of the stage."""
    stage = _stage(stages)
    return proposed.append_column(spans_column(stage.key), stage.spans(columns)) if stage else proposed


def held(stages: Sequence[Stage], full: pa.Table, proposed: pa.Table) -> dict[str, Any]:
    """For the statistics of a shard: of each benchmark `documents`, `quoting` (common quotations alone), and what matched.

    Texts are shown with the masks among the proposals.
    """
    stage = _stage(stages)
    if stage is None:
        return {}
    acted, quoted = stage.touching(full), stage.touching(full, common=True)
    found = {}
    for name in sorted({*acted.benchmark.to_pylist(), *quoted.benchmark.to_pylist()}):
        own, common = (touched.filter(np.asarray(pc.equal(touched.benchmark, name))) for touched in (acted, quoted))
        documents = np.unique(own.document)
        found[name] = {
            "documents": len(documents),
            "quoting": len(np.setdiff1d(common.document, documents)),
            "examples": _examples(own, full, proposed, stage.examples),
            "quotations": _examples(common, full, proposed, stage.examples),
        }
    return {"contamination": found}


def _stage(stages: Sequence[Stage]) -> Informed | None:
    return next((stage for stage in stages if isinstance(stage, Informed)), None)


def _examples(touched: Touching, full: pa.Table, proposed: pa.Table, most: int) -> list[dict[str, Any]]:
    """The best matches, one of each question."""
    chosen: dict[str, int] = {}
    names = touched.question.to_pylist()
    for at in np.lexsort((touched.start, touched.document, -touched.share)).tolist():
        if len(chosen) < most:
            chosen.setdefault(names[at], at)
    examples = []
    for name, at in chosen.items():
        row = int(touched.document[at])
        spans = [span for column in proposed.columns for span in column[row].as_py() or ()]
        text = _masked(full["text"][row].as_py().encode(), int(touched.start[at]), int(touched.end[at]), spans)
        shown = text if len(text) <= EXAMPLE_CHARS else f"{text[:EXAMPLE_CHARS]}…"
        examples.append({"id": full["id"][row].as_py(), "question": name, "share": round(float(touched.share[at]), 3), "text": shown})
    return examples


def _masked(text: bytes, start: int, end: int, spans: Sequence[Mapping[str, Any]]) -> str:
    """`text[start:end]` with its masks applied, whole or in part."""
    masks = (span for span in spans if span.get("replacement") and span["start"] < end and start < span["end"])
    inside = [(max(0, mask["start"] - start), min(end, mask["end"]) - start, mask) for mask in masks]
    cuts = [Span(low, high, mask["rule"], replacement=mask["replacement"]) for low, high, mask in sorted(inside, key=lambda row: row[:2])]
    return remove(text[start:end], cuts).decode()
