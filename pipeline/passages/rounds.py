"""The passes of `sentence_dedup` in their order."""

from typing import Any

from configs.errors import RunError
from pipeline import storage
from pipeline.dedup.components import ComponentsWork, find_components
from pipeline.dedup.found import Found
from pipeline.dedup.rounds import Phases, check_components, exchange, folder_of
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from pipeline.passages.cut import CutWork, OwnersWork, cut, tell_ids
from pipeline.passages.near import (
    BandsWork,
    BestWork,
    CompareWork,
    TextsWork,
    UnitsWork,
    compare,
    find_best,
    find_candidates,
    send_texts,
    send_units,
)
from pipeline.passages.repeats import (
    EdgesWork,
    OriginalsWork,
    RepeatsWork,
    SharedWork,
    find_edges,
    find_repeats,
    find_shared,
    send_originals,
)
from pipeline.passages.send import Local, SendWork, send
from pipeline.passages.texts import Standing
from pipeline.plan import WORKER_BYTES
from stages.dedup.sentence_stage import SentenceDedup

KEY_BYTES, PIECE_BYTES = 0.5, 0.4
"""What the rows of a round take per byte of a shard, a sentence of 80 bytes at worst."""
OWNER_BYTES = 200
"""What the asks of a document take, and the id that answers them: at most one in a few documents has a passage of another."""
UNIT_BYTES = 0.06
"""The same for one key of each unit: 32 bytes for every 500."""
MEMBER_BYTES, EDGE_BYTES = 140, 125
"""What `find_best` takes for each unit of a component, and for each similar pair of two (docs/sentence_dedup.md)."""


def find_passages(runner: Phases, found: Found, capped: Exchange | None, survivors: Exchange | None, key: str) -> Exchange | None:
    """The exchange whose folder holds the spans of each shard; None for a run without the stage. `key` stands for the selection."""
    plan, shards, own = runner.plan, found.shards, len(found.own)
    stage = plan.stage(SentenceDedup)
    if stage is None:
        return None
    assert isinstance(stage, SentenceDedup)
    num_documents = sum(shard.num_rows for shard in shards)
    mean_bytes = _shard_bytes(shards) / max(1, num_documents)
    keys = exchange(runner, shards, "passages", KEY_BYTES * mean_bytes, key)
    pieces = exchange(runner, shards, "pieces", PIECE_BYTES * mean_bytes, key)
    bands = exchange(runner, shards, "units", UNIT_BYTES * stage.keys * mean_bytes, key) if stage.fuzzy else None
    copies = exchange(runner, shards, "copies", KEY_BYTES * mean_bytes, key)
    locals_ = [Local(keys.folder, s.index) for s in shards]
    standing = [Standing(s, plan.stages, found.ids, capped, survivors) for s in shards]
    sends = {f"send-{s.shard.index}": SendWork(s, stage, keys, pieces, bands, local) for s, local in zip(standing, locals_, strict=True)}
    sent = runner.phase("passages", folder_of(keys), send, sends)

    works: dict[str, Any] = {str(p): SharedWork(keys, p, len(shards), own) for p in range(keys.partitions)}
    runner.phase("shared", folder_of(keys), find_shared, works)
    keys.forget_sent()
    works = {f"send-{s.index}": OriginalsWork(s, stage.bounds, keys, copies, local) for s, local in zip(shards, locals_, strict=True)}
    runner.phase("originals", folder_of(copies), send_originals, works)
    works = {str(p): RepeatsWork(copies, p, len(shards), own) for p in range(copies.partitions)}
    runner.phase("repeats", folder_of(copies), find_repeats, works)
    copies.forget_sent()
    names = [s["source"] or "" for s in sent]
    sources = sorted(set(names))
    source_of_shard = tuple(sources.index(name) for name in names)
    documents = tuple(sum(s["documents"] for s, its_name in zip(sent, names, strict=True) if its_name == name) for name in sources)
    edges = {
        str(p): EdgesWork(pieces, p, source_of_shard, documents, stage.min_documents, stage.min_source_share)
        for p in range(pieces.partitions)
    }
    runner.phase("edges", folder_of(pieces), find_edges, edges)
    pieces.forget_sent()
    best = _compare(runner, shards, own, stage, bands, [s["units"] for s in sent], locals_, key) if bands else None

    owners = exchange(runner, found.own, "owners", OWNER_BYTES, key)
    cuts = {f"cut-{s.index}": CutWork(s, stage, keys, copies, pieces, best, locals_[s.index], owners) for s in found.own}
    runner.phase("cut", folder_of(owners), cut, cuts)
    asks = {str(p): OwnersWork(tuple(shards[p :: owners.partitions]), p, found.ids, owners) for p in range(owners.partitions)}
    runner.phase("owners", folder_of(owners), tell_ids, asks)
    owners.forget_sent()
    return owners


def _compare(
    runner: Phases,
    shards: list[Shard],
    own: int,
    stage: SentenceDedup,
    bands: Exchange,
    num_units: list[Any],
    locals_: list[Local],
    key: str,
) -> Exchange:
    """Units that stand elsewhere with small changes, told to their shards."""
    works = {str(p): BandsWork(bands, p, len(shards), own, stage.bucket_limit, stage.similarity) for p in range(bands.partitions)}
    pairs = sum(s["pairs"] for s in runner.phase("candidates", folder_of(bands), find_candidates, works))
    bands.forget_sent()
    num_documents = max(1, sum(shard.num_rows for shard in shards))
    texts = exchange(runner, shards, "texts", 2 * 1000 * pairs / num_documents, key)
    sends = {f"send-{s.index}": TextsWork(s, bands, local, texts) for s, local in zip(shards, locals_, strict=True)}
    runner.phase("texts", folder_of(texts), send_texts, sends)
    compares = {str(p): CompareWork(texts, p, len(shards), stage.similarity) for p in range(texts.partitions)}
    runner.phase("compare", folder_of(texts), compare, compares)
    texts.forget_sent()
    check_components(runner, sum(num_units), "sentences and paragraphs")
    components = Exchange(f"{storage.join(runner.plan.work, 'alike')}-{key}", len(shards), 1)
    runner.folders.add(folder_of(components))
    work = ComponentsWork(tuple(num_units), None, (texts,), None, components)
    (counts,) = runner.phase("alike", folder_of(components), find_components, {"all": work})
    members = counts["largest_component"]
    similar = counts["pairs"] * members // max(1, counts["candidates"])  # as many for each unit as in the mean
    if (need := WORKER_BYTES + MEMBER_BYTES * members + EDGE_BYTES * similar) > runner.memory:
        raise RunError(
            f"engine.memory_per_worker: got {runner.memory:,} bytes; {members:,} similar sentences and paragraphs are decided in one place "
            f"and need about {need:,}: raise it, or raise stages.sentence_dedup.similarity"
        )
    best = exchange(runner, shards, "best", 200 * counts["candidates"] / num_documents, key)
    units = {f"send-{s.index}": UnitsWork(s, texts, components, local, best) for s, local in zip(shards, locals_, strict=True)}
    runner.phase("units", folder_of(best), send_units, units)
    bests = {str(p): BestWork(best, p, len(shards)) for p in range(best.partitions)}
    runner.phase("best", folder_of(best), find_best, bests)
    best.forget_sent()
    return best


def _shard_bytes(shards: list[Shard]) -> int:
    """Bytes of the shards as they lie, which is a little more than their texts."""
    folders = {shard.uri.rpartition("/")[0] for shard in shards}
    sizes = {file.relative: file.size for folder in folders for file in storage.list_files(folder)}
    return sum(sizes[shard.uri.rpartition("/")[2]] for shard in shards)
