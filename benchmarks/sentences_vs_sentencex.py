"""Sentence boundaries and speed beside sentencex (Wikimedia, Rust): agreement by file, MB/s of both, and differences to read.

    python benchmarks/sentences_vs_sentencex.py FOLDER [--documents 1000] [--seeds 17 1 2] [--show 3]

FOLDER holds `NAME_en.jsonl.zst` and `NAME_zh.jsonl.zst` with a `text` field; `--documents` are drawn for each language, evenly over
its files, anew for each seed. A boundary is the place of the first character behind it that is not white space; both ends of a text do
not count. F1 takes sentencex for the truth, which it is not: read the differences (`--show`), and docs/sentences.md.

lines      each line is given to both as a text of its own: what they take from signs and words, not from line breaks
set aside  the same without three kinds of difference: 。！？ before a digit or small letter, where sentencex does not cut; its cuts
           behind list markers (1. A. IV.); and its cuts in ![ and #!/
in lines   whole documents, boundaries inside lines: sentencex pairs quotes, brackets and apostrophes over the lines of a paragraph
all        whole documents, all boundaries: it cuts at a single line break only behind a terminal or before a list item
"""

import argparse
import io
import json
import random
import re
import time
from collections.abc import Iterable
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa
import zstandard
from sentencex import segment

from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

Boundaries = list[set[int]]
"""For each text, places in its characters."""

SET_ASIDE = re.compile(r"[。！？]¦[0-9a-z]|^\W*([0-9]{1,3}|[A-Z]|[IVXL]+)[.．]\s*¦|!¦[\[/]")


def main() -> None:
    """Print a line for each file and language, the speeds, and differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1000, help="of each language")
    parser.add_argument("--seeds", type=int, nargs="+", default=[17, 1, 2], help="of draws; files and differences of the first are shown")
    parser.add_argument("--show", type=int, default=3, help="differences of each kind and file")
    arguments = parser.parse_args()
    sentences(text_buffer(pa.array(["warm"])))
    print(f"{'':24}{'documents':>10}{'MB':>7}{'boundaries':>12}{'F1 lines':>10}{'set aside':>11}{'in lines':>10}{'all':>8}", end="")
    print(f"{'ours MB/s':>11}{'sentencex':>11}")
    for seed in arguments.seeds:
        if seed != arguments.seeds[0]:
            print(f"seed {seed}")
        shown = compare(arguments.folder, arguments.documents, seed, arguments.show if seed == arguments.seeds[0] else None)
        print("\n".join(shown), end="\n" if shown else "")


def compare(folder: Path, documents: int, seed: int, show: int | None) -> list[str]:
    """Print the line of each language, and of each file unless `show` is None; return `show` differences of each kind and file."""
    shown = []
    for language in ("en", "zh"):
        total = [0.0] * 15
        for name, texts in draw(sorted(folder.glob(f"*_{language}.jsonl.zst")), documents, random.Random(seed)).items():
            ours, our_seconds = by_us(texts)
            theirs, their_seconds = by_sentencex(texts, language)
            lines = [line for text in texts for line in text.split("\n")]
            our_lines, their_lines = by_us(lines)[0], by_sentencex(lines, language)[0]
            figures = [*agreement(our_lines, their_lines)]
            figures += agreement(set_aside(our_lines, their_lines, lines), set_aside(their_lines, our_lines, lines))
            figures += agreement(inside_lines(ours, texts), inside_lines(theirs, texts))
            figures += agreement(ours, theirs)
            figures += [sum(len(text.encode()) for text in texts) / 1e6, our_seconds, their_seconds]
            total = [a + b for a, b in zip(total, figures, strict=True)]
            if show is not None:
                report(name, len(texts), figures)
                shown += differences(name, lines, our_lines, their_lines, show, random.Random(seed))
        report(f"all {language}", documents, total)
    return shown


def draw(files: list[Path], count: int, chance: random.Random) -> dict[str, list[str]]:
    """The same number of texts of each file, or all it has; larger files make up for small ones."""
    texts = {}
    for file in files:
        with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            texts[file.name.removesuffix(".jsonl.zst")] = [json.loads(line)["text"] for line in io.TextIOWrapper(stream, encoding="utf-8")]
    drawn: dict[str, list[str]] = {}
    for name in sorted(texts, key=lambda name: len(texts[name])):
        share = round((count - sum(map(len, drawn.values()))) / (len(texts) - len(drawn)))
        drawn[name] = chance.sample(texts[name], min(share, len(texts[name])))
    return dict(sorted(drawn.items()))


def by_us(texts: list[str]) -> tuple[Boundaries, float]:
    """Boundaries by `stages.text.sentences`, and the seconds of the kernel: the best of three."""
    buffer = text_buffer(pa.array(texts, pa.large_string()))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        found = sentences(buffer)
        seconds.append(time.perf_counter() - start)
    pieces = [bytes(buffer.data[a:b]).decode() for a, b in pairwise(found.bounds.tolist())]
    cut = [pieces[a:b] for a, b in pairwise(found.offsets.tolist())]
    return [boundaries(pieces, text) for pieces, text in zip(cut, texts, strict=True)], min(seconds)


def by_sentencex(texts: list[str], language: str) -> tuple[Boundaries, float]:
    """Boundaries by sentencex, and its seconds."""
    start = time.perf_counter()
    cut = [segment(language, text) for text in texts]
    seconds = time.perf_counter() - start
    return [boundaries(pieces, text) for pieces, text in zip(cut, texts, strict=True)], seconds


def boundaries(pieces: Iterable[str], text: str) -> set[int]:
    """Places in `text` of the first character of each piece that is not white space, but for the first of all.

    Counted in characters that are not white space: sentencex loses some line breaks, and only those.
    """
    visible = [place for place, character in enumerate(text) if not character.isspace()]
    starts = accumulate(sum(not character.isspace() for character in piece) for piece in pieces)
    return {visible[start] for start in starts if 0 < start < len(visible)}


def inside_lines(found: Boundaries, texts: list[str]) -> Boundaries:
    """Those with no line break in the white space before."""
    return [{place for place in places if "\n" not in text[_gap(text, place) : place]} for places, text in zip(found, texts, strict=True)]


def set_aside(found: Boundaries, other: Boundaries, texts: list[str]) -> Boundaries:
    """Without the boundaries that `other` has not, of the three kinds above."""
    return [
        {
            place
            for place in places
            if place in others or not SET_ASIDE.search(text[max(place - 40, 0) : place] + "¦" + text[place : place + 1])
        }
        for places, others, text in zip(found, other, texts, strict=True)
    ]


def _gap(text: str, place: int) -> int:
    """Where the white space before `place` starts."""
    while text[place - 1].isspace():
        place -= 1
    return place


def agreement(ours: Boundaries, theirs: Boundaries) -> tuple[int, int, int]:
    """Boundaries of both, of ours, of theirs."""
    return sum(len(a & b) for a, b in zip(ours, theirs, strict=True)), sum(map(len, ours)), sum(map(len, theirs))


def report(name: str, documents: int, figures: list[float]) -> None:
    """Print one line."""
    f1 = [2 * both / max(ours + theirs, 1) for both, ours, theirs in (figures[0:3], figures[3:6], figures[6:9], figures[9:12])]
    megabytes, our_seconds, their_seconds = figures[12:]
    speeds = f"{megabytes / our_seconds:11.0f}{megabytes / their_seconds:11.1f}"
    print(f"{name:24}{documents:10,}{megabytes:7.2f}{figures[11]:12,.0f}{f1[0]:10.4f}{f1[1]:11.4f}{f1[2]:10.4f}{f1[3]:8.4f}{speeds}")


def differences(name: str, texts: list[str], ours: Boundaries, theirs: Boundaries, count: int, chance: random.Random) -> list[str]:
    """Some boundaries that only one of the two has, marked ¦ in their surroundings."""
    lines = []
    for who, found, other in (("only ours", ours, theirs), ("only sentencex", theirs, ours)):
        only = [(text, place) for text, a, b in zip(texts, found, other, strict=True) for place in sorted(a - b)]
        lines.append(f"\n{name}: {len(only)} {who}")
        for text, place in chance.sample(only, min(count, len(only))):
            lines.append("    " + text[max(place - 60, 0) : place] + "¦" + text[place : place + 40])
    return lines


if __name__ == "__main__":
    main()
