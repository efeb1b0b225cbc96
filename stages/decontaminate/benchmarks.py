"""Questions of evaluation sets, read from the files that their publishers distribute.

| format | files |
|---|---|
| `cmmlu`, `ceval`, `mmlu` | CSV, one file a subject, with a header (`,Question,A,B,C,D,Answer`; `id,question,A,B,C,D,...`) or without |
| `gaokao` | GAOKAO-Bench: JSON, `example` is a list of objects with `question`; its options stand in that text |
| `agieval` | JSON lines with `passage`, `question`, `options` |
| `jsonl`, `csv` | any rows with named columns |

Parquet files, the form of Hugging Face, are read by the names of their columns whatever the format: MMLU's `choices`, C-Eval's, CMMLU's
`Question`. `auto` looks at each file. A path is a file, or a folder of which all files with one of `SUFFIXES` are read. Whatever cannot
be read as a question is an error with its place, since a set that is silently half read finds half of what it should.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import ConfigError
from configs.loader import SettingError, find_file

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet")
OPTION_COLUMNS = ("options", "choices", "A", "B", "C", "D", "E", "F")
"""Where options stand if a benchmark does not say: those of these columns that a row has."""
ANSWER_COLUMNS = ("label", "answer", "Answer")
"""Where the right letter stands: the first of these columns that a row has (AGIEval: `label`)."""

csv.field_size_limit(1 << 27)

_LABEL = re.compile(r"^\s*[(（]?[A-H][)）.．、:：]\s*")
_NUMBER = re.compile(r"^\s*(?:\d{1,3}|[一二三四五六七八九十]{1,3})\s*[.．、]\s*(?:[(（]\s*\d+\s*分\s*[)）])?")
_OPTION = re.compile(r"(?:^|(?<=\s))([A-H])\s*[.．、:：]")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One evaluation set."""

    name: str
    """How the report calls it."""
    path: str
    """A file or a folder, from the working directory or the shipped `configs/`."""
    format: Literal["auto", "cmmlu", "ceval", "mmlu", "gaokao", "agieval", "jsonl", "csv"] = "auto"
    """How its files are written; Parquet files are seen to be such."""
    question: str = "question"
    """Of `jsonl`, `csv` and Parquet, the column of the question."""
    options: tuple[str, ...] = ()
    """Of the same, columns of options: texts, or lists of texts. If not given: `options`, `choices`, A to F, where they are."""
    passage: str = "passage"
    """Of the same, the column of a text that the question is about; rows need not have it."""

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise SettingError("name", f"got '{self.name}', wanted a name without a slash")


class Published(NamedTuple):
    """One question as its file has it."""

    passage: str
    """What the question is about, empty if it is about nothing."""
    stem: str
    options: tuple[str, ...]
    answer: str = ""
    """The right letter; several letters if several are right, empty if the file does not say."""


class Question(NamedTuple):
    """One question and where it stands, without the numbers and letters before its parts."""

    benchmark: str
    place: str
    """File, relative to the benchmark's path, and line; of a JSON file the number of the example, of a Parquet file that of the row."""
    passage: str
    """What the question is about, empty if it is about nothing."""
    stem: str
    options: tuple[str, ...]


def benchmark_files(benchmark: Benchmark) -> list[str]:
    """Its files; the path itself if nothing is there, so that planning names it. Raises `ConfigError` for a folder without any."""
    path = find_file(benchmark.path)
    if not path.is_dir():
        return [benchmark.path]
    files = sorted(str(file) for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not files:
        raise ConfigError(f"benchmark '{benchmark.name}': {benchmark.path}: no {', '.join(SUFFIXES)} file in this folder")
    return files


def read_benchmark(benchmark: Benchmark) -> list[Question]:
    """All questions of a set. Raises `ConfigError` with file and line where something is wrong, and if a file has no question."""
    return [_question(benchmark.name, place, row) for place, row in read_published(benchmark)]


def read_published(benchmark: Benchmark) -> list[tuple[str, Published]]:
    """As `read_benchmark`, unchanged and with answers; each with its file, relative to the benchmark's path, and line."""
    root = find_file(benchmark.path)
    questions: list[tuple[str, Published]] = []
    for name in benchmark_files(benchmark):
        file = find_file(name)
        relative = file.relative_to(root).as_posix() if root.is_dir() else file.name
        before = len(questions)
        for number, row in _rows(benchmark, file):
            where = f"{name}:{number}"
            if not _NUMBER.sub("", row.stem).strip():
                raise ConfigError(f"benchmark '{benchmark.name}': {where}: the question is empty; delete the row or name another column")
            questions.append((f"{relative}:{number}", row))
        if len(questions) == before:
            raise ConfigError(f"benchmark '{benchmark.name}': {name}: holds no question")
    return questions


def _rows(benchmark: Benchmark, file: Path) -> Iterator[tuple[int, Published]]:
    if file.suffix == ".parquet":
        yield from _parquet(benchmark, file)
        return
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"benchmark '{benchmark.name}': {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"benchmark '{benchmark.name}': {file}:{line}: is not UTF-8; convert it") from None
    if not text.strip():
        raise ConfigError(f"benchmark '{benchmark.name}': {file}: is empty")
    try:
        yield from _of_format(benchmark, text, file.suffix)
    except _BadRowError as error:
        raise ConfigError(f"benchmark '{benchmark.name}': {file}:{error.number}: {error}") from None


def _parquet(benchmark: Benchmark, file: Path) -> Iterator[tuple[int, Published]]:
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"benchmark '{benchmark.name}': {file}: cannot be read as Parquet: {error}") from None
    names = table.column_names
    if benchmark.question == "question" and "question" not in names:
        names = ["question" if name == "Question" else name for name in names]
    number = 1
    try:
        _check_names(benchmark, names, number)
        for number, row in enumerate(table.rename_columns(names).to_pylist(), 1):
            yield number, _named(benchmark, row, number)
    except _BadRowError as error:
        raise ConfigError(f"benchmark '{benchmark.name}': {file}:{number}: {error}") from None


class _BadRowError(Exception):
    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def _of_format(benchmark: Benchmark, text: str, suffix: str) -> Iterator[tuple[int, Published]]:
    kind: str = benchmark.format
    if kind == "auto":
        kind = {".json": "gaokao", ".jsonl": "jsonl", ".csv": "csv"}.get(suffix, "")
        if not kind:
            raise _BadRowError(1, f"the format of '{suffix}' files is not known; set `format`, or use {', '.join(SUFFIXES)}")
        if kind == "csv" and benchmark.question == "question":
            kind = "mmlu"
    if kind == "gaokao":
        yield from _gaokao(text)
    elif kind in ("jsonl", "agieval"):
        yield from _json_lines(benchmark, text)
    elif kind == "csv":
        yield from _named_csv(benchmark, text)
    else:
        yield from _choices_csv(text)


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with their first lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield first, row
            first = reader.line_num + 1
    except csv.Error as error:
        raise _BadRowError(first, f"not valid CSV: {error}") from None


def _choices_csv(text: str) -> Iterator[tuple[int, Published]]:
    """CMMLU, C-Eval, MMLU: a question and four options, with a header or without."""
    rows = _csv_rows(text)
    number, first = next(rows, (1, []))
    header = [cell.strip().casefold() for cell in first]
    if "question" in header:
        missing = [letter.upper() for letter in "abcd" if letter not in header]
        if missing:
            raise _BadRowError(number, f"the header has 'question' but no column {', '.join(missing)}; for other columns set `format: csv`")
        places = [header.index(name) for name in ("question", "a", "b", "c", "d", "answer") if name in header]
    elif len(first) == 6 and first[5].strip() in tuple("ABCD"):
        places = list(range(6))
    elif len(first) >= 6 and first[0].strip().isdigit():
        places = list(range(1, min(len(first), 7)))
    else:
        raise _BadRowError(
            number, f"not recognised: got {len(first)} columns and no header with 'question'; wanted question, A, B, C, D, answer"
        )
    if "question" not in header:
        yield number, _choices(first, places)
    for number, row in rows:
        if len(row) <= max(places[:5]):
            raise _BadRowError(number, f"got {len(row)} columns, wanted at least {max(places[:5]) + 1}")
        yield number, _choices(row, places)


def _choices(row: Sequence[str], places: Sequence[int]) -> Published:
    stem, *options = (row[place] for place in places[:5])
    answer = row[places[5]] if len(places) > 5 and len(row) > places[5] else ""
    return Published("", stem, tuple(options), _letters(answer))


def _named_csv(benchmark: Benchmark, text: str) -> Iterator[tuple[int, Published]]:
    rows = _csv_rows(text)
    number, header = next(rows, (1, []))
    _check_names(benchmark, header, number)
    for number, row in rows:
        if len(row) != len(header):
            raise _BadRowError(number, f"got {len(row)} columns, the header has {len(header)}")
        yield number, _named(benchmark, dict(zip(header, row, strict=True)), number)


def _json_lines(benchmark: Benchmark, text: str) -> Iterator[tuple[int, Published]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = _json(line, number)
            if not isinstance(row, dict):
                raise _BadRowError(number, "wanted a JSON object with the question")
            _check_names(benchmark, row, number)
            yield number, _named(benchmark, row, number)


def _gaokao(text: str) -> Iterator[tuple[int, Published]]:
    found = _json(text, 1)
    examples = found.get("example") if isinstance(found, dict) else None
    if not isinstance(examples, list):
        raise _BadRowError(1, "not recognised: wanted GAOKAO-Bench's object with a list 'example'; for rows of objects use JSON lines")
    for number, row in enumerate(examples, 1):
        if not isinstance(row, dict) or not isinstance(row.get("question"), str):
            raise _BadRowError(number, "the example has no text 'question'")
        stem, options = _split_options(row["question"])
        yield number, Published("", stem, tuple(options), _letters(row.get("answer")))


def _json(text: str, number: int) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _BadRowError(number + error.lineno - 1, f"not valid JSON: {error.msg}") from None


def _check_names(benchmark: Benchmark, columns: Sequence[str] | Mapping[str, Any], number: int) -> None:
    for name in (benchmark.question, *benchmark.options):
        if name not in columns:
            raise _BadRowError(number, f"no column '{name}'; it has: {', '.join(columns)}; set `question` and `options` of this benchmark")


def _named(benchmark: Benchmark, row: Mapping[str, Any], number: int) -> Published:
    stem, passage = row[benchmark.question], row.get(benchmark.passage)
    if not isinstance(stem, str):
        raise _BadRowError(number, f"'{benchmark.question}' is no text")
    options: list[str] = []
    for name in benchmark.options or [name for name in OPTION_COLUMNS if name in row]:
        value = row[name]
        values = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
        options += [str(option) for option in values if option is not None]
    answer = next((row[name] for name in ANSWER_COLUMNS if row.get(name) is not None), None)
    return Published(passage if isinstance(passage, str) else "", stem, tuple(options), _letters(answer))


def _letters(answer: Any) -> str:
    """The letters of an answer as files write it: `B`, `["B"]`, `(B)`, an index from 0; empty for anything else."""
    if isinstance(answer, list):
        return "".join(map(_letters, answer))
    if isinstance(answer, int):
        return "ABCDEFGH"[answer : answer + 1] if answer >= 0 else ""
    found = answer.strip().strip("()（）.．。").upper() if isinstance(answer, str) else ""
    return found if set(found) <= set("ABCDEFGH") else ""


def unlabelled(option: str) -> str:
    """An option without the letter before it.

    >>> unlabelled("(B) seven"), unlabelled("B. seven"), unlabelled("Bees")
    ('seven', 'seven', 'Bees')
    """
    return _LABEL.sub("", option).strip()


def _question(benchmark: str, place: str, row: Published) -> Question:
    """Without the number before the stem and the letters before the options, which are others wherever the question is copied."""
    options = tuple(option for option in map(unlabelled, row.options) if option)
    return Question(benchmark, place, row.passage.strip(), _NUMBER.sub("", row.stem).strip(), options)


def _split_options(text: str) -> tuple[str, list[str]]:
    """A question with its options A, B, C, ... in one text; without options if their letters do not stand there once each, in order."""
    found = list(_OPTION.finditer(text))
    if len(found) < 3 or [match[1] for match in found] != list("ABCDEFGH"[: len(found)]):
        return text, []
    ends = [*(match.start() for match in found[1:]), len(text)]
    return text[: found[0].start()], [text[match.end() : end] for match, end in zip(found, ends, strict=True)]
