"""The decision: which documents are kept, from all the columns that other stages wrote.

A document is rejected if any stage speaks against it, if it stands on a takedown list, or if it duplicates a kept document and
duplicates are dropped. All reasons are recorded, not only the first. Only documents without a reason can be survivors of a
duplicate cluster (`stages.dedup.survivors`), so a retuned threshold or a takedown re-opens the clusters that it touches.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigError
from configs.loader import find_file
from stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Select(Stage):
    """Settings of the decision. The takedown lists are text files with one entry a line; `#` starts a comment."""

    key: ClassVar[str] = "select"
    reads: ClassVar[tuple[str, ...]] = ("id", "url", "lang", "fault")

    duplicates: Literal["drop", "keep_with_count"] = "drop"
    """`drop` keeps the survivor of each cluster; `keep_with_count` keeps all and leaves the choice to `cluster_size`."""
    languages: tuple[str, ...] = ()
    """Languages to keep, as `measure` names them; `zh` covers zh-hans and zh-hant. None given: all. Others get the reason `language`."""
    takedown_ids: str | None = None
    """File of document ids to remove."""
    takedown_urls: str | None = None
    """File of URLs to remove, compared exactly."""
    takedown_hosts: str | None = None
    """File of hosts to remove with all their subdomains."""

    def computed_by(self) -> dict[str, Any]:
        """Nothing: the decision is made again for each output."""
        return {}

    def files(self) -> tuple[str, ...]:
        """The takedown lists."""
        return tuple(f for f in (self.takedown_ids, self.takedown_urls, self.takedown_hosts) if f)

    @cached_property
    def _lists(self) -> tuple[pa.Array, pa.Array, frozenset[str]]:
        ids, urls, hosts = (_entries(f) for f in (self.takedown_ids, self.takedown_urls, self.takedown_hosts))
        return pa.array(ids, pa.string()), pa.array(urls, pa.string()), frozenset(host.lower() for host in hosts)

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`language` and `takedown`. `columns` must hold final ids."""
        return self._other_languages(columns) | self._taken_down(columns)

    def _other_languages(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        if not self.languages:
            return {}
        kept = {code.lower() for code in self.languages}
        codes = [(code or "").lower() for code in columns["lang"].to_pylist()]
        other = np.array([code not in kept and code.partition("-")[0] not in kept for code in codes], np.bool_)
        other &= np.asarray(columns["fault"].is_null())
        return {"language": other} if other.any() else {}

    def _taken_down(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        ids, urls, hosts = self._lists
        hit = pc.or_(pc.is_in(columns["id"], value_set=ids), pc.is_in(columns["url"], value_set=urls))
        mask = np.array(hit, dtype=np.bool_)
        if hosts:
            mask |= np.fromiter((_on_host(url, hosts) for url in columns["url"].to_pylist()), np.bool_, len(mask))
        return {"takedown": mask} if mask.any() else {}


def _on_host(url: str | None, hosts: frozenset[str]) -> bool:
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return False
    parts = host.split(".")
    return any(".".join(parts[i:]) in hosts for i in range(len(parts)))


def _entries(path: str | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = find_file(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: a takedown list must be UTF-8 text: {error}") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
