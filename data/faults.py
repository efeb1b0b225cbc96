"""What can be wrong with a text: each function plants one fault, at a known rate where there is one.

All are pure: they take the random generator that they draw from, so the same seed gives the same text on any machine. A token is what
similarity is measured on: one Han character, or one run of other letters and digits.
"""

import random
import re
from collections.abc import Sequence

HAN = "々〇㐀-䶿一-鿿豈-﫿"
TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
SHINGLE_TOKENS = 5


def jaccard(left: str, right: str) -> float:
    """Shared over all shingles of five tokens, to four decimals: 1 for equal texts, 0 if either has none.

    >>> jaccard("一二三四五六", "一二三四五七")
    0.3333
    """
    a, b = _shingles(left), _shingles(right)
    return round(len(a & b) / len(a | b), 4) if a and b else 0.0


def _shingles(text: str) -> set[tuple[str, ...]]:
    tokens = TOKEN.findall(text.lower())
    return set(zip(*(tokens[offset:] for offset in range(SHINGLE_TOKENS)), strict=False))


def edit_tokens(text: str, rate: float, pool: Sequence[str], rng: random.Random) -> str:
    """Replace, delete, or follow by another token, the share `rate` of the tokens; new ones are drawn from `pool`."""
    tokens = list(TOKEN.finditer(text))
    chosen = set(rng.sample(range(len(tokens)), round(rate * len(tokens))))
    pieces, end = [], 0
    for number, match in enumerate(tokens):
        pieces.append(text[end : match.start()])
        pieces.append(_edited(match[0], pool, rng) if number in chosen else match[0])
        end = match.end()
    return re.sub(" {2,}", " ", "".join(pieces) + text[end:])


def _edited(token: str, pool: Sequence[str], rng: random.Random) -> str:
    new = next(drawn for drawn in rng.sample(pool, 8) if drawn != token)
    joiner = "" if re.match(f"[{HAN}]", token) else " "
    return rng.choice((new, f"{token}{joiner}{new}", ""))


def reorder_paragraphs(text: str) -> str:
    """The last paragraph comes first; a text of one paragraph stays as it is."""
    *others, last = text.split("\n")
    return "\n".join([last, *others])


def truncate(text: str, rate: float) -> str:
    """Without the last share `rate` of its characters."""
    return text[: round(len(text) * (1 - rate))]


# name: how the bytes were written, how they were read by mistake
MISREADINGS = {
    "utf8_as_windows1252": ("utf-8", "windows-1252"),
    "utf8_as_latin1": ("utf-8", "latin-1"),
    "utf8_as_gbk": ("utf-8", "gbk"),
    "utf8_as_big5": ("utf-8", "big5"),
    "gbk_as_latin1": ("gbk", "latin-1"),
    "gb18030_as_big5": ("gb18030", "big5"),
    "utf8_as_utf16": ("utf-8", "utf-16-le"),
    "utf8_as_macroman": ("utf-8", "mac-roman"),
}


def misread(text: str, name: str) -> str:
    """Mojibake: the text's bytes decoded with the wrong codec; what that cannot decode becomes U+FFFD."""
    written, read = MISREADINGS[name]
    return text.encode(written, "replace").decode(read, "replace")


def typographic(text: str) -> str:
    """With curly quotes and dashes, which is where the mojibake of English shows; Chinese stays as it is but for ASCII quotes."""
    text = re.sub(r'(^|[\s(])"', r"\1“", text).replace('"', "”")
    return text.replace("'", "’").replace(", and ", " – and ").replace("; ", " — ")


def lose_characters(text: str, rate: float, rng: random.Random) -> str:
    """Put U+FFFD in place of the share `rate` of the characters; newlines stay."""
    places = [place for place, character in enumerate(text) if character != "\n"]
    lost = set(rng.sample(places, round(rate * len(places))))
    return "".join("\ufffd" if place in lost else character for place, character in enumerate(text))


INVISIBLE = {
    "zero_width": "\u200b\u200c\u2060\ufeff",
    "soft_hyphen_and_bidi": "\u00ad\u200e\u202a\u202c",
    "control": "\x00\x07\x08\x0b\x1b\x7f",
    "odd_spaces": "\u00a0\u2003\u3000\u2028",
}


def sprinkle(text: str, characters: str, rate: float, rng: random.Random) -> str:
    """Insert one of the characters after the share `rate` of the text's tokens."""
    return TOKEN.sub(lambda match: match[0] + (rng.choice(characters) if rng.random() < rate else ""), text)


def symbols(words: Sequence[str], rng: random.Random) -> str:
    """Eight lines of ornaments with a word here and there."""
    ornaments = "★☆◆◇■□●○▲▼※→←↑↓♥♦§¶#@$%^&*_=+|~◎♪￥【】"
    lines = []
    for _ in range(8):
        run = [rng.choice(ornaments) * rng.randint(1, 4) for _ in range(18)]
        run[rng.randrange(len(run))] = rng.choice(words)
        lines.append("".join(run))
    return "\n".join(lines)


def identity_number(rng: random.Random) -> str:
    """A Chinese identity number with a valid check character (GB 11643) in area 99, which no province has."""
    birthday = f"19{rng.randint(50, 99)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    digits = f"99{rng.randrange(10_000):04d}{birthday}{rng.randrange(1000):03d}"
    return digits + "10X98765432"[sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(digits)) % 11]


def mobile_number(lang: str, rng: random.Random) -> str:
    """Of the block 154, never given to an operator in China; or of 555-01xx, kept for fiction in North America."""
    return f"1540000{rng.randrange(10_000):04d}" if lang == "zh" else f"(202) 555-01{rng.randrange(100):02d}"


def address(rng: random.Random) -> str:
    """An IPv4 address of the three blocks kept for documentation (RFC 5737)."""
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


TEST_CARDS = ("4111111111111111", "4242424242424242", "5555555555554444", "378282246310005", "6200000000000005")
"""Numbers that payment firms publish for tests; all pass Luhn's check."""
