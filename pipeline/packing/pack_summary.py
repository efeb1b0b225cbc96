"""What a pack did, in numbers: the counts of `pack.json`, and the table that the command prints.

Every document that was read is packed, not sampled (its weight and hash say 0 times), empty, or stands in the stream only behind
`max_tokens`; records that could not be read are counted beside.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.packing.encode_unit import GROUP

_READ = ("documents", "bytes", "not_sampled", "empty", "capped")
_PACKED = ("documents", "unique_documents", "tokens", "unique_tokens", "bytes")


def summarise(encoded: Sequence[Mapping[str, Any]], shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what the units reported. `epochs` of a group: bytes in the stream by bytes that were read."""
    read = _added([group for unit in encoded for group in unit.get("groups", ())], _READ)
    packed = _added([group for unit in shards for group in unit["groups"]], _PACKED)
    most = dict.fromkeys(read, 0)
    for unit in shards:
        for group in unit["groups"]:
            key = (group["domain"], group["lang"])
            most[key] = max(most[key], group["last_epoch"] + 1)
    groups: list[dict[str, Any]] = []
    for key in sorted(read):
        there, here = read[key], packed.get(key, dict.fromkeys(_PACKED, 0))
        counts = {f"input_{name}": there[name] for name in ("documents", "bytes")}
        epochs = round(here["bytes"] / there["bytes"], 6) if there["bytes"] else 0.0
        groups.append(dict(zip(GROUP, key, strict=True)) | counts | here | {"epochs": epochs, "most_epochs": most[key]} | _rest(there))
    documents = {"input": sum(group["input_documents"] for group in groups), "packed": sum(group["unique_documents"] for group in groups)}
    documents |= {name: sum(group[name] for group in groups) for name in ("not_sampled", "empty")}
    documents["behind_max_tokens"] = documents["input"] - sum(documents[name] for name in ("packed", "not_sampled", "empty"))
    assert documents["behind_max_tokens"] >= 0
    totals = {f"num_{name}" if name in ("documents", "tokens") else name: sum(group[name] for group in groups) for name in _PACKED}
    return {
        **totals,
        "documents": documents,
        "capped": sum(group["capped"] for group in groups),
        "unreadable_records": sum(unit["unreadable"] for unit in encoded),
        "cut_by_window": sum(unit["cut"] for unit in shards),
        "repeated_ids": sum(unit["repeated_ids"] for unit in shards),
        "groups": groups,
    }


def print_summary(header: Mapping[str, Any]) -> None:
    """The table of a pack, and what a user should know of it."""
    console = Console(width=110) if not Console().is_terminal else Console()
    table = Table(title="tokens by domain and language", title_justify="left")
    for name in ("domain", "lang"):
        table.add_column(name)
    for name in ("documents", "tokens", "% of tokens", "epochs", "bytes per token"):
        table.add_column(name, justify="right")
    total = {name: header[name] for name in ("num_documents", "num_tokens", "bytes")}
    for group in sorted(header["groups"], key=lambda group: -group["tokens"]):
        share = f"{100 * group['tokens'] / total['num_tokens']:.1f}"
        rate = f"{group['bytes'] / group['tokens']:.2f}" if group["tokens"] else ""
        counts = (f"{group['documents']:,}", f"{group['tokens']:,}", share, f"{group['epochs']:.2f}", rate)
        table.add_row(Text(group["domain"]), Text(group["lang"]), *counts)
    console.print(table)
    documents = header["documents"]
    console.print(
        f"input {documents['input']:,} = packed {documents['packed']:,} + not sampled {documents['not_sampled']:,} + empty "
        f"{documents['empty']:,} + behind max_tokens {documents['behind_max_tokens']:,} documents",
        highlight=False,
    )
    console.print(
        f"{total['num_tokens']:,} tokens of {total['num_documents']:,} documents with repetitions, "
        f"{total['bytes'] / total['num_tokens']:.2f} bytes per token, {len(header['shards']):,} shards",
        highlight=False,
    )
    if "seconds" in header:
        seconds = sum(header["seconds"].values())
        driver, worker = (f"{header['peak_memory_bytes'][name] / 1e6:,.0f} MB" for name in ("driver", "worker"))
        console.print(
            f"{header['bytes'] / 1e6:,.1f} MB of text in {seconds:.1f} s; peak memory: driver {driver}, worker {worker}", highlight=False
        )
    if header["window"] is not None:
        cut = f"{header['cut_by_window']:,} documents that fit a window of {header['window']:,} tokens lie across two"
        console.print(cut, highlight=False)
    for name, told in (
        ("capped", "documents would have counted more often than max_epochs allows; they count so often"),
        ("unreadable_records", "records could not be read and are left out; make a corpus of these files with `corpus run` to see which"),
        ("repeated_ids", "documents share their id with another one of the input; check whether a file or run is named twice"),
    ):
        if header[name]:
            console.print(Text(f"{header[name]:,} {told}", style="yellow"), soft_wrap=True)


def _rest(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in ("not_sampled", "empty", "capped")}


def _added(groups: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[tuple[str, str], dict[str, int]]:
    """Counts by domain and language, summed."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for group in groups:
        sums = found.setdefault((group["domain"], group["lang"]), dict.fromkeys(names, 0))
        for name in names:
            sums[name] += group[name]
    return found
