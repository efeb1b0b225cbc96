"""Secrets: keys of known services by their form, values assigned to words such as `password` by their entropy, PEM blocks."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from stages.pii import Found

_FORMS = re.compile(
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|AIza[0-9A-Za-z_\-]{35}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}"
    r"|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[A-Za-z0-9_\-]{20,64}"
    r"|(?:sk|rk)_live_[0-9A-Za-z]{16,128}"
    r"|sk-(?:proj-|ant-|or-)?[A-Za-z0-9_\-]{20,200}"
    r"|xox[abprs]-[0-9A-Za-z\-]{10,128}"
    r"|hf_[A-Za-z0-9]{30,64}"
    r"|npm_[A-Za-z0-9]{36}"
    r"|SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"
    r"|pypi-AgE[A-Za-z0-9_\-]{50,255}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"
    r"|[0-9]{8,10}:[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])"
)
MIN_LENGTH = 12
"""Characters of an assigned value."""
_VALUE = re.compile(rf"\s*(?:[\"'`]|“)?([A-Za-z0-9/+=_\-.~!@#$%^&*]{{{MIN_LENGTH},256}})")
_NEXT = re.compile(r"&\w+=")
"""The next part of a query string."""
_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"(?:\s*[A-Za-z0-9+/=]{16,76})+")
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{24}")
"""What tells a key from a place for one, such as <your key> or `...`."""
_PLACEHOLDER = re.compile(r"x{4}|\*{3}|\.{3}|example|placeholder|changeme|your[_-]|<|\$\{|1234567|abcdef", re.I)

MIN_BITS = 3.2
"""Entropy of a character from which an assigned value counts as random: 20 random letters and digits have about 4, words about 2.8."""
MIN_KEY_BITS = 3.0
"""The same for keys whose form is loose."""


def keys(window: str, start: int, end: int) -> Iterator[Found]:
    """The key that begins at `window[start]`."""
    match = _FORMS.match(window, start)
    if match is None or re.match(r"[A-Za-z0-9]", window[match.end() : match.end() + 1]):
        return
    _, colon, secret = match[0].partition(":")
    body = secret or match[0][3:]
    if colon and (secret.islower() or secret.isupper()):
        return  # a title in a path, a serial number
    if entropy(body) >= MIN_KEY_BITS and any(c.isdigit() for c in body) and not _PLACEHOLDER.search(body):
        yield Found("api_key", start, match.end())


def assigned(window: str, start: int, end: int) -> Iterator[Found]:
    """The value behind `window[start:end]`, a word such as `password` and its colon or equals sign."""
    match = _VALUE.match(window, end)
    if match is None:
        return
    value = _NEXT.split(match[1], maxsplit=1)[0].rstrip(".")
    if len(value) < MIN_LENGTH:
        return
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if mixed and entropy(value) >= MIN_BITS and not _PLACEHOLDER.search(value) and not re.search(r"[a-z]{9}|[./]\w+[./]", value):
        yield Found("api_key", match.start(1), match.start(1) + len(value))


def private_keys(window: str, start: int, end: int) -> Iterator[Found]:
    """The PEM block that begins at `window[start]`; to the end of the window if it is not closed."""
    begin = _BEGIN.match(window, start)
    if begin is None:
        return
    another = window.find("-----BEGIN", begin.end())
    close = _END.search(window, begin.end(), another if another >= 0 else len(window))
    if close is not None:
        if _KEY_LINE.search(window, begin.end(), close.start()):
            yield Found("private_key", start, close.end())
    elif body := _BODY.match(window, begin.end()):
        yield Found("private_key", start, body.end())


def entropy(text: str) -> float:
    """Bits of a character by the frequencies within the text.

    >>> entropy("aabb")
    1.0
    """
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
