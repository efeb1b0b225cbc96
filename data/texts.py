"""What the sample is made of: the passages, and the building blocks of web pages and faults; and the type of what is made."""

import random
import re
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import yaml
from faults import TOKEN

FOLDER = Path(__file__).parent
BLOCKS = FOLDER / "building_blocks"
DOMAINS = ("encyclopedia", "news", "law", "medicine", "techdocs", "forum")


@dataclass(frozen=True)
class Text:
    """An original text. `key` is unique in the sample."""

    key: str
    body: str

    @property
    def paragraphs(self) -> list[str]:
        """One a line."""
        return self.body.split("\n")


@dataclass(frozen=True)
class Document:
    """One document of the sample and what is known about it. The README explains the labels."""

    text: str
    """Of a web page the article."""
    edit: str | None = None
    """What was done."""
    _: KW_ONLY
    keep: bool | None = False
    """Whether a perfect pipeline keeps it; None: open."""
    label: str = ""
    """Given by the recipe's name if empty."""
    lang: str | None = None
    of: tuple[str, ...] = ()
    """Keys of the texts that it was made from, where those stand in the sample as well."""
    edit_rate: float | None = None
    jaccard: float | None = None
    key: str | None = None
    """What others call it in `of`."""
    id: str | None = None
    url: str | None = None
    raw: bytes | None = None
    """What stands in the file instead of the text: a broken line, an HTTP response."""


def read_texts(path: Path, prefix: str) -> list[Text]:
    """The texts of a file in which each begins with a line `%%% slug`."""
    parts = re.split(r"^%%% (.+)\n", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [Text(f"{prefix}-{slug}", body.strip("\n")) for slug, body in zip(parts[::2], parts[1::2], strict=True)]


class Deck:
    """Texts in random order, each dealt once."""

    def __init__(self, texts: list[Text], rng: random.Random) -> None:
        self._left = rng.sample(texts, len(texts))

    def deal(self, count: int) -> list[Text]:
        """The next `count` texts."""
        assert count <= len(self._left), f"{count} texts wanted, {len(self._left)} left: write more, or plant fewer faults"
        dealt, self._left = self._left[:count], self._left[count:]
        return dealt


class Workshop:
    """The material of one language. Origins of copies, and short articles, are dealt from decks, so that none is used twice.

    `tokens` are those of all passages, as frequent as they are there.
    """

    def __init__(self, lang: str, seed: int) -> None:
        self.lang = lang
        self.domains = {domain: read_texts(FOLDER / "passages" / lang / f"{domain}.txt", f"{lang}-{domain}") for domain in DOMAINS}
        self.words: dict[str, Any] = yaml.safe_load((BLOCKS / f"{lang}.yaml").read_text("utf-8"))
        articles = read_texts(BLOCKS / f"{lang}_articles.txt", f"{lang}-article")
        self.headlines = [text.paragraphs[0] for text in articles]
        self.passages = [text for texts in self.domains.values() for text in texts]
        self.tokens = [token for text in self.passages for token in TOKEN.findall(text.body)]
        self.origins = Deck(self.passages, random.Random(f"{seed}/{lang}/origins"))
        self.articles = Deck(articles, random.Random(f"{seed}/{lang}/articles"))

    @staticmethod
    def first_clause(text: Text) -> str:
        """What stands for a title."""
        return re.split("[，。；：？！,.;:?!]", text.body)[0][:60]

    def join(self, words: list[str]) -> str:
        """Words to a sentence: with spaces in English."""
        return "".join(words) if self.lang == "zh" else " ".join(words).replace(" ,", ",")
