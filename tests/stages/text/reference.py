"""Slow, obvious counterparts of the text kernels: Python strings, regular expressions and counters."""

import re
from collections import Counter

from stages.text import characters
from stages.text.characters import CHINESE_STOP_CHARACTERS, ENGLISH_WORDS, GOPHER_WORDS, SIMPLIFIED_ONLY, TRADITIONAL_ONLY
from stages.text.profile import Profile

BAD_BYTE = "\ufffd"
CLASS_NAMES = (
    "han", "kana", "hangul", "latin", "other_letters", "digits", "spaces", "ascii_punctuation", "punctuation", "symbols", "emoji",
    "private_use", "replacements", "controls",
)  # fmt: skip
BULLETS = "•‣▪●○■□◆◇★☆·◦⁃➢✓※▲△►▶・∙"
TERMINALS = ".!?;…。！？；｡．\"')”’」』）》〉】]"


def decode(data: bytes) -> str:
    """UTF-8 with each byte that belongs to no valid sequence as one U+FFFD."""
    text, at = "", 0
    while at < len(data):
        for width in (1, 2, 3, 4):
            try:
                text += data[at : at + width].decode()
            except UnicodeDecodeError:
                continue
            at += width
            break
        else:
            text += BAD_BYTE
            at += 1
    return text


def character_class(character: str) -> str:
    code = ord(character)
    if code < 0x20000:
        return CLASS_NAMES[characters.character_classes()[code]]
    if code < 0x323B0:
        return "han"
    return "private_use" if code >= 0xF0000 else "controls"


def words(text: str) -> list[str]:
    """Han and kana characters, and runs of other letters and digits with single inner apostrophes and hyphens."""
    coded = "".join("c" if (c := character_class(x)) in ("han", "kana") else
                    "r" if c in ("hangul", "latin", "other_letters", "digits") else
                    "j" if x in "'-’" else " " for x in text)  # fmt: skip
    return [text[match.start() : match.end()] for match in re.finditer("c|r+(?:jr+)*", coded)]


def strip(line: str) -> str:
    visible = [place for place, character in enumerate(line) if character_class(character) != "spaces"]
    return line[visible[0] : visible[-1] + 1] if visible else ""


def paragraphs(text: str) -> list[tuple[str, ...]]:
    groups: list[list[str]] = [[]]
    for line in map(strip, text.split("\n")):
        if line:
            groups[-1].append(line)
        else:
            groups.append([])
    return [tuple(group) for group in groups if group]


def repeats(items: list) -> list:  # type: ignore[type-arg]
    seen, found = set(), []
    for item in items:
        if item in seen:
            found.append(item)
        seen.add(item)
    return found


def is_bullet_line(line: str) -> bool:
    visible = strip(line)
    after = line[line.index(visible) + 1 :][:1] if visible else ""
    return visible[:1] != "" and (visible[0] in BULLETS or (visible[0] in "-*+–" and after in (" ", "\t")))


def ends_in_ellipsis(line: str) -> bool:
    visible = "".join(character for character in line if character_class(character) != "spaces")
    return visible.endswith(("…", "...", "。。。", "展开", "展開", "更多", "全文"))


def ellipses(line: str) -> int:
    visible = "".join(character for character in line if character_class(character) != "spaces")
    return len(re.findall(r"…+|\.{3,}|。{3,}", visible))


def profile_of(data: bytes) -> dict[str, int]:
    text = decode(data)
    found = dict.fromkeys(Profile._fields, 0)
    for character in text:
        found[character_class(character)] += 1
    all_words = words(text)
    lines = [line for line in map(strip, text.split("\n")) if line]
    groups = paragraphs(text)
    short_words = [word.lower() if word.isascii() else "" for word in all_words]
    return found | {
        "num_chars": len(text),
        "num_words": len(all_words),
        "word_chars": sum(map(len, all_words)),
        "words_with_letter": sum(
            any(character_class(c) not in ("digits", "ascii_punctuation", "punctuation") for c in w) for w in all_words
        ),
        "longest_word": max(map(len, all_words), default=0),
        "newlines": text.count("\n"),
        "num_lines": len(lines),
        "line_chars": sum(map(len, lines)),
        "bullet_lines": sum(map(is_bullet_line, text.split("\n"))),
        "ellipsis_lines": sum(map(ends_in_ellipsis, lines)),
        "terminal_lines": sum(line[-1] in TERMINALS for line in lines),
        "duplicate_lines": len(repeats(lines)),
        "duplicate_line_chars": sum(map(len, repeats(lines))),
        "num_paragraphs": len(groups),
        "duplicate_paragraphs": len(repeats(groups)),
        "duplicate_paragraph_chars": sum(sum(map(len, group)) for group in repeats(groups)),
        "gopher_words": len(set(short_words) & set(GOPHER_WORDS)),
        "english_words": sum(word in ENGLISH_WORDS for word in short_words),
        "chinese_stop_characters": sum(any(form in text for form in forms) for forms in CHINESE_STOP_CHARACTERS),
        "simplified_only": sum(character in SIMPLIFIED_ONLY for character in text),
        "traditional_only": sum(character in TRADITIONAL_ONLY for character in text),
        "hashes": text.count("#"),
        "ellipses": sum(map(ellipses, text.split("\n"))),
        "curly_brackets": text.count("{") + text.count("}"),
    }


def short_lines(data: bytes) -> int:
    """On valid UTF-8 only: a bad byte is one byte, its U+FFFD three."""
    return sum(0 < len(strip(line).encode()) <= 30 for line in data.decode().split("\n"))


def fold(word: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in word)


def top_ngram_share(data: bytes, size: int) -> float:
    tokens = [fold(word) for word in words(decode(data))]
    counts: Counter[tuple[str, ...]] = Counter()
    free_from: dict[tuple[str, ...], int] = {}
    for place in range(len(tokens) - size + 1):
        gram = tuple(tokens[place : place + size])
        if place >= free_from.get(gram, 0):
            counts[gram] += 1
            free_from[gram] = place + size
    most = max(counts.values(), default=0)
    if most < 2:
        return 0.0
    chars = max(count * sum(map(len, gram)) for gram, count in counts.items() if count == most)
    return chars / sum(map(len, tokens))


def duplicate_ngram_share(data: bytes, size: int) -> float:
    """The greedy scan of datatrove."""
    tokens = [fold(word) for word in words(decode(data))]
    seen, chars, place = set(), 0, 0
    while place < len(tokens) - size + 1:
        gram = tuple(tokens[place : place + size])
        if gram in seen:
            chars += sum(map(len, gram))
            place += size
        else:
            seen.add(gram)
            place += 1
    return chars / max(sum(map(len, tokens)), 1)


def distinct_word_share(data: bytes, window: int, most: int) -> float:
    tokens = [fold(word) for word in words(decode(data))]
    size = max(min(window, len(tokens)), 1)
    windows = [tokens[start : start + size] for start in range(0, len(tokens) - size + 1, size)][:most]
    return sum(len(set(tokens)) for tokens in windows) / max(size * len(windows), 1)
