"""The stage `sentences`: what sentence rules would remove from each document, as a column of spans. `stages.edits` decides.

The rules are the files of this folder; docs/sentence_rules.md says what each removes from real text. A proposal that would leave a part of
a sentence standing (a line in the middle of wrapped prose) is withdrawn. Speed on one core: see docs/sentence_rules.md.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.loader import Share, find_file
from stages.batch import Batch
from stages.edits import DROP_SHARE, SPANS, spans_column
from stages.sentences import Signals, rules
from stages.sentences.boilerplate import compile_files
from stages.stage import Stage
from stages.text.kernel import kernel
from stages.text.phrases import Phrases, compile_phrases

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Sentences(Stage):
    """Which phrases are boilerplate, and when a document is nothing else."""

    key: ClassVar[str] = "sentences"
    proposes: ClassVar[bool] = True

    phrases: tuple[str, ...] = ("sentences/zh.yaml", "sentences/en.yaml")
    """Phrase lists, from the working directory or the shipped `configs/`; each is looked for in every document."""
    flagged_words: str | None = None
    """A text file with a word or phrase a line (`#` starts a comment): sentences that hold one are proposed as `flagged`."""
    max_boilerplate_share: Share = DROP_SHARE
    """A document with a larger share of characters in proposed spans is rejected as `mostly_boilerplate`; 1 never rejects."""

    def adds(self) -> tuple[pa.Field, ...]:
        """`sentences_spans`, the proposals; `num_sentences`; `boilerplate_char_share`, the share of characters in their union."""
        return (
            pa.field(spans_column(self.key), SPANS),
            pa.field("num_sentences", pa.int64()),
            pa.field("boilerplate_char_share", pa.float32()),
        )

    def annotate(self, batch: Batch) -> Batch:
        """Ask every rule."""
        text = batch.text.read_only()
        signals = Signals(text, compile_files(self.phrases), _flagged(self.flagged_words))
        names, start, end, rule = _proposals(signals)
        document = np.searchsorted(text.offsets, start, "right") - 1
        covered = np.zeros(len(text), np.int64)
        _count_union(text.data, start, end, document, covered)
        share = covered / np.maximum(batch.profile.num_chars, 1)
        offsets = np.searchsorted(document, np.arange(len(text) + 1)).astype(np.int32)
        base = text.offsets[document]
        spans = pa.StructArray.from_arrays(
            [pa.array(start - base), pa.array(end - base), pa.array(names, pa.string()).take(pa.array(rule))], fields=list(SPANS.value_type)
        )
        columns = {
            spans_column(self.key): pa.ListArray.from_arrays(pa.array(offsets), spans),
            "num_sentences": pa.array(np.diff(signals.sentences.offsets)),
            "boilerplate_char_share": pa.array(share.astype(np.float32)),
        }
        return batch.with_columns(columns)

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`mostly_boilerplate`."""
        mask = columns["boilerplate_char_share"].to_numpy() > np.float32(self.max_boilerplate_share)
        return {"mostly_boilerplate": mask} if mask.any() else {}

    def computed_by(self) -> dict[str, Any]:
        """The phrase lists and the words; the bound is read by `reasons` alone."""
        return {"phrases": self.phrases, "flagged_words": self.flagged_words}

    def files(self) -> tuple[str, ...]:
        """The phrase lists and the word list."""
        return (*self.phrases, *((self.flagged_words,) if self.flagged_words else ()))

    def model_files(self) -> tuple[str, ...]:
        """All of them: their content decides what is proposed."""
        return self.files()

    def describe(self) -> tuple[str, ...]:
        """The rules and the number of phrases."""
        flagged = _flagged(self.flagged_words)
        words = f"{len(flagged.kind)} words of {self.flagged_words}" if flagged else "off"
        return (f"{len(compile_files(self.phrases).phrases.kind)} phrases; flagged: {words}; rules: {', '.join(rules())}",)


def _flagged(path: str | None) -> Phrases | None:
    if path is None:
        return None
    words = (line.partition("#")[0].strip() for line in find_file(path).read_text(encoding="utf-8").splitlines())
    return compile_phrases({word.lower(): 1 for word in words if word})


def _proposals(signals: Signals) -> tuple[list[str], Offsets, Offsets, npt.NDArray[np.int32]]:
    """Names of the rules, and all spans that leave no part of a sentence, ordered by start, end and rule."""
    names = list(rules())
    found = [module.propose(signals) for module in rules().values()]
    start = np.concatenate([proposal.start for proposal in found])
    end = np.concatenate([proposal.end for proposal in found])
    rule = np.repeat(np.arange(len(names), dtype=np.int32), [len(proposal.start) for proposal in found])
    data = signals.text.data
    while (white := (end > start) & (data[end - 1] <= 32)).any():  # a sentence keeps the white space behind it
        end = end - white
    order = np.lexsort((rule, end, start))
    order = order[end[order] > start[order]]
    start, end, rule = start[order], end[order], rule[order]
    while len(start):
        keep = np.ones(len(start), np.bool_)
        _withdraw_parts(signals.text.data, start, end, signals.sentences.bounds, keep)
        if keep.all():
            break
        start, end, rule = start[keep], end[keep], rule[keep]
    return names, start, end, rule


@kernel
def _withdraw_parts(data, start, end, bounds, keep):  # type: ignore[no-untyped-def]
    """Clear `keep` for spans that touch a sentence which the union of all spans does not cover but for ASCII white space."""
    first = 0  # the first span that may reach into a sentence
    for span in range(len(start)):
        sentence = _sentence_at(bounds, start[span])
        while first < span and end[first] <= bounds[sentence]:
            first += 1
        while sentence + 1 < len(bounds) and bounds[sentence] < end[span]:
            low, high = bounds[sentence], bounds[sentence + 1]
            at = low
            other = first
            whole = True
            while at < high and whole:
                while other < len(start) and start[other] <= at:
                    at = max(at, end[other])
                    other += 1
                if at >= high:
                    break
                stop = high if other == len(start) else min(high, start[other])
                while at < stop and whole:
                    whole = data[at] <= 32 or (data[at] in (0xE3, 0x80)) or (data[at] in (0xC2, 0xA0))
                    at += 1
            keep[span] &= whole
            sentence += 1


@kernel
def _sentence_at(bounds, at):  # type: ignore[no-untyped-def]
    low, high = 0, len(bounds) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if bounds[middle] <= at:
            low = middle
        else:
            high = middle
    return low


@kernel
def _count_union(data, start, end, document, covered):  # type: ignore[no-untyped-def]
    """Characters in the union of the spans of each document; spans are ordered by start."""
    reach = np.int64(-1)
    for span in range(len(start)):
        for at in range(max(start[span], reach), end[span]):
            covered[document[span]] += data[at] & 0xC0 != 0x80
        reach = max(reach, end[span])
