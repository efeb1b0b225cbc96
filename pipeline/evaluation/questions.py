"""Question files as they are published, into questions that a model can be asked: single choice, four options, one known answer."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from configs.errors import ConfigError
from configs.loader import find_file
from model.multiple_choice import LETTERS, Question
from pipeline.evaluation.settings import QuestionSet, load_names
from stages.decontaminate.benchmarks import Benchmark, Published, read_published, unlabelled

SPLITS = ("_dev", "_val", "_test")
"""Ends of file names that are no part of a subject."""


class Asked(NamedTuple):
    """A set as it is put to a model."""

    questions: list[Question]
    examples: dict[str, list[Question]]
    """By subject."""
    left_out: dict[str, int]
    """Questions of the files that are not asked, by why."""


def read_questions(settings: QuestionSet, seed: int) -> Asked:
    """All single-choice questions of a set, with examples. Raises `ConfigError` if a file cannot be read or no question is left."""
    names = load_names(find_file(settings.subjects)) if settings.subjects else {}
    left_out: dict[str, int] = {}
    questions = _read(settings, settings.path, names, left_out)
    if not questions:
        raise ConfigError(f"questions '{settings.name}': {settings.path}: no question can be asked: {left_out}; wanted A to D with answers")
    by_subject: dict[str, list[Question]] = {}
    if settings.examples is not None:
        shown = _read(settings, settings.examples, names, {})
    else:
        shown = sorted(questions, key=lambda q: hashlib.sha256(f"{seed} {q.place}".encode()).digest())
    for question in shown:
        examples = by_subject.setdefault(question.subject, [])
        if len(examples) < settings.shots:
            examples.append(question)
    if settings.examples is None:
        used = {question.place for examples in by_subject.values() for question in examples}
        left_out["shown as examples"] = len(used)
        questions = [question for question in questions if question.place not in used]
        if not questions:
            raise ConfigError(f"questions '{settings.name}': all {len(used)} questions are examples; lower shots, or name examples")
    return Asked(questions, by_subject, left_out)


def _read(settings: QuestionSet, path: str, names: Mapping[str, str], left_out: dict[str, int]) -> list[Question]:
    questions = []
    for place, row in read_published(Benchmark(name=settings.name, path=path, format=settings.format)):
        options = _options(row)
        reason = _unfit(row, options)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        stem = f"{row.passage.strip()}\n{row.stem.strip()}" if row.passage.strip() else row.stem.strip()
        questions.append(Question(_subject(place, names), place, stem, options[:4], row.answer))  # type: ignore[arg-type]
    return questions


def _options(row: Published) -> tuple[str, ...]:
    """Without their letters, if each has its own: `(A) four`, but not `A. niger` among other names."""
    labels = [option.strip().lstrip("(（")[:1] for option in row.options]
    if labels == list("ABCDEFGH"[: len(labels)]) and all(unlabelled(option) != option.strip() for option in row.options):
        return tuple(map(unlabelled, row.options))
    return tuple(option.strip() for option in row.options)


def _unfit(row: Published, options: tuple[str, ...]) -> str | None:
    if len(options) != len(LETTERS) or not all(options):
        return "not four options"
    if not row.answer:
        return "no answer"
    return None if len(row.answer) == 1 and row.answer in LETTERS else "several answers"


def _subject(place: str, names: Mapping[str, str]) -> str:
    stem = Path(place.rpartition(":")[0]).stem
    for split in SPLITS:
        stem = stem.removesuffix(split)
    return names.get(stem, stem.replace("_", " "))
