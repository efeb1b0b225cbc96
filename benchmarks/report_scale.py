"""How long does the report of a large run take, how much memory, and how large is its page?

    python benchmarks/report_scale.py                                             # 100,000 documents, a quick look
    python benchmarks/report_scale.py --documents 100000 1000000 10000000         # the published figures

The ledger is made of the rows of a finished run (`--like`, after `make corpus`), drawn with replacement, so it has all its columns. Each
signal gets noise, so that no two values agree; every row a new id, one of `--sources` sources, 80 domains and 60 languages and up to
three of 120 reasons; a sixth is in clusters, the largest of a thousandth of all. Dropped rows have texts, a tenth of the kept ones cuts.
The command is a process of its own; its peak memory is the operating system's figure. Parts hold 20,000 rows, 12 MB of text, as splits do.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.output import LEDGER

PART_ROWS = 20_000
NUM_DOMAINS, NUM_LANGUAGES, NUM_REASONS = 80, 60, 120
KEPT_SHARE = 0.5
NOISE = 0.05
"""Standard deviation of the logarithm of what a signal is multiplied by."""
EDITS = ("id", "start", "end", "rule", "partner", "similarity", "removed", "replacement")

Counts = npt.NDArray[np.int64]


class Made:
    """Rows of a finished run to draw from, and what has been drawn, for the summary."""

    def __init__(self, like: Path, num_sources: int) -> None:
        self.like = like
        self.settings = orjson.loads((like / "run.json").read_bytes())
        self.summary: dict[str, Any] = orjson.loads((like / "summary.json").read_bytes())
        self.stages = [row["stage"] for row in self.summary["waterfall"]]
        known = list(self.summary["reasons"])
        self.reasons = [*known, *(f"made_up_reason_{n}" for n in range(len(known), NUM_REASONS))][:NUM_REASONS]
        self.rows = pa.concat_tables([pq.read_table(path) for path in sorted((like / "ledger").glob("*.parquet"))])
        self.rows = self.rows.filter(pc.greater(self.rows["num_chars"], 0)).combine_chunks()
        rejected = pa.concat_tables([pq.read_table(path, columns=["text"]) for path in sorted((like / "rejected").glob("*.parquet"))])
        self.texts = rejected["text"].combine_chunks()
        names = {"by_source": [f"source_{n:05d}" for n in range(num_sources)], "by_domain": [f"domain_{n}" for n in range(NUM_DOMAINS)]}
        self.names = names | {"by_language": [f"l{n}" for n in range(NUM_LANGUAGES)]}
        self.tallies = {name: Tally(len(found), len(self.stages)) for name, found in (*self.names.items(), ("", [""]))}
        self.edits: dict[str, list[int]] = {}

    def write(self, folder: Path, num_documents: int) -> None:
        """The whole run, part by part."""
        for name in ("ledger", "rejected", "edits", "corpus"):
            (folder / name).mkdir(parents=True)
        for part, start in enumerate(range(0, num_documents, PART_ROWS)):
            self._write_part(folder, part, np.arange(start, min(start + PART_ROWS, num_documents)), num_documents)
        settings = self.settings["settings"]
        described = [settings["sources"][0] | {"name": name} for name in self.names["by_source"]]
        (folder / "run.json").write_bytes(orjson.dumps(self.settings | {"settings": settings | {"sources": described}}))
        (folder / "summary.json").write_bytes(orjson.dumps(self._summary(str(folder))))

    def _write_part(self, folder: Path, part: int, documents: Counts, num_documents: int) -> None:
        rng = np.random.default_rng(part)
        count, file = len(documents), f"part-{part:06d}.parquet"
        source = part % len(self.names["by_source"])
        groups = {"by_source": np.full(count, source), "by_domain": np.full(count, source % NUM_DOMAINS)}
        groups["by_language"] = np.minimum(rng.geometric(0.1, count) - 1, NUM_LANGUAGES - 1)
        num_reasons = np.where(rng.random(count) < KEPT_SHARE, 0, rng.integers(1, 4, count))
        given = np.minimum(rng.geometric(0.08, int(num_reasons.sum())) - 1, NUM_REASONS - 1)
        lists = pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(num_reasons)]).astype(np.int32)), pa.array(self.reasons).take(pa.array(given))
        )
        largest = max(2, num_documents // 1000)
        sizes = np.where(rng.random(count) < 1 / 6, np.minimum(1 + rng.zipf(1.6, count), largest), 1)
        ids = pa.array([f"{self.names['by_source'][source]}/file.jsonl.zst#{number}" for number in documents.tolist()])
        replaced = {"id": ids, "reasons": lists, "cluster_size": pa.array(sizes), "path": pa.array(["file.jsonl.zst"] * count)}
        replaced |= {"fate": pa.array(np.where(num_reasons > 0, "rejected", "kept")), "record": pa.array(documents)}
        for column, key in (("source", "by_source"), ("domain", "by_domain"), ("lang", "by_language")):
            replaced[column] = pa.array(self.names[key]).take(pa.array(groups[key]))
        table = self.rows.take(pa.array(rng.integers(0, len(self.rows), count)))
        table = pa.table({name: replaced[name] if name in replaced else _noisy(name, table[name], rng) for name in table.column_names})
        pq.write_table(table, folder / "ledger" / file, compression="zstd", row_group_size=count)
        self._write_texts(folder, file, table, num_reasons > 0, rng)
        for key, of_row in (*groups.items(), ("", np.zeros(count, np.int64))):
            self.tallies[key].add(of_row, table, num_reasons, given)

    def _write_texts(self, folder: Path, file: str, table: pa.Table, dropped: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
        gone = table.filter(pa.array(dropped)).select(["id", "reasons", "duplicate_of", "similarity"])
        texts = self.texts.take(pa.array(rng.integers(0, len(self.texts), len(gone))))
        pq.write_table(gone.append_column("text", texts), folder / "rejected" / file, compression="zstd", row_group_size=max(1, len(gone)))
        cut = table.filter(pa.array(~dropped & (rng.random(len(table)) < 0.1)))["id"].combine_chunks()
        rules = [f"rule_{number}" for number in rng.integers(0, 12, len(cut)).tolist()]
        removed = [f"What rule cuts from {name}." for name in cut.to_pylist()]
        for rule, text in zip(rules, removed, strict=True):
            found = self.edits.setdefault(rule, [0, 0])
            found[0] += 1
            found[1] += len(text)
        nothing, zeros = pa.nulls(len(cut), pa.string()), pa.array(np.zeros(len(cut), np.int64))
        values = (cut, zeros, zeros, pa.array(rules, pa.string()), nothing, pa.nulls(len(cut), pa.float64()))
        edits = pa.table(dict(zip(EDITS, (*values, pa.array(removed, pa.string()), pa.array([""] * len(cut), pa.string())), strict=True)))
        pq.write_table(edits, folder / "edits" / file, compression="zstd", row_group_size=max(1, len(cut)))

    def _summary(self, folder: str) -> dict[str, Any]:
        faces = {key: self.tallies[key].faces(names, self.stages, self.reasons) for key, names in self.names.items()}
        (every,) = self.tallies[""].faces([""], self.stages, self.reasons).values()
        documents, characters, size = every["input"]
        found = self.summary | faces | {"name": "made up", "output": folder, "reasons": every["reasons"], "edits": self.edits}
        found["documents"] = {"input": documents, "kept": every["kept"][0], "rejected": documents - every["kept"][0]}
        found["characters"] = {"input": characters, "kept": every["kept"][1]}
        found["bytes"] = {"input": size, "kept": every["kept"][2], "raw": size}
        found["waterfall"] = [
            {"stage": stage, "documents": left[0], "document_share": left[0] / documents, "bytes": left[2], "byte_share": left[2] / size}
            for stage, left in every["left"].items()
        ]
        return found


class Tally:
    """`[documents, characters, bytes]` by group, as the faces of a summary have them."""

    def __init__(self, num_groups: int, num_stages: int) -> None:
        self.input, self.kept = np.zeros((num_groups, 3), np.int64), np.zeros((num_groups, 3), np.int64)
        self.left = np.zeros((num_groups, num_stages, 3), np.int64)
        self.reasons = np.zeros((num_groups, NUM_REASONS, 3), np.int64)

    def add(self, groups: Counts, table: pa.Table, num_reasons: Counts, given: Counts) -> None:
        """Rows of one part. A reason belongs to the stage of its number, so that some leave at each."""
        sizes = np.stack([np.ones(len(table), np.int64), table["num_chars"].to_numpy(), table["num_bytes"].to_numpy()], axis=1)
        of_reason = np.repeat(np.arange(len(table)), num_reasons)
        leaves = np.full(len(table), self.left.shape[1])
        np.minimum.at(leaves, of_reason, given % self.left.shape[1])
        np.add.at(self.input, groups, sizes)
        np.add.at(self.kept, groups[num_reasons == 0], sizes[num_reasons == 0])
        for stage in range(self.left.shape[1]):
            np.add.at(self.left[:, stage], groups[leaves > stage], sizes[leaves > stage])
        np.add.at(self.reasons, (groups[of_reason], given), sizes[of_reason])

    def faces(self, names: list[str], stages: list[str], reasons: list[str]) -> dict[str, dict[str, Any]]:
        """As `summary.json` holds them, of the groups that have documents."""
        return {
            name: {
                "input": self.input[place].tolist(),
                "kept": self.kept[place].tolist(),
                "duplicates": [0, 0, 0],
                "left": dict(zip(stages, self.left[place].tolist(), strict=True)),
                "reasons": {reasons[at]: self.reasons[place, at].tolist() for at in np.argsort(-self.reasons[place, :, 0], kind="stable")},
            }
            for place, name in enumerate(names)
            if self.input[place, 0]
        }


def _noisy(name: str, column: pa.ChunkedArray, rng: np.random.Generator) -> pa.ChunkedArray:
    if name in LEDGER or not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return column
    noise = pa.array(rng.lognormal(0, NOISE, len(column)))
    changed = pc.multiply(pc.cast(column, pa.float64()), noise)
    return pc.cast(pc.round(changed) if pa.types.is_integer(column.type) else changed, column.type, safe=False)


def measure(folder: Path) -> str:
    """The seconds, CPU seconds, peak memory and page size of `corpus report`, as cells of a table."""
    start = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere:
        command = [sys.executable, "-m", "pipeline.cli", "report", str(folder)]
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)])
        _, status, usage = os.wait4(process, 0)
    assert status == 0, f"corpus report {folder} failed"
    size = (folder / "report" / "index.html").stat().st_size
    seconds = time.perf_counter() - start
    return f"{seconds:8.1f} {usage.ru_utime + usage.ru_stime:11.1f} {usage.ru_maxrss / 1000:9.0f} {size / 1e6:8.2f}"


def main() -> None:
    """Print a line for each number of documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000])
    parser.add_argument("--like", type=Path, default=Path("out/sample"), help="a finished run whose columns and texts are taken")
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--output", type=Path, help="where to make the runs; a temporary folder if not given")
    options = parser.parse_args()
    print(f"{'documents':>12} {'ledger MB':>10} {'seconds':>8} {'CPU seconds':>11} {'peak MB':>9} {'page MB':>8}", flush=True)
    for num_documents in options.documents:
        with tempfile.TemporaryDirectory(dir=options.output) as temporary:
            folder = Path(temporary) / "run"
            Made(options.like, options.sources).write(folder, num_documents)
            ledger_bytes = sum(path.stat().st_size for path in (folder / "ledger").iterdir())
            print(f"{num_documents:12,} {ledger_bytes / 1e6:10.0f} {measure(folder)}", flush=True)


if __name__ == "__main__":
    main()
