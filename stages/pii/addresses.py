"""Addresses on the net: e-mail and IP. Those that reach nobody are left alone.

| kind | what is left alone |
|---|---|
| email | reserved domains (example.com, .test, .invalid, .local: RFC 2606 and 6762), forms to fill in (xxx@xxx.com), files (logo@2x.png), git@host:path, user:password@host in URLs |
| ip | private, loopback, link-local, documentation and multicast ranges; version and section numbers: after v or a word for version, after / or a letter, and if each part is below 32 and no word for address stands before |
"""  # noqa: E501 - a table

import ipaddress
import re
from collections.abc import Iterator

from stages.pii import Found
from stages.pii.words import words

_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._%+\-]{0,62}[A-Za-z0-9_])?$")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org|cn)|example|test|invalid|local|localhost)$", re.I)
_FILES = re.compile(
    r"(?:png|jpe?g|gif|svg|webp|css|[jt]sx?|json|html?|go|txt|xml|ya?ml|scss|less|vue|zip|tar|gz|service|scope|slice|socket|timer|mount|target)$",
    re.I,
)
_SOURCES = re.compile(r"(?:^|\.)(?:v?\d\w*|latest|main|master|next|dev)\.(?:md|py|rs)$", re.I)
"""These endings are countries too: a file is what has a version before it (lib@1.2.rs)."""
_VERSION_WORDS = re.compile(r"(?:\b(?:version|ver\.?|release|build|firmware|driver)|版本号?|固件|驱动|第|条|节|§)\s*[:：]?\s*[vV]?$", re.I)
_ADDRESS_WORDS = words(
    "地址|服务器|主机|网关|登录",
    "(?:ip(?:v[46])?|address|(?:file|mail|name|proxy|web)?server|(?:local)?host(?:name)?|gateway|dns|ping|login|from|client|remote)"
    "(?:addr|address|s|es|ed|ing)?",
)
_SECTION = re.compile(r"\s*(?:章|节|条|版|chapter|section)", re.I)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}$")
_PATTERN = re.compile(r"(?:^|@)[xX]{2,}(?:[@.]|$)")
"""xxx@xxx.com: to be filled in."""


def emails(window: str, start: int, end: int) -> Iterator[Found]:
    """The address around the @ at `window[start:end]`."""
    local = _LOCAL.search(window[max(0, start - 64) : start])
    domain = _DOMAIN.match(window, end)
    if local is None or domain is None:
        return
    begin = start - len(local[0])
    if (
        _FILES.match(domain[0].rpartition(".")[2])
        or _SOURCES.search(domain[0])
        or _RESERVED.search(domain[0])
        or ".." in local[0]
        or _PATTERN.search(local[0] + "@" + domain[0])
    ):
        return
    if re.match(r"[\w@-]", window[domain.end() : domain.end() + 1], re.ASCII):
        return
    before, after = window[max(0, begin - 1) : begin], window[domain.end() : domain.end() + 2]
    if before in (":", "/") and "://" in window[max(0, begin - 40) : begin]:
        return
    if local[0] == "git" and after[:1] in (":", "/"):
        return
    yield Found("email", begin, domain.end())


def ipv4(window: str, start: int, end: int) -> Iterator[Found]:
    """The address at the end of `window[start:end]`, if it is one of somebody's; another number may stand before it."""
    match = _IPV4.search(window, start, end)
    if match is None or not _is_global(match[0]):
        return
    before, after = window[max(0, match.start() - 24) : match.start()], window[end : end + 10]
    if re.search(r"[\w./\-]$", before, re.ASCII) and not re.search(r"(?:://|[^\w./]-)$", before):
        return
    if re.match(r"[A-Za-z_]|\.\d|-[A-Za-z\d]", after) or _VERSION_WORDS.search(before) or _SECTION.match(after):
        return
    if all(int(part) < 32 for part in match[0].split(".")) and not _ADDRESS_WORDS.search(before):
        return
    yield Found("ip", match.start(), match.end())


def ipv6(window: str, start: int, end: int) -> Iterator[Found]:
    """The address that begins `window[start:end]`, if it is one of somebody's."""
    text = window[start:end].rstrip(".:") if not window[start:end].endswith("::") else window[start:end]
    touches = re.search(r"[\w:.]$", window[max(0, start - 1) : start], re.ASCII) or re.match(
        r"[\w:]", window[start + len(text) :][:1], re.ASCII
    )
    if touches or not any(c.isdigit() for c in text) or len([part for part in text.split(":") if part]) < 3:
        return
    if _is_global(text):
        yield Found("ip", start, start + len(text))


def _is_global(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast
