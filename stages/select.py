"""The decision: which documents are kept, from all the columns that other stages wrote.

A document is rejected if any stage speaks against it, if it stands on a takedown or block list, or if it duplicates a kept document
and duplicates are dropped. All reasons are recorded, not only the first. Only documents without a reason can be survivors of a
duplicate cluster (`stages.dedup.survivors`), so a retuned threshold or a takedown re-opens the clusters that it touches.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigError
from configs.loader import Between, Positive, SettingError
from stages.dedup.weights import FINEWEB2_ZH, duplicate_weights
from stages.lists import entries
from stages.stage import Stage

LISTS = ("takedown_ids", "takedown_urls", "takedown_hosts", "block_urls", "block_hosts")
"""Settings of `Select` that name a list."""


@dataclass(frozen=True, kw_only=True)
class Select(Stage):
    """Settings of the decision. Takedown and block lists are text files with one entry a line; `#` starts a comment.

    A takedown is owed to somebody, a block is a judgement on a site: hence reasons of their own.
    """

    key: ClassVar[str] = "select"
    reads: ClassVar[tuple[str, ...]] = ("id", "url", "lang", "fault", "num_chars")

    duplicates: Literal["drop", "keep_with_count", "soft", "rehydrate"] = "drop"
    """`drop` keeps the survivor of each cluster; `keep_with_count` keeps all and leaves the choice to `cluster_size`. `soft` keeps all
    with a weight of 1 / how many of the cluster are kept; `rehydrate` keeps the survivor with a weight by the size of its cluster."""
    rehydrate_weights: dict[str, Annotated[float, Between(0, 1e6)]] = field(default_factory=lambda: dict(FINEWEB2_ZH))
    """For `rehydrate`: the weight from which cluster size on, beginning with 1; FineWeb-2's for Chinese if not given."""
    host_weights: str | None = None
    """File of hosts with weights (`example.org 1.5`), for them and their subdomains: known good hosts count more, doubtful ones less."""
    max_per_host: Positive | None = None
    """Of one host at most so many different texts are kept, chosen by a hash of their content; others get the reason `host_cap`."""
    languages: tuple[str, ...] = ()
    """Languages to keep, as `measure` names them; `zh` covers zh-hans and zh-hant. None given: all. Others get the reason `language`."""
    takedown_ids: str | None = None
    """File of document ids to remove."""
    takedown_urls: str | None = None
    """File of URLs to remove, compared exactly."""
    takedown_hosts: str | None = None
    """File of hosts to remove with all their subdomains."""
    block_urls: str | None = None
    """File of URLs whose documents are not wanted, compared exactly; reason `blocked_url`."""
    block_hosts: str | None = None
    """File of hosts whose documents are not wanted, with all their subdomains; reason `blocked_host`."""

    def __post_init__(self) -> None:
        if "1" not in self.rehydrate_weights or not all(re.fullmatch("[1-9][0-9]{0,17}", size) for size in self.rehydrate_weights):
            sizes = ", ".join(self.rehydrate_weights)
            raise SettingError("rehydrate_weights", f"got the sizes {sizes}; wanted whole numbers from 1 on, 1 among them")

    def computed_by(self) -> dict[str, Any]:
        """Nothing: the decision is made again for each output."""
        return {}

    def files(self) -> tuple[str, ...]:
        """The takedown and block lists, and the weights of hosts."""
        return tuple(file for name in (*LISTS, "host_weights") if (file := getattr(self, name)))

    def check(self) -> None:
        """Reads the weights of hosts."""
        assert self._host_weights is not None

    @cached_property
    def listed(self) -> dict[str, list[str]]:
        """The different entries of each list, in its order, hosts in small letters; none of a list that is not given."""
        return {name: list(dict.fromkeys(_normal(name, entry) for entry in entries(getattr(self, name)))) for name in LISTS}

    @cached_property
    def _arrays(self) -> dict[str, pa.Array]:
        return {name: pa.array(listed, pa.string()) for name, listed in self.listed.items()}

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        return {name: {entry: place for place, entry in enumerate(self.listed[name])} for name in LISTS if name.endswith("hosts")}

    def matched(self, columns: pa.Table) -> dict[str, list[int]]:
        """Places in `listed` of the entries that name a document of `columns`, ascending, for each list that is given."""
        found = {}
        for name in LISTS:
            if getattr(self, name) is None:
                continue
            if name in self._places:
                places = self._places[name]
                met = {places[host] for url in columns["url"].to_pylist() for host in _hosts(url) if host in places}
            else:
                column = columns["id" if name == "takedown_ids" else "url"]
                met = set(pc.index_in(column, value_set=self._arrays[name]).drop_null().to_pylist())
            found[name] = sorted(met)
        return found

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`empty`, `language`, `takedown`, `blocked_url` and `blocked_host`. `columns` must hold final ids."""
        listed = self._arrays
        hosts, blocked_hosts = self._places["takedown_hosts"], self._places["block_hosts"]
        takedown = _is_in(columns["id"], listed["takedown_ids"]) | _is_in(columns["url"], listed["takedown_urls"])
        found = {
            "empty": np.asarray(pc.and_(pc.equal(columns["num_chars"], 0), pc.is_null(columns["fault"]))),
            "language": self._other_languages(columns),
            "takedown": takedown | _on_hosts(columns["url"], hosts),
            "blocked_url": _is_in(columns["url"], listed["block_urls"]),
            "blocked_host": _on_hosts(columns["url"], blocked_hosts),
        }
        return {reason: mask for reason, mask in found.items() if mask.any()}

    def weights(self, columns: pa.Table) -> npt.NDArray[np.float64]:
        """By the size of a document's cluster, by its host, and by how much of it was proposed to go and is left in (`edit_share`).

        What is left in counts nothing against the only copy of what others lost: a lower weight may leave it out of every shard.
        """
        weights = duplicate_weights(
            self.duplicates, columns["cluster_size"].to_numpy(), columns["num_clean"].to_numpy(), self.rehydrate_weights
        )
        if self._host_weights:
            known = self._host_weights
            named = (next((known[host] for host in _hosts(url) if host in known), 1.0) for url in columns["url"].to_pylist())
            weights = weights * np.fromiter(named, np.float64, columns.num_rows)
        if "edit_share" in columns.column_names:
            left_in = columns["edit_share"].to_numpy().astype(np.float64)
            weights = weights * np.where(_stands_for_others(columns), 1.0, 1.0 - left_in)
        return np.asarray(weights)

    @cached_property
    def _host_weights(self) -> dict[str, float]:
        """Host -> weight; the entries of a file are `host weight`."""
        weights = {}
        for entry in entries(self.host_weights):
            match = re.fullmatch(r"(\S+)\s+(\d+(?:\.\d+)?)", entry)
            if match is None:
                raise ConfigError(f"{self.host_weights}: got '{entry}', wanted a host and a weight such as 'example.org 1.5'")
            weights[match[1].lower()] = float(match[2])
        return weights

    def _other_languages(self, columns: pa.Table) -> npt.NDArray[np.bool_]:
        if not self.languages:
            return np.zeros(columns.num_rows, np.bool_)
        kept = {code.lower() for code in self.languages}
        codes = [(code or "").lower() for code in columns["lang"].to_pylist()]
        other = np.array([code not in kept and code.partition("-")[0] not in kept for code in codes], np.bool_)
        other &= np.asarray(columns["fault"].is_null())
        return other


def _stands_for_others(columns: pa.Table) -> npt.NDArray[np.bool_]:
    """Survivors of clusters, and documents that own what others lose (`relied_on`, where a stage finds passages)."""
    survives = np.asarray(pc.and_(pc.greater(columns["cluster_size"], 1), pc.is_null(columns["duplicate_of"])))
    return survives | columns["relied_on"].to_numpy() if "relied_on" in columns.column_names else survives


def _normal(name: str, entry: str) -> str:
    return entry.lower() if name.endswith("hosts") else entry


def _is_in(column: pa.ChunkedArray, listed: pa.Array) -> npt.NDArray[np.bool_]:
    return np.array(pc.is_in(column, value_set=listed), dtype=np.bool_)


def _on_hosts(urls: pa.ChunkedArray, hosts: Mapping[str, int]) -> npt.NDArray[np.bool_]:
    if not hosts:
        return np.zeros(len(urls), np.bool_)
    return np.fromiter((any(host in hosts for host in _hosts(url)) for url in urls.to_pylist()), np.bool_, len(urls))


def _hosts(url: str | None) -> list[str]:
    """The host of a URL and those that it is a subdomain of.

    >>> _hosts("https://a.example.com.:80/x"), _hosts("http://[broken"), _hosts(None)
    (['a.example.com', 'example.com', 'com'], [], [])
    """
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return []
    parts = host.rstrip(".").split(".") if host else []  # a dot at the end names the same host
    return [".".join(parts[i:]) for i in range(len(parts))]
