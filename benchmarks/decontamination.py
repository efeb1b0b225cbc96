r"""Are the questions of evaluation sets found in real documents, is anything else touched, and how fast?

    python benchmarks/decontamination.py [../shared/data]

**Recall.** Invented questions, 1,500 of each language and length, are planted between the lines of real documents, each in each of these
ways: `verbatim`; `punctuation` (every mark another one or none, letters and digits in other widths, lines broken elsewhere); `script`
(traditional Chinese by OpenCC); `reordered` (options in another order, under other letters); `edited` (one word of twelve replaced, left
out, or followed by a new one); `stem` (without options: no target, since a stem that is mostly a frame is looked for with its options).
A question is found if a match of `min_share` with its name is in the document. `long` ones have stems of at least 20 Chinese characters or
13 words. `short` ones have options, `open` ones have none; both are to be found whole, so edits and stems alone are not tried. A question
of fewer than eight words, or without five in a row, is not looked for; the output says how many are. The questions are made of fragments of
real text and frames, so that their seeds are everywhere in the real data.

**Touched.** Every second document of the real data as it is, searched with all of these questions and 100,000 more, whose fragments are
three times as long: documents with a match. The fragments come from the other documents.

**Speed.** CPU seconds of one thread over the same documents, with the index of all questions. It is a hard case: files with successive
versions of one text (law_zh) or templates (medicine_en) hold many of the fragments themselves.

**Quotations.** Questions that are lines of poems, or sentences of laws: how many documents they touch, and what `max_documents` excuses.

Fails where recall is below .99, or .1 % of the documents are touched, or a language is below 30 MB/s.
"""

import argparse
import io
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard
from opencc import OpenCC

from stages.decontaminate.benchmarks import Question
from stages.decontaminate.index import Questions, prepare
from stages.decontaminate.scan import scan
from stages.decontaminate.stage import Decontaminate
from stages.text.buffers import text_buffer

DATA = Path("../shared/data")
PLANTED = 1_500
MANY = 100_000
SEED = 20_240_611
DEFAULTS = {field: Decontaminate.__dataclass_fields__[field].default for field in ("ngram", "min_tokens", "max_questions")}
MIN_SHARE, MAX_DOCUMENTS = (Decontaminate.__dataclass_fields__[name].default for name in ("min_share", "max_documents"))
RECALL, TOUCHED, SPEED = 0.99, 0.001, 30.0

Texts = dict[str, list[str]]
"""Documents by file."""

FRAMES = {
    "zh": (
        "关于{}与{}之间的联系，下列说法中正确的是（　　）",
        "在{}的过程中，最有可能影响{}的因素是____。",
        "某研究者比较了{}和{}，其结论最能支持下列哪一项？",
        "如果{}发生改变，那么{}将会",
        "{}，由此可以推断{}属于哪一类情形？",
    ),
    "en": (
        "Which of the following best explains why {} would be compared with {}?",
        "A student claims that {} depends on {}. The strongest objection to this claim is that",
        "If {} were removed from the account of {}, what would most likely follow?",
        "According to the usual reading, {} and {} differ mainly in",
        "The relation between {} and {} is most similar to the relation of",
    ),
}
SHORT_FRAMES = {
    "zh": ("{}的作用是", "属于{}的是", "{}最早见于", "引起{}的是"),
    "en": ("The purpose of {} is", "Who introduced {} first?", "One cause of {} is", "The opposite of {} is"),
}
OPEN_FRAMES = {"zh": ("{}为什么会变化？", "怎样解释{}？"), "en": ("Why did {} change so much?", "How would you describe {} today?")}


def documents(folder: Path) -> Texts:
    """The real data."""
    found: Texts = {}
    for path in sorted(folder.glob("*.jsonl.zst")):
        with path.open("rb") as file:
            lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8")
            found[path.name.partition(".")[0]] = [json.loads(line)["text"] for line in lines]
    return found


def language(file: str) -> str:
    """By the file's name."""
    return file.rpartition("_")[2]


class Inventor:
    """Questions of one language from fragments of texts."""

    def __init__(self, lang: str, texts: list[str], rng: random.Random) -> None:
        self.lang, self.texts, self.rng = lang, texts, rng
        self.made: set[str] = set()

    def fragment(self, low: int, high: int) -> str:
        """So many characters or words in a row of some text."""
        size = self.rng.randint(low, high)
        while True:
            text = self.rng.choice(self.texts)
            at = self.rng.randrange(max(1, len(text) - 500))
            if self.lang == "zh":
                runs = re.findall(rf"[\u4e00-\u9fff]{{{size},}}", text[at : at + 500])
                if runs:
                    run = self.rng.choice(runs)
                    return run[(start := self.rng.randrange(len(run) - size + 1)) : start + size]
            else:
                words = re.findall(r"[A-Za-z]+", text[at : at + 500])[1:-1]
                if len(words) >= size:
                    start = self.rng.randrange(len(words) - size + 1)
                    return " ".join(words[start : start + size]).lower()

    def question(self, kind: str, name: str) -> Question:
        """`full`, `long`, `short` or `open`; none that was made before."""
        while (question := self._question(kind, name)).stem in self.made:
            pass
        self.made.add(question.stem)
        return question

    def _question(self, kind: str, name: str) -> Question:
        zh = self.lang == "zh"
        options: tuple[str, ...] = ()
        if kind in ("full", "long"):
            sizes = (5, 9) if zh else (3, 7)
            if kind == "full":
                sizes = (14, 28) if zh else (12, 26)
            frame = self.rng.choice(FRAMES[self.lang])
            while num_tokens(stem := frame.format(self.fragment(*sizes), self.fragment(*sizes))) < (20 if zh else 13):
                pass
            options = tuple(self.fragment(*((3, 8) if zh else (1, 5))) for _ in range(4))
        elif kind == "short":
            stem = self.rng.choice(SHORT_FRAMES[self.lang]).format(self.fragment(*((3, 5) if zh else (1, 3))))
            options = tuple(self.fragment(1, 1) if not zh else self.fragment(1, 2) for _ in range(4))
        else:
            stem = self.rng.choice(OPEN_FRAMES[self.lang]).format(self.fragment(*((4, 5) if zh else (3, 4))))
        return Question(f"{kind} {self.lang}", name, "", stem, options)


def num_tokens(text: str) -> int:
    """Chinese characters and words."""
    return len(re.findall(r"[\u4e00-\u9fff]|[A-Za-z0-9]+", text))


def written(question: Question, letters: str = "ABCD", order: tuple[int, ...] = (0, 1, 2, 3)) -> str:
    """As it stands on a page."""
    options = [f"{letter}. {question.options[i]}" for letter, i in zip(letters, order, strict=False)] if question.options else []
    return "\n".join([question.stem, *options])


def punctuation(text: str, rng: random.Random) -> str:
    """Other marks, other widths, other lines."""
    wide = {code: code + 0xFEE0 for code in range(ord("0"), ord("z")) if chr(code).isalnum()}
    marks = ["，", "。", ",", ";", " — ", "…", "\n", " "]
    text = re.sub(r"[^\w\s]|_+", lambda _: rng.choice(marks), text)
    text = re.sub(r"\n", lambda _: rng.choice(["\n", "  ", "\r\n\r\n"]), text)
    return text.translate(wide) if rng.random() < 0.3 else text


def edited(text: str, lang: str, rng: random.Random, new: Callable[[], str]) -> str:
    """One word of twelve of the stem changed, at least one."""
    stem, newline, options = text.partition("\n")
    tokens = re.findall(r"[\u4e00-\u9fff]|[A-Za-z0-9]+|\s+|.", stem)
    words = [i for i, token in enumerate(tokens) if num_tokens(token)]
    for i in rng.sample(words, max(1, len(words) // 12)):
        gap = "" if lang == "zh" else " "
        tokens[i] = rng.choice(["", new(), f"{tokens[i]}{gap}{new()}"])
    return "".join(tokens) + newline + options


def variants(question: Question, maker: Inventor) -> Iterator[tuple[str, str]]:
    """(kind, text) of each way to plant a question."""
    rng, text = maker.rng, written(question)
    kind, _, lang = question.benchmark.partition(" ")
    yield "verbatim", text
    yield "punctuation", punctuation(text, rng)
    if lang == "zh":
        yield "script", TRADITIONAL(text)
    if question.options:
        order = tuple(rng.sample(range(4), 4))
        yield "reordered", written(question, rng.choice(["ABCD", "1234", "abcd", "①②③④"]), order)
    if kind == "long":
        yield "edited", edited(text, lang, rng, lambda: maker.fragment(1, 1))
        yield "stem", question.stem


TRADITIONAL = OpenCC("s2t").convert


def planted(text: str, question: str, rng: random.Random) -> str:
    """A question between two lines of a document."""
    lines = text.split("\n")
    at = rng.randrange(len(lines) + 1)
    return "\n".join([*lines[:at], question, *lines[at:]])


def recall(
    questions: Questions, invented: dict[str, list[Question]], makers: dict[str, Inventor], texts: Texts
) -> dict[tuple[str, str], float]:
    """(length and language, kind) -> share of questions found."""
    rows: list[tuple[str, str, str]] = []
    pages: list[str] = []
    searched = set(questions.place.to_pylist())
    for name, asked in invented.items():
        maker = makers[name.partition(" ")[2]]
        pool = [text for file, found in texts.items() if language(file) == maker.lang for text in found]
        for question in asked:
            for kind, text in variants(question, maker) if question.place in searched else ():
                rows.append((name, kind, question.place))
                pages.append(planted(maker.rng.choice(pool)[:4000], text, maker.rng))
    found: defaultdict[int, set[str]] = defaultdict(set)
    matches = scan(text_buffer(pa.array(pages, pa.large_string())), questions.arrays)
    for document, unit, share in zip(matches.document.tolist(), matches.unit.tolist(), matches.share.tolist(), strict=True):
        if share >= np.float32(MIN_SHARE):
            found[document].add(questions.place[unit].as_py())
    hits: Counter[tuple[str, str]] = Counter()
    tried: Counter[tuple[str, str]] = Counter()
    for number, (name, kind, place) in enumerate(rows):
        tried[name, kind] += 1
        hits[name, kind] += place in found[number]
    return {key: hits[key] / tried[key] for key in tried}


def touched(questions: Questions, texts: Texts) -> dict[str, tuple[int, int, float, float]]:
    """By file: documents, those touched, megabytes, CPU seconds."""
    figures = {}
    for file, pool in texts.items():
        text = text_buffer(pa.array(pool, pa.large_string()))
        clock = time.process_time()
        matches = scan(text, questions.arrays)
        seconds = time.process_time() - clock
        hit = matches.document[matches.share >= np.float32(MIN_SHARE)]
        figures[file] = (len(pool), len(np.unique(hit)), int(text.lengths().sum()) / 1e6, seconds)
        for at in np.flatnonzero(matches.share >= np.float32(MIN_SHARE))[:2].tolist():
            shown = bytes(text.data[matches.start[at] : matches.end[at]]).decode()
            print(f"    {file}: {questions.place[int(matches.unit[at])]} at {matches.share[at]:.2f}: {shown[:120]!r}")
    return figures


def quotations(texts: Texts, rng: random.Random) -> None:
    """Questions made of poems and laws: what is common is excused."""
    for file, size in (("poetry_zh", 10), ("law_zh", 20), ("law_acts_en", 13)):
        sentences = Counter(s for text in texts[file] for s in re.split(r"[。；\n]|\. ", text) if size <= num_tokens(s) <= 80)
        once = rng.sample(sorted(sentences), 500)
        often = [sentence for sentence, _ in sentences.most_common(500)]
        asked = {"random": once, "most repeated": often}
        for name, lines in asked.items():
            made = prepare([Question(file, str(i), "", line, ()) for i, line in enumerate(lines)], **DEFAULTS)
            text = text_buffer(pa.array([text for pool in texts.values() for text in dict.fromkeys(pool)], pa.large_string()))
            matches = scan(text, made.arrays)
            mask = matches.share >= np.float32(MIN_SHARE)
            pairs = set(zip([made.place[int(u)].as_py() for u in matches.unit[mask]], matches.document[mask].tolist(), strict=True))
            held = Counter(place for place, _ in pairs)
            common = {place for place, count in held.items() if count > MAX_DOCUMENTS}
            before, after = len({d for _, d in pairs}), len({d for place, d in pairs if place not in common})
            print(
                f"{file:<14} {name:<14} {sum(made.num_searched.values()):>4} of {len(lines)} looked for, held by up to "
                f"{max(held.values(), default=0):>5} documents; {len(common):>3} common; documents touched {before:>6,} -> {after:,}"
            )


def main() -> int:
    """Print all figures; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    texts = documents(parser.parse_args().folder)
    if not texts:
        print("no *.jsonl.zst in the folder: the real data is not there")
        return 2
    rng = random.Random(SEED)
    halves: list[Texts] = [{}, {}]
    for file, pool in texts.items():
        halves[0][file], halves[1][file] = pool[::2], pool[1::2]
    makers = {lang: Inventor(lang, [t for f, pool in halves[0].items() if language(f) == lang for t in pool], rng) for lang in ("zh", "en")}
    invented = {
        f"{kind} {lang}": [makers[lang].question(kind, f"{kind} {lang} {i}") for i in range(PLANTED)]
        for lang in makers
        for kind in ("long", "short", "open")
    }
    many = [makers[lang].question("full", f"full {lang} {i}") for lang in makers for i in range(MANY // 2)]
    clock = time.process_time()
    questions = prepare([*many, *(question for asked in invented.values() for question in asked)], **DEFAULTS)
    seconds = time.process_time() - clock
    arrays = questions.arrays
    print(
        f"index: {len(many) + 6 * PLANTED:,} questions, {len(arrays.seeds):,} seeds, {sum(a.nbytes for a in arrays) / 1e6:.0f} MB, "
        f"{seconds:.1f} s"
    )
    failed = False
    for name, asked in invented.items():
        print(f"{name:<9} {questions.num_searched[name]:,} of {len(asked):,} are looked for")
    print("recall of those that are looked for:")
    for (name, kind), share in recall(questions, invented, makers, texts).items():
        failed |= share < RECALL and kind != "stem"
        print(f"  {name:<9} {kind:<12} {share:.4f}")
    print("touched, and MB/s of one core:")
    figures = touched(questions, halves[1])
    for file, (number, hit, size, seconds) in figures.items():
        print(f"  {file:<22} {number:>7,} documents {hit:>4} touched {size / seconds:7.0f} MB/s")
    number, hit = (sum(figure[i] for figure in figures.values()) for i in (0, 1))
    print(f"  all: {hit} of {number:,} documents, {100 * hit / number:.3f} %")
    failed |= hit >= TOUCHED * number
    for lang in makers:
        size, seconds = (sum(figure[i] for file, figure in figures.items() if language(file) == lang) for i in (2, 3))
        speed = size / seconds
        failed |= speed < SPEED
        print(f"{lang}: {speed:.0f} MB/s")
    print("quotations:")
    quotations(texts, rng)
    print("a target is missed" if failed else "all targets are met")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
