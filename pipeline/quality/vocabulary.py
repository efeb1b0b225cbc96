"""Which tokens a model reads: those that stand in windows of many domains of their language; others are read as stand-ins of their shape.

A model of laws and novels against menus and spam learns what laws and spam are about, and an encyclopedia is about something else. Words
that stand in half of the domains of either class are function words, common verbs, marks and the words of menus: they say how a text is
made. docs/quality.md has what this brings on domains that were not trained on.
"""

from collections import Counter
from collections.abc import Iterator

from pipeline.quality.windows import Cut, Numbers
from stages.quality.tokens import stand_in


def spelled(windows: Cut, lang: Numbers, domain: Numbers, min_domain_share: float, min_count: int) -> Iterator[bytes]:
    """The tokens of each window, those outside the vocabulary as stand-ins. `lang` and `domain` tell of each document.

    The vocabulary: tokens that stand `min_count` times or more, in at least `min_domain_share` of the domains of a language; all for 0.
    """
    lines = map(windows.line, range(len(windows.document)))
    if min_domain_share == 0:
        yield from lines
        return
    words = [line.split() for line in lines]
    known = _vocabulary(words, lang[windows.document].tolist(), domain[windows.document].tolist(), min_domain_share, min_count)
    read_as = {word: word if word in known else stand_in(word).encode() for word in {word for line in words for word in line}}
    for line in words:
        yield b" ".join(map(read_as.__getitem__, line)) + b" "


def _vocabulary(words: list[list[bytes]], lang: list[int], domain: list[int], min_domain_share: float, min_count: int) -> set[bytes]:
    counts: Counter[bytes] = Counter()
    there: dict[tuple[int, int], set[bytes]] = {}
    for line, *key in zip(words, lang, domain, strict=True):
        counts.update(line)
        there.setdefault((key[0], key[1]), set()).update(line)
    known: set[bytes] = set()
    for language in set(lang):
        own = [found for (of, _), found in there.items() if of == language]
        domains = Counter(word for found in own for word in found)
        known.update(word for word, number in domains.items() if number >= min_domain_share * len(own) and counts[word] >= min_count)
    return known
