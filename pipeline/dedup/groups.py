"""Documents that are equal in something: repeated ids, equal contents, equal URLs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.exchange import Exchange

TOLD = -1
"""In the place of a document: that earlier runs share its id is counted."""
ID_ANSWERS = pa.schema({"doc": pa.int64(), "suffix": pa.int64()})
GROUP_ANSWERS = pa.schema({"doc": pa.int64(), "group": pa.int64()})


@dataclass(frozen=True)
class ReduceWork:
    """One partition of one round."""

    exchange: Exchange
    partition: int
    num_shards: int
    num_own: int
    """Shards from this one on are of earlier runs."""


def reduce_ids(work: ReduceWork) -> dict[str, Any]:
    """The second document of an id gets `~2`, the third `~3`, in document order; numbers that users' own ids hold are passed over.

    Documents of earlier runs come first: they keep their ids. Two of them may have one: that is counted as `shared_ids`, with the shards of
    the first in `shared`, and changes nothing but that `duplicate_of` names both.
    """
    rows = work.exchange.received(work.partition)
    groups = rows["group"].to_numpy()
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    rows = rows.append_column("own", pa.array(rows["doc"].to_numpy() >> 32 < work.num_own))
    rows = rows.filter(pa.array(counts[inverse] > 1)).sort_by([("group", "ascending"), ("own", "ascending"), ("doc", "ascending")])
    ids, docs = rows["id"].to_pylist(), rows["doc"].to_pylist()
    taken = set(ids)
    seen: dict[str, int] = {}
    holder: dict[str, int] = {}
    shared: list[tuple[str, int, int]] = []
    repeated: list[tuple[int, int]] = []
    for own, doc in zip(ids, docs, strict=True):
        if doc >> 32 >= work.num_own:
            if holder.setdefault(own, doc) not in (doc, TOLD):
                shared.append((own, holder[own] >> 32, doc >> 32))
                holder[own] = TOLD
            seen[own] = 1
            continue
        if own not in seen:
            seen[own] = 1
            continue
        suffix = seen[own] + 1
        while f"{own}~{suffix}" in taken:
            suffix += 1
        seen[own] = suffix
        taken.add(f"{own}~{suffix}")
        repeated.append((doc, suffix))
    found = np.array(repeated, np.int64).reshape(-1, 2)
    work.exchange.answer(work.partition, found[:, 0], {"suffix": found[:, 1]}, ID_ANSWERS, work.num_shards)
    return {"repeated_ids": len(repeated), "shared_ids": len(shared), "shared": shared[:1]}


def reduce_groups(work: ReduceWork) -> dict[str, Any]:
    """Documents of an equal hash, each with the first of them as its group."""
    rows = work.exchange.received(work.partition)
    high, low, docs = (rows[name].to_numpy() for name in ("high", "low", "doc"))
    order = np.lexsort((docs, low, high))
    high, low, docs = high[order], low[order], docs[order]
    starts = np.ones(len(docs), np.bool_)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    number = np.cumsum(starts) - 1
    sizes = np.bincount(number, minlength=0)
    several = sizes[number] > 1
    first = docs[np.nonzero(starts)[0]][number]
    work.exchange.answer(work.partition, docs[several], {"group": first[several]}, GROUP_ANSWERS, work.num_shards)
    return {"copies": int(several.sum()) - int((sizes > 1).sum())}
