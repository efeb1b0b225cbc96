"""What the passes over all shards left on disk: all that a selection needs."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from pipeline import storage
from pipeline.exchange import Exchange
from pipeline.judge import Shard

_EXCHANGES = ("ids", "contents", "urls", "overlaps")


@dataclass(frozen=True)
class Found:
    """Shards, and the rounds whose answers decisions are made from."""

    shards: list[Shard]
    ids: Exchange
    contents: Exchange | None
    urls: Exchange | None
    overlaps: Exchange | None
    counts: dict[str, Any]
    """`repeated_ids`, `candidate_pairs` (a pair that several partitions propose counts again) and `verified_pairs`.

    `{"shared_ids": {"ids": n, "example": id, "runs": [folder, folder]}}` where earlier runs kept different documents of one id.
    """

    @property
    def own(self) -> list[Shard]:
        """The shards of this run; those of earlier runs come behind them."""
        return [shard for shard in self.shards if not shard.earlier]

    def as_json(self, work: str) -> dict[str, Any]:
        """As `from_json` takes it: names below the folder `work`, so that a run can be moved."""
        found = dataclasses.asdict(self)
        for shard in found["shards"]:
            if not shard["earlier"]:
                shard["uri"] = _below(work, shard["uri"])
        for exchange in (found[name] for name in _EXCHANGES if found[name]):
            exchange["folder"] = _below(work, exchange["folder"])
        return found

    @classmethod
    def from_json(cls, data: dict[str, Any], work: str) -> "Found":
        """What `as_json` described, with `work` where it is now."""
        shards = [
            Shard(s["index"], s["uri"] if s["earlier"] else storage.join(work, s["uri"]), tuple(s["rows"]), tuple(s["bases"]), s["earlier"])
            for s in data["shards"]
        ]
        exchanges = {
            name: Exchange(storage.join(work, e["folder"]), e["senders"], e["partitions"]) if (e := data[name]) else None
            for name in _EXCHANGES
        }
        return cls(shards, **exchanges, counts=data["counts"])  # type: ignore[arg-type]


def _below(folder: str, uri: str) -> str:
    return uri[len(folder.rstrip("/")) + 1 :]
