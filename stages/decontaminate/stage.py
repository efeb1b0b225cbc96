"""The stage `decontaminate`: questions of evaluation sets that stand in a document, and what becomes of it.

A document is touched by a question of which at least `min_share` stands in it. It is dropped (`action: drop`), or the sentences that hold
the question are cut (`cut`), whatever `stages.edits` says of other removals: what was seen in training makes a score worthless. Above
`max_cut_share` of its bytes it is dropped all the same.

A question that more than `max_documents` different texts and more than `max_document_share` of all texts hold is a common quotation: a
line of a poem, an article of a law. It is reported and not acted on (`Informed`; the corpus is counted by `pipeline.contamination`). A
passage and each piece of a long stem are counted by themselves: a question about a famous passage is acted on, the passage is not.

What the columns hold does not depend on these bounds, so they can be changed by `corpus select`. Recall, precision and speed:
docs/decontamination.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.loader import Between, Positive, SettingError, Share
from stages.batch import Batch
from stages.decontaminate.benchmarks import Benchmark, benchmark_files
from stages.decontaminate.index import PART, SEED, WHOLE, Questions, questions_of
from stages.decontaminate.scan import LOWEST_SHARE, Matches, scan
from stages.edits import CONTAMINATION
from stages.stage import Stage
from stages.text.buffers import TextBuffer
from stages.text.sentences import sentences

Int64s = npt.NDArray[np.int64]

MATCH = pa.struct(
    [
        pa.field("benchmark", pa.string()),
        pa.field("question", pa.string()),
        pa.field("share", pa.float32()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("cut_start", pa.int64()),
        pa.field("cut_end", pa.int64()),
    ]
)
"""A question in a document: file and line of the question, and which part of it (`PART`), bytes of the normalised text, and those of the
sentences that hold it."""

PROPOSED = pa.list_(
    pa.struct(
        [
            pa.field("start", pa.int64()),
            pa.field("end", pa.int64()),
            pa.field("rule", pa.string()),
            pa.field("partner", pa.string()),
            pa.field("similarity", pa.float64()),
        ]
    )
)

MAKING_FACTOR = 6
"""Measured with 109,000 questions: 134 MB of index, 660 MB more while it is made (docs/decontamination.md)."""


@dataclass(frozen=True, kw_only=True)
class Decontaminate(Stage):
    """Which evaluation sets must not be in the corpus, and what is done with a document that holds one of their questions."""

    key: ClassVar[str] = "decontaminate"
    reads: ClassVar[tuple[str, ...]] = ("text", "num_bytes")
    proposes: ClassVar[bool] = True

    benchmarks: tuple[Benchmark, ...]
    """The evaluation sets."""
    ngram: Annotated[int, Between(SEED, 64)] = 13
    """A question with at least so many tokens that are no boilerplate is found with changes, a shorter one whole."""
    min_tokens: Annotated[int, Between(SEED)] = 8
    """A shorter question, its options included, is not looked for."""
    max_questions: Positive = 10
    """What stands in more questions than this is boilerplate."""
    min_share: Annotated[float, Between(LOWEST_SHARE, 1)] = 0.8
    """Of its tokens so many must be there."""
    action: Literal["drop", "cut"] = "drop"
    """Whether the document goes, or only the sentences that hold the question."""
    max_cut_share: Annotated[float, Between(0, 0.9)] = 0.5
    """A document of which more than this would be cut is dropped."""
    max_documents: Positive = 20
    """A question that no more different texts than this hold is never a common quotation."""
    max_document_share: Share = 1e-5
    """One that no more than this share of all documents hold is none either: in a large corpus exams are copied often too."""
    examples: Annotated[int, Between(0, 100)] = 3
    """Of each benchmark and source, so many matching texts are shown in the summary."""

    def __post_init__(self) -> None:
        names = [benchmark.name for benchmark in self.benchmarks]
        if not names:
            raise SettingError("benchmarks", "got none, wanted at least one evaluation set")
        if repeated := {name for name in names if names.count(name) > 1}:
            raise SettingError("benchmarks", f"the name '{min(repeated)}' stands twice")

    def adds(self) -> tuple[pa.Field, ...]:
        """`contamination`: each question of which `LOWEST_SHARE` is there; `contamination_share` and `contaminated_by`: the best match."""
        return (
            pa.field("contamination", pa.list_(MATCH)),
            pa.field("contamination_share", pa.float32()),
            pa.field("contaminated_by", pa.string()),
        )

    def annotate(self, batch: Batch) -> Batch:
        """Look for every question in every document."""
        text = batch.text.read_only()
        questions = self._questions
        found = scan(text, questions.arrays)
        base = text.offsets[found.document]
        cut_start, cut_end = _sentences(text, found)
        unit = pa.array(found.unit)
        benchmark = questions.benchmark.take(unit)
        values = [
            benchmark,
            questions.place.take(unit),
            *map(pa.array, (found.share, found.start - base, found.end - base, cut_start, cut_end)),
        ]
        offsets = np.searchsorted(found.document, np.arange(len(text) + 1)).astype(np.int32)
        matches = pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(values, fields=list(MATCH)))
        share = np.zeros(len(text), np.float32)
        np.maximum.at(share, found.document, found.share)
        best = np.full(len(text), -1, np.int64)
        at_best = np.flatnonzero(found.share == share[found.document])[::-1]
        best[found.document[at_best]] = at_best
        name = benchmark.take(pa.array(best, mask=best < 0))
        return batch.with_columns({"contamination": matches, "contamination_share": pa.array(share), "contaminated_by": name})

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`contaminated`."""
        acted = self.touching(columns)
        mask = np.zeros(columns.num_rows, np.bool_)
        if self.action == "drop":
            mask[acted.document] = True
        else:
            cut = _union(acted.document, acted.cut_start, acted.cut_end, columns.num_rows)
            mask = cut > self.max_cut_share * columns["num_bytes"].to_numpy()
        return {"contaminated": mask} if mask.any() else {}

    def spans(self, columns: pa.Table) -> pa.Array:
        """What is to be cut from each document: nothing where documents are dropped."""
        acted = self.touching(columns)
        if self.action == "drop":
            acted = acted.filter(np.zeros(len(acted.document), np.bool_))
        offsets = np.searchsorted(acted.document, np.arange(columns.num_rows + 1)).astype(np.int32)
        rule = pa.array([CONTAMINATION] * len(acted.document), pa.string())
        values = [pa.array(acted.cut_start), pa.array(acted.cut_end), rule, acted.question, pa.array(acted.share.astype(np.float64))]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(values, fields=list(PROPOSED.value_type)))

    def touching(self, columns: pa.Table, common: bool = False) -> "Touching":
        """The matches that count; with `common`, those of common quotations instead."""
        return touching(columns["contamination"], self.min_share).common(self.common_units, common)

    @property
    def common_units(self) -> tuple[str, ...]:
        """Questions, passages and pieces that are not acted on; see `Informed`."""
        return ()

    @property
    def _questions(self) -> Questions:
        return questions_of(self.benchmarks, self.ngram, self.min_tokens, self.max_questions)

    def computed_by(self) -> dict[str, Any]:
        """What is looked for; what is done about it can be decided again."""
        computed = super().computed_by()
        return {name: computed[name] for name in ("benchmarks", "ngram", "min_tokens", "max_questions")}

    def files(self) -> tuple[str, ...]:
        """Every file of every benchmark."""
        return tuple(dict.fromkeys(file for benchmark in self.benchmarks for file in benchmark_files(benchmark)))

    def model_files(self) -> tuple[str, ...]:
        """All of them."""
        return self.files()

    def check(self) -> None:
        """Read the benchmarks: what is wrong with them is said before the run starts."""
        _ = self._questions

    def index_bytes(self) -> int:
        """What the questions take in each worker; `MAKING_FACTOR` times as much while they are prepared from their files."""
        return sum(array.nbytes for array in self._questions.arrays)

    def searched(self) -> dict[str, tuple[int, int]]:
        """Of each benchmark, how many questions it has and how many of them are looked for."""
        questions = self._questions
        return {name: (total, questions.num_searched[name]) for name, total in questions.num_questions.items()}

    def describe(self) -> tuple[str, ...]:
        """How many questions are looked for."""
        index = self._questions.arrays
        return (
            *(
                f"{name}: {number:,} of {total:,} questions are looked for; the others are too short or all boilerplate"
                for name, (total, number) in self.searched().items()
            ),
            f"{len(index.units):,} units, {int(index.units[:, WHOLE].sum()):,} of them found whole only; {len(index.seeds):,} seeds",
        )


@dataclass(frozen=True, kw_only=True)
class Informed(Decontaminate):
    """The stage once the corpus has been counted."""

    common: tuple[str, ...]
    """Questions, passages and pieces that are common quotations, as `Touching.unit` names them."""

    @property
    def common_units(self) -> tuple[str, ...]:
        """Those that were counted."""
        return self.common


def informed(stage: Decontaminate, common: Sequence[str]) -> Informed:
    """The same stage, knowing what is a common quotation."""
    return Informed(**{field.name: getattr(stage, field.name) for field in fields(Decontaminate)}, common=tuple(common))


@dataclass(frozen=True)
class Touching:
    """Matches of some documents, ordered by document."""

    document: Int64s
    benchmark: pa.Array
    question: pa.Array
    """`benchmark/place`."""
    unit: pa.Array
    """The same with the part of the question, see `PART`."""
    share: npt.NDArray[np.float32]
    start: Int64s
    end: Int64s
    cut_start: Int64s
    cut_end: Int64s

    def filter(self, mask: npt.NDArray[np.bool_]) -> "Touching":
        """Some of them."""
        kept = pa.array(mask)
        values = (getattr(self, field.name) for field in fields(self))
        return Touching(*(value.filter(kept) if isinstance(value, pa.Array) else value[mask] for value in values))

    def common(self, units: Sequence[str], wanted: bool) -> "Touching":
        """Those of some units, or those of all others."""
        is_common = np.asarray(pc.is_in(self.unit, value_set=pa.array(units, pa.string())))
        return self.filter(is_common == wanted)


def touching(matches: pa.ChunkedArray | pa.Array, min_share: float) -> Touching:
    """The matches of a column `contamination` of at least a share."""
    lists = matches.combine_chunks() if isinstance(matches, pa.ChunkedArray) else matches
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], pa.list_(MATCH))
    document = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    values = pc.list_flatten(lists)
    column = {field.name: pc.struct_field(values, field.name) for field in MATCH}
    numbers = {name: column[name].to_numpy() for name in ("share", "start", "end", "cut_start", "cut_end")}
    unit = pc.binary_join_element_wise(column["benchmark"], column["question"], "/")
    question = pc.replace_substring_regex(unit, PART, "")
    return Touching(document, column["benchmark"], question, unit, **numbers).filter(numbers["share"] >= np.float32(min_share))


def _sentences(text: TextBuffer, found: Matches) -> tuple[Int64s, Int64s]:
    """The bytes of the sentences that hold each match, within their documents."""
    touched, place = np.unique(found.document, return_inverse=True)
    lengths = text.lengths()[touched]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    taken = [text.data[start : start + length] for start, length in zip(text.offsets[touched].tolist(), lengths.tolist(), strict=True)]
    part = TextBuffer(np.concatenate(taken) if taken else np.zeros(0, np.uint8), offsets)
    bounds = sentences(part).bounds
    shift = offsets[place] - text.offsets[found.document]
    first = np.searchsorted(bounds, found.start + shift, "right") - 1
    last = np.searchsorted(bounds, found.end + shift, "left")
    return bounds[first] - offsets[place], bounds[last] - offsets[place]


def _union(document: Int64s, start: Int64s, end: Int64s, num_documents: int) -> Int64s:
    """Bytes in the union of the spans of each document."""
    covered = np.zeros(num_documents, np.int64)
    order = np.lexsort((start, document))
    last, reach = -1, 0
    for number, low, high in zip(document[order].tolist(), start[order].tolist(), end[order].tolist(), strict=True):
        reach = reach if number == last else 0
        covered[number] += max(0, high - max(low, reach))
        last, reach = number, max(reach, high)
    return covered
