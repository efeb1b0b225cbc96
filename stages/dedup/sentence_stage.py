"""The stage `sentence_dedup`: passages that stand in several kept documents, or several times in one, are removed but for the best copy.

It runs when a selection is made, on the documents that are kept after exact and near-duplicates were rejected, so every setting here can
be changed with `corpus select`. What it looks for is in the modules beside: `passages` (word for word), `near_passages` (with small
changes), `edges` (datelines, headers and footers); `pipeline.passages` moves the rows. It proposes spans like any stage that does, and
`stages.edits` decides about the union. Figures: docs/sentence_dedup.md.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from configs.loader import Between, Positive, Share
from stages.dedup.bands import detection_probability
from stages.dedup.passages import Bounds
from stages.edits import EDGE_CLAUSE
from stages.stage import Stage
from stages.text.units import Floor

REPEATED, NEAR_REPEATED, EDGE = "repeated_passage", "similar_passage", EDGE_CLAUSE
"""Rules, as they stand in `OUT/edits/`."""
BRIEF = Floor(5, 10)
"""Shorter sentences do not add to the length of a passage."""


@dataclass(frozen=True, kw_only=True)
class SentenceDedup(Stage):
    """What counts as a repeat. Lengths in words (runs of letters and digits) and characters (Han, kana, hangul) add up."""

    key: ClassVar[str] = "sentence_dedup"
    reads: ClassVar[tuple[str, ...]] = ("text", "num_chars")
    proposes: ClassVar[bool] = True

    min_sentences: Annotated[int, Between(1, 20)] = 2
    """So many consecutive sentences that stand elsewhere are a passage."""
    min_passage_words: Positive = 20
    """What such a passage has at least in words,"""
    min_passage_chars: Positive = 40
    """or in characters."""
    min_words: Positive = 50
    """From so many words on one sentence or paragraph is a passage,"""
    min_chars: Positive = 100
    """or from so many characters on."""
    fuzzy: bool = True
    """Look also for sentences and paragraphs of `min_words` or `min_chars` that were slightly changed."""
    similarity: Share = 0.9
    """Edit similarity from which on they are the same: 1 - edits / length of folded text; numbers must agree, but for lone Han numerals."""
    shingle: Annotated[int, Between(2, 32)] = 6
    """Characters that two of them must share in a row to be compared, at one of `keys` places;"""
    shingle_words: Annotated[int, Between(2, 32)] = 3
    """or words, in text of words."""
    keys: Annotated[int, Between(1, 256)] = 10
    """Shingles of each that are looked up. More find more and take more disk."""
    bucket_limit: Annotated[int, Between(2)] = 64
    """Texts with one key that are all compared with each other; larger buckets go by representatives."""
    min_documents: Annotated[int, Between(2)] = 20
    """Documents that have an opening or a line at their edge before it can be boilerplate."""
    min_source_share: Share = 0.2
    """Share of the documents of one source that have a short line at their edge before it is a header or footer."""
    max_repeated_share: Share = 0.8
    """A document with more of its characters in passages that others keep is rejected as `mostly_repeated`; 1 never rejects.

    From half of it on nothing is cut, so below this share the document is kept whole, with its `edit_share`."""
    exempt_domains: tuple[str, ...] = ()
    """Domains whose documents lose nothing; others still lose what these hold."""

    def computed_by(self) -> dict[str, Any]:
        """Nothing: all is done again for each selection."""
        return {}

    @property
    def single(self) -> Floor:
        """The least length of one sentence, or of a paragraph that is compared."""
        return Floor(self.min_words, self.min_chars)

    @property
    def bounds(self) -> Bounds:
        """When an exact repeat is worth removing."""
        return Bounds(self.min_sentences, Floor(self.min_passage_words, self.min_passage_chars), self.single, BRIEF)

    def describe(self) -> tuple[str, ...]:
        """What is removed, and how surely changed passages are found."""
        near = "off"
        if self.fuzzy:
            kept = {s: s**self.shingle for s in (0.9, 0.95, 0.99)}  # of the shingles, if a share s of the characters is unchanged
            found = {s: detection_probability(share / (2 - share), self.keys, 1) for s, share in kept.items()}
            near = f"similarity {self.similarity:g}; compared if so many of its characters are unchanged: "
            near += ", ".join(f"{s:g}: {p:.3f}" for s, p in found.items())
        return (
            f"repeats of {self.min_sentences} sentences and {self.min_passage_words} words or {self.min_passage_chars} characters, or of "
            f"one of {self.min_words} words or {self.min_chars} characters; the best copy stays",
            f"changed sentences and paragraphs of {self.min_words} words or {self.min_chars} characters: {near}",
            f"edges: openings in {self.min_documents} documents, lines in {self.min_source_share:.0%} of a source",
        )
