"""Duplicate clusters of a finished run: the largest ones, and one cluster with its members and what differs in them.

A cluster is a kept document and all that were removed for it, or would have been if duplicates had been dropped. Documents that went
because others keep most of their sentences are in none: they may owe that to many. The ledger is read
three times, 65,536 rows and a few columns at a time: for the sizes, for the survivors' ids, and to count members. What is held grows with
the number of clusters shown, not with the run, nor with the size of a cluster.
"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from configs.errors import InputError
from pipeline import lookup
from pipeline.diff import word_diff

TEXT_CHARS = 60
MOST_SURVIVOR_CHARS = 600
KINDS = ("exact", "near", "contained", "url")
"""How a member belongs to its cluster: the survivor's text again; similar to it; contained in it; of its URL, and not compared."""

_NO_SIZES = pa.table({"survivor": pa.array([], pa.string()), "size": pa.array([], pa.int64())})
_KEYS = ("cluster", "kind", "source", "domain", "lang")
_FIGURES = (("members", "sum"), ("lowest", "min"), ("highest", "max"))


def clusters(
    run_folder: str, top: int = 20, source: str | None = None, domain: str | None = None, min_size: int = 2
) -> list[dict[str, Any]]:
    """The largest clusters of at least `min_size` documents, largest first; those with a document of `source` or `domain` if given.

    Of each `{"survivor": id, "size", "exact", "near", "contained", "url", "similarity": [lowest, highest], "sources": {name: documents},
    "domains", "languages", "text"}`. `size` counts the survivor, the numbers of `KINDS` do not. `similarity` is None where none was
    compared. `text` is the beginning of the survivor's, on one line, empty where it is not to be had. Where an earlier run kept the
    survivor, it is counted in `size` alone.

    Raises `InputError` for a folder without a ledger and for a source or domain that it does not have.
    """
    sizes = _largest(run_folder, top, source, domain, max(2, min_size))
    if not sizes.num_rows:
        _check_filters(run_folder, {"source": source, "domain": domain})
    return _described(run_folder, dict(zip(sizes["survivor"].to_pylist(), sizes["size"].to_pylist(), strict=True)))


def cluster(run_folder: str, document_id: str, num_members: int = 10) -> dict[str, Any]:
    """The cluster that a document belongs to, as in `clusters`, with `text` whole or None, and `members`: rows of the ledger.

    `num_members` of them: the one asked for, then the least similar, those that were not compared before all. Each row has `text`, the
    normalised one, or None where it was not kept. Raises `InputError` for an unknown id, and for a document in no cluster.
    """
    place = lookup.find(run_folder, [document_id]).get(document_id)
    if place is None:
        raise InputError(f"{run_folder}: no document '{document_id}' in the ledger; `corpus duplicates {run_folder}` lists clusters")
    (row,) = lookup.rows(place, "ledger", [document_id])
    own = place.run_folder == run_folder
    survivor = row["duplicate_of"] if own and row["duplicate_of"] else document_id
    alone = own and row["cluster_size"] == 1  # of a document that others keep most of, `duplicate_of` is no survivor
    members = [] if alone else _members(run_folder, survivor, document_id, num_members)
    if not members:
        raise InputError(f"{run_folder}: '{document_id}' is in no cluster; `corpus explain {run_folder} {document_id}` tells its story")
    (found,) = _described(run_folder, {survivor: members[0]["cluster_size"]})
    places = {member["id"]: lookup.Place(run_folder, member.pop("part")) for member in members}
    texts = lookup.texts(lookup.find(run_folder, [survivor]) | places)
    return found | {"text": texts.get(survivor), "members": [member | {"text": texts[member["id"]]} for member in members]}


def _largest(run_folder: str, top: int, source: str | None, domain: str | None, min_size: int) -> pa.Table:
    """`survivor` and `size` of the largest clusters. Every member's row holds the size, so what is not among them can be forgotten."""
    best = _NO_SIZES
    for _, batch in lookup.ledger(run_folder, ["id", "duplicate_of", "cluster_size", "source", "domain"]):
        rows = pc.greater_equal(batch["cluster_size"], min_size)
        for name, wanted in (("source", source), ("domain", domain)):
            if wanted is not None:
                rows = pc.and_(rows, pc.equal(batch[name], wanted))
        table = batch.filter(rows)
        found = pa.table({"survivor": pc.coalesce(table["duplicate_of"], table["id"]), "size": table["cluster_size"]})
        sizes = pa.concat_tables([best, found]).group_by("survivor").aggregate([("size", "max")]).rename_columns(["survivor", "size"])
        best = sizes.sort_by([("size", "descending"), ("survivor", "ascending")]).slice(0, top)
    return best


def _check_filters(run_folder: str, filters: Mapping[str, str | None]) -> None:
    """Raise `InputError` for a name that no document has."""
    for column, wanted in filters.items():
        if wanted is None:
            continue
        known: set[str] = set()
        for _, table in lookup.ledger(run_folder, [column]):
            known |= set(pc.unique(table[column]).to_pylist())
        if wanted not in known:
            raise InputError(f"{run_folder}: no document of {column} '{wanted}'; known are: {', '.join(sorted(known))}")


def _described(run_folder: str, sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """The entries of some clusters, in the order of `sizes`."""
    survivors = list(sizes)
    places = lookup.find(run_folder, survivors)
    texts = lookup.texts(places)
    hashes = {name: row["content_hash"] for name, row in lookup.rows_of(places, "ledger", ["id", "content_hash"]).items()}
    groups: list[list[dict[str, Any]]] = [[] for _ in survivors]
    for row in _counted(run_folder, survivors, [hashes.get(name) for name in survivors]).to_pylist():
        groups[row["cluster"]].append(row)
    return [
        {"survivor": name, "size": sizes[name]} | _figures(groups[i]) | {"text": _beginning(texts.get(name) or "")}
        for i, name in enumerate(survivors)
    ]


def _beginning(text: str) -> str:
    """So much of a text as fits in a line; white space is one space."""
    return " ".join(text[: 20 * TEXT_CHARS].split())[:TEXT_CHARS].rstrip()


def _figures(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `clusters` says of one cluster, from its rows of `_counted`."""
    by: dict[str, Counter[str]] = {name: Counter() for name in ("kind", "source", "domain", "lang")}
    for row in groups:
        for name, counter in by.items():
            counter[row[name] or "-"] += row["members"]
    lowest = [row["lowest"] for row in groups if row["lowest"] is not None]
    highest = [row["highest"] for row in groups if row["highest"] is not None]
    return {kind: by["kind"][kind] for kind in KINDS} | {
        "similarity": [min(lowest), max(highest)] if lowest else None,
        "sources": dict(by["source"].most_common()),
        "domains": dict(by["domain"].most_common()),
        "languages": dict(by["lang"].most_common()),
    }


def _counted(run_folder: str, survivors: Sequence[str], hashes: Sequence[bytes | None]) -> pa.Table:
    """Documents of some clusters by `_KEYS`, `cluster` being a position in `survivors`: `members`, `lowest` and `highest` similarity."""
    names = pa.array(survivors, pa.string())
    found: list[pa.Table] = []
    columns = ["id", "duplicate_of", "similarity", "reasons", "content_hash", "cluster_size", "source", "domain", "lang"]
    for _, batch in lookup.ledger(run_folder, columns):
        place = pc.index_in(pc.coalesce(batch["duplicate_of"], batch["id"]), value_set=names)
        table = batch.append_column("cluster", place).filter(pc.and_(pc.is_valid(place), pc.greater(batch["cluster_size"], 1)))
        if not table.num_rows:
            continue
        similarity = table["similarity"]
        rows = table.select(["cluster", "source", "domain", "lang"]).append_column("kind", _kinds(table, hashes))
        rows = rows.append_column("members", pa.array(np.ones(table.num_rows, np.int64)))
        found.append(_summed(rows.append_column("lowest", similarity).append_column("highest", similarity)))
        found = [_summed(pa.concat_tables(found))]
    return found[0] if found else pa.table({name: [] for name in (*_KEYS, "members", "lowest", "highest")})


def _summed(rows: pa.Table) -> pa.Table:
    totals = rows.group_by(list(_KEYS)).aggregate(list(_FIGURES))
    return totals.rename_columns({f"{name}_{how}": name for name, how in _FIGURES})


def _kinds(table: pa.Table, hashes: Sequence[bytes | None]) -> pa.ChunkedArray:
    """One of `KINDS` for each row, or `survivor`. A lost earlier run's survivor has no hash here: then the reasons say what is a copy."""
    theirs = pa.array(hashes, table["content_hash"].type).take(table["cluster"].combine_chunks())
    same = pc.fill_null(pc.equal(table["content_hash"].combine_chunks(), theirs), False)
    copy = pc.and_not(_has_reason(table, "exact_duplicate"), _has_reason(table, "near_duplicate"))
    cases = (
        ("survivor", pc.is_null(table["duplicate_of"])),
        ("url", pc.is_null(table["similarity"])),
        ("contained", _has_reason(table, "contained")),
        ("exact", pc.or_(same, copy)),
    )
    conditions = pa.StructArray.from_arrays([_array(mask) for _, mask in cases], [name for name, _ in cases])
    return pc.case_when(conditions, *(name for name, _ in cases), "near")


def _array(mask: pa.Array | pa.ChunkedArray) -> pa.Array:
    return mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask


def _has_reason(table: pa.Table, reason: str) -> pa.Array:
    lists = table["reasons"].combine_chunks()
    rows = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), reason))
    return pc.is_in(pa.array(np.arange(table.num_rows), rows.type), value_set=rows)


def _members(run_folder: str, survivor: str, asked: str, num_members: int) -> list[dict[str, Any]]:
    """Ledger rows of `num_members` members, with the `part` of each: the one asked for, then from the least similar on."""
    found: list[pa.Table] = []
    columns = ("id", "source", "domain", "lang", "fate", "reasons", "duplicate_of", "similarity", "cluster_size", "path", "record")
    for part, batch in lookup.ledger(run_folder, columns):
        table = batch.filter(pc.and_(pc.equal(batch["duplicate_of"], survivor), pc.greater(batch["cluster_size"], 1)))
        if not table.num_rows:
            continue
        first = pc.if_else(pc.equal(table["id"], asked), -2.0, pc.fill_null(table["similarity"], -1.0))
        found.append(table.append_column("order", first).append_column("part", pa.array([part] * table.num_rows, pa.string())))
        found = [pa.concat_tables(found).sort_by([("order", "ascending"), ("id", "ascending")]).slice(0, num_members)]
    return found[0].drop_columns("order").to_pylist() if found else []


def print_clusters(run_folder: str, found: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Two lines a cluster: its figures with the survivor's id, which is never broken, and how the survivor begins."""
    console = console or Console()
    if not found:
        console.print("no duplicates")
        return
    kinds = [kind for kind in KINDS if any(one[kind] for one in found)]
    rows = [("size", *kinds, "similarity", "source", "domain", "language", "survivor")]
    for one in found:
        figures = (f"{number:,}" if number else "-" for number in (one["size"], *(one[kind] for kind in kinds)))
        listed = (_listed(one[key]) for key in ("sources", "domains", "languages"))
        rows.append((*figures, _range(one["similarity"]), *listed, one["survivor"]))
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    for row, text in zip(rows, ("", *(one["text"] for one in found)), strict=True):
        numbers = [cell.rjust(width) for cell, width in zip(row[: 1 + len(kinds)], widths, strict=False)]
        names = [set_cell_size(cell, width) for cell, width in zip(row[len(numbers) : -1], widths[len(numbers) :], strict=True)]
        shown = Text("  ".join([*numbers, *names, row[-1]]), "bold" if row is rows[0] else "")
        console.print(shown.append(f"\n{' ' * (widths[0] + 2)}{text}" if text else "", "dim"), soft_wrap=True)
    console.print(f"one cluster: corpus duplicates {shlex.quote(run_folder)} --show ID", soft_wrap=True, markup=False, highlight=False)


def _range(similarity: Sequence[float] | None) -> str:
    if similarity is None:
        return "-"
    lowest, highest = (f"{value:.3f}" for value in similarity)
    return lowest if lowest == highest else f"{lowest}–{highest}"


def _listed(counts: Mapping[str, int]) -> str:
    """The most frequent name, and how many more there are.

    >>> _listed({"web": 7, "news": 1, "law": 1}), _listed({"web": 7})
    ('web +2', 'web')
    """
    first = next(iter(counts), "-")
    return f"{first} +{len(counts) - 1}" if len(counts) > 1 else first


def print_cluster(found: Mapping[str, Any], console: Console | None = None) -> None:
    """A cluster: how its members differ from the survivor, `[-only there-]` and `{+only in the member+}`."""
    console = console or Console()

    def say(*parts: str | tuple[str, str] | Text) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    kinds = ", ".join(f"{found[kind]:,} {kind}" for kind in KINDS if found[kind])
    say("cluster of ", (f"{found['size']:,}", "bold"), f" documents: {kinds}; similarity {_range(found['similarity'])}")
    for key in ("sources", "domains", "languages"):
        say(f"{key}: ", ", ".join(f"{name} {count:,}" for name, count in found[key].items()))
    say("\nsurvivor ", (found["survivor"], "bold green"))
    text = found["text"]
    if text is None:
        say("its text was not kept, or the earlier run that kept it is gone")
    else:
        say((f"{text[:MOST_SURVIVOR_CHARS]}{'…' * (len(text) > MOST_SURVIVOR_CHARS)}", "dim"))
    for member in found["members"]:
        how = "not compared" if member["similarity"] is None else f"similarity {member['similarity']:.3f}"
        why = f"{member['fate']}: {', '.join(member['reasons']) or 'no reason'}"
        say("\n", (member["id"], "bold"), f"   {how}   {why}   {member['source']}: {member['path']}:{member['record']}")
        if member["text"] is None:
            say("its text was not kept (rejected.text)")
        elif text is not None:
            say(word_diff(text, member["text"]))
    num_members = sum(found[kind] for kind in KINDS)
    if len(found["members"]) < num_members:
        say(f"\n{len(found['members'])} of {num_members:,} members, the least similar first; --members shows more")
