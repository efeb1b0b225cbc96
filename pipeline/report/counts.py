"""What the report shows of the ledger: overlaps of reasons, distributions of signals, clusters by size, quality by domain, examples.

The ledger is read once, 65,536 rows at a time, without texts. What is counted is counted of all rows, scores of quality too; distributions
of the signals are taken of at most `MOST_ROWS` documents, those with the smallest hashes of seed and id, and the page says so. So ten
million rows cost the memory of a batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.finished import BATCH_ROWS, FinishedRun
from pipeline.report.cluster_sizes import ClusterSizes
from pipeline.report.figures import MOST_GROUPS
from pipeline.report.histogram import Histogram
from stages.filters.rules import Bounds, primary_subtag
from stages.text.buffers import text_buffer
from tokenizer.sampling import hash_units

MOST_ROWS = 500_000
"""Documents that distributions are taken of."""
MOST_REASONS = 16
"""Reasons whose overlaps and examples are shown, the most frequent ones."""
NUM_EXAMPLES = 3
"""Documents that are shown of each reason."""
QUALITY_BINS = 20

Mask = npt.NDArray[np.bool_]


class Example(NamedTuple):
    """A document to show; the smallest hashes are taken, so that neither order nor number of files decides."""

    order: float
    id: str
    part: str


class Counts:
    """Add the ledger batch by batch, then ask for `as_json`."""

    def __init__(self, run: FinishedRun, summary: Mapping[str, Any], seed: int) -> None:
        self.run, self.seed = run, seed
        documents = summary["documents"]["input"]
        self.share = min(1.0, MOST_ROWS / max(1, documents))
        self.reasons = list(summary["reasons"])[:MOST_REASONS]
        self.overlaps = np.zeros((len(self.reasons), len(self.reasons)), np.int64)
        self.alone = np.zeros(len(self.reasons), np.int64)
        self.examples: dict[str, list[Example]] = {name: [] for name in self.reasons}
        self.signals = {name: Histogram() for name in run.signals}
        self.bounds: dict[str, dict[str, set[Bounds]]] = {name: {} for name in run.judged_by}
        self.languages = {"mixed", *(language for file in run.rules.files for language in file.languages)}
        self.judged: set[tuple[str, str]] = set()
        self.quality: dict[str, npt.NDArray[np.float64]] = {}
        self.clusters = ClusterSizes(seed, bool(run.config.earlier))
        self.personal = {name: [0, 0] for name in run.signals if name.startswith("pii_")}

    def add(self, part: str, table: pa.Table) -> None:
        """Rows of one part of the ledger, all columns that `columns` names."""
        order = hash_units(text_buffer(table["id"].combine_chunks()), self.seed)
        self._add_reasons(part, table, order)
        self.clusters.add(table)
        for name, found in self.personal.items():
            hits = table[name].to_numpy(zero_copy_only=False)
            found[0] += int(np.count_nonzero(np.nan_to_num(hits) > 0))
            found[1] += int(np.nansum(hits))
        if "quality" in self.signals:
            self._add_quality(table, np.asarray(pc.equal(table["fate"], "kept")))
        chosen = (order < self.share) & np.asarray(pc.fill_null(pc.greater(table["num_chars"], 0), False))
        self._add_signals(table.filter(pa.array(chosen)))

    def _add_reasons(self, part: str, table: pa.Table, order: npt.NDArray[np.float64]) -> None:
        given = table["reasons"].combine_chunks()
        counts = pc.list_value_length(given).fill_null(0).to_numpy()
        row_of = np.repeat(np.arange(len(table)), counts)
        place = pc.index_in(given.flatten(), value_set=pa.array(self.reasons, pa.string())).fill_null(-1).to_numpy()
        hit = np.zeros((len(table), len(self.reasons)), np.int64)
        hit[row_of[place >= 0], place[place >= 0]] = 1
        self.overlaps += hit.T @ hit
        self.alone += hit[counts == 1].sum(axis=0)
        for number, name in enumerate(self.reasons):
            rows = np.flatnonzero(hit[:, number])
            rows = rows[np.argsort(order[rows], kind="stable")][:NUM_EXAMPLES]
            found = [Example(float(order[row]), table["id"][int(row)].as_py(), part) for row in rows]
            self.examples[name] = sorted([*self.examples[name], *found])[:NUM_EXAMPLES]

    def _add_signals(self, table: pa.Table) -> None:
        kept = np.asarray(pc.equal(table["fate"], "kept"))
        for name, histogram in self.signals.items():
            histogram.add(table[name].to_numpy(zero_copy_only=False), kept)
        self._add_bounds(table)

    def _add_bounds(self, table: pa.Table) -> None:
        pairs = table.group_by(["lang", "domain"]).aggregate([]).to_pylist()
        found = {(primary_subtag(pair["lang"] or ""), pair["domain"] or "") for pair in pairs}
        for lang, domain in sorted(pair for pair in found - self.judged if pair[0] in self.languages):
            self.judged.add((lang, domain))
            for name, by_language in self.bounds.items():
                by_language.setdefault(lang, set()).add(self.run.bounds(name, lang, domain))

    def _add_quality(self, table: pa.Table, kept: Mask) -> None:
        """Documents by domain, fate and bin of their score, with the sum of their scores last, in one count over all rows."""
        encoded = pc.fill_null(table["domain"], "").combine_chunks().dictionary_encode()
        scores = table["quality"].to_numpy(zero_copy_only=False)
        there = ~np.isnan(scores)
        scores, fates = scores[there], encoded.indices.to_numpy()[there] * 2 + kept[there]
        bins = np.minimum((scores * QUALITY_BINS).astype(np.int64), QUALITY_BINS - 1)
        num_fates = 2 * len(encoded.dictionary)
        documents = np.bincount(fates * QUALITY_BINS + bins, minlength=num_fates * QUALITY_BINS).reshape(-1, 2, QUALITY_BINS)
        sums = np.bincount(fates, weights=scores, minlength=num_fates).reshape(-1, 2, 1)
        for domain, tally in zip(encoded.dictionary.to_pylist(), np.concatenate([documents, sums], axis=2), strict=True):
            self.quality[domain] = tally + self.quality.get(domain, 0.0)

    def as_json(self) -> dict[str, Any]:
        """Everything but the texts of the examples."""
        signals = {name: histogram.as_json() for name, histogram in self.signals.items() if not name.startswith("pii_")}
        return {
            "sampled_share": self.share,
            "overlaps": {"names": self.reasons, "documents": self.overlaps.tolist(), "alone": self.alone.tolist()},
            "signals": {name: shown | {"bounds": self._bounds(name)} for name, shown in signals.items() if shown},
            "quality": self._quality(),
            "clusters": [list(row) for row in self.clusters.by_size()],
            "personal": {name.removeprefix("pii_"): found for name, found in self.personal.items()},
        }

    def _quality(self) -> dict[str, dict[str, Any]]:
        """By domain, the largest ones, and `""`, all together, first: `documents` in bins and `means`, each of dropped and kept ones."""
        largest = sorted(self.quality, key=lambda domain: (-self.quality[domain][:, :-1].sum(), domain))[:MOST_GROUPS]
        tallies = {domain: self.quality[domain] for domain in sorted(largest)}
        every = {"": np.sum(list(self.quality.values()), axis=0)} if self.quality else {}
        return {
            domain: {
                "documents": tally[:, :-1].astype(np.int64).tolist(),
                "means": [float(fate[-1] / fate[:-1].sum()) if fate[:-1].any() else None for fate in tally],
            }
            for domain, tally in {**every, **tallies}.items()
        }

    def _bounds(self, name: str) -> list[dict[str, Any]]:
        """Each different bound of a signal with the languages that it holds for."""
        languages: dict[tuple[float | None, float | None], set[str]] = {}
        for language, every in self.bounds.get(name, {}).items():
            for bounds in every:
                languages.setdefault((_finite(bounds.min), _finite(bounds.max)), set()).add(language)
        return [
            {"min": low, "max": high, "languages": sorted(names)}
            for (low, high), names in sorted(languages.items(), key=str)
            if low is not None or high is not None
        ]


def count(run: FinishedRun, summary: Mapping[str, Any], seed: int) -> Counts:
    """Read the ledger of a finished run once."""
    counts = Counts(run, summary, seed)
    wanted = _columns(run)
    for part in run.parts:
        with storage.open_input(storage.join(run.folder, "ledger", part)) as file:
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=wanted):
                counts.add(part, pa.Table.from_batches([batch]))
    return counts


def _columns(run: FinishedRun) -> Sequence[str]:
    names = ("id", "lang", "domain", "source", "fate", "reasons", "duplicate_of", "cluster_size", "num_chars")
    return list(dict.fromkeys([*names, *run.signals]))


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
