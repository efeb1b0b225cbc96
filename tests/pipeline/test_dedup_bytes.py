"""What dedup decides depends on the documents alone: not on their order, on how the work is cut, or on how often the run was killed."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import arrow_files
from pipeline.config import load_run
from pipeline.dedup import components, pairs, rounds
from pipeline.exchange import Exchange
from pipeline.run import run
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts, zh_prose

Maker = Callable[..., Path]
DECIDED = ("fate", "reasons", "duplicate_of", "similarity", "cluster_size")
STAGES: list[dict[str, Any]] = [
    {"normalize": {}},
    {"exact_dedup": {"urls": True}},
    {"document_dedup": {"bucket_limit": 5}},
    {"select": {"max_per_host": 20}},
]
WITH_PASSAGES = [*STAGES[:3], {"sentence_dedup": {}}, STAGES[3]]
ENGINE = {"executor": "inprocess", "split_bytes": 24_000, "memory_per_worker": "2GB"}


def rows_of_all_kinds() -> list[dict[str, Any]]:
    """Copies, a template whose buckets overflow, near-duplicates and parts of a text, repeated URLs and crowded hosts; every id once."""
    rng = random.Random(7)
    texts = [(zh_prose if i % 2 else prose)(i, rng.randint(4, 14)) for i in range(40)]
    texts += [text[: int(len(text) * share)] for text in texts[:20] for share in (0.97, 0.93, 0.85)]
    texts += rng.sample(texts, 15)
    words = prose(99, 30).split(" ")
    for _ in range(40):
        changed = words.copy()
        for _ in range(3):
            changed[rng.randrange(len(words))] = f"word{rng.randrange(10**6)}"
        texts.append(" ".join(changed))
    return [{"id": f"d{i}", "text": text, "url": f"https://host{i % 4}.org/{i % 80}"} for i, text in enumerate(texts)]


def finish(config: Path, *overrides: str) -> str:
    settings = load_run(config, overrides)
    run(settings, quiet=True)
    return settings.output


def decided(folder: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Of each id its fate and partner, and of each kept id the text."""
    corpus = read_parts(folder, "corpus")
    kept = dict(zip(corpus["id"].to_pylist(), corpus["text"].to_pylist(), strict=True))
    return {name: tuple(map(str, (row[column] for column in DECIDED))) for name, row in ledger(folder).items()}, kept


@pytest.mark.parametrize("spread_from", [4096, 10])
def test_order_of_documents_and_files_changes_no_fate(spread_from: int, make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "SPREAD_FROM", spread_from)
    monkeypatch.setattr(components, "SPREAD_FROM", spread_from)
    rows = rows_of_all_kinds()
    reference = None
    for seed, num_files in enumerate((1, 3, 7)):
        random.Random(seed).shuffle(rows)
        sources = {f"{spread_from}-{seed}-{number}": rows[number::num_files] for number in range(num_files)}
        found = decided(finish(make_config(sources, name=f"{spread_from}-{seed}", stages=STAGES, engine=ENGINE)))
        reference = reference or found
        assert found == reference
    assert reference is not None
    reasons = {reason for row in reference[0].values() for reason in ("exact", "near", "url", "host_cap") if reason in row[1]}
    assert reasons == {"exact", "near", "url", "host_cap"}  # so that the property says something


def test_number_of_partitions_changes_no_byte(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"a": rows_of_all_kinds()}, stages=WITH_PASSAGES, engine=ENGINE)
    reference = None
    for partitions in (1, 3, 41):
        monkeypatch.setattr(rounds, "num_partitions", lambda *_, number=partitions: number)
        folder = finish(config, f"output={load_run(config).output}-{partitions}")
        for name in ("shingles", "owners"):
            assert len(list((Path(folder) / "work").glob(f"{name}-*/answers-*.arrow"))) == partitions
        reference = reference or output_bytes(folder)
        assert output_bytes(folder) == reference


def test_copies_in_a_shard_send_their_bands_once(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exchange, "forget_sent", lambda _: None)
    rows = [{"id": f"copy-{n}", "text": prose(1)} for n in range(30)] + [{"id": f"other-{n}", "text": prose(2 + n)} for n in range(3)]
    folder = finish(make_config({"a": rows}, engine=ENGINE | {"split_bytes": 1 << 20}))
    sent = [arrow_files.read_table(str(path)) for path in Path(folder).glob("work/bands-*/sent-*.arrow")]
    assert sum(table.num_rows for table in sent) == 16 * 4
    assert sum(row["duplicate_of"] == "copy-0" for row in ledger(folder).values()) == 29


def test_less_memory_means_more_partitions() -> None:
    def number(memory: int) -> int:
        return rounds.num_partitions(512.0 * 10_000_000, memory, 100)

    assert [number(memory) for memory in (64_000_000_000, 4_000_000_000, 1_000_000_000)] == [16, 16, 52]


@pytest.mark.slow
@pytest.mark.parametrize("with_earlier", [False, True])
def test_killed_in_every_phase_and_continued_gives_the_same_bytes(with_earlier: bool, make_config: Maker) -> None:
    rows = rows_of_all_kinds()
    earlier, passage = [], prose(500, 6)
    if with_earlier:  # it has half of the copies, and a passage that is cut from the new documents
        first = [*rows[::2], {"id": "owner", "text": f"{prose(501, 40)}\n\n{passage}"}]
        earlier = [finish(make_config({"first": first}, name="earlier", stages=WITH_PASSAGES, engine=ENGINE))]
        rows = [*rows[1::2], *({"id": f"cut{n}", "text": f"{prose(510 + n, 20)}\n\n{passage}"} for n in range(3))]

    def config(name: str) -> Path:
        return make_config({"a": rows}, name=name, stages=WITH_PASSAGES, engine=ENGINE, earlier=earlier)

    settings = load_run(config("plain"))
    phases = [name for name in run(settings, quiet=True)["phases"] if name not in ("start", "open")]
    assert {"annotate", "send", "band buckets", "components", "gather", "verify", "clusters", "facts", "resolve", "write"} <= set(phases)
    if with_earlier:
        cuts = read_parts(settings.output, "edits")
        assert {"cut0", "cut1", "cut2"} <= set(cuts["id"].to_pylist())
        assert "owner" in cuts["partner"].to_pylist()
    killed = config("killed")
    command = [sys.executable, "-m", "tests.pipeline.killer", str(killed), *phases]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"{phase}: {int(signal.SIGKILL)} {int(signal.SIGKILL)}" for phase in phases], done.stderr
    folder = Path(finish(killed))
    assert output_bytes(folder) == output_bytes(settings.output)
    assert not list(folder.rglob("*.partial"))
