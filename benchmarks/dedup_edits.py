"""Edits that make a near-duplicate of a text, by kind, at about a wanted Jaccard similarity of shingles of five.

Each takes a language, a text, the similarity to aim at and a generator; the true similarity is for the caller to measure. If a share p of
the shingles of both texts is shared, J = p / (2 - p); a token that changes spoils five shingles, a cut between tokens four.
"""

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

Edit = Callable[["Source", str, float, random.Random], str]

_TOKENS = {"en": re.compile(r"[^\W_]+|[\W_]+"), "zh": re.compile(r"[0-9A-Za-z]+|.", re.DOTALL)}
_SENTENCES = re.compile(r"[^。！？.!?\n]+[。！？.!?\n]*\s*|[。！？.!?\n]+\s*")
_LOOKALIKES = {
    "en": ("rn m", "m rn", "l 1", "1 l", "o 0", "0 O", "e c", "c e", "h b", "S 5", "5 S", "cl d", "d cl", "w vv", "i j", "ti h", "t f"),
    "zh": ("已 己", "己 已", "日 曰", "未 末", "末 未", "土 士", "士 土", "人 入", "入 人", "大 太", "太 大", "天 夭", "千 干", "干 千",
           "王 玉", "贝 见", "见 贝", "子 于", "于 子", "的 旳", "在 左", "有 育", "不 木", "是 昰", "这 还", "时 吋", "国 囯", "中 申",
           "了 子", "一 ー", "为 办", "和 利", "上 土", "个 介", "以 从", "而 面", "之 乏", "也 他", "其 具", "者 著", "所 昕", "可 司"),
}  # fmt: skip


class Source:
    """A language, and what comes from elsewhere into its texts."""

    def __init__(self, lang: str, foreign: Sequence[str]) -> None:
        self.lang = lang
        self.foreign = foreign
        """Unrelated texts."""
        self.separator = " " if lang == "en" else ""
        self.lookalikes = [pair.split(" ") for pair in _LOOKALIKES[lang]]
        self.words = [token for text in foreign for token in _TOKENS[lang].findall(text)[:200] if token[0].isalnum()]

    def tokens(self, text: str) -> list[str]:
        """Words or characters, and what stands between them."""
        return _TOKENS[self.lang].findall(text)


def share(similarity: float) -> float:
    """Of the shingles of each of two equally long texts, the share that both have."""
    return 2 * similarity / (1 + similarity)


def replace(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Words or characters become others."""
    rate = 1 - share(similarity) ** 0.2
    return "".join(rng.choice(source.words) if t[0].isalnum() and rng.random() < rate else t for t in source.tokens(text))


def insert(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Words or characters come between others."""
    rate = _rate(similarity, lambda r: (1 - r) ** 4 / (2 + r - (1 - r) ** 4))
    put = (
        (t, source.separator + rng.choice(source.words)) if t[0].isalnum() and rng.random() < rate else (t,) for t in source.tokens(text)
    )
    return "".join(t for group in put for t in group)


def delete(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Words or characters are lost."""
    rate = _rate(similarity, lambda r: (1 - r) ** 5 / (2 - r - (1 - r) ** 5))
    return "".join(t for t in source.tokens(text) if not (t[0].isalnum() and rng.random() < rate))


def reorder(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Paragraphs or sentences in another order; as many and as long ones as the similarity allows."""
    tokens = sum(t[0].isalnum() for t in source.tokens(text))
    wanted = max(2, round(tokens * (1 - share(similarity)) / 4))
    lines = text.splitlines(keepends=True)
    pieces = lines if len(lines) >= wanted else _SENTENCES.findall(text)
    bounds = sorted(rng.sample(range(1, len(pieces)), min(wanted, len(pieces)) - 1)) if len(pieces) > 1 else []
    blocks = ["".join(pieces[i:j]) for i, j in zip([0, *bounds], [*bounds, len(pieces)], strict=True)]
    rng.shuffle(blocks)
    return "\n".join(block.strip("\n") for block in blocks)


def frame(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """A header and a footer that belong to another text."""
    length = round(len(text) * (1 / similarity - 1))
    other = rng.choice(source.foreign)
    other = (other * (1 + length // len(other)))[:length]
    cut = rng.randint(0, length)
    return f"{other[:cut]}\n{text}\n{other[cut:]}"


def truncate(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """The end is missing."""
    return text[: round(len(text) * similarity)]


def rewrite_script(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """All in traditional characters instead of simplified ones, by phrases, or the other way round; whatever the similarity wanted."""
    ways = [_converter(name)(text) for name in ("s2t", "t2s")]
    return max(ways, key=lambda other: sum(a != b for a, b in zip(text, other, strict=False)))


def misread(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Characters read as others that look alike, or not at all, as by a machine."""
    rate = 1 - share(similarity) ** 0.2
    tokens = source.tokens(text)
    return "".join(_misread(source, t, rng) if t[0].isalnum() and rng.random() < rate else t for t in tokens)


def retype(source: Source, text: str, similarity: float, rng: random.Random) -> str:
    """Other quotes, brackets, capitals and line breaks: no shingle changes, whatever the similarity wanted."""
    if source.lang == "zh":
        text = text.translate(str.maketrans("，。：；！？（）", ",.:;!?()" if rng.random() < 0.5 else "、…—｜～‥〔〕"))
        return re.sub("([,.、…])", lambda m: m[0] + "\n" * (rng.random() < 0.3), text)
    words = text.split(" ")
    return " ".join(w.upper() if rng.random() < 0.05 else f"“{w}”" if rng.random() < 0.02 else w for w in words) + " —"


EDITS: dict[str, Edit] = {
    "replaced": replace,
    "inserted": insert,
    "deleted": delete,
    "reordered": reorder,
    "header and footer": frame,
    "truncated": truncate,
    "misread": misread,
    "other script": rewrite_script,
    "retyped": retype,
}


def _rate(similarity: float, expected: Callable[[float], float]) -> float:
    """The edit rate at which `expected`, a falling function, is the similarity."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) > similarity else (low, middle)
    return low


def _misread(source: Source, token: str, rng: random.Random) -> str:
    possible = [(a, b) for a, b in source.lookalikes if a in token]
    if possible and rng.random() < 0.9:
        return token.replace(*rng.choice(possible), 1)
    at = rng.randrange(len(token))
    return token[:at] + rng.choice(("", "□", "\n")) * (source.lang == "zh" or len(token) > 1) + token[at + 1 :]


@lru_cache
def _converter(name: str) -> Callable[[str], str]:
    from opencc import OpenCC

    converter: Any = OpenCC(name)
    return converter.convert
