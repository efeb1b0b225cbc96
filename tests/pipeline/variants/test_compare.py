import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs.errors import ConfigError, CorpusError
from pipeline.variants.compare import compare_variants
from pipeline.variants.config import VariantsConfig
from tests.pipeline.variants.conftest import SETTINGS, Make, documents

Finished = tuple[VariantsConfig, dict[str, Any]]


def corpus(config: VariantsConfig, variant: str) -> dict[str, str]:
    folder = Path(config.output) / "variants" / variant / "corpus"
    rows = [row for part in sorted(folder.iterdir()) for row in pq.read_table(part).to_pylist()]
    return {row["id"]: row["text"] for row in rows}


def held_out(config: VariantsConfig, name: str) -> list[dict[str, Any]]:
    (folder,) = [path for path in (Path(config.output) / "held_out").iterdir() if path.is_dir()]
    rows: list[dict[str, Any]] = pq.read_table(folder / name).to_pylist()
    return rows


def test_variants_hold_what_their_stages_and_sources_leave(finished: Finished) -> None:
    config, _ = finished
    taken = {row["id"] for row in held_out(config, "removed.parquet")}
    texts = {row["id"]: row["text"] for rows in documents().values() for row in rows if row["id"] not in taken}
    assert set(corpus(config, "raw")) == set(texts)
    assert set(corpus(config, "without_noise")) == {name for name in texts if not name.startswith("noise")}
    kept = corpus(config, "no_copies")
    assert set(kept) < set(texts)
    assert sorted(kept.values()) == sorted(set(texts.values()))


def test_no_variant_holds_held_out_text_or_a_copy_of_it(finished: Finished) -> None:
    config, result = finished
    held = held_out(config, "documents.parquet")
    assert {row["domain"] for row in held} == {"law", "news"}
    for name in ("raw", "no_copies", "without_noise"):
        assert not {row["text"] for row in held} & set(corpus(config, name).values())
        assert result["corpora"][name]["alarm"]["found"] == 0
    kinds = {row["id"]: row["kind"] for row in held_out(config, "removed.parquet")}
    copied = {row["text"] for row in held}
    for row in documents()["noise"]:
        assert (kinds.get(row["id"]) == "copy") == (row["text"] in copied)


def test_the_curated_set_is_of_curated_domains_and_apart_from_the_raw_one(finished: Finished) -> None:
    config, result = finished
    cells = result["held_out"]["cells"]
    assert {cell.partition("/")[0] for cell in cells["curated"]} == {"law"}
    assert {cell.partition("/")[0] for cell in cells["raw"]} == {"law", "news"}
    assert {cell.rpartition("/")[2] for of_set in cells.values() for cell in of_set} <= {"zh", "en"}
    rows = [row for row in held_out(config, "documents.parquet") if row["measured_text"] is not None]
    assert len({row["id"] for row in rows}) == len(rows) == result["held_out"]["measured_documents"]


def test_slices_share_no_document_and_variants_are_dealt_alike(finished: Finished) -> None:
    config, _ = finished
    folders = sorted((Path(config.output) / "slices").glob("*.documents"))
    pieces = [[row["id"] for part in folder.iterdir() for row in pq.read_table(part).to_pylist()] for folder in folders]
    assert any(name.endswith("/1") for one in pieces for name in one)
    slices = [{name.rpartition("/")[0] for name in one} for one in pieces]
    whole = [sorted(one) for one in slices if one]
    assert len(whole) == 3 * 3 + 2 * 3
    raw = set(corpus(config, "raw"))
    places: dict[str, set[frozenset[str]]] = {}
    for one in slices:
        for name in one:
            places.setdefault(name, set()).add(frozenset(one & set(corpus(config, "no_copies"))))
    assert set(places) == raw
    copies = [row["id"] for row in documents()["noise"][:20] if row["id"] in raw]
    for text in {documents()["noise"][i]["text"] for i in range(20)}:
        together = [name for name in copies if corpus(config, "raw")[name] == text]
        assert len({tuple(sorted(name in one for one in slices[:9])) for name in together}) <= 1


def test_controls_stand_beside_the_verdicts(finished: Finished) -> None:
    _, result = finished
    controls = result["controls"]
    assert controls["leak"]["leaked"] > 0
    assert controls["leak"]["found"] >= controls["leak"]["leaked"]
    assert controls["shuffled"]["change"] > 0
    assert set(result["verdicts"]) == {"no_copies", "without_noise"}
    assert all(found["word"] in ("better", "worse", "inconclusive") for found in result["verdicts"].values())


def test_figures_are_those_of_the_measurements(finished: Finished) -> None:
    config, result = finished
    for name in ("raw", "without_noise"):
        bits = result["corpora"][name]["bits_per_byte"]
        assert all(0.5 < value < 9 for of_set in bits.values() for value in of_set.values())
        assert max(result["corpora"][name]["epochs"]) <= config.max_epochs
    found = result["verdicts"]["without_noise"]
    assert found["change"] == pytest.approx(np.mean(list(found["by_condition"].values())))
    written = json.loads((Path(config.output) / "verdict.json").read_text())
    assert written["verdicts"]["without_noise"]["change"] == found["change"]
    assert (Path(config.output) / "verdict.svg").read_text().startswith("<svg")


def test_a_second_call_trains_nothing_and_gives_the_same(finished: Finished) -> None:
    config, result = finished
    folder = Path(config.output) / "trainings"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("nats.npy")}
    assert len(before) == (3 + 2 + 1) * 3 * 2
    again = compare_variants(config, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("nats.npy")} == before
    assert again["verdicts"] == result["verdicts"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": SETTINGS["training"] | {"tokens": 60_000}}, r"variant '.*', seed .: .* in 4 epochs, less than training.tokens"),
        ({"training": SETTINGS["training"] | {"tokens": 1023}}, r"tokens: got 1,023, which is less than one batch: .* 1,024"),
        ({"training": SETTINGS["training"] | {"learning_rates": [0.01, 0.01]}}, r"learning_rates: got 1, wanted at least two"),
        ({"training": SETTINGS["training"] | {"schedule": {"warmup_steps": 7}}}, r"warmup_steps: got 7 of 7 steps in all"),
        ({"seeds": [1, 2]}, r"seeds: got 2 different ones, wanted at least three"),
        ({"seeds": [1, 1, 2, 3]}, r"seeds: 1 stands twice; it would be one training that counts as two"),
        ({"variants": SETTINGS["variants"][:1]}, r"variants: got 1, wanted at least two"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, r"variants: the name 'a' is not free"),
        ({"variants": [{"name": "a"}, {"name": "b", "like": "c"}]}, r"'b' is like 'c', which does not stand before it"),
        ({"variants": [{"name": "a"}, {"name": "b", "add": ["quality"]}]}, r"'b' names the stage 'quality', which the base run has not"),
        ({"variants": [{"name": "a"}, {"name": "b", "sources": ["web"]}]}, r"'b' names the source 'web'; .* has law, news, noise"),
        ({"reference": "none"}, r"reference: no variant 'none'"),
        ({"tier": "decision"}, r"tier: decision needs at least 15,000,000 parameters, and the model has"),
        ({"held_out": SETTINGS["held_out"] | {"domains": ["law"]}}, r"one domain only, 'law'"),
        ({"held_out": SETTINGS["held_out"] | {"curated": []}}, r"held_out.curated: got none; a verdict needs"),
        ({"held_out": SETTINGS["held_out"] | {"curated": ["web"]}}, r"held_out.curated: 'web' is none of held_out.domains, law, news"),
        ({"held_out": SETTINGS["held_out"] | {"min_bytes": 3001}}, r"held_out.max_bytes: got 3,000, less than min_bytes, 3,001"),
        ({"held_out": SETTINGS["held_out"] | {"min_bytes": 100_000, "max_bytes": 100_000}},
         r"too little of domain 'law': .* en [0-9,]+ of [0-9]+, zh [0-9,]+ of [0-9]+; wanted 100,000 of 1 hosts"),
        ({"held_out": SETTINGS["held_out"] | {"min_clusters": 50}}, r"too little of domain 'law': .* wanted 500 of 50 hosts or texts in"),
        ({"held_out": SETTINGS["held_out"] | {"domains": ["law", "sport"]}}, r"no document has the domain 'sport'; there are law, news"),
        ({"score_buckets": {"signal": "quality", "of": "raw"}}, r"no signal 'quality' in the ledger"),
    ],
)  # fmt: skip
def test_bad_comparisons_are_refused_before_training(make: Make, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        compare_variants(make(**changes), quiet=True)
    assert not list(tmp_path.rglob("metrics.jsonl"))


def test_a_base_run_of_one_domain_is_refused(make: Make, tmp_path: Path) -> None:
    config = make()
    text = (tmp_path / "base.yaml").read_text()
    (tmp_path / "base.yaml").write_text(text.replace("domain: news", "domain: law").replace("domain: noise", "domain: law"))
    with pytest.raises(ConfigError, match=r"one domain only, 'law': a corpus is judged by the mean over domains"):
        compare_variants(config, quiet=True)
