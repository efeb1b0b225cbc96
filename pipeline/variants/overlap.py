"""Runs of tokens that stand in held-out text: how much of a document is held out, and how much held-out text a corpus holds.

Tokens are those of decontamination: a word, or a character of a script without spaces, in lower case, normal width and simplified script.
An n-gram is `n` of them in a row within one document. What more than `MOST_DOCUMENTS` held-out documents have is a formula, a dateline or a
licence, says nothing of a copy, and is left out. A text of fewer than `n` tokens has no n-gram; only its exact copies are known.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.decontaminate.tokens import token_hashes
from stages.text.buffers import read_only, text_buffer
from stages.text.kernel import kernel

MOST_DOCUMENTS = 10

Hashes = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def ngrams(texts: pa.Array, n: int) -> tuple[Int64s, Hashes]:
    """Hashes of all n-grams of each text: text i has `hashes[offsets[i]:offsets[i + 1]]`, in order and with repeats."""
    offsets, tokens = token_hashes(text_buffer(texts))
    counts = np.maximum(np.diff(offsets) - (n - 1), 0)
    out_offsets = np.concatenate(([0], np.cumsum(counts)))
    hashes = np.empty(out_offsets[-1], np.uint64)
    _roll(read_only(tokens), read_only(offsets), n, hashes)
    return out_offsets, hashes


@kernel
def _roll(tokens, offsets, n, hashes):  # type: ignore[no-untyped-def]
    at = 0
    for text in range(len(offsets) - 1):
        for start in range(offsets[text], offsets[text + 1] - n + 1):
            value = np.uint64(0)
            for place in range(start, start + n):
                value = (value ^ tokens[place]) * _MULTIPLIER
                value ^= value >> np.uint64(29)
            hashes[at] = value
            at += 1


@dataclass(frozen=True)
class NgramIndex:
    """The n-grams of held-out documents, each once for a document; document i has `entries[offsets[i]:offsets[i + 1]]`."""

    n: int
    known: Hashes
    """Sorted, each once: those that at most `MOST_DOCUMENTS` documents have."""
    owner: Int64s
    """The first document that has each of `known`."""
    offsets: Int64s
    entries: Int64s
    """Places in `known`."""

    @classmethod
    def of(cls, texts: pa.Array, n: int) -> "NgramIndex":
        """Index held-out texts."""
        offsets, hashes = ngrams(texts, n)
        documents = np.repeat(np.arange(len(texts)), np.diff(offsets))
        order = np.lexsort((documents, hashes))
        hashes, documents = hashes[order], documents[order]
        new = np.ones(len(hashes), np.bool_)
        new[1:] = (hashes[1:] != hashes[:-1]) | (documents[1:] != documents[:-1])
        hashes, documents = hashes[new], documents[new]
        found, firsts, counts = np.unique(hashes, return_index=True, return_counts=True)
        rare = counts <= MOST_DOCUMENTS
        places = np.cumsum(rare) - 1
        of_entry = np.repeat(np.arange(len(found)), counts)
        entries, entry_documents = places[of_entry][rare[of_entry]], documents[rare[of_entry]]
        by_document = np.argsort(entry_documents, kind="stable")
        bounds = np.searchsorted(entry_documents[by_document], np.arange(len(texts) + 1))
        return cls(n, found[rare], documents[firsts[rare]], bounds, entries[by_document])

    def shared(self, texts: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """What texts have in common with held-out documents.

        Of each text the share of its n-grams that are known, (n,), and the largest share of one held-out document's n-grams that it holds,
        (n,); and which of `known` occur in any of them.
        """
        offsets, hashes = ngrams(texts, self.n)
        places = np.minimum(np.searchsorted(self.known, hashes), max(0, len(self.known) - 1))
        hit = self.known[places] == hashes if len(self.known) else np.zeros(len(hashes), np.bool_)
        of_text = np.repeat(np.arange(len(texts)), np.diff(offsets))[hit]
        known_share = np.bincount(of_text, minlength=len(texts)) / np.maximum(np.diff(offsets), 1)
        pairs = np.unique(np.stack([of_text, places[hit]]), axis=1)
        size = np.maximum(np.diff(self.offsets), 1)
        held, counts = np.unique(np.stack([pairs[0], self.owner[pairs[1]]]), axis=1, return_counts=True)
        held_share = np.zeros(len(texts))
        np.maximum.at(held_share, held[0], counts / size[held[1]])
        met = np.zeros(len(self.known), np.bool_)
        met[places[hit]] = True
        return known_share, held_share, met

    def found_share(self, met: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Of each held-out document the share of its n-grams that are among `met`, (documents,); 0 for one without any."""
        totals = np.concatenate(([0], np.cumsum(met[self.entries])))
        return np.asarray((totals[self.offsets[1:]] - totals[self.offsets[:-1]]) / np.maximum(np.diff(self.offsets), 1))
