"""Do bounds hold for documents that they were not set on? python benchmarks/held_out_thresholds.py DATA [--splits 10]

DATA is the folder of JSON lines files that the shipped bounds were set on. Sound files (laws, encyclopedia, novels in English, modern
translations, speeches) are to lose less than 2 % of their characters to the heuristics. For each, in % of characters removed:

shipped     by the shipped rules, which have seen all documents; and from the half that loses most.
half        by rules set again on one half of all sound files: from this half, and from the other, held out: mean of all halves, and worst.
elsewhere   by rules set again on the sound files of all other domains: a kind of text never seen.
rules alone by the shipped rules without the changes for its domain, as a domain that no file names would be judged.

Halves hold whole works (a book, all versions of a statute, a title of a code; the acts singly), by a hash of the work and the split, both
ways round. To set rules again is to forget what was set on these data: bounds that are published or set on damage stay, and ours (`OURS`)
become the widest that `corpus calibrate` proposes for a sound file whose domain the shipped file does not except (`--budget` of the
characters a bound), wider by `--margin`. Where a domain's own files need wider bounds than these, it gets them as a change, with the
same margin.

`docs/calibration.md` shows the output.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
import yaml
from filters_on_domains import annotated, read

from configs.loader import find_file
from pipeline.distribution import Distribution
from stages.filters.rules import Bounds, RuleBook, RuleFile, primary_subtag

SOUND = {
    "law_zh": r"[^(]+",
    "encyclopedia_zh": r".*",
    "classics_modern_zh": r"[^/]+/[^/]+/[^/]+",
    "law_en": r".*/titles/[^/]+",
    "law_acts_en": r".*",
    "encyclopedia_en": r".*",
    "novels_en": r"[^#]+",
    "speeches_en": r".*",
}
"""Files whose text is sound, and the part of an id that names the work."""
NOT_SOUND = {"novels_noise_zh": r".*"}
"""Nothing is set on these; they are to lose most of their text still."""
OURS = {
    "en": ("special_char_share", "distinct_word_share"),
    "zh": (
        *("mean_word_length", "newlines_per_word", "top_2gram_char_share", "top_3gram_char_share", "top_4gram_char_share"),
        *(f"duplicate_{n}gram_char_share" for n in range(5, 11)),
        *("special_char_share", "distinct_word_share"),
    ),
}
"""Rules for all domains whose bounds we set on sound text. Others are published, or set on damage, such as `mojibake_share`: most sound
text has 0 of it, and a bound of 0 would be no lesson from it."""
SHIPPED = ("filters/en.yaml", "filters/zh.yaml")


@dataclass(frozen=True)
class File:
    """The scores of a file's documents."""

    name: str
    domain: str
    scores: pa.Table
    works: Sequence[str]

    def half(self, split: int) -> npt.NDArray[np.bool_]:
        """Which documents belong to works of the first half."""
        return np.array([xxhash.xxh3_64_intdigest(f"{split}:{work}".encode()) & 1 == 0 for work in self.works])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=0.001, help="share of the characters that one bound may remove from a sound file")
    parser.add_argument("--margin", type=float, default=1.5, help="a max is raised by this factor, a min divided by it")
    parser.add_argument("--splits", type=int, default=10)
    arguments = parser.parse_args()
    files = [scored(arguments.data / f"{name}.jsonl.zst", works) for name, works in (SOUND | NOT_SOUND).items()]
    shipped = RuleBook(SHIPPED, {})
    alone = without_domains(shipped)
    losses: dict[str, dict[str, list[float]]] = {file.name: {"shipped": [], "set on": [], "held out": []} for file in files}
    for split in range(arguments.splits):
        halves = {file.name: file.half(split) for file in files}
        for side in (True, False):
            chosen = {name: half == side for name, half in halves.items()}
            again = set_again(shipped, files, chosen, arguments.budget, arguments.margin)
            for file in files:
                rows = chosen[file.name]
                losses[file.name]["shipped"].append(loss(shipped, file, rows))
                losses[file.name]["set on"].append(loss(again, file, rows))
                losses[file.name]["held out"].append(loss(again, file, ~rows))
    print("| | documents | works | shipped | worst half | half set on | held out | worst held out | elsewhere | rules alone |")
    print("|---|" + "---|" * 9)
    for file in files:
        found = losses[file.name]
        every = np.ones(len(file.works), np.bool_)
        others = {other.name: np.full(len(other.works), other.domain != file.domain) for other in files}
        elsewhere = set_again(shipped, files, others, arguments.budget, arguments.margin)
        figures = [loss(shipped, file, every), max(found["shipped"]), np.mean(found["set on"]), np.mean(found["held out"])]
        figures += [max(found["held out"]), loss(elsewhere, file, every), loss(alone, file, every)]
        sizes = f"{len(file.works):,} | {len(set(file.works)):,}"
        print(f"| {file.name} | {sizes} | " + " | ".join(f"{100 * figure:.2f}" for figure in figures) + " |")


def scored(path: Path, works: str) -> File:
    """Scores and works of a file."""
    documents = read(path)
    names = [found[0] if (found := re.match(works, i)) else i for i in documents["id"].to_pylist()]
    return File(path.name.removesuffix(".jsonl.zst"), documents["domain"][0].as_py(), annotated(documents), names)


def loss(rules: RuleBook, file: File, rows: npt.NDArray[np.bool_]) -> float:
    """Share of the characters of these rows that the rules remove."""
    failing = np.logical_or.reduce([*rules.failing(file.scores).values(), np.zeros(len(rows), np.bool_)])
    chars = file.scores["num_chars"].to_numpy()
    return float(chars[failing & rows].sum() / chars[rows].sum())


def without_domains(shipped: RuleBook) -> RuleBook:
    """The rules of all domains."""
    return with_rules(shipped, lambda _: {})


def with_domains(shipped: RuleBook, language: str, domains: Iterable[str], changes: Mapping[str, Bounds]) -> RuleBook:
    """The shipped rules with changes for some domains of a language."""
    changed: dict[str, Mapping[str, Bounds]] = dict.fromkeys(domains, changes)

    def bounds(file: RuleFile) -> dict[str, Any]:
        extra = changed if language in file.languages else {}
        names = file.domains.keys() | extra.keys()
        return {"domains": {name: _plain({**file.bounds("", name), **extra.get(name, {})}) for name in names}}

    return with_rules(shipped, bounds)


def set_again(
    shipped: RuleBook, files: Iterable[File], rows: Mapping[str, npt.NDArray[np.bool_]], budget: float, margin: float
) -> RuleBook:
    """The rules set again on these rows of the sound files."""
    chosen = [file for file in files if file.name in SOUND and rows[file.name].any()]
    return with_rules(shipped, lambda rule_file: rules_again(rule_file, chosen, rows, budget, margin))


def with_rules(shipped: RuleBook, changes: Callable[[RuleFile], Mapping[str, Any]]) -> RuleBook:
    """The shipped files without domains, and with what `changes` gives for each."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / Path(file.name).name for file in shipped.files]
        for path, file in zip(paths, shipped.files, strict=True):
            settings = yaml.safe_load(find_file(file.name).read_text(encoding="utf-8"))
            path.write_text(yaml.safe_dump(settings | {"domains": {}} | changes(file)))
        return RuleBook([str(path) for path in paths], {})


def rules_again(
    shipped: RuleFile, files: Sequence[File], rows: Mapping[str, npt.NDArray[np.bool_]], budget: float, margin: float
) -> dict[str, Any]:
    """`rules` and `domains` of a rule file."""
    (language,) = shipped.languages
    limits: dict[str, list[Mapping[str, Bounds]]] = {}  # of each domain, by file
    for file in files:
        found = limits_of(file, rows[file.name], shipped.rules, language, budget, margin)
        if found:
            limits.setdefault(file.domain, []).append(found)
    rules = dict(shipped.rules)
    for column in OURS[language]:
        usual = [one for domain in limits if shipped.bounds("", domain)[column] == shipped.rules[column] for one in limits[domain]]
        if usual:
            rules[column] = reduce(Bounds.or_wider, (one[column] for one in usual))
    domains = {
        domain: {column: reduce(Bounds.or_wider, (one[column] for one in found), rules[column]) for column in rules}
        for domain, found in limits.items()
    }
    return {"rules": _plain(rules), "domains": {domain: _plain(changed) for domain, changed in domains.items()}}


def limits_of(
    file: File, rows: npt.NDArray[np.bool_], rules: Mapping[str, Bounds], language: str, budget: float, margin: float
) -> dict[str, Bounds]:
    """For each rule the bounds, on the sides that it has, that remove at most the budget of the characters in this language."""
    langs = [primary_subtag(code) == language for code in file.scores["lang"].to_pylist()]
    chosen = np.flatnonzero(rows & np.array(langs))
    if not len(chosen):
        return {}
    chars = file.scores["num_chars"].to_numpy()[chosen]
    found = {}
    for column, bounds in rules.items():
        distribution = Distribution()
        distribution.add(file.scores[column].to_numpy()[chosen].astype(np.float64), chars)
        low = None if bounds.min is None else distribution.limit("min", budget, "chars") / margin
        high = None if bounds.max is None else distribution.limit("max", budget, "chars") * margin
        found[column] = Bounds(min=low, max=high)
    return found


def _plain(rules: Mapping[str, Bounds]) -> dict[str, dict[str, float]]:
    return {column: {side: float(value) for side, value in asdict(bounds).items() if value is not None} for column, bounds in rules.items()}


if __name__ == "__main__":
    main()
