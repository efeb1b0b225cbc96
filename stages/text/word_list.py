"""How often a text holds the entries of a word list, such as words that a user flags: all of them in one pass over the bytes.

From left to right the longest entry that starts at a place is taken, and the search goes on behind it: what a regular expression
of alternatives, longest first, finds. ASCII letters match in either case. An entry that starts or ends in an ASCII letter or digit
matches only where a word starts or ends, so `ass` is not in `class`; Chinese, written without spaces, matches anywhere.

The list is a trie over bytes, and a table over the first two bytes of a place says whether any entry may start there: documents are
long and entries rare, so this beats an automaton with a look-up a byte (`stages.text.phrases`).
One core of a 2-core machine, real text, the placeholders of `lorem_ipsum_share`: 890 MB/s.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer, read_only
from stages.text.kernel import HIGHS, alphanumeric, eight_bytes, kernel, leading

_FOLDED = np.array([byte | 0x20 if 0x41 <= byte <= 0x5A else byte for byte in range(256)], np.uint8)
_IN_WORD = np.array([byte < 0x80 and chr(byte).isalnum() for byte in range(256)], np.bool_)


class WordList(NamedTuple):
    """A list, ready to search."""

    starts: npt.NDArray[np.bool_]
    """Whether an entry starts with two bytes `first << 8 | second`, (65536,); one of a single byte, with any second one."""
    columns: npt.NDArray[np.uint8]
    """Column of each byte in `children`, (256,); 0 for bytes that are in no entry."""
    children: npt.NDArray[np.int32]
    """Node reached from a node by a byte, (nodes, columns), 0 for none; node 0 is the root."""
    accepts: npt.NDArray[np.bool_]
    """Whether an entry ends at a node, (nodes,)."""


class Listed(NamedTuple):
    """What was found in each document, int64 of shape (n,)."""

    found: npt.NDArray[np.int64]
    """Occurrences of any entry."""
    num_bytes: npt.NDArray[np.int64]
    """Bytes that they cover."""


def word_list(entries: Iterable[str]) -> WordList:
    """Compile a list; white space around entries and empty entries are left out."""
    folded = sorted({bytes(_FOLDED[list(entry.strip().encode())]) for entry in entries if entry.strip()})
    used = sorted(set(b"".join(folded)))
    columns = np.zeros(256, np.uint8)
    columns[used] = np.arange(1, len(used) + 1)
    nodes: list[dict[int, int]] = [{}]
    ends = set()
    starts = np.zeros(1 << 16, np.bool_)
    for entry in folded:
        node = 0
        for byte in entry:
            if byte not in nodes[node]:
                nodes[node][byte] = len(nodes)
                nodes.append({})
            node = nodes[node][byte]
        ends.add(node)
        seconds = np.arange(256) if len(entry) == 1 else np.flatnonzero(entry[1] == _FOLDED)
        starts[np.add.outer(np.flatnonzero(entry[0] == _FOLDED) << 8, seconds)] = True
    children = np.zeros((len(nodes), len(used) + 1), np.int32)
    for node, reached in enumerate(nodes):
        for byte, child in reached.items():
            children[node, columns[byte]] = child
    accepts = np.zeros(len(nodes), np.bool_)
    accepts[list(ends)] = True
    return WordList(*map(read_only, (starts, columns[_FOLDED], children, accepts)))


def listed_words(text: TextBuffer, searched: WordList, max_bytes: int = 1 << 62) -> Listed:
    """Search the first `max_bytes` of every document.

    >>> data = np.frombuffer("Lorem ipsum，占位文字".encode(), np.uint8)
    >>> listed_words(TextBuffer(data, np.array([0, len(data)])), word_list(["lorem", "占位文字", "sum"]))
    Listed(found=array([2]), num_bytes=array([17]))
    """
    text = text.read_only()
    counts = np.zeros((2, len(text)), np.int64)
    _count(text.data, eight_bytes(text.data), text.offsets, max_bytes, *searched, _IN_WORD, counts)
    return Listed(*counts)


@kernel
def _count(data, chunks, offsets, max_bytes, starts, columns, children, accepts, in_word, counts):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        at = offsets[document]
        end = min(offsets[document + 1], at + max_bytes)
        found = 0
        covered = 0
        while at < end:  # never within a word of ASCII letters and digits
            first = np.int64(data[at])
            behind = at
            if starts[first << 8 | np.int64(data[at + 1] if at + 1 < end else 0)]:
                behind = _longest(data, at, end, columns, children, accepts, in_word)
                found += behind > at
                covered += behind - at
            if behind > at:
                at = behind
            elif first >= 0xE0 and at + 2 < end and data[at + 1] & data[at + 2] & 0xC0 == 0x80:
                at += 3
            else:
                at += 1
                length = 8 if in_word[first] else 0
                while length == 8 and at + 8 <= end:
                    length = leading(~alphanumeric(chunks[at]) & HIGHS)
                    at += length
                while length == 8 and at < end and in_word[data[at]]:
                    at += 1
        counts[0, document] = found
        counts[1, document] = covered


@kernel
def _longest(data, at, end, columns, children, accepts, in_word):  # type: ignore[no-untyped-def]
    """The place behind the longest entry that starts at `at`; `at` if none does."""
    node = 0
    behind = at
    place = at
    while place < end:
        node = children[node, columns[data[place]]]
        if node == 0:
            break
        place += 1
        if accepts[node] and not (place < end and in_word[data[place - 1]] and in_word[data[place]]):
            behind = place
    return behind
