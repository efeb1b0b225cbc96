"""One document's story, from the ledger: origin, fate, every reason with the score behind it, and what it duplicates."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.dataset as ds
from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.errors import InputError
from pipeline import storage
from pipeline.output import LEDGER


def story(run_folder: str, document_id: str) -> dict[str, Any]:
    """The ledger row of a document with `text`, `edits` (its cuts in order), and `partner_text` where it duplicates another.

    Texts are `None` where they were not kept. Raises `InputError` for a folder that is no run and for an id that is not in its ledger.
    """
    row = _row(run_folder, "ledger", document_id)
    if row is None:
        raise InputError(f"{run_folder}: no document '{document_id}' in the ledger; ids made by us look like source/path#record")
    row["text"] = _text(run_folder, document_id)
    row["partner_text"] = _text(run_folder, row["duplicate_of"]) if row["duplicate_of"] else None
    row["edits"] = _edits(run_folder, document_id)
    return row


def _dataset(run_folder: str, part: str) -> ds.Dataset:
    folder = storage.join(run_folder, part)
    names = sorted(storage.list_names(folder))
    if not names:
        raise InputError(f"{run_folder}: no finished run; {part}/ is empty or missing")
    filesystem, path = storage.filesystem(folder)
    return ds.dataset([f"{path}/{name}" for name in names if name.endswith(".parquet")], filesystem=filesystem, format="parquet")


def _row(run_folder: str, part: str, document_id: str) -> dict[str, Any] | None:
    rows = _dataset(run_folder, part).to_table(filter=ds.field("id") == document_id).to_pylist()
    return rows[0] if rows else None


def _edits(run_folder: str, document_id: str) -> list[dict[str, Any]]:
    if not storage.list_names(storage.join(run_folder, "edits")):
        return []
    found: list[dict[str, Any]] = _dataset(run_folder, "edits").to_table(filter=ds.field("id") == document_id).to_pylist()
    return sorted(found, key=lambda row: row["start"])


def _text(run_folder: str, document_id: str) -> str | None:
    for part in ("corpus", "rejected"):
        if (row := _row(run_folder, part, document_id)) is not None:
            text: str | None = row["text"]
            return text
    return None


def print_story(run_folder: str, document_id: str, console: Console | None = None) -> None:
    """Print the story, with a side-by-side diff against the document that this one duplicates."""
    console = console or Console()
    row = story(run_folder, document_id)
    place = f"{row['source']}: {row['path']}:{row['record']}"
    console.print(Text.assemble((document_id, "bold"), f"   {place}   domain {row['domain']}, language {row['lang']}"))
    style = "green" if row["fate"] == "kept" else "red"
    console.print(Text.assemble("fate: ", (row["fate"], style), f"   reasons: {', '.join(row['reasons']) or 'none'}"))
    if row["fault_detail"]:
        console.print(f"fault: {row['fault_detail']}", markup=False)
    if row["duplicate_of"]:
        console.print(f"duplicate of {row['duplicate_of']} (similarity {row['similarity']:.3f})", markup=False)
    console.print(f"cluster of {row['cluster_size']} documents")
    signals = Table(title="signals", title_justify="left")
    signals.add_column("signal")
    signals.add_column("value", justify="right")
    for name, value in row.items():
        if name not in (*LEDGER, "text", "partner_text", "edits"):
            shown = f"{value:.4f}" if isinstance(value, float) else value.hex() if isinstance(value, bytes) else str(value)
            signals.add_row(Text(name), Text(shown), style="red" if name in row["reasons"] else "")
    console.print(signals)
    if row["text"] is None:
        console.print("its text was not kept (rejected.text)")
    elif row["partner_text"] is not None:
        console.print(side_by_side(row["text"], row["partner_text"], document_id, row["duplicate_of"]))
    else:
        console.print(struck_through(row["text"], row["edits"]))
        for cut in row["edits"]:
            console.print(f"cut by {cut['rule']}: bytes {cut['start']:,} to {cut['end']:,}", markup=False, highlight=False)


def struck_through(text: str, edits: Sequence[Mapping[str, Any]]) -> Text:
    """The normalised text, with what was cut from it struck through."""
    shown, edited, taken, end = Text(), text.encode(), 0, 0
    for cut in edits:
        shown.append(edited[taken : taken + cut["start"] - end].decode())
        taken += cut["start"] - end
        shown.append(cut["removed"], "strike red")
        shown.append(cut["replacement"], "green")
        end = cut["end"]
    return shown.append(edited[taken:].decode())


def side_by_side(left: str, right: str, left_title: str, right_title: str) -> Table:
    """Two texts line against line, with the characters that differ marked; equal stretches of more than six lines are folded."""
    table = Table(show_lines=False, expand=True)
    table.add_column(Text(left_title))
    table.add_column(Text(right_title))
    a, b = left.splitlines() or [""], right.splitlines() or [""]
    for tag, i1, i2, j1, j2 in _opcodes(a, b):
        if tag == "equal" and i2 - i1 > 6:
            table.add_row(Text(a[i1]), Text(b[j1]))
            table.add_row(Text(f"… {i2 - i1 - 2} equal lines …"), Text(), style="dim")
            table.add_row(Text(a[i2 - 1]), Text(b[j2 - 1]))
            continue
        for offset in range(max(i2 - i1, j2 - j1)):
            one = a[i1 + offset] if i1 + offset < i2 else ""
            two = b[j1 + offset] if j1 + offset < j2 else ""
            table.add_row(*((Text(one), Text(two)) if tag == "equal" else _marked(one, two)))
    return table


MOST_EXACT = 500
"""Longer lists are compared with difflib's `autojunk`: anything that is in more than 1 % of the places starts no match."""
_TOKENS = re.compile(r"[0-9A-Za-z\u00c0-\u024f]+|\s+|.", re.DOTALL)
MOST_TOKENS = 2000
"""Longer lines are not compared word by word: that takes time with the square of their length."""


def _opcodes(a: list[str], b: list[str]) -> list[tuple[str, int, int, int, int]]:
    """What turns `a` into `b`. Equal ends are taken off first; long middles ignore what they hold often, or 6,000 lines take minutes."""
    start = _num_equal(a, b)
    end = _num_equal(a[start:][::-1], b[start:][::-1])
    middle = a[start : len(a) - end], b[start : len(b) - end]
    long = max(map(len, middle)) > MOST_EXACT
    found = difflib.SequenceMatcher(None, *middle, autojunk=long).get_opcodes()
    codes: list[tuple[str, int, int, int, int]] = [(tag, i1 + start, i2 + start, j1 + start, j2 + start) for tag, i1, i2, j1, j2 in found]
    if start:
        codes.insert(0, ("equal", 0, start, 0, start))
    if end:
        codes.append(("equal", len(a) - end, len(a), len(b) - end, len(b)))
    return codes


def _num_equal(a: Sequence[str], b: Sequence[str]) -> int:
    """How many places from the start on are equal."""
    return next((i for i, (one, two) in enumerate(zip(a, b, strict=False)) if one != two), min(len(a), len(b)))


def _marked(one: str, two: str) -> tuple[Text, Text]:
    """Both lines with the words or Han characters that differ marked; of very long ones the place where they part."""
    left, right = Text(), Text()
    first, second = _TOKENS.findall(one), _TOKENS.findall(two)
    if len(first) + len(second) > 2 * MOST_TOKENS:
        place = _num_equal(one, two)
        shown = slice(max(0, place - 100), place + 300)
        head = f"[line of {len(one):,} characters, first difference at {place:,}] …"
        return Text(head + one[shown]), Text(head.replace(f"{len(one):,}", f"{len(two):,}", 1) + two[shown])
    for tag, i1, i2, j1, j2 in _opcodes(first, second):
        left.append("".join(first[i1:i2]), None if tag == "equal" else "bold red")
        right.append("".join(second[j1:j2]), None if tag == "equal" else "bold green")
    return left, right
