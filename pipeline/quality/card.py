"""The model's card: what it was trained on, what it is worth on other sources, and what it goes by."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.quality.windows import Cut
from stages.quality.calibration import BINS
from stages.quality.weights import Weights, row_weights

_SAMPLE_WINDOWS = 20_000
_MIN_COUNT = 20
_STRONGEST = 30


def ngram_weights(windows: Cut, model: Weights) -> dict[str, list[list[Any]]]:
    """The words and pairs of words that speak most for `good` and for `bad`, of those that stand 20 times in 20,000 training windows.

    Each as [n-gram, weight, count]; a pair has the weight of its bucket alone, which it may share with others.
    """
    counts: Counter[str] = Counter()
    for window in range(min(len(windows.document), _SAMPLE_WINDOWS)):
        words = windows.line(window).decode().split()
        counts.update(words)
        if model.ngrams > 1:
            counts.update(map(" ".join, pairwise(words)))
    frequent = sorted(ngram for ngram, count in counts.items() if count >= _MIN_COUNT)
    values = row_weights(frequent, model)
    order = [place for place in np.argsort(values, kind="stable").tolist() if not np.isnan(values[place])]
    found = [[frequent[place], round(float(values[place]), 2), counts[frequent[place]]] for place in order]
    return {"bad": found[:_STRONGEST], "good": found[::-1][:_STRONGEST]}


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Write `README.md` beside the model."""
    what = f"Safety model for {card['safety']}:" if card["safety"] else "Quality model"
    lines = [f"# {what} {card['name']}", "", "Made by `corpus quality train`; settings and figures in full: `model.json`.", ""]
    if card["safety"]:
        lines += [f"The bad texts are {card['safety']}; the stage `safety` takes 1 - probability for the probability of it.", ""]
    lines += [f"Languages: {', '.join(card['languages'])}. Trained on {card['data']['windows']:,} windows, half of them good.", ""]
    lines += ["## What it is worth", ""]
    lines += [
        "Documents of sources that neither training nor calibration saw; of `known` ones, by a model trained without the document.",
        "Classes count equally, so do the sources of a class. F1: of the good documents at a probability of .5. ECE: the mean distance",
        f"between probability and share of good documents, over {BINS} bins of equal weight.",
        "",
    ]
    rows = [["language", "sources", "documents", "F1", "AUC", "ECE"]]
    for lang, test in card["metrics"].items():
        for name, found in ((", ".join(test["sources"]), test), ("known", card["metrics_on_known_sources"][lang])):
            rows.append([lang, name, f"{found['documents']:,}", found["f1"], found["auc"], found["ece"]])
    lines += _table(rows)
    if labelled := card.get("labelled"):
        lines += ["", "## On your labels", "", *_labelled(labelled), "", "All other figures are those of the probabilities before."]
    lines += ["", "## Scores by source", ""]
    lines += ["`good_share`: documents with a probability of .5 or more.", ""]
    names = ["lang", "kind", "domain", "source", "part", "documents", "good_share", "p10", "median", "p90"]
    lines += _table([names, *([row[name] for name in names] for row in card["scores"])])
    lines += [
        "",
        "## What it goes by",
        "",
        "The strongest words and pairs of words; 0 stands for any digit, ␞ for a repeated sentence.",
        "",
    ]
    rows = [["good", "weight", "times", "bad", "weight", "times"]]
    rows += [[*_quoted(good), *_quoted(bad)] for good, bad in zip(card["ngrams"]["good"], card["ngrams"]["bad"], strict=True)]
    lines += _table(rows)
    data = card["data"]
    lines += ["", "## Data", "", f"Input files: `{data['input']}`, all of this: `{card['identity']}`.", ""]
    lines += [f"- {part}: {', '.join(sources)}" for part, sources in data["parts"].items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def print_report(folder: str, card: dict[str, Any]) -> None:
    """What the command says."""
    for lang, test in card["metrics"].items():
        print(f"{lang}: F1 {test['f1']:.3f}  AUC {test['auc']:.3f}  ECE {test['ece']:.3f}  on {', '.join(test['sources'])}")
    if card.get("already_complete"):
        print(f"{folder}: this model was already up to date; nothing was done again")
    else:
        print(f"{card['data']['windows']:,} windows, {card['seconds']['all']:.1f} s, of which fastText {card['seconds']['train']:.1f}")
    place = f"safety.models.{card['safety']}" if card.get("safety") else "quality.models"
    print(f"model    {folder}/model.bin, model.json   name the folder under stages.{place}")
    print(f"card     {folder}/README.md")


def print_calibration(folder: str, card: dict[str, Any]) -> None:
    """What `corpus quality calibrate` says."""
    print("\n".join(_labelled(card["labelled"])))
    print(f"model    {folder}/model.bin, model.json   percentiles, sentences and the order of texts are as before; card {folder}/README.md")


def _labelled(found: dict[str, Any]) -> list[str]:
    """What labels made of the probabilities."""
    return [
        f"{found['keep']:,} texts to keep, {found['drop']:,} to drop, AUC {found['auc']:.3f}.",
        f"ECE {found['ece_before']:.3f} before, {found['ece_after']:.3f} after, each text by the others; perfect probabilities would have "
        f"{found['ece_by_chance']:.3f} by chance on so few.",
    ]


def _quoted(found: list[Any]) -> list[Any]:
    ngram, weight, count = found
    return [f"`{ngram}`".replace("|", "\\|"), weight, count]


def _table(rows: list[list[Any]]) -> list[str]:
    head, *body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]
