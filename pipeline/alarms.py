"""Alarms: what a run took away that its owner must not overlook, said at the end of the run, in `summary.json` and on the dataset card.

A source that loses most of its documents as duplicates is in the input twice, or has one template around every document, or met a wrong
setting; in one published corpus a source lost 859,090 of 859,092 documents unnoticed (FIELD.md). An alarm stops nothing: the decision is
`corpus select`'s, and each alarm names the command that shows what happened.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.dedup.decide import MOST_CLUSTERS
from pipeline.plan import Plan
from stages.dedup.stage import DocumentDedup
from stages.mixture.stage import HELD_OUT, Mixture


def alarms(
    plan: Plan,
    by_source: Mapping[str, Any],
    by_domain: Mapping[str, Any],
    clusters: Sequence[Mapping[str, Any]],
    shared_ids: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """`{"kind": source | domain | cluster | held_out, "name", "share" | "size", "limit", "look"}` for each figure above its limit.

    And `{"kind": "shared_ids", "name": id, "size", "runs", "look"}` where earlier runs have ids in common.

    A document counts as lost that has a reason of `pipeline.output.DUPLICATES`, whatever others it has. A domain of one source has no alarm
    of its own. `clusters` are the largest ones, so at most `MOST_CLUSTERS` are named. A run without `document_dedup` has its defaults.
    Of each kind the highest comes first. `held_out` is a domain that loses more than twice `max_share` to what was drawn and resembles it.
    """
    stage = plan.stage(DocumentDedup)
    limits = stage if isinstance(stage, DocumentDedup) else DocumentDedup()
    command, inspect = (f"corpus {name} {shlex.quote(plan.config.output)}" for name in ("duplicates", "inspect"))
    domains = [source.domain or source.name for source in plan.config.sources]
    found: list[dict[str, Any]] = []
    for kind, tallies in (("source", by_source), ("domain", {n: t for n, t in by_domain.items() if domains.count(n) > 1})):
        shares = {name: tally["duplicates"][0] / max(1, tally["input"][0]) for name, tally in tallies.items()}
        for name, share in sorted(shares.items(), key=lambda item: (-item[1], item[0])):
            if share > limits.alarm_share:
                look = inspect if _mostly_repeated(tallies[name]) else f"{command} --{kind} {shlex.quote(name)}"
                found.append({"kind": kind, "name": name, "share": share, "limit": limits.alarm_share, "look": look})
    for cluster in clusters:
        if cluster["size"] > limits.alarm_cluster:
            name, size = cluster["survivor"], cluster["size"]
            look = f"{command} --show {shlex.quote(name)}"
            found.append({"kind": "cluster", "name": name, "size": size, "limit": limits.alarm_cluster, "look": look})
    found += _held_out(plan, by_domain)
    if shared_ids:
        name = shared_ids["example"]
        look = f"corpus explain {shlex.quote(shared_ids['runs'][1])} {shlex.quote(name)}"
        found.append({"kind": "shared_ids", "name": name, "size": shared_ids["ids"], "runs": shared_ids["runs"], "look": look})
    return found


def _mostly_repeated(tally: Mapping[str, Any]) -> bool:
    """Whether most of what was lost went because others keep its passages: that is in no cluster."""
    return bool(2 * tally["reasons"].get("mostly_repeated", [0])[0] > tally["duplicates"][0])


def _held_out(plan: Plan, by_domain: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Domains of which more than twice as much is held out as may be drawn: the drawn, and as much again that resembles them."""
    stage = plan.stage(Mixture)
    if not isinstance(stage, Mixture):
        return []
    most, look = stage.held_out.max_share, f"corpus inspect {shlex.quote(plan.config.output)}"
    found = []
    for name, tally in by_domain.items():
        documents, apart = tally["input"][0], tally["reasons"].get(HELD_OUT, [0])[0]
        if apart > 2 * math.ceil(most * documents):
            found.append({"kind": HELD_OUT, "name": name, "share": apart / documents, "limit": 2 * most, "look": look})
    return sorted(found, key=lambda alarm: (-alarm["share"], alarm["name"]))


def largest_clusters(statistics: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """`size` and `survivor` of the run's largest clusters, largest first, from what the units of `resolve` report of theirs."""
    every = [(size, survivor) for unit in statistics.get("resolve", ()) for size, survivor in unit["clusters"]]
    return [{"size": size, "survivor": survivor} for size, survivor in sorted(every, key=lambda c: (-c[0], c[1]))[:MOST_CLUSTERS]]


def in_words(alarm: Mapping[str, Any]) -> str:
    """One sentence.

    >>> in_words({"kind": "source", "name": "web", "share": 0.75, "limit": 0.5})
    "source 'web' lost 75.0 % of its documents as duplicates (alarm_share: 0.5)"
    """
    if alarm["kind"] == "cluster":
        return f"a cluster of {alarm['size']:,} documents, of which '{alarm['name']}' was kept (alarm_cluster: {alarm['limit']:,})"
    if alarm["kind"] == "shared_ids":
        runs = " and ".join(alarm["runs"])
        return f"{alarm['size']:,} ids stand in several earlier runs, '{alarm['name']}' in {runs}: duplicate_of and partner may mean either"
    if alarm["kind"] == HELD_OUT:
        apart = f"{100 * alarm['share']:.1f} % of the documents are held out, drawn ones and what resembles them"
        return f"domain '{alarm['name']}': {apart} (twice held_out.max_share: {alarm['limit']:g})"
    lost = f"lost {100 * alarm['share']:.1f} % of its documents as duplicates"
    return f"{alarm['kind']} '{alarm['name']}' {lost} (alarm_share: {alarm['limit']:g})"


def print_alarms(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Each alarm with the command to look at it; nothing if there is none."""
    for alarm in found:
        console.print(
            Text.assemble((" ALARM ", "bold white on red"), " ", (in_words(alarm), "bold"), f"\n        look: {alarm['look']}"),
            soft_wrap=True,
        )
