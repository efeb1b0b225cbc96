r"""Sentences of Chinese and English text as byte ranges, in one pass over the bytes.

Sentences tile the text: each starts at a character that is not white space and keeps the white space behind it, so no byte is
lost and `TextBuffer(text.data, sentences.bounds)` gives every kernel one "document" per sentence. The rules (docs/sentences.md):

- 。！？ end a sentence; ! and ? do before white space or Han; a full stop does so too unless it belongs to an abbreviation, an
  initial, a number or a list marker, or a lower-case letter follows. ； and … alone do not; ... and … do before a capital.
- Closers (” 」 ） and [12]) stay with the sentence before. What short quotes and brackets hold is not cut: “走吧。快！”他说。 is cut
  once, after ”; after a bracket only if the sentence began with it.
- A blank line always ends a sentence, and a line break does unless the line looks wrapped: prose of 40 to 130 bytes or Han text of 90
  to 240, about as long as the next line, or with ， at its end; and the next is no list item, table row or indented paragraph.

Oracle: sentencex 1.0.32 (Wikimedia); docs/sentences.md has the agreement by file and where we differ on purpose.
One core of a 2-core machine: 340-870 MB/s English, 330-960 Chinese; sentencex 12-200.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer, read_only
from stages.text.characters import WORD_MULTIPLIER, decode

MAX_HELD_BYTES = 2000
"""A quotation or bracket longer than this, 340 English words or 660 Chinese characters, is cut like other text.

A page of a book: so a speech in quotes has sentences, and an unpaired sign spoils a page at most. docs/sentences.md has other limits.
"""

PROSE_WRAP_BYTES = (40, 130)
HAN_WRAP_BYTES = (90, 240)
"""Stripped lengths of a line that may be wrapped: text columns are 50-120 letters or 30-80 Han characters wide."""

WRAP_SLACK_BYTES = 24
"""A wrapped line is at most so much shorter than the next, a long word or eight Han characters: a longer next line had room."""

MAX_PROSE_WORD_BYTES = 9
"""A wrapped line of prose has a gap between words for every so many bytes; code and tables often have not."""

NEVER_FINAL = "mr mrs messrs mme mlle dr drs prof e.g i.e eg ie vs cf viz ca"
"""Abbreviations that never end a sentence."""

BEFORE_NUMBERS = "no nos art arts par app ex col mar"
"""Abbreviations before a number, that may also be words: No. 5, but "No. He left."."""

RARELY_FINAL = (
    "a.d a.m al approx apr assn assoc aug ave b.c bldg blvd brig bros bull capt cent ch cir cmdr co comdr corp cpl ct d.c dec dept dist "
    "div ed eds eq eqs esq est feb fig figs ft gen gov hon inc jan jr jul jun l.l.d lat lb lbs lieut long lt ltd maj misc ms mt n.b nov "
    "oct op p.m ph.d pp pres pt pts pub rd ref rep reps rev rt sec secs sen sens sept sergt sgt sr st sta stat supp supt tel tr trans "
    "univ ver vol vols"
)
"""Abbreviations that end a sentence only before a word of `STARTERS`."""

STARTERS = (
    "about after all also although an and another are as at because before but by can could did do does during each even every "
    "finally first for from had has have he hence her here his how however if in indeed instead is it its last later let like many "
    "may maybe more moreover most my neither never next no none nor not nothing now of often on once one only or other our "
    "over perhaps please second see several she should since so some soon still such than that the their them then there "
    "these they third this those though three through thus to today two under unless until upon was we well were what when where "
    "whereas whether which while who whose why will with within without would yes yet you your"
)
"""Words that start a sentence when they stand capitalised behind an abbreviation: "in the U.S. The ..."."""


class Sentences(NamedTuple):
    """m sentences of n documents. Document i has the sentences offsets[i]:offsets[i + 1]; an empty document has none."""

    bounds: npt.NDArray[np.int64]
    """(m + 1,): sentence s is `data[bounds[s]:bounds[s + 1]]`."""
    offsets: npt.NDArray[np.int64]
    """(n + 1,): the first sentence of each document."""
    lines: npt.NDArray[np.int32]
    r"""(m,): number, from 0 in its document, of the line where the sentence starts; lines end at \n, empty ones count."""
    paragraphs: npt.NDArray[np.int32]
    """(m,): number, from 0 in its document, of its paragraph; blank lines separate paragraphs."""


def sentences(text: TextBuffer) -> Sentences:
    r"""Cut each document into sentences. White space before the first belongs to it; a document of white space is one sentence.

    >>> data = np.frombuffer("Dr. Li left. 他说：“好。”\n".encode(), np.uint8)
    >>> sentences(TextBuffer(data, np.array([0, len(data)]))).bounds.tolist()
    [0, 13, 35]
    """
    most = int(text.lengths().sum())  # a sentence has a byte at least; memory that is not written costs nothing
    bounds, offsets = np.empty(most + 1, np.int64), np.empty(len(text) + 1, np.int64)
    lines, paragraphs = np.empty(most, np.int32), np.empty(most, np.int32)
    _split(read_only(text.data), read_only(text.offsets), _stops(), _roles(), *_words(), bounds, offsets, lines, paragraphs)
    found = offsets[-1]
    return Sentences(bounds[: found + 1].copy(), offsets, lines[:found].copy(), paragraphs[:found].copy())


_kernel = njit(cache=True, nogil=True, _nrt=False)
"""These kernels allocate nothing. Without `_nrt=False` numba counts a reference to each array at each call between them, in atomic
steps: 4 to 10 times slower. The option is not in numba's manual; a kernel that did allocate would not compile."""

_PLAIN, _SPACE, _NEWLINE, _PAUSE, _BULLET, _OPEN_BRACKET, _OPEN_QUOTE = range(7)
_STOP, _ELLIPSIS, _MARK, _FULL = range(7, 11)  # terminals, in rising force
_CLOSE_BRACKET, _CLOSE_QUOTE, _APOSTROPHE, _STRAIGHT_QUOTE = range(11, 15)
_SIGNS = {
    _SPACE: " \t\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
    _NEWLINE: "\n",
    _STOP: ".．",
    _MARK: "!?‼⁇⁈⁉",
    _FULL: "。！？｡",
    _ELLIPSIS: "…⋯",
    _PAUSE: ",，、:：;；》〉",  # no sentence ends before these
    _OPEN_QUOTE: "“‘「『〝﹁﹃",  # each closed by the next code point
    _CLOSE_QUOTE: "”」』〞﹂﹄",
    _STRAIGHT_QUOTE: '"',
    _APOSTROPHE: "'’",
    _OPEN_BRACKET: "(（[［【〔〖",
    _CLOSE_BRACKET: ")）]］】〕〗",
    _BULLET: "#|>`~•‣▪●○■□◆◇★☆·◦⁃➢✓※▲△►▶・",
}
_NEVER, _NUMBER, _RARELY, _STARTER = 1, 2, 4, 8
_WORD_SLOTS = 1024
_SLOT_SHIFT = np.uint64(54)
_HAN_NUMERALS = tuple(ord(numeral) for numeral in "一二三四五六七八九十百")


@lru_cache(maxsize=1)
def _roles() -> npt.NDArray[np.uint8]:
    """Role of each code point below 65,536."""
    roles = np.zeros(1 << 16, np.uint8)
    for role, signs in _SIGNS.items():
        for sign in signs:
            roles[ord(sign)] = role
    return roles


@lru_cache(maxsize=1)
def _stops() -> npt.NDArray[np.bool_]:
    """For each byte, whether a character that it starts may have a role that the scan must see, (256,)."""
    stops = np.zeros(256, np.bool_)
    for role, signs in _SIGNS.items():
        if role not in (_SPACE, _PAUSE, _BULLET):
            stops[[sign.encode()[0] for sign in signs]] = True
    return stops


@lru_cache(maxsize=1)
def _words() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Abbreviations and starters as a hash table of packed words, as in `characters.english_words`, and what each is, 0 if free."""
    packed, kinds = np.zeros(_WORD_SLOTS, np.uint64), np.zeros(_WORD_SLOTS, np.uint8)
    for kind, words in ((_NEVER, NEVER_FINAL), (_NUMBER, BEFORE_NUMBERS), (_RARELY, RARELY_FINAL), (_STARTER, STARTERS)):
        for word in words.split():
            key = int.from_bytes(word.encode(), "big")
            slot = (key * int(WORD_MULTIPLIER) & (1 << 64) - 1) >> int(_SLOT_SHIFT)
            while kinds[slot] and packed[slot] != key:
                slot = (slot + 1) % _WORD_SLOTS
            packed[slot] = key
            kinds[slot] |= kind
    return packed, kinds


@_kernel
def _split(data, offsets, stops, roles, words, kinds, bounds, firsts, lines, paragraphs):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(offsets) - 1):
        firsts[document] = count
        count = _split_document(
            data, offsets[document], offsets[document + 1], stops, roles, words, kinds, count, bounds, lines, paragraphs
        )
    firsts[len(offsets) - 1] = count
    bounds[count] = offsets[-1]


@_kernel
def _split_document(data, start, end, stops, roles, words, kinds, count, bounds, lines, paragraphs):  # type: ignore[no-untyped-def]
    """Write the sentences of `data[start:end]` from number `count` on; return the number behind the last."""
    if start == end:
        return count
    first = count
    at, line, line_start = _skip_space(data, start, end, start, roles)
    first_start = at
    paragraph = 0
    bounds[count], lines[count], paragraphs[count] = start, line, paragraph
    count += 1
    ended = False  # a sentence ended, and a line break comes next
    # An open quotation or bracket remembers how many sentences there were: when it closes soon, the cuts inside it are undone.
    quote, quote_at, quote_count = 0, start, 0  # 0, or the code point that will close it
    depth, bracket_at, bracket_count = 0, start, 0
    while at < end:
        if not stops[data[at]]:
            at += 1
            continue
        role, width, code = _role(data, at, end, roles)
        after = at + width
        cut = False
        if role == _NEWLINE:
            after, num_breaks, next_line = _skip_space(data, at, end, line_start, roles)
            hard = num_breaks > 1 or not _wraps(data, line_start, at, next_line, after, end, ended, roles)
            cut = hard or ended
            line += num_breaks
            paragraph += num_breaks > 1
            line_start = next_line
            ended = False
            if hard:
                quote = 0
                depth = 0
        elif role == _OPEN_BRACKET:
            if depth == 0 or at - bracket_at > MAX_HELD_BYTES:
                depth, bracket_at, bracket_count = 0, at, count
            depth += 1
        elif role == _APOSTROPHE and _is_alphanumeric(data, after, end):
            if quote == 0 and code == 0x27 and not (at > start and _is_alphanumeric(data, at - 1, end)):  # 'Go, not don't
                quote, quote_at, quote_count = code, at, count
        elif role == _OPEN_QUOTE or (role == _STRAIGHT_QUOTE and quote != code):
            is_single = quote in (0x27, 0x2019)  # it may be a lone apostrophe
            if quote == 0 or at - quote_at > MAX_HELD_BYTES or (is_single and code != 0x2018):
                quote, quote_at, quote_count = code if role == _STRAIGHT_QUOTE else code + 1, at, count
        elif role >= _STOP:
            after = at
            terminal = 0  # the strongest of the run; two full stops make an ellipsis
            terminal_at = at
            quoted = False  # a quotation closed after the last terminal
            bracket = -1  # where the bracket was opened that closed after the last terminal
            while after < end:
                role, width, code = _role(data, after, end, roles)
                if _STOP <= role <= _FULL:
                    terminal = max(role, _ELLIPSIS if terminal == _STOP else terminal)
                    terminal_at = after
                    quoted = False
                    bracket = -1
                elif role == _CLOSE_BRACKET:
                    if depth == 1:
                        bracket = bracket_at
                        if after - bracket_at <= MAX_HELD_BYTES:
                            count = min(count, bracket_count)
                    depth = max(depth - 1, 0)
                elif role >= _CLOSE_QUOTE:
                    if role > _CLOSE_QUOTE and code != quote and _is_alphanumeric(data, after + width, end):
                        break  # it opens the next sentence
                    quoted = True
                    if code == quote:
                        if after - quote_at <= MAX_HELD_BYTES:
                            count = min(count, quote_count)
                        quote = 0
                else:
                    break
                after += width
            if terminal > 0:
                sentence_start = bounds[count - 1] if count - 1 > first else first_start
                after = _skip_references(data, after, end)
                follower, num_breaks, _ = _skip_space(data, after, end, line_start, roles)
                cut = (bracket < 0 or bracket == sentence_start) and _ends(
                    data, sentence_start, terminal, terminal_at, after, follower, end, quoted, roles, words, kinds
                )
                if num_breaks > 0:  # the line break decides: it may end more than the sentence
                    ended = cut
                    cut = False
                else:
                    after = follower
        if cut and after < end:
            bounds[count], lines[count], paragraphs[count] = after, line, paragraph
            count += 1
        at = after
    return count


@_kernel
def _role(data, at, end, roles):  # type: ignore[no-untyped-def]
    """Role, bytes and code point (-1: invalid) of the character at `data[at]`, at < end."""
    first = np.int64(data[at])
    if first < 0x80:
        return np.int64(roles[first]), 1, first
    if 0xE1 <= first <= 0xEF and first != 0xED and at + 2 < end:  # as `decode`, but all that Chinese text needs in one step
        second, third = np.int64(data[at + 1]), np.int64(data[at + 2])
        if second & 0xC0 == 0x80 and third & 0xC0 == 0x80:
            code = (first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
            return np.int64(roles[code]), 3, code
    code, width = decode(data, at, end)
    return (np.int64(roles[code]) if 0 <= code < 0x10000 else np.int64(_PLAIN)), width, code


@_kernel
def _skip_space(data, at, end, line_start, roles):  # type: ignore[no-untyped-def]
    """Where the white space from `at` on ends, the line breaks in it, and the start of the line reached."""
    num_breaks = 0
    while at < end:
        role, width, _ = _role(data, at, end, roles)
        if role == _NEWLINE:
            num_breaks += 1
            line_start = at + 1
        elif role != _SPACE:
            break
        at += width
    return at, num_breaks, line_start


@_kernel
def _before(data, start, at):  # type: ignore[no-untyped-def]
    """Start and code point (-1: invalid) of the character that ends before `at`, start < at."""
    lead = at - 1
    while lead > start and at - lead < 4 and data[lead] & 0xC0 == 0x80:
        lead -= 1
    code, width = decode(data, lead, at)
    if lead + width == at:
        return lead, code
    return at - 1, np.int64(-1)


@_kernel
def _is_alphanumeric(data, at, end):  # type: ignore[no-untyped-def]
    """Whether an ASCII letter or digit is at `at`."""
    return at < end and (0x30 <= data[at] <= 0x39 or 0x41 <= data[at] & 0xDF <= 0x5A)


@_kernel
def _is_han(code):  # type: ignore[no-untyped-def]
    return 0x3400 <= code < 0xA000 or 0xF900 <= code < 0xFB00 or 0x20000 <= code < 0x323B0


@_kernel
def _skip_references(data, at, end):  # type: ignore[no-untyped-def]
    """Behind marks such as [12][3] at `at`."""
    while at < end and data[at] == 0x5B:  # [
        behind = at + 1
        while behind < end and behind - at < 5 and 0x30 <= data[behind] <= 0x39:
            behind += 1
        if behind == at + 1 or behind >= end or data[behind] != 0x5D:
            break
        at = behind + 1
    return at


@_kernel
def _ends(data, start, terminal, terminal_at, after, follower, end, quoted, roles, words, kinds):  # type: ignore[no-untyped-def]
    """Whether the sentence from `start` on ends at `after`, behind terminals and closers; the next character is at `follower`."""
    if follower >= end:
        return False
    role, _, code = _role(data, follower, end, roles)
    if role == _PAUSE or _STOP <= role <= _CLOSE_QUOTE:  # “好！”，他说
        return False
    if terminal == _FULL:
        return True
    spaced = follower > after
    byte = data[follower]
    if terminal == _ELLIPSIS:
        return spaced and 0x41 <= byte <= 0x5A
    if terminal == _STOP and not spaced and 0xFF10 <= code <= 0xFF19:  # ３．１４
        return False
    if 0x61 <= byte <= 0x7A and (quoted or terminal == _STOP):
        return False
    if not spaced and byte < 0x80 and data[terminal_at] < 0x80 and not _is_starter(data, follower, end, words, kinds):
        return False
    return terminal != _STOP or not _abbreviates(data, start, terminal_at, follower, end, spaced, words, kinds)


@_kernel
def _abbreviates(data, start, stop, follower, end, spaced, words, kinds):  # type: ignore[no-untyped-def]
    """Whether the full stop at `stop` belongs to the word before it, in a sentence from `start` on, or to a list marker."""
    word = stop
    num_digits, num_dots, num_roman = 0, 0, 0
    while word > start and stop - word < 9 and (data[word - 1] == 0x2E or _is_alphanumeric(data, word - 1, stop)):
        word -= 1
        num_digits += 0x30 <= data[word] <= 0x39
        num_dots += data[word] == 0x2E
        num_roman += data[word] in (0x49, 0x56, 0x58, 0x4C)  # I V X L
    length = stop - word
    if length == 0 or length > 8:
        return False
    if num_digits == length:
        marks = length <= 2 and not spaced and not _is_han(_before(data, start, word)[1]) if word > start else length <= 3
        return marks or (not spaced and 0x30 <= data[follower] <= 0x39)
    if word == start and length in (1, num_roman):  # A. or IV.
        return True
    if length == 1 and _before(data, start, word)[1] in (0x27, 0x2019):  # the 1930's.
        return False
    kind = _kind(data, word, stop, words, kinds)
    if kind & _NEVER:
        return True
    if kind & _NUMBER:
        return 0x30 <= data[follower] <= 0x39
    if not kind & _RARELY and (num_digits > 0 or length != 2 * num_dots + 1):  # neither listed nor an initial nor as U.S.
        return False
    while follower < end and data[follower] in (0x22, 0x28):  # " (
        follower += 1
    return not _is_starter(data, follower, end, words, kinds)


@_kernel
def _is_starter(data, at, end, words, kinds):  # type: ignore[no-untyped-def]
    """Whether a capitalised word of `STARTERS` is at `at`."""
    behind = at
    while behind < end and behind - at < 9 and 0x41 <= data[behind] & 0xDF <= 0x5A:
        behind += 1
    return behind > at and behind - at < 9 and data[at] < 0x60 and _kind(data, at, behind, words, kinds) & _STARTER > 0


@_kernel
def _kind(data, at, behind, words, kinds):  # type: ignore[no-untyped-def]
    """What the word of at most 8 bytes at `at` is, in any case."""
    packed = np.uint64(0)
    for place in range(at, behind):
        byte = data[place]
        packed = packed << np.uint64(8) | np.uint64(byte + 0x20 if 0x41 <= byte <= 0x5A else byte)
    slot = packed * WORD_MULTIPLIER >> _SLOT_SHIFT
    while kinds[slot] > 0:
        if words[slot] == packed:
            return np.int64(kinds[slot])
        slot = (slot + np.uint64(1)) % np.uint64(_WORD_SLOTS)
    return np.int64(0)


@_kernel
def _wraps(data, line, newline, next_line, follower, end, ended, roles):  # type: ignore[no-untyped-def]
    """Whether the line `data[line:newline]` was broken for its length and goes on in the next, whose text starts at `follower`.

    `ended`: a sentence ended with the line, so its last character says nothing.
    """
    text, _, _ = _skip_space(data, line, newline, line, roles)
    if follower >= end or text >= newline or _starts_item(data, follower, end, roles):
        return False
    if follower - next_line > text - line and not _starts_item(data, text, newline, roles):  # an indented paragraph
        return False
    behind = newline
    last, code = _before(data, text, behind)
    while last > text and code < 0x10000 and roles[max(code, 0)] == _SPACE:
        behind = last
        last, code = _before(data, text, behind)
    if code in (0x3001, 0xFF0C):  # 、，
        return True
    length = behind - text
    next_code, _ = decode(data, follower, end)
    if _is_han(next_code):
        shortest, longest = HAN_WRAP_BYTES
        looks_cut = ended or _is_han(code)
    else:
        shortest, longest = PROSE_WRAP_BYTES
        looks_cut = next_code < 0x2E80 and code not in (0x3A, 0x7B, 0x7D, 0x5C) and data[text] not in (0x23, 0x7C)  # :{}\\ and #|
    if not looks_cut or not shortest <= length <= longest:
        return False
    if not _is_han(next_code):
        num_gaps = 0
        for place in range(text, behind):
            num_gaps += data[place] == 0x20 and data[place + 1] != 0x20
        if num_gaps * MAX_PROSE_WORD_BYTES < length:
            return False
    place = follower
    while place < end and data[place] != 0x0A and place - follower <= length + WRAP_SLACK_BYTES:
        place += 1
    return place - follower <= length + WRAP_SLACK_BYTES


@_kernel
def _starts_item(data, at, end, roles):  # type: ignore[no-untyped-def]
    """Whether a heading, list item, quoted line or table row starts at `at`: # - * + • | > 1. 2) (3) （四） 五、 and their like."""
    if at >= end:
        return False
    role, width, _ = _role(data, at, end, roles)
    if role == _BULLET:
        return True
    byte = data[at]
    if byte in (0x2A, 0x2B, 0x2D):
        return at + 1 < end and (data[at + 1] == 0x20 or data[at + 1] == 0x09)
    bracketed = role == _OPEN_BRACKET
    place = at + width if bracketed else at
    num_signs = 0
    while place < end and num_signs < 4:
        code, width = decode(data, place, end)
        if not (0x30 <= code <= 0x39 or (bracketed and _is_alphanumeric(data, place, end)) or code in _HAN_NUMERALS):
            break
        place += width
        num_signs += 1
    if num_signs == 0 or place >= end:
        return False
    role, width, code = _role(data, place, end, roles)
    if bracketed or role == _CLOSE_BRACKET:
        return role == _CLOSE_BRACKET
    return num_signs < 4 and ((role == _STOP and not _is_alphanumeric(data, place + width, end)) or code == 0x3001)
