"""Caps per host: of each host at most so many different texts stay, so that no site speaks for the whole corpus.

Documents without a rejecting reason are counted by their contents (copies count once, and are left to the dedup that follows) in the
order of their content hashes: a draw that depends on neither the order of files nor the length of a text. It is made before survivors are
chosen, so that a document that the cap takes keeps no duplicate of another host out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from pipeline import judge
from pipeline.dedup.found import Found
from pipeline.dedup.rounds import Phases, exchange, folder_of
from pipeline.dedup.send import content_hashes
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from pipeline.manifest import identity
from stages.dedup.urls import host_of
from stages.select import Select
from stages.stage import Stage

HOST_ROWS = pa.schema({"host": pa.uint64(), "content": pa.uint64(), "doc": pa.int64()})
CAPPED = pa.schema({"doc": pa.int64()})


@dataclass(frozen=True)
class HostsWork:
    """A shard whose clean documents tell their hosts."""

    shard: Shard
    stages: tuple[Stage, ...]
    ids: Exchange
    out: Exchange


@dataclass(frozen=True)
class CapWork:
    """One partition of the hosts."""

    exchange: Exchange
    partition: int
    num_shards: int
    most: int


def cap_hosts(runner: Phases, found: Found, key: str) -> Exchange | None:
    """Answers to the shards which of their documents are beyond the cap; None if there is no cap."""
    select = runner.plan.stage(Select)
    assert isinstance(select, Select)
    if select.max_per_host is None:
        return None
    shards = found.own
    hosts = exchange(runner, shards, "hosts", 24, identity(key))
    works = {f"send-{s.index}": HostsWork(s, runner.plan.stages, found.ids, hosts) for s in shards}
    runner.phase("hosts", folder_of(hosts), tell_hosts, works)
    caps = {str(p): CapWork(hosts, p, len(shards), select.max_per_host) for p in range(hosts.partitions)}
    runner.phase("host caps", folder_of(hosts), cap, caps)
    return hosts


def tell_hosts(work: HostsWork) -> dict[str, Any]:
    """Send the host and the content of each document that nothing speaks against."""
    shard = work.shard
    columns = shard.columns()
    ids, _ = judge.final_ids(columns, work.ids.answered(shard.index))
    columns = columns.set_column(columns.schema.get_field_index("id"), "id", ids)
    clean = ~judge.any_reason(judge.verdicts(work.stages, columns), shard.num_rows)
    hosts = [host_of(url) for url in columns["url"].to_pylist()]
    rows = np.flatnonzero(clean & np.array([host is not None for host in hosts], np.bool_))
    hashes = np.array([xxhash.xxh3_64_intdigest((hosts[row] or "").encode()) for row in rows.tolist()], np.uint64)
    content, _ = content_hashes(columns["content_hash"])
    values = [pa.array(hashes), pa.array(content[rows]), pa.array(shard.documents()[rows])]
    work.out.send(shard.index, pa.RecordBatch.from_arrays(values, schema=HOST_ROWS), hashes % np.uint64(work.out.partitions))
    return {"documents": len(rows)}


def cap(work: CapWork) -> dict[str, Any]:
    """Number the different contents of each host, and answer the documents of those beyond the cap."""
    rows = work.exchange.received(work.partition)
    host, content, doc = (rows[name].to_numpy() for name in HOST_ROWS.names)
    order = np.lexsort((doc, content, host))
    host, content, doc = host[order], content[order], doc[order]
    new_host, new_content = np.ones(len(doc), np.bool_), np.ones(len(doc), np.bool_)
    new_host[1:] = host[1:] != host[:-1]
    new_content[1:] = new_host[1:] | (content[1:] != content[:-1])
    number = np.cumsum(new_content)
    before = (number - 1)[new_host][np.cumsum(new_host) - 1]
    beyond = number - before > work.most
    work.exchange.answer(work.partition, doc[beyond], {}, CAPPED, work.num_shards)
    return {"capped": int(beyond.sum()), "hosts": int(new_host.sum())}
