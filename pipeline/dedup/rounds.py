"""The passes over all shards in their order: first what no threshold changes, then what a selection decides."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from configs.errors import RunError
from pipeline import storage
from pipeline.dedup.components import ComponentsWork, find_components, forest_bytes
from pipeline.dedup.decide import EDGE_BYTES, MEMBER_BYTES, FactsWork, ResolveWork, facts, resolve
from pipeline.dedup.found import Found
from pipeline.dedup.groups import ReduceWork, reduce_groups, reduce_ids
from pipeline.dedup.pairs import MOST_COPIES, BandsWork, GatherWork, VerifyWork, Ways, gather, reduce_bands, verify
from pipeline.dedup.send import SendWork, send
from pipeline.engine import Statistics
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from pipeline.manifest import identity
from pipeline.plan import WORKER_BYTES, Plan, num_partitions
from pipeline.progress import Progress
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.mixture.stage import HELD_OUT, Mixture

BAND_BYTES = 77
"""What a band of a document takes: 32 bytes of row, and the pairs of templates beside it (docs/dedup_evidence.md, 27 pairs a document)."""


class Phases(Protocol):
    """What runs the units of a phase; see `pipeline.run.Runner`."""

    plan: Plan
    memory: int
    folders: set[str]
    progress: Progress

    def phase(
        self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
    ) -> list[Statistics]:
        """Statistics of each unit, in the order of `works`."""
        ...


def exchange(runner: Phases, shards: Sequence[Shard], name: str, row_bytes: float, key: Any) -> Exchange:
    """A round to which each document brings so many bytes; `key` stands for all that its rows depend on."""
    num_documents = sum(shard.num_rows for shard in shards)
    partitions = num_partitions(row_bytes * num_documents, runner.memory, len(shards))
    folder = f"{name}-{identity(key, partitions)}"
    runner.folders.add(folder)
    return Exchange(storage.join(runner.plan.work, folder), len(shards), partitions)


def folder_of(exchange: Exchange) -> str:
    """Name of the exchange's folder below the run's work folder."""
    return exchange.folder.rstrip("/").rpartition("/")[2]


def num_own(shards: Sequence[Shard]) -> int:
    """How many shards are not of earlier runs."""
    return sum(not shard.earlier for shard in shards)


def find_duplicates(runner: Phases, shards: list[Shard], key: str, mean_bytes: float) -> Found:
    """Repeated ids, copies, and the true overlap of all pairs that share a band. `key` stands for the shards."""
    plan = runner.plan
    near, same = plan.stage(DocumentDedup), plan.stage(ExactDedup)
    assert near is None or isinstance(near, DocumentDedup)
    assert same is None or isinstance(same, ExactDedup)
    bands = near.bands if near else 0
    holds_out = plan.stage(Mixture) is not None
    if holds_out and num_own(shards) < len(shards):
        key = identity(key, HELD_OUT)  # what earlier runs held out is compared too
    ids = exchange(runner, shards, "ids", 64, key)
    contents = exchange(runner, shards, "contents", 24, key) if near or same else None
    urls = exchange(runner, shards, "urls", 24, key) if same and same.urls else None
    buckets = exchange(runner, shards, "bands", BAND_BYTES * bands, [key, near.computed_by()]) if near else None
    rounds = [r for r in (ids, contents, urls, buckets) if r]
    sends = {str(s.index): SendWork(s, ids, contents, urls, buckets, holds_out) for s in shards}
    runner.phase("send", f"send-{identity([r.folder for r in rounds])}", send, sends)
    groups = (("repeated ids", ids, reduce_ids), ("exact copies", contents, reduce_groups), ("equal URLs", urls, reduce_groups))
    counts: dict[str, Any] = {"repeated_ids": 0, "candidate_pairs": 0, "verified_pairs": 0}
    for name, round_, function in groups:
        if round_:
            works = {str(p): ReduceWork(round_, p, len(shards), num_own(shards)) for p in range(round_.partitions)}
            done = runner.phase(name, folder_of(round_), function, works)
            counts["repeated_ids"] += sum(s.get("repeated_ids", 0) for s in done)
            if shared := [tuple(one) for s in done for one in s.get("shared", ())]:
                example, *places = min(shared)
                folders = [shards[place].earlier_folder for place in places]
                counts["shared_ids"] = {"ids": sum(s["shared_ids"] for s in done), "example": example, "runs": folders}
            round_.forget_sent()
    overlaps = None
    if near and buckets:
        overlaps, compared = _compare(runner, shards, buckets, near, mean_bytes)
        counts |= compared
    return Found(shards, ids, contents, urls, overlaps, counts)


def _compare(
    runner: Phases, shards: list[Shard], buckets: Exchange, near: DocumentDedup, mean_bytes: float
) -> tuple[Exchange, dict[str, int]]:
    """Candidate pairs and their overlaps, and how many there are."""
    num_documents = sum(shard.num_rows for shard in shards)
    bands = {str(p): BandsWork(buckets, p, len(shards), near.bucket_limit, num_own(shards)) for p in range(buckets.partitions)}
    runner.phase("band buckets", folder_of(buckets), reduce_bands, bands)
    buckets.forget_sent()
    components, found = _components(runner, shards, "components", folder_of(buckets), buckets, (), None)
    copies = found["candidates"] + found["spread"] * (MOST_COPIES - 1)
    shingle_bytes = copies / max(1, num_documents) * 24 * mean_bytes
    overlaps = exchange(runner, shards, "shingles", shingle_bytes, [folder_of(components), near.shingle])
    gathers = {f"send-{s.index}": GatherWork(s, buckets, components, overlaps, near.shingle) for s in shards}
    runner.phase("gather", folder_of(overlaps), gather, gathers)
    works = {str(p): VerifyWork(overlaps, p, len(shards)) for p in range(overlaps.partitions)}
    verified = runner.phase("verify", folder_of(overlaps), verify, works)
    overlaps.forget_sent()
    return overlaps, {"candidate_pairs": found["pairs"], "verified_pairs": sum(s["verified"] for s in verified)}


def _components(
    runner: Phases,
    shards: Sequence[Shard],
    name: str,
    key: str,
    pairs: Exchange | None,
    groups: tuple[Exchange, ...],
    ways: Ways | None,
) -> tuple[Exchange, Statistics]:
    """The one task of a union-find, and what it counted."""
    check_components(runner, sum(shard.num_rows for shard in shards), "documents")
    folder = f"{name}-{identity(key, ways)}"
    out = Exchange(storage.join(runner.plan.work, folder), len(shards), 1)
    work = ComponentsWork(tuple(shard.num_rows for shard in shards), pairs, groups, ways, out)
    (found,) = runner.phase(name, folder, find_components, {"all": work})
    return out, found


def check_components(runner: Phases, number: int, what: str) -> None:
    """Refuse a union-find over more than one task can hold."""
    memory = runner.plan.config.engine.components_memory or runner.memory
    if (need := WORKER_BYTES + forest_bytes(number)) > memory:
        raise RunError(
            f"engine.components_memory: got {memory:,} bytes; the components of {number:,} {what} need {need:,} in one task: "
            "raise it if every node has so much; what is done is kept"
        )


def decide(runner: Phases, found: Found, capped: Exchange | None, key: str) -> Exchange | None:
    """The survivors of each cluster, answered to the shards; None for a run without dedup. `key` stands for the selection."""
    if found.contents is None:
        return None
    plan, shards = runner.plan, found.shards
    near = plan.stage(DocumentDedup)
    ways = Ways(near.similarity, near.containment) if isinstance(near, DocumentDedup) else Ways(1.0, None)
    bucket_limit = near.bucket_limit if isinstance(near, DocumentDedup) else 0  # without pairs it bounds nothing
    groups = tuple(r for r in (found.contents, found.urls) if r)
    clusters, counts = _components(runner, shards, "clusters", key, found.overlaps, groups, ways)
    members = counts["largest_component"]
    pairs = counts["pairs"] * members // max(1, counts["candidates"])  # as many for each document as in the mean
    if (need := WORKER_BYTES + MEMBER_BYTES * members + EDGE_BYTES * pairs) > runner.memory:
        raise RunError(
            f"engine.memory_per_worker: got {runner.memory:,} bytes; a cluster of {members:,} documents is decided in one place and needs "
            f"about {need:,}: raise it; a higher stages.document_dedup.similarity parts near-duplicates, never copies"
        )
    row_bytes = 200.0 * counts["candidates"] / max(1, sum(s.num_rows for s in shards))
    survivors = exchange(runner, shards, "survivors", row_bytes, key)
    works = {
        f"send-{s.index}": FactsWork(
            s, plan.stages, found.ids, found.contents, found.urls, found.overlaps, capped, clusters, ways, survivors
        )
        for s in shards
    }
    runner.phase("facts", folder_of(survivors), facts, works)
    resolves = {str(p): ResolveWork(survivors, p, len(shards), ways, bucket_limit) for p in range(survivors.partitions)}
    runner.phase("resolve", folder_of(survivors), resolve, resolves)
    survivors.forget_sent()
    return survivors
