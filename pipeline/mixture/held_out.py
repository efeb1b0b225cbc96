"""Set documents apart: count each domain by the hashes that decide, then let the stage know what it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import judge, storage
from pipeline.dedup.found import Found
from pipeline.dedup.rounds import Phases
from pipeline.edit import edit
from pipeline.judge import Mask, Shard, Verdicts
from pipeline.manifest import identity
from pipeline.plan import Plan
from pipeline.record import read_record
from stages.mixture.held_out import count_steps, drawn_steps, draws, steps_of
from stages.mixture.stage import HELD_OUT, HoldingOut, Mixture, holding_out
from stages.stage import Stage

FOLDER = "heldout"
COLUMNS = (
    *("id", "text", "source", "domain", "lang", "url", "num_chars", "num_bytes", "content_hash"),
    *("drawn", "group", "reasons"),
)
"""Of a held-out document: `drawn` is false for what only resembles a drawn one; `group` is what bootstraps resample together (the host, or
the exact copies, as a hash); `reasons` are those that would have rejected it anyway, so documents without any are the curated ones."""


@dataclass(frozen=True)
class CountWork:
    """A shard whose documents are counted by the hashes that decide."""

    shard: Shard
    seed: int


def hold_out(runner: Phases, found: Found) -> Plan:
    """The plan with a stage that knows what it draws; the plan as it is for a run without a mixture."""
    plan, shards = runner.plan, found.own
    stage = plan.stage(Mixture)
    if stage is None:
        return plan
    assert isinstance(stage, Mixture)
    folder = f"domains-{identity([shard.uri for shard in shards], plan.config.seed)}"
    works = {str(shard.index): CountWork(shard, plan.config.seed) for shard in shards}
    steps: dict[str, dict[int, list[int]]] = {}
    for counted in runner.phase("held out", folder, count, works):
        for domain, of_shard in counted["steps"].items():
            own = steps.setdefault(domain, {})
            for step, sizes in of_shard.items():
                own[int(step)] = [a + b for a, b in zip(own.get(int(step), (0, 0)), sizes, strict=True)]
    before = _drawn_before(found.shards, plan.config.seed)
    drawn = {domain: drawn_steps(own, stage.held_out, before.get(domain, ())) for domain, own in sorted(steps.items())}
    knowing = holding_out(stage, plan.config.seed, drawn)
    return plan.informed(stage, knowing)


def _drawn_before(shards: Sequence[Shard], seed: int) -> dict[str, set[int]]:
    """Domain -> steps that earlier runs of this seed drew: what comes from their hosts is drawn again, as far as `max_share` lets."""
    found: dict[str, set[int]] = {}
    seeds: dict[str, int] = {}
    for shard in shards:
        folder = shard.earlier_folder
        uri = storage.join(folder, FOLDER, shard.earlier.rpartition("/")[2])
        if not shard.earlier or not storage.exists(uri):
            continue
        if folder not in seeds:
            seeds[folder] = read_record(folder)["settings"]["seed"]
        if seeds[folder] == seed:
            with storage.open_input(uri) as file:
                rows = pq.read_table(file, columns=["domain", "drawn", "group"])
            rows = rows.filter(rows["drawn"])
            for domain, step in zip(rows["domain"].to_pylist(), steps_of(rows["group"].to_numpy()).tolist(), strict=True):
                found.setdefault(domain, set()).add(step)
    return found


def count(work: CountWork) -> dict[str, Any]:
    """`steps`, see `stages.mixture.held_out.count_steps`."""
    columns = work.shard.columns(["url", "domain", "content_hash", "num_chars", "num_bytes", "fault"])
    return {"steps": {domain: {str(step): n for step, n in own.items()} for domain, own in count_steps(columns, work.seed).items()}}


def with_neighbours(verdicts: Verdicts, answers: pa.Table | None, num_rows: int) -> Verdicts:
    """What resembles a held-out document is held out with it. `answers` are those of `pipeline.dedup.decide`."""
    if answers is None or not pc.any(answers["held_out"]).as_py():
        return verdicts
    mask = verdicts[Mixture.key].get(HELD_OUT, np.zeros(num_rows, np.bool_)).copy()
    mask[answers["row"].to_numpy()[np.asarray(answers["held_out"])]] = True
    return {**verdicts, Mixture.key: {HELD_OUT: mask}}


def held_out_rows(full: pa.Table, proposed: pa.Table, stages: Sequence[Stage], verdicts: Verdicts) -> pa.Table | None:
    """The rows of `heldout/`, `COLUMNS`, from all columns of a shard and what its stages propose; None for a run without a mixture.

    Texts are masked as those of the corpus are. What is only to be cut stays: held-out text depends on no rule for what is good.
    """
    stage = next((stage for stage in stages if isinstance(stage, HoldingOut)), None)
    if stage is None:
        return None
    mask: Mask = verdicts[stage.key].get(HELD_OUT, np.zeros(full.num_rows, np.bool_))
    group = pa.array((draws(full, stage.seed) * float(1 << 53)).astype(np.uint64))
    others = judge.reason_lists({key: reasons for key, reasons in verdicts.items() if key != stage.key}, full.num_rows)
    drawn = pa.array(stage.reasons(full).get(HELD_OUT, np.zeros(full.num_rows, np.bool_)))
    masks = proposed.select([field.name for field in proposed.schema if "replacement" in field.type.value_type.names])
    masked = edit(full, masks, mask)
    full = full.drop_columns(["reasons", "text", "num_chars", "num_bytes"])
    for name, values in (("drawn", drawn), ("group", group), ("reasons", others)):
        full = full.append_column(name, values)
    for name in ("text", "num_chars", "num_bytes"):
        full = full.append_column(name, pa.array(getattr(masked, name)))
    return full.filter(pa.array(mask)).select(COLUMNS)


def counts(rows: pa.Table) -> dict[str, list[int]]:
    """Domain -> [documents, bytes, documents and bytes that nothing else speaks against] of what was drawn."""
    rows = rows.filter(rows["drawn"])
    clean = np.asarray(pc.equal(pc.list_value_length(rows["reasons"]), 0))
    sizes = rows["num_bytes"].to_numpy()
    domains = pc.dictionary_encode(rows["domain"].combine_chunks())
    found = {}
    for code, name in enumerate(domains.dictionary.to_pylist()):
        own = domains.indices.to_numpy() == code
        found[name] = [int(own.sum()), int(sizes[own].sum()), int((own & clean).sum()), int(sizes[own & clean].sum())]
    return found


def total_counts(of_shards: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """`counts` of all shards, from what `pipeline.output.write` reports of each."""
    total: dict[str, list[int]] = {}
    for one in of_shards:
        for domain, sizes in one.get("held_out", {}).items():
            total[domain] = [a + b for a, b in zip(total.get(domain, [0] * 4), sizes, strict=True)]
    return dict(sorted(total.items()))
