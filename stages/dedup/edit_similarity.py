"""Edit similarity: what share of the longer of two texts stays as it is when one is edited into the other.

1 - d / n, where n is the number of characters of the longer text and d Levenshtein's distance: how many characters at least must be
inserted, removed or replaced. Characters are those of `stages.text.fold` (case, width, compatibility forms and the script of Han do not
count), each run of white space and control characters is one space, none at the ends, and joiners and variation selectors are left out.
Punctuation counts: 1.5 is not 15, and a sentence whose every clause was joined anew was edited.

The distance is found bit-parallel (Myers 1999), 64 rows of the table a word (Hyyrö 2003), only in the diagonal band that a similarity of
`at_least` leaves (Ukkonen 1985), which narrows while the texts differ: a pair that cannot reach it ends early with 0. Common
beginnings and ends are passed over first. One core, pairs of 100, 300 and 1,000 characters of which a tenth was edited, `at_least` .8:
560, 170 and 35 thousand a second, folding included (`benchmarks/dedup_kernels.py`). rapidfuzz, given folded strings, is .6-.7 times
as fast in Chinese and 1.5-3.4 times in English, where a table of 256 characters is enough.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer, read_only
from stages.text.fold import CLASS_SHIFT, CODE, EXPANDED, IGNORED, entry_at, token_classes

_kernel = njit(cache=True, nogil=True, _nrt=False)  # see `stages.text.sentences`
_0, _1, _2, _63 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_WORD = 64
_SPACES = (np.uint64(0x85), np.uint64(0x1680), np.uint64(0x2028), np.uint64(0x2029))
"""White space beyond U+0020 that NFKC keeps."""


def edit_similarity(
    text: TextBuffer, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], at_least: float
) -> npt.NDArray[np.float64]:
    """Similarity of each pair of texts, (pairs,); 0 where it is below `at_least`, and where either text is empty.

    For texts of up to some thousand characters: time grows with the product of length and distance, memory with the length of the longest.

    >>> data = np.frombuffer("kittenｓｉｔｔｉｎｇ".encode(), np.uint8)
    >>> text = TextBuffer(data, np.array([0, 6, len(data)]))
    >>> edit_similarity(text, np.array([0, 0]), np.array([1, 1]), at_least=0.5).round(3)  # 3 of 7 characters
    array([0.571, 0.571])
    """
    text = text.read_only()
    room = 6 * int(text.lengths().max(initial=0))  # ﷺ has three bytes and is folded to 18 characters
    offsets, numbers = np.zeros(len(text) + 1, np.int64), np.zeros(CODE + 1, np.int32)
    characters = np.empty(int(text.lengths().sum()) + room, np.int32)
    done = 0
    while (done := _fold_all(text.data, text.offsets, token_classes(), room, done, numbers, offsets, characters)) < len(text):
        characters = np.concatenate([characters[: offsets[done]], np.empty(len(characters), np.int32)])
    lengths = np.diff(offsets)
    words = int(np.minimum(lengths[left], lengths[right]).max(initial=0)) // _WORD + 1
    num_characters = int(numbers[0]) + 1
    rows = np.zeros(num_characters, np.int32)
    masks = np.empty((min(words * _WORD, num_characters) + 1) * words, np.uint64)
    table, scores = np.empty(2 * words, np.uint64), np.empty(words, np.int64)
    similarity = np.empty(len(left), np.float64)
    _compare_all(offsets, characters, read_only(left), read_only(right), at_least, rows, masks, table, scores, similarity)
    return similarity


@_kernel
def _fold_all(data, offsets, classes, room, first, numbers, out_offsets, out):  # type: ignore[no-untyped-def]
    """Number the characters of the texts from `first` on in the order in which they are met, while `out` has `room` for the next text.

    `numbers` holds the number of each character, 0 if it was not met yet; that of U+0000, which is white space, is how many were.
    Returns how many texts are done.
    """
    position = np.uint64(out_offsets[first])
    for document in range(first, len(offsets) - 1):
        if position + np.uint64(room) > np.uint64(len(out)):
            return document
        begin = position
        at, end = np.uint64(offsets[document]), np.uint64(offsets[document + 1])
        while at < end:
            entry, width = entry_at(data, at, end, classes)
            at += width
            if entry >> CLASS_SHIFT == EXPANDED:
                place = entry & CODE
                for index in range(place + 1, place + 1 + classes[place]):
                    position = _append(np.int64(classes[index]), numbers, begin, position, out)
            else:
                position = _append(entry, numbers, begin, position, out)
        if position > begin and out[position - _1] == 0:
            position -= _1
        out_offsets[document + 1] = position
    return len(offsets) - 1


@_kernel
def _append(entry, numbers, begin, position, out):  # type: ignore[no-untyped-def]
    """Write the number of a character, 0 for a run of white space, to `out[position]`; where the next one goes."""
    code = np.uint64(entry & CODE)
    number = numbers[code]
    if entry >> CLASS_SHIFT == IGNORED:
        return position
    if code <= 0x20 or code in _SPACES:
        if position == begin or out[position - _1] == 0:
            return position
        number = np.int32(0)
    elif number == 0:
        numbers[_0] += 1
        number = numbers[code] = numbers[_0]
    out[position] = number
    return position + _1


@_kernel
def _compare_all(offsets, characters, left, right, at_least, rows, masks, table, scores, similarity):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        if offsets[a + 1] - offsets[a] > offsets[b + 1] - offsets[b]:
            a, b = b, a
        start, end, other, other_end = offsets[a], offsets[a + 1], offsets[b], offsets[b + 1]
        longest = other_end - other
        similarity[pair] = 0.0
        if start == end:
            continue
        most = np.int64((1 - at_least) * longest) + 1
        while most >= 0 and 1 - most / longest < at_least:
            most -= 1
        if longest - (end - start) > most:
            continue
        while start < end and characters[start] == characters[other]:
            start += 1
            other += 1
        while start < end and characters[end - 1] == characters[other_end - 1]:
            end -= 1
            other_end -= 1
        edits = _distance(characters, start, end, other, other_end, most, rows, masks, table, scores)
        if edits <= most:
            similarity[pair] = 1 - edits / longest


@_kernel
def _distance(characters, start, end, other, other_end, most, rows, masks, table, scores):  # type: ignore[no-untyped-def]
    """Edits between `characters[start:end]` and the longer `[other:other_end]`; some number above `most` if they are more.

    The table of distances has a row for each character of the first and a column for each of the second. In bits, 64 rows a word, `table`
    holds by how much each row of a column differs from the row above, first where it is 1 more, then where it is 1 less. `scores` holds
    the value at the lowest row of each word.
    """
    size, columns = end - start, other_end - other
    if size == 0:
        return columns
    words = (size - 1) // _WORD + 1
    _set_masks(characters, start, size, words, rows, masks)
    stride = np.uint64(words)
    last_shift = np.uint64((size - 1) % _WORD)
    low, high = 0, -1
    for column in range(columns):
        # Only rows between column - most and column + most lead to at most so many edits.
        while high < words - 1 and column + most >= (high + 1) * _WORD and (high < 0 or scores[high] <= most):
            high += 1
            above = scores[high - 1] if high else column
            scores[high] = above + (size - high * _WORD if high == words - 1 else _WORD)
            table[2 * high], table[2 * high + 1] = _ALL, _0
        while low <= high and (low + 1) * _WORD <= column - most:
            low += 1
        mask = np.uint64(rows[np.uint64(characters[other + column])]) * stride
        plus, minus = _1, _0  # of the row above: what is outside the band counts as more than it is
        for index in range(low, high + 1):
            word = np.uint64(index)
            vertical, negative = table[_2 * word], table[_2 * word + _1]
            equal = masks[mask + word]
            x_vertical = equal | negative
            equal |= minus
            x_horizontal = (((equal & vertical) + vertical) ^ vertical) | equal
            up = negative | ~(x_horizontal | vertical)
            down = vertical & x_horizontal
            shift = last_shift if index == words - 1 else _63
            plus_out, minus_out = up >> shift & _1, down >> shift & _1
            up = up << _1 | plus
            down = down << _1 | minus
            table[_2 * word] = down | ~(x_vertical | up)
            table[_2 * word + _1] = up & x_vertical
            scores[word] += np.int64(plus_out) - np.int64(minus_out)
            plus, minus = plus_out, minus_out
        while high >= low and scores[high] >= most + _WORD:
            high -= 1
        while low <= high and scores[low] >= most + _WORD:
            low += 1
        if low > high:
            break
    result = scores[words - 1] if low <= high == words - 1 else most + 1
    _clear_rows(characters, start, size, rows)
    return result


@_kernel
def _set_masks(characters, start, size, words, rows, masks):  # type: ignore[no-untyped-def]
    """Give each character of `characters[start:start + size]` a row of `masks`: at which places it stands. Row 0 is for all others."""
    for word in range(words):
        masks[word] = _0
    known = 0
    for place in range(size):
        character = np.uint64(characters[start + place])
        row = rows[character]
        if row == 0:
            known += 1
            row = rows[character] = known
            for word in range(known * words, (known + 1) * words):
                masks[word] = _0
        masks[np.uint64(row * words + place // _WORD)] |= _1 << np.uint64(place % _WORD)


@_kernel
def _clear_rows(characters, start, size, rows):  # type: ignore[no-untyped-def]
    for place in range(size):
        rows[characters[start + place]] = 0
