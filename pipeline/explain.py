"""One document's story, from the ledger: origin, fate, every reason with the score behind it, and what it duplicates."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.errors import InputError
from pipeline import lookup
from pipeline.diff import side_by_side
from pipeline.output import LEDGER
from stages.edits import CONTAMINATION


def story(run_folder: str, document_id: str) -> dict[str, Any]:
    """The ledger row of a document with `text`, `edits` (its cuts in order), and `partner_text` where it duplicates another.

    `partner_text` is the normalised text, which is what was compared. Texts are `None` where they were not kept. Raises `InputError` for
    a folder that is no run and for an id that is not in its ledger.
    """
    place = lookup.find(run_folder, [document_id]).get(document_id)
    if place is None:
        raise InputError(f"{run_folder}: no document '{document_id}' in the ledger; ids made by us look like source/path#record")
    (row,) = lookup.rows(place, "ledger", [document_id])
    here = [*lookup.rows(place, "corpus", [document_id], ["text"]), *lookup.rows(place, "rejected", [document_id], ["text"])]
    row["text"] = here[0]["text"]
    row["edits"] = lookup.rows(place, "edits", [document_id])
    partner = row["duplicate_of"]
    row["partner_text"] = lookup.texts(lookup.find(run_folder, [partner])).get(partner) if partner else None
    return row


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
        how = "same URL" if row["similarity"] is None else f"similarity {row['similarity']:.3f}"
        console.print(f"duplicate of {row['duplicate_of']} ({how})", markup=False)
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
        whole = lookup.put_back(row["text"], row["edits"])
        console.print(side_by_side(whole, row["partner_text"], document_id, row["duplicate_of"]))
    else:
        console.print(struck_through(row["text"], row["edits"]))
        for cut in row["edits"]:
            place = f"cut by {cut['rule']}: bytes {cut['start']:,} to {cut['end']:,}"
            held = "a question of" if cut["rule"] == CONTAMINATION else "stands in"
            keeper = f"; {held} {cut['partner']} (similarity {cut['similarity']:.3f})" if cut["partner"] else ""
            console.print(place + keeper, markup=False, highlight=False)


def struck_through(text: str, edits: Sequence[Mapping[str, Any]]) -> Text:
    """The normalised text, with what was cut from it struck through; masks are green."""
    shown = Text()
    for stretch, cut in lookup.stretches(text, edits):
        if cut is None:
            shown.append(stretch)
        else:
            shown.append(cut["removed"] or "", "strike red")
            shown.append(cut["replacement"], "green")
    return shown
