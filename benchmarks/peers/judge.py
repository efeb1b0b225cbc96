"""How well a program found what was planted, from what it kept alone, so that all are judged alike.

**Near-duplicates.** Two true similarities are known of each pair, by our shingles and by plain ones in which punctuation and traditional or
simplified characters count. To be found is asked of pairs that are similar by both; a removal is right if the pair is similar by either and
the other text of the pair is kept. All other documents share less than a tenth of their shingles, so any other removal is wrong.

**Passages.** A passage is found if nine tenths of it are gone from one of its two hosts. Everything else that is gone is clean text: what
is kept is laid over what was given, which it is but for gaps. A host that is rejected is gone as a whole. White space does not count.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Share = float | None
"""None where there is nothing to divide by."""


def read_rows(paths: Iterable[Path]) -> dict[str, str]:
    """Texts by id."""
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").split("\n") if line)
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def share(part: int, of: int) -> Share:
    """A share, or None of nothing."""
    return part / of if of else None


def judge_pairs(truth: list[dict[str, Any]], given: Iterable[str], kept: Iterable[str]) -> dict[str, Any]:
    """Recall of pairs from .8 and from .9 on, how many are removed, and the shares that are right from .8 and from .7 on."""
    there = set(kept)
    found: dict[str, Any] = {"removed": 0}
    for low in (0.8, 0.9):
        asked = [not {pair["left"], pair["right"]} <= there for pair in truth if min(pair["similarity"]) >= low]
        found |= {f"pairs from {low}": len(asked), f"recall from {low}": share(sum(asked), len(asked))}
    pair_of = {pair[side]: (pair[other], max(pair["similarity"]))
               for pair in truth for side, other in (("left", "right"), ("right", "left"))}  # fmt: skip
    removed = [pair_of.get(name, (None, 0.0)) for name in set(given) - there]
    found["removed"] = len(removed)
    for low in (0.8, 0.7):
        right = sum(other in there and similarity >= low for other, similarity in removed)
        found[f"precision at {low}"] = share(right, len(removed))
    return found


def judge_passages(truth: list[dict[str, Any]], given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, Any]:
    """Recall of word-for-word and of edited passages; the share of clean characters that are gone; hosts rejected as a whole."""
    gone: dict[str, int] = {}
    clean = clean_gone = 0
    for host in truth:
        text = given[host["id"]]
        spans = gaps(text, kept[host["id"]]) if host["id"] in kept else [(0, len(text))]
        start = text.index(host["passage"])
        end = start + len(host["passage"])
        gone[host["id"]] = sum(_size(text[max(a, start) : min(b, end)]) for a, b in spans)
        clean += _size(text) - _size(host["passage"])
        clean_gone += sum(_size(text[a:b]) for a, b in spans) - gone[host["id"]]
    cut = {host["id"]: gone[host["id"]] >= 0.9 * _size(host["passage"]) for host in truth}
    found: dict[str, Any] = {"clean share removed": share(clean_gone, clean), "hosts rejected": len(set(given) - set(kept))}
    for name, exact in (("recall, word for word", True), ("recall, edited", False)):
        pairs = {min(host["id"], host["twin"]): cut[host["id"]] or cut[host["twin"]]
                 for host in truth if (host["similarity"] == 1) == exact}  # fmt: skip
        found |= {name: share(sum(pairs.values()), len(pairs)), name.replace("recall", "passages"): len(pairs)}
    return found


def _size(text: str) -> int:
    return sum(map(len, text.split()))


def gaps(before: str, after: str) -> list[tuple[int, int]]:
    """Where characters of `before` are missing in `after`, which is `before` with spans taken out; white space at its ends is no matter.

    >>> gaps("Alpha. Beta. Gamma. ", "Alpha. Gamma.")
    [(7, 13)]
    """
    at = len(before) - len(before.lstrip())
    end = len(before.rstrip())
    after = after.strip()
    found: list[tuple[int, int]] = []
    done = 0
    while at < end:
        pairs = enumerate(zip(before[at:end], after[done:], strict=False))
        same = next((i for i, (one, other) in pairs if one != other), min(end - at, len(after) - done))
        at, done = at + same, done + same
        if at >= end:
            break
        sizes = (size for size in (48, 24, 12, 6, 3, 1) if done < len(after) and before.find(after[done : done + size], at, end) >= 0)
        size = next(sizes, None)
        resumed = end if size is None else before.find(after[done : done + size], at, end)
        found.append((at, resumed))
        at = resumed
    return found
