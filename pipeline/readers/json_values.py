r"""JSON values in bytes: where strings, numbers, lists and objects end, and whether they stand as `orjson` would write them.

Kernels that read no byte behind `end` and take nothing that `orjson` refuses. Numbers near infinity and deep nesting they refuse too.
"""

import numpy as np

from stages.text.kernel import HIGHS, equal_bytes, kernel, last_bytes, leading, three_bytes

CANONICAL, REWRITE, INVALID = 0, 1, 2
"""Kinds of values: `orjson.dumps(orjson.loads(value))` is the same bytes; may be others; it is not taken."""
QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE, LINE_END, MINUS = b'"\\,:{}\n-'
_OPEN_LIST, _CLOSE_LIST, _DOT, _PLUS, _SLASH, _E, _U = b"[].+/eu"
_QUOTES, _BACKSLASHES = np.uint64(0x2222222222222222), np.uint64(0x5C5C5C5C5C5C5C5C)
_TRUE, _FALSE, _NULL = (int.from_bytes(word, "big") for word in (b"true", b"fals", b"null"))
_PLAIN = np.zeros(256, np.uint8)
"""What a byte stands for behind a backslash; 0 for none."""
_PLAIN[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')
_MOST_LEVELS = 60


@kernel
def byte_at(data, at, end):  # type: ignore[no-untyped-def]
    """The byte there; 0, which nothing begins with, behind the end."""
    return np.int64(data[at]) if at < end else np.int64(0)


@kernel
def skip_blanks(data, at, end):  # type: ignore[no-untyped-def]
    """The next byte that is neither a space, a tab nor a carriage return."""
    while at < end and (data[at] == 0x20 or data[at] == 0x09 or data[at] == 0x0D):
        at += 1
    return at


@kernel
def is_digit(byte):  # type: ignore[no-untyped-def]
    """Of ASCII."""
    return 0x30 <= byte <= 0x39


@kernel
def copy(data, start, end, out, column, position):  # type: ignore[no-untyped-def]
    """Write bytes to a column."""
    for at in range(start, end):
        out[column, position + at - start] = data[at]


@kernel
def _special(chunk):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that ends a run of ASCII: a quote, a backslash, a control character, a byte beyond ASCII."""
    low = chunk & np.uint64(0x7F7F7F7F7F7F7F7F)
    controls = ~(low + np.uint64(0x6060606060606060))
    return (chunk | controls | equal_bytes(chunk, _QUOTES) | equal_bytes(chunk, _BACKSLASHES)) & HIGHS


@kernel
def _width(data, at, end):  # type: ignore[no-untyped-def]
    """Bytes of the UTF-8 sequence beyond ASCII at `at`; 0 for an invalid one."""
    first, second = np.int64(data[at]), byte_at(data, at + 1, end)
    width = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 0
    low = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    high = 0xA0 if first == 0xED else 0x90 if first == 0xF4 else 0xC0
    if width == 0 or not low <= second < high:
        return 0
    for place in range(at + 2, at + width):
        if byte_at(data, place, end) & 0xC0 != 0x80:
            return 0
    return width


@kernel
def copy_string(data, chunks, at, end, out, out8, column, position):  # type: ignore[no-untyped-def]
    """Write the string behind a quote; where it ends in `data`, behind its quote, and in `out`. (-1, 0): it is not valid."""
    while True:
        chunk = chunks[at] if at + 8 <= end else last_bytes(data, at, end)
        out8[column, position] = chunk
        code = three_bytes(chunk)
        if code >= 0x800 and not 0xD800 <= code < 0xE000:
            at += 3
            position += 3
            continue
        run = leading(_special(chunk))
        at += run
        position += run
        if run == 8:
            continue
        if at >= end:
            return -1, 0
        byte = np.int64(data[at])
        if byte == QUOTE:
            return at + 1, position
        if byte == BACKSLASH:
            short = _PLAIN[byte_at(data, at + 1, end)]
            if short:
                out[column, position] = short
                position += 1
                at += 2
                continue
            code, at = _escaped(data, at, end)
            if at < 0:
                return -1, 0
            position = _encode(code, out, column, position)
        elif byte < 0x80:
            return -1, 0
        else:
            width = _width(data, at, end)
            if width == 0:
                return -1, 0
            copy(data, at, at + width, out, column, position)
            at += width
            position += width


@kernel
def skip_string(data, chunks, at, end):  # type: ignore[no-untyped-def]
    """Where the string behind a quote ends, behind its own, and whether it stands as `orjson` would write it."""
    kind = CANONICAL
    while True:
        chunk = chunks[at] if at + 8 <= end else last_bytes(data, at, end)
        run = leading(_special(chunk))
        at += run
        if run == 8:
            continue
        byte = byte_at(data, at, end)
        if byte == QUOTE:
            return at + 1, kind
        if byte == BACKSLASH:
            following = byte_at(data, at + 1, end)
            if following == _U:
                _, at = _escaped(data, at, end)
                kind = REWRITE
                if at < 0:
                    return -1, INVALID
                continue
            kind = REWRITE if following == _SLASH else kind
            at += 2
            if _PLAIN[following] == 0:
                return -1, INVALID
        else:
            width = _width(data, at, end) if byte >= 0x80 else 0
            if width == 0:
                return -1, INVALID
            at += width


@kernel
def _escaped(data, at, end):  # type: ignore[no-untyped-def]
    r"""The code point of \u and four digits, or of two such for a surrogate pair, and where it ends; -1 for what is neither."""
    code = _four_digits(data, at, end)
    if code < 0 or 0xDC00 <= code < 0xE000:
        return code, -1
    if 0xD800 <= code < 0xDC00:
        low = _four_digits(data, at + 6, end)
        if not 0xDC00 <= low < 0xE000:
            return code, -1
        return 0x10000 + (code - 0xD800 << 10) + (low - 0xDC00), at + 12
    return code, at + 6


@kernel
def _four_digits(data, at, end):  # type: ignore[no-untyped-def]
    code = np.int64(0)
    if at + 6 > end or data[at] != BACKSLASH or data[at + 1] != _U:
        return np.int64(-1)
    for place in range(at + 2, at + 6):
        byte = np.int64(data[place])
        letter = byte | 0x20
        if is_digit(byte):
            code = code << 4 | byte - 0x30
        elif 0x61 <= letter <= 0x66:
            code = code << 4 | letter - 0x57
        else:
            return np.int64(-1)
    return code


@kernel
def _encode(code, out, column, position):  # type: ignore[no-untyped-def]
    """Write a code point in UTF-8; where it ends."""
    if code < 0x80:
        out[column, position] = code
        return position + 1
    width = 2 if code < 0x800 else 3 if code < 0x10000 else 4
    for place in range(width - 1, 0, -1):
        out[column, position + place] = 0x80 | code & 0x3F
        code >>= 6
    out[column, position] = (0xF00 >> width & 0xFF) | code
    return position + width


@kernel
def number(data, at, end):  # type: ignore[no-untyped-def]
    """Where a number ends, and whether it is a whole one that stands as `orjson` would write it. Those near infinity are not taken."""
    negative = byte_at(data, at, end) == MINUS
    at += negative
    begin = at
    while is_digit(byte_at(data, at, end)):
        at += 1
    digits = at - begin
    if digits == 0 or digits > 100 or (digits > 1 and data[begin] == 0x30):
        return -1, INVALID
    kind = REWRITE if digits > 18 or (negative and data[begin] == 0x30) else CANONICAL
    if byte_at(data, at, end) == _DOT:
        kind = REWRITE
        begin = at + 1
        at = begin
        while is_digit(byte_at(data, at, end)):
            at += 1
        if at == begin:
            return -1, INVALID
    if byte_at(data, at, end) | 0x20 == _E:
        kind = REWRITE
        at += 1
        at += byte_at(data, at, end) in (_PLUS, MINUS)
        begin = at
        while is_digit(byte_at(data, at, end)):
            at += 1
        if not 0 < at - begin < 3:
            return -1, INVALID
    return at, kind


@kernel
def _literal(data, at, end):  # type: ignore[no-untyped-def]
    """Where true, false or null ends, or -1."""
    if at + 4 > end:
        return -1
    word = np.int64(data[at]) << 24 | np.int64(data[at + 1]) << 16 | np.int64(data[at + 2]) << 8 | np.int64(data[at + 3])
    if word in (_TRUE, _NULL):
        return at + 4
    return at + 5 if word == _FALSE and byte_at(data, at + 4, end) == _E else -1


@kernel
def skip_value(data, chunks, at, end):  # type: ignore[no-untyped-def]
    """Where a value ends, and whether it stands as `orjson` would write it; objects in it may have a key twice, so they never do."""
    kind, level, objects = CANONICAL, 0, np.uint64(0)  # the lowest bit of `objects`: whether the innermost level is one
    while True:
        byte, closed = byte_at(data, at, end), False
        if byte == QUOTE:
            at, its_kind = skip_string(data, chunks, at + 1, end)
            kind = max(kind, its_kind)
        elif byte in (OPEN, _OPEN_LIST):
            level += 1
            objects = objects << np.uint64(1) | np.uint64(byte == OPEN)
            inside = skip_blanks(data, at + 1, end)
            kind = max(kind, REWRITE if byte == OPEN or inside > at + 1 else CANONICAL)
            at = inside
            closed = byte_at(data, at, end) == (CLOSE if byte == OPEN else _CLOSE_LIST)
            if level > _MOST_LEVELS:
                return -1, INVALID
            if not closed:
                at = _skip_key(data, chunks, at, end) if byte == OPEN else at
                if at < 0:
                    return -1, INVALID
                continue
        elif byte == MINUS or is_digit(byte):
            at, its_kind = number(data, at, end)
            kind = max(kind, its_kind)
        else:
            at = _literal(data, at, end)
        if at < 0 or kind == INVALID:
            return -1, INVALID
        while level > 0:
            behind = at if closed else skip_blanks(data, at, end)
            kind = max(kind, REWRITE if behind > at else CANONICAL)
            byte, closed, is_object = byte_at(data, behind, end), False, objects & np.uint64(1) == np.uint64(1)
            at = behind + 1
            if byte == COMMA:
                following = skip_blanks(data, at, end)
                kind = max(kind, REWRITE if following > at else CANONICAL)
                at = _skip_key(data, chunks, following, end) if is_object else following
                if at < 0:
                    return -1, INVALID
                break
            if byte != (CLOSE if is_object else _CLOSE_LIST):
                return -1, INVALID
            level -= 1
            objects >>= np.uint64(1)
        if level == 0:
            return at, kind


@kernel
def _skip_key(data, chunks, at, end):  # type: ignore[no-untyped-def]
    """Where the value behind a key begins, or -1."""
    if byte_at(data, at, end) != QUOTE:
        return -1
    at, kind = skip_string(data, chunks, at + 1, end)
    if kind == INVALID:
        return -1
    at = skip_blanks(data, at, end)
    return skip_blanks(data, at + 1, end) if byte_at(data, at, end) == COLON else -1
