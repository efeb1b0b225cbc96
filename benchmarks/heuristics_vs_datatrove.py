"""Our heuristics beside datatrove's Gopher quality, Gopher repetition, C4 and FineWeb filters: decisions rule by rule, in English.

    python benchmarks/heuristics_vs_datatrove.py DATA [--json FILE] [--differences RULE]

DATA holds the `*.jsonl.zst` files named in `SAMPLE`, of which documents are taken at even distances. datatrove gets the environment that
`side_by_side.py` makes (speeds are there), and the texts that our normalisation made, so that only the filters differ. It judges a document
once: its results are kept and taken up again.

A rule is compared at datatrove's threshold, laid over our score, in two ways: both as they are; and in the same units, where datatrove
is given our words, our terminal punctuation and stripped lines, and our score is brought to datatrove's denominator (`RULES`). What
still differs then is the definition, or a defect. `--differences RULE` lists the documents that a rule judges differently there.
For the top n-grams it is the definition: `top_by_their_definition`, a few plain lines over our words, is compared with datatrove too.
"""

import argparse
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import zstandard
from peers.environments import NotInstalledError, interpreter, requirements

from stages.batch import Batch
from stages.heuristics import Heuristics
from stages.measure import Measure
from stages.normalize import Normalize
from stages.stage import Stage
from stages.text.characters import DIGIT, JOINERS, KANA, character_classes, class_of

ENVIRONMENTS = Path(".peers/environments")
RESULTS = Path(".peers/rules")
BATCH_ROWS = 1024
SAMPLE = {"encyclopedia_en": 80, "law_acts_en": 80, "law_en": 900, "medicine_en": 1300, "novels_en": 100, "speeches_en": 40}
"""Documents of each file: 2,500, for rules that drop few."""
LANGUAGE = "eng"
"""datatrove's code: spaCy's English tokenizer, which needs no download beyond the package."""

Scores = Mapping[str, npt.NDArray[Any]]


class Rule(NamedTuple):
    """A rule of datatrove and our measure of the same thing; a document outside the threshold is dropped."""

    reason: str
    """datatrove's name."""
    min: float | None
    max: float | None
    column: str
    """Our score."""
    rescaled: Callable[[Scores], npt.NDArray[np.float64]] | None = None
    """What datatrove's denominator makes of our score; `None` where both divide alike."""
    only_repeated: bool = False
    """In the same units, compare only documents where something repeats: datatrove takes an n-gram that occurs once for the top one."""


def _of_all_chars(column: str, spaces_per_word: float) -> Callable[[Scores], npt.NDArray[np.float64]]:
    """Our share of the characters in words as a share of all characters, with so many spaces counted for each word."""

    def rescaled(s: Scores) -> npt.NDArray[np.float64]:
        words = s["num_words"] * (s["mean_word_length"] + spaces_per_word)
        return np.asarray(s[column] * words / np.maximum(1, s["num_chars"]), np.float64)

    return rescaled


def _top(size: int, limit: float) -> "Rule":
    column = f"top_{size}gram_char_share"
    return Rule(f"top_{size}_gram", None, limit, column, _of_all_chars(column, (size - 1) / size), only_repeated=True)


def _duplicated(size: int, limit: float) -> "Rule":
    column = f"duplicate_{size}gram_char_share"
    return Rule(f"duplicated_{size}_n_grams", None, limit, column, _of_all_chars(column, 0))


RULES = (
    Rule("gopher_short_doc", 50, None, "num_words"),
    Rule("gopher_long_doc", None, 100_000, "num_words"),
    Rule("gopher_below_avg_threshold", 3, None, "mean_word_length"),
    Rule("gopher_above_avg_threshold", None, 10, "mean_word_length"),
    Rule("gopher_too_many_hashes", None, 0.1, "hashes_per_word"),
    Rule("gopher_too_many_ellipsis", None, 0.1, "ellipses_per_word"),
    Rule("gopher_too_many_bullets", None, 0.9, "bullet_line_share"),
    Rule("gopher_too_many_end_ellipsis", None, 0.3, "ellipsis_line_share"),
    Rule("gopher_below_alpha_threshold", 0.8, None, "alphabetic_word_share"),
    Rule("gopher_enough_stop_words", 2, None, "num_english_stop_words"),
    Rule("dup_line_frac", None, 0.3, "duplicate_line_share"),
    Rule("dup_para_frac", None, 0.3, "duplicate_paragraph_share"),
    Rule("dup_line_char_frac", None, 0.2, "duplicate_line_char_share"),
    Rule("dup_para_char_frac", None, 0.2, "duplicate_paragraph_char_share"),
    *(_top(n, limit) for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))),
    *(_duplicated(n, limit) for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))),
    Rule("line_punct_ratio", 0.12, None, "terminal_line_share"),
    Rule("short_line_ratio", None, 0.67, "short_line_share"),
    Rule("char_dup_ratio", None, 0.01, "duplicate_line_char_share"),
    Rule("list_ratio", None, 0.3, "newlines_per_word"),
    Rule("curly_bracket", None, 0, "curly_bracket_share"),
)


def main() -> None:
    """Compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--differences", metavar="RULE", help="list the documents that this rule of datatrove judges differently")
    arguments = parser.parse_args()
    documents = sampled(arguments.data, SAMPLE)
    theirs = judged_by_datatrove(documents)
    if arguments.differences:
        print_differences(arguments.differences, documents, theirs)
        return
    figures = {"rules": rule_agreement(scored(documents), theirs), "their_definition": definition_agreement(documents, theirs)}
    print_rules(figures["rules"])
    print_definition(figures["their_definition"])
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def sampled(data: Path, sizes: Mapping[str, int]) -> pa.Table:
    """Normalised documents with the columns that our stages read, at even distances in each file."""
    rows = []
    for name, size in sizes.items():
        with zstandard.open(data / f"{name}.jsonl.zst", "rt", encoding="utf-8") as lines:
            found = [orjson.loads(line) for line in lines]
        rows += [found[i * len(found) // size] | {"file": name} for i in range(size)]
    missing = pa.nulls(len(rows), pa.string())
    table = pa.table({
        "id": [f"{row['file']}/{row['id']}" for row in rows],
        "text": pa.array([row["text"] for row in rows], pa.large_string()),
        "lang": missing, "domain": [row["domain"] for row in rows], "fault": missing,
    })  # fmt: skip
    return through(table, [Normalize()])


def through(documents: pa.Table, stages: list[Stage]) -> pa.Table:
    """All columns after the stages."""
    batches = [Batch(columns) for columns in documents.to_batches(max_chunksize=BATCH_ROWS)]
    for stage in stages:
        batches = [stage.annotate(batch) for batch in batches]
    return pa.Table.from_batches([batch.columns for batch in batches])


def judged_by_datatrove(documents: pa.Table) -> list[dict[str, Any]]:
    """Results of datatrove in the order of `documents`; see `datatrove_filters.py`. Kept by the hash of texts, program and versions."""
    try:
        python = interpreter("datatrove", ENVIRONMENTS.absolute())
    except NotInstalledError as error:
        raise SystemExit(f"could not install datatrove: {error}; it needs PyPI or a mirror that pip knows of") from None
    program = Path(__file__).with_name("datatrove_filters.py")
    lines = b"".join(orjson.dumps(row) + b"\n" for row in documents.select(["id", "text"]).to_pylist())
    key = hashlib.sha256(lines + program.read_bytes() + requirements("datatrove").read_bytes()).hexdigest()[:16]
    RESULTS.mkdir(parents=True, exist_ok=True)
    texts, results = RESULTS / f"documents-{key}.jsonl", RESULTS / f"results-{key}.jsonl"
    texts.write_bytes(lines)
    subprocess.run([str(python), str(program), str(texts), str(results), LANGUAGE], check=True, stderr=subprocess.DEVNULL)
    found = {row["id"]: row for row in map(orjson.loads, results.read_bytes().splitlines())}
    return [found[name] for name in documents["id"].to_pylist()]


def scored(documents: pa.Table) -> pa.Table:
    """All our scores."""
    return through(documents.drop_columns(["normalized_chars"]), [Normalize(), Measure(), Heuristics()])


def decisions(rule: Rule, columns: pa.Table, rescale: bool) -> npt.NDArray[np.bool_]:
    """Which documents the rule drops by our score."""
    scores = {name: columns[name].to_numpy() for name in {rule.column, "num_words", "mean_word_length", "num_chars"}}
    score = rule.rescaled(scores) if rescale and rule.rescaled else scores[rule.column].astype(np.float64)
    return np.asarray(score < rule.min if rule.min is not None else score > rule.max)


def rule_agreement(columns: pa.Table, theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each rule, `as_shipped` and `same_units`: see `agreement`."""
    found = []
    for rule in RULES:
        everywhere = np.ones(len(theirs), np.bool_)
        repeated = columns[rule.column].to_numpy() > 0 if rule.only_repeated else everywhere
        found.append({
            "rule": rule.reason,
            "column": rule.column,
            "as_shipped": agreement(decisions(rule, columns, rescale=False), failing(rule, theirs, "failing"), everywhere),
            "same_units": agreement(decisions(rule, columns, rescale=True), failing(rule, theirs, "failing_in_our_units"), repeated),
        })  # fmt: skip
    return found


def definition_agreement(documents: pa.Table, theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The top n-grams by datatrove's definition over our words, on all documents, against datatrove as shipped and with our words."""
    words = [(our_words(text), len(text)) for text in documents["text"].to_pylist()]
    everywhere = np.ones(len(theirs), np.bool_)
    found = []
    for rule in (rule for rule in RULES if rule.only_repeated):
        size = int(rule.reason.removeprefix("top_").removesuffix("_gram"))
        shares = np.array([top_by_their_definition(one, num_chars, size) for one, num_chars in words])
        dropped = np.asarray(shares > rule.max)
        found.append({
            "rule": rule.reason,
            "as_shipped": agreement(dropped, failing(rule, theirs, "failing"), everywhere),
            "same_units": agreement(dropped, failing(rule, theirs, "failing_in_our_units"), everywhere),
        })  # fmt: skip
    return found


def our_words(text: str) -> list[str]:
    """The words of `stages.text.profile`, folded to lower case in ASCII, in plain Python."""
    classes = character_classes()
    kinds = [class_of(ord(character), classes) for character in text]
    coded = "".join(
        "c" if kind <= KANA else "r" if kind <= DIGIT else "j" if ord(character) in JOINERS else " "
        for kind, character in zip(kinds, text, strict=True)
    )
    folded = text.translate({upper: upper | 0x20 for upper in range(ord("A"), ord("Z") + 1)})
    return [folded[match.start() : match.end()] for match in re.finditer("c|r+(?:jr+)*", coded)]


def top_by_their_definition(words: list[str], num_chars: int, size: int) -> float:
    """datatrove's: occurrences, overlapping or single ones too, times characters with spaces, of the first among the most frequent."""
    counts = Counter(" ".join(words[at : at + size]) for at in range(len(words) - size + 1))
    return max((count * len(ngram) for ngram, count in counts.most_common(1)), default=0) / max(num_chars, 1)


def failing(rule: Rule, theirs: list[dict[str, Any]], key: str) -> npt.NDArray[np.bool_]:
    """Which documents datatrove's rule drops."""
    return np.array([rule.reason in row[key] for row in theirs])


def agreement(ours: npt.NDArray[np.bool_], peer: npt.NDArray[np.bool_], compared: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Documents compared; those that both, only datatrove and only ours drop; share judged equally, and F1 of the dropped."""
    ours, peer = ours[compared], peer[compared]
    both, only_theirs, only_ours = int((ours & peer).sum()), int((peer & ~ours).sum()), int((ours & ~peer).sum())
    f1 = 2 * both / max(1, 2 * both + only_theirs + only_ours)
    equal = float((ours == peer).mean())
    return {"documents": len(ours), "both": both, "datatrove": only_theirs, "ours": only_ours, "equal": equal, "f1": f1}


def print_rules(rules: list[dict[str, Any]]) -> None:
    """A line for each rule: as shipped on the left, in the same units on the right."""
    half = f"{'both':>6}{'theirs':>8}{'ours':>6}{'equal':>9}{'F1':>7}"
    print(f"dropped by both, by one only; as shipped, then in the same units\n{'rule':30}{'our score':32}{half}   |{half}")
    for row in rules:
        sides = []
        for a in (row["as_shipped"], row["same_units"]):
            f1 = f"{a['f1']:.3f}" if a["both"] + a["datatrove"] + a["ours"] else "-"
            sides.append(f"{a['both']:6}{a['datatrove']:8}{a['ours']:6}{a['equal']:9.2%}{f1:>7}")
        print(f"{row['rule']:30}{row['column']:32}{sides[0]}   |{sides[1]}")


def print_definition(rules: list[dict[str, Any]]) -> None:
    """A line for each rule."""
    print("top n-grams by datatrove's definition over our words; against datatrove as shipped, then with our words, on all documents")
    for row in rules:
        sides = [
            f"{a['both']:6}{a['datatrove']:8}{a['ours']:6}{a['equal']:9.2%}{a['f1']:7.3f}" for a in (row["as_shipped"], row["same_units"])
        ]
        print(f"{row['rule']:62}{sides[0]}   |{sides[1]}")


def print_differences(reason: str, documents: pa.Table, theirs: list[dict[str, Any]]) -> None:
    """The documents that a rule judges differently, with our score and the beginning of the text."""
    rule = next((rule for rule in RULES if rule.reason == reason), None)
    if rule is None:
        raise SystemExit(f"--differences: no rule '{reason}'; known are: {', '.join(rule.reason for rule in RULES)}")
    columns = scored(documents)
    ours, peer = decisions(rule, columns, rescale=True), failing(rule, theirs, "failing_in_our_units")
    for i in np.flatnonzero(ours != peer).tolist():
        text = columns["text"][i].as_py()[:300]
        dropped_by = "ours" if ours[i] else "datatrove"
        print(f"{columns['id'][i].as_py()}: dropped by {dropped_by}; {rule.column} {columns[rule.column][i].as_py():.4f}\n    {text!r}")


if __name__ == "__main__":
    main()
