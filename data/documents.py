"""The documents of the sample: a recipe for each label.

A recipe is a function of a workshop (texts and words of one language) and of its own random generator, so that a change of one
leaves the random choices of the others as they were. Its name is the label of the documents that it makes.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle

from faults import (
    INVISIBLE,
    TEST_CARDS,
    address,
    edit_tokens,
    identity_number,
    jaccard,
    lose_characters,
    misread,
    mobile_number,
    reorder_paragraphs,
    sprinkle,
    symbols,
    truncate,
    typographic,
)
from opencc import OpenCC
from pages import page
from texts import BLOCKS, FOLDER, Document, Text, Workshop, read_texts

Recipe = Callable[[Workshop, random.Random], Iterator[Document]]

EDIT_RATES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.35)
TRUNCATIONS = (0.05, 0.15, 0.30, 0.60)
LOSSES = (0.005, 0.02, 0.10, 0.30)
DUPLICATE_JACCARD = 0.8
"""From here on a copy is a near-duplicate beyond doubt; below, whether one keeps it is open."""


def labelled(recipe: Recipe, shop: Workshop, rng: random.Random) -> list[Document]:
    """The documents of a recipe with label and language."""
    name = recipe.__name__
    return [replace(made, label=made.label or name, lang=shop.lang) for made in recipe(shop, rng)]


def _copy(origin: Text, text: str, edit: str, rate: float | None = None) -> Document:
    similarity = jaccard(text, origin.body)
    keep = False if similarity >= DUPLICATE_JACCARD else None
    return Document(text, edit, edit_rate=rate, jaccard=similarity, keep=keep, of=(origin.key,), label="near_duplicate")


def near_duplicate(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Edited copies. The truncated and the framed ones share their origins: clusters of three with the passage."""
    for rate in EDIT_RATES:
        for origin in shop.origins.deal(4):
            yield _copy(origin, edit_tokens(origin.body, rate, shop.tokens, rng), "tokens", rate)
    for origin in shop.origins.deal(3):
        yield _copy(origin, reorder_paragraphs(origin.body), "reordered_paragraphs")
    header, footer = shop.words["repost"]["header"], shop.words["repost"]["footer"]
    for rate, origin in zip(TRUNCATIONS, shop.origins.deal(len(TRUNCATIONS)), strict=True):
        yield _copy(origin, truncate(origin.body, rate), "truncated", rate)
        added = round((len(header) + len(footer)) / len(origin.body), 4)
        yield _copy(origin, f"{header}\n{origin.body}\n{footer}", "header_and_footer", added)


def exact_duplicate(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Verbatim copies, and some that differ in line ends and trailing spaces only."""
    for number, origin in enumerate(shop.origins.deal(6)):
        edit, text = ("verbatim", origin.body) if number < 4 else ("white_space", origin.body.replace("\n", "  \r\n") + "\n\n")
        yield Document(text, edit, edit_rate=0.0, jaccard=1.0, of=(origin.key,))


def repeated_sentence(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Pages that share a site's boilerplate; digests made of paragraphs of two passages; articles that quote a passage."""
    sites = cycle(shop.words["sites"])

    def framed(body: str) -> str:
        site = next(sites)
        return "\n".join([site["dateline"], body, *site["footer"]])

    for article in shop.articles.deal(8):
        yield Document(framed(article.body), "boilerplate", keep=True)
    for _ in range(12):
        left, right = shop.origins.deal(2)
        body = f"{rng.choice(left.paragraphs)}\n{rng.choice(right.paragraphs)}"
        yield Document(framed(body), "digest_with_boilerplate", keep=None, of=(left.key, right.key))
    for article, origin in zip(shop.articles.deal(4), shop.origins.deal(4), strict=True):
        yield Document(f"{article.body}\n{rng.choice(origin.paragraphs)}", "quoted_paragraph", keep=True, of=(origin.key,))


def navigation(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Menus, and headlines with dates."""
    for site in shop.words["sites"] * 2:
        headlines = [f"{title} 03-{rng.randint(1, 28):02d}" for title in rng.sample(shop.headlines, 8)]
        yield Document("\n".join([" | ".join(site["menu"]), *rng.sample(shop.words["navigation"], 5), *headlines]))


def seo_spam(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Stuffed keywords, and sentences spun from lists of synonyms."""
    words = shop.words["seo"]
    for _ in range(4):
        keyword, *others = rng.sample(words["keywords"], 5)
        lines = [frame.format(keyword, *rng.sample(others, 2)) for frame in rng.sample(words["frames"] * 2, 6)]
        yield Document("\n".join(lines), "keyword_stuffing")
        sentences = [shop.join([rng.choice(choices) for choices in words["spun"]]) for _ in range(6)]
        yield Document("\n".join(sentences), "spun")


MISREADINGS_OF = {
    "zh": ("utf8_as_windows1252", "utf8_as_latin1", "utf8_as_gbk", "gbk_as_latin1", "gb18030_as_big5", "utf8_as_macroman"),
    "en": ("utf8_as_windows1252", "utf8_as_latin1", "utf8_as_gbk", "utf8_as_utf16", "utf8_as_macroman", "utf8_as_big5"),
}


def mojibake(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Texts decoded with the wrong codec; English ones have curly quotes and dashes, without which most would look right."""
    for name, origin in zip(MISREADINGS_OF[shop.lang], shop.origins.deal(6), strict=True):
        yield Document(misread(typographic(origin.body), name), name, of=(origin.key,))


def replacement_characters(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Texts that lost characters in an earlier conversion."""
    for rate, origin in zip(LOSSES, shop.origins.deal(len(LOSSES)), strict=True):
        yield Document(lose_characters(origin.body, rate, rng), "u+fffd", edit_rate=rate, of=(origin.key,))


def control_characters(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Good articles with characters in them that nobody sees."""
    for (name, characters), article in zip(INVISIBLE.items(), shop.articles.deal(len(INVISIBLE)), strict=True):
        yield Document(sprinkle(article.body, characters, 0.1, rng), name, edit_rate=0.1, keep=True)


def pii(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Notices with a contact, worth keeping once it is masked; and lists of personal data, worth nothing."""
    words = shop.words["pii"]

    def person(number: int) -> dict[str, str]:
        return {
            "name": words["names"][number],
            "email": f"{words['handles'][number]}@{rng.choice(words['domains'])}",
            "mobile": mobile_number(shop.lang, rng),
            "identity": identity_number(rng),
            "card": rng.choice(TEST_CARDS),
            "ip": address(rng),
        }

    for number, notice in enumerate(words["notices"]):
        yield Document(notice.format(**person(number)), "contact", keep=True)
    for _ in range(3):
        rows = [words["dump"].format(**person(number)) for number in rng.sample(range(len(words["names"])), 12)]
        yield Document("\n".join([words["dump_title"], *rows]), "dump")


def too_short(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """A few words."""
    yield from map(Document, shop.words["too_short"])


def too_repetitive(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """One sentence over and over, in lines or in one paragraph; and scrape loops: a paragraph that the crawler took six times."""
    for number, sentence in enumerate(shop.words["repetitive"]):
        edit, joiner = (("repeated_line", "\n"), ("repeated_sentence", shop.join(["", ""])))[number % 2]
        yield Document(joiner.join([sentence] * rng.randint(15, 30)), edit)
    for origin in shop.origins.deal(2):
        yield Document("\n".join([origin.paragraphs[0]] * 6), "scrape_loop", of=(origin.key,))


def symbol_noise(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Ornaments instead of words."""
    for _ in range(4):
        yield Document(symbols(shop.words["symbol_words"], rng))


def listing(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Price tables as text, with the separators that one meets."""
    words = shop.words["listing"]
    for edit, separator in {"tabs": "\t", "pipes": " | ", "commas": ",", "spaces": "  "}.items():
        rows = [words["header"]]
        for name in rng.sample(words["names"], 14):
            low, spread = rng.randint(80, 900), rng.randint(5, 120)
            prices = [f"{cents / 100:.2f}" for cents in (low, low + spread, low + spread // 2)]
            rows.append([name, rng.choice(words["kinds"]), rng.choice(words["sizes"]), *prices])
        yield Document("\n".join([words["title"], *map(separator.join, rows)]), edit)


def lorem_ipsum(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """Placeholder text; the Chinese kind is characters drawn from a designer's note."""
    words = list(shop.words["placeholder"]) if shop.lang == "zh" else shop.words["placeholder"].split()
    comma, stop = ("，", "。") if shop.lang == "zh" else (", ", ". ")
    for _ in range(3):
        clauses = [shop.join(rng.choices(words, k=rng.randint(5, 12))) + (comma, stop)[number % 2] for number in range(24)]
        yield Document("".join(clauses).strip())


WEB: tuple[Recipe, ...] = (
    near_duplicate,
    exact_duplicate,
    repeated_sentence,
    navigation,
    seo_spam,
    mojibake,
    replacement_characters,
    control_characters,
    pii,
    too_short,
    too_repetitive,
    symbol_noise,
    listing,
    lorem_ipsum,
)


def traditional(origins: list[Text], config: str) -> list[Document]:
    """Copies in traditional characters. The similarity is that of the texts as they stand, so it is low: whether to keep is open."""
    convert = OpenCC(config).convert
    return [replace(_copy(origin, convert(origin.body), f"opencc_{config}"), label="traditional", lang="zh") for origin in origins]


def mixed(zh: Workshop, en: Workshop) -> list[Document]:
    """Half Chinese, half English: notices written so, and paragraphs of two passages in turn."""
    documents = [Document(text.body, "written", keep=True) for text in read_texts(BLOCKS / "bilingual.txt", "mixed")]
    for left, right in zip(zh.origins.deal(4), en.origins.deal(4), strict=True):
        body = f"{left.paragraphs[0]}\n{right.paragraphs[0]}\n{left.paragraphs[-1]}\n{right.paragraphs[-1]}"
        documents.append(Document(body, "paragraphs_of_two", keep=None, of=(left.key, right.key)))
    return [replace(document, label="mixed", lang="mixed") for document in documents]


def article(shop: Workshop, rng: random.Random) -> Iterator[Document]:
    """HTML pages of three sites: articles, copies of passages, and pages without an article."""
    sites = cycle(shop.words["sites"])

    def web_page(document: Document, title: str, tag: str = "p") -> Document:
        return page(document, shop.lang, next(sites), shop.words["page"], title, rng.sample(shop.headlines, 5), tag)

    for text in shop.articles.deal(14):
        title, *lines = text.paragraphs
        yield web_page(Document("\n".join(lines), keep=True), title)
    for rate, count in ((0.0, 8), (0.02, 3), (0.05, 3)):
        for origin in shop.origins.deal(count):
            document = _copy(origin, edit_tokens(origin.body, rate, shop.tokens, rng), "web_page", rate)
            yield web_page(document, shop.first_clause(origin))
    for recipe, count, tag in ((navigation, 4, "li"), (listing, 2, "tr"), (too_short, 2, "p"), (seo_spam, 2, "p")):
        for document in rng.sample(labelled(recipe, shop, rng), count):
            yield web_page(document, document.text.split("\n")[0][:40], tag)


def code() -> list[Document]:
    """Short programs."""
    return [Document(text.body, keep=True, label="code", key=text.key) for text in read_texts(BLOCKS / "code.txt", "code")]


def letters(zh: Workshop, rng: random.Random) -> list[Document]:
    """Letters, slightly edited copies of passages, and a block that is not GB18030."""
    written = [Document(text.body, keep=True, label="letter", lang="zh") for text in read_texts(BLOCKS / "zh_letters.txt", "letter")]
    copies = [_copy(origin, edit_tokens(origin.body, 0.02, zh.tokens, rng), "tokens", 0.02) for origin in zh.origins.deal(4)]
    broken = Document("", "invalid_gb18030", label="unreadable", raw="来信".encode("gb18030") + b"\xff\xff")
    return [*written, *(replace(document, lang="zh") for document in copies), broken]


def contaminated(zh: Workshop, en: Workshop) -> list[Document]:
    """Pages that hold a question of an evaluation set: as it is, with its options in another order, in other marks or script, edited."""
    documents = []
    for shop, file, header in ((zh, "invented_zh/common_knowledge.csv", 1), (en, "invented_en/general_test.csv", 0)):
        with (FOLDER / "evaluation" / file).open(encoding="utf-8", newline="") as rows:
            questions = [row[header : header + 5] for row in csv.reader(rows)][header:]
        pages = read_texts(BLOCKS / f"{shop.lang}_quizzes.txt", shop.lang)
        for host, (edit, plant), (stem, *options) in zip(pages, _PLANTED[shop.lang].items(), questions, strict=False):
            document = Document(host.body.format(question=plant(stem, options)), edit, label="contaminated", lang=shop.lang)
            documents.append(document)
    return documents


def _asked(stem: str, options: list[str]) -> str:
    return "\n".join([stem, *(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))])


def _reordered(stem: str, options: list[str]) -> str:
    return _asked(stem, [options[place] for place in (2, 0, 3, 1)])


_PLANTED: dict[str, dict[str, Callable[[str, list[str]], str]]] = {
    "zh": {
        "verbatim": _asked,
        "options_reordered": _reordered,
        "traditional_script": lambda stem, options: OpenCC("s2t").convert(_asked(stem, options)),
        "punctuation": lambda stem, options: _asked(stem, options).replace("，", " ").replace("\n", "；"),
    },
    "en": {
        "verbatim": _asked,
        "options_reordered": _reordered,
        "words_changed": lambda stem, options: _asked(stem.replace("exactly ", "").replace("every day", "each day"), options),
        "punctuation": lambda stem, options: _asked(stem, options).upper().replace(",", " -").replace("\n", " / "),
    },
}


# what is wrong, the id if it can be read, the line; a blank line is no document
BROKEN_LINES: tuple[tuple[str, str | None, bytes], ...] = (
    ("bad_json", None, b'{"id": "dump-cut", "text": "The line ends in the middle of a sen'),
    ("bad_json", None, "{'id': 'dump-quotes', 'text': '单引号不是 JSON'}".encode()),
    ("bad_json", None, '{"id": "dump-comma", "text": "多了一个逗号",}'.encode()),
    ("bad_json", None, b"<html><head><title>502 Bad Gateway</title></head></html>\n"),
    ("not_an_object", None, b'["dump-list", "a list, not an object"]'),
    ("not_an_object", None, b'"only a string"'),
    ("no_text", "dump-no-text", '{"id": "dump-no-text", "title": "只有标题"}'.encode()),
    ("no_text", "dump-other-key", b'{"id": "dump-other-key", "content": "the text is under another key"}'),
    ("null", "dump-null", b'{"id": "dump-null", "text": null}'),
    ("text_not_a_string", "dump-number", b'{"id": "dump-number", "text": 20240302}'),
    ("text_not_a_string", "dump-paragraphs", '{"id": "dump-paragraphs", "text": ["第一段", "第二段"]}'.encode()),
    ("text_not_a_string", "dump-nested", b'{"id": "dump-nested", "text": {"body": "one level too deep"}}'),
    ("empty", "dump-empty", b'{"id": "dump-empty", "text": ""}'),
    ("empty", "dump-white-space", b'{"id": "dump-white-space", "text": " \\n\\t "}'),
    ("nul", "dump-nul", b'{"id": "dump-nul", "text": "\\u0000\\u0000\\u0000"}'),
    ("invalid_utf8", None, b'{"id": "dump-cut-character", "text": "\xe6\xb5\xb7\xe6"}'),
    ("invalid_utf8", None, b'{"id": "dump-gbk", "text": "' + "这一行是国标编码".encode("gbk") + b'"}'),
    ("invalid_utf8", None, b'{"id": "dump-latin1", "text": "caf\xe9 cr\xe8me"}'),
    ("lone_surrogate", None, b'{"id": "dump-surrogate", "text": "half an emoji: \\ud83d"}'),
)


def dump(zh: Workshop, en: Workshop) -> list[Document]:
    """Good rows among rows that cannot be read: three share one id, one has a number for an id."""
    broken = [Document("", fault, label="unreadable", id=own_id, raw=line) for fault, own_id, line in BROKEN_LINES]
    good = []
    own_ids: tuple[str | int, ...] = ("dump-7", "dump-7", "dump-7", 42)
    for own_id, shop in zip(own_ids, (zh, en, zh, en), strict=True):
        (text,) = shop.articles.deal(1)
        line = json.dumps({"id": own_id, "text": text.body}, ensure_ascii=False).encode()
        label = "repeated_id" if own_id == "dump-7" else "article"
        good.append(Document(text.body, keep=True, label=label, lang=shop.lang, id=str(own_id), raw=line))
    return [*broken[:7], *good[:2], *broken[7:12], *good[2:], *broken[12:]]
