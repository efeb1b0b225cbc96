"""`corpus pack`: the stream of a slow reference, the same bytes however it is made, and every document accounted for."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from configs.errors import InputError, RunError
from model.shards import TokenShards
from pipeline import storage
from pipeline.config import Engine
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.packer import pack
from tests.pipeline.conftest import prose, run_command, zh_prose
from tests.tokenizer.conftest import written_model
from tests.tokenizer.megatron_reference import read_sequences
from tests.tokenizer.pack_reference import place_of, times_of
from tokenizer.codec import Tokenizer

INPROCESS = Engine(executor="inprocess", split_bytes=4096)
Row = dict[str, Any]


def documents(count: int = 60) -> list[Row]:
    """Two domains and languages, weights on both sides of one, one empty text."""
    rows = [
        {
            "id": f"{i:03d}",
            "text": zh_prose(i, 1 + i % 5) if i % 3 else prose(i, 1 + i % 4),
            "source": f"s{i % 2}",
            "domain": ("web", "law")[i % 5 == 0],
            "lang": ("en", "zh")[i % 3 > 0],
            "sampling_weight": (1.0, 0.5, 2.25, 0.0)[i % 4],
        }
        for i in range(count)
    ]
    for row in rows[7:8]:
        row["text"] = ""
    return rows


def write_run(folder: Path, parts: Iterable[list[Row]]) -> str:
    """A finished run with these rows of its corpus."""
    (folder / "corpus").mkdir(parents=True)
    for number, rows in enumerate(parts):
        table = pa.Table.from_pylist(rows).cast(pa.schema([(k, {"text": pa.large_string()}.get(k, t)) for k, t in _types(rows[0])]))
        pq.write_table(table, folder / "corpus" / f"part-{number:06d}.parquet")
    (folder / "summary.json").write_text("{}")
    return str(folder)


def _types(row: Row) -> list[tuple[str, pa.DataType]]:
    known = {str: pa.string(), float: pa.float64(), int: pa.int32()}
    return [(name, known[type(value)]) for name, value in row.items()]


def config_of(tmp_path: Path, run: str, name: str = "pack", **settings: Any) -> PackConfig:
    return PackConfig(**{"input": (run,), "tokenizer": "bytes", "output": str(tmp_path / name), "engine": INPROCESS} | settings)


def shard_bytes(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name.startswith("train-")}


def stream(folder: str) -> list[tuple[str, int, list[int]]]:
    """(id, epoch, ids) of all sequences, read by the reference of the format."""
    found = []
    for shard in json.loads((Path(folder) / "pack.json").read_bytes())["shards"]:
        prefix = Path(folder) / shard["prefix"]
        names = pq.read_table(f"{prefix}.documents.parquet").to_pylist()
        found += [(row["id"], row["epoch"], ids) for row, ids in zip(names, read_sequences(prefix), strict=True)]
    return found


def reference(rows: list[Row], encode: Any, eos_id: int, epochs: float, seed: int = 17) -> list[tuple[str, int, list[int]]]:
    found = []
    for row in rows:
        times = times_of(row["id"], row["sampling_weight"] * epochs, seed) if row["text"] else 0
        found += [(place_of(row["id"], epoch, times, seed), row["id"], epoch, [*encode(row["text"]), eos_id]) for epoch in range(times)]
    return [(name, epoch, ids) for _, name, epoch, ids in sorted(found)]


@pytest.mark.parametrize("epochs", [1.0, 1.7])
def test_the_stream_is_that_of_a_slow_reference(epochs: float, tmp_path: Path) -> None:
    rows = documents()
    run = write_run(tmp_path / "run", [rows[:25], rows[25:26], rows[26:]])
    model = written_model([("</s>", 0.0, 3), ("▁", -3.0, 1), ("e", -2.0, 1), ("th", -1.0, 1), ("t", -4.0, 1), ("h", -5.0, 1)])
    (tmp_path / "tokenizer.model").write_bytes(model)
    made = Tokenizer(model, "written")
    for name, encode, eos_id in (("bytes", lambda text: [3 + byte for byte in text.encode()], 2), (str(tmp_path), made.encode, 257)):
        config = config_of(tmp_path, run, f"pack-{len(name)}", tokenizer=name, epochs=epochs, shard_tokens=2_000)
        header = pack(config, quiet=True)
        assert len(header["shards"]) > 2
        assert stream(config.output) == reference(rows, encode, eos_id, epochs)
        shards = TokenShards.open(config.output, header["tokenizer"]["sha256"])
        shards.verify()
        assert shards.tokens(0, shards.num_tokens).tolist() == [i for _, _, ids in stream(config.output) for i in ids]
        assert shards.segments(0, shards.num_tokens)[-1] == header["num_documents"] == len(stream(config.output))
        assert not {"work", "begun.json"} & {path.name for path in Path(config.output).iterdir()}
    assert (Path(config.output) / "tokenizer.model").read_bytes() == model


def test_ids_of_a_large_vocabulary_take_four_bytes(tmp_path: Path) -> None:
    rows = documents(8)
    fillers = [(f"<reserved_{i}>", 0.0, 3) for i in range(65_500)]
    model = written_model([("</s>", 0.0, 3), ("▁", -3.0, 1), *fillers, ("e", -2.0, 1), ("一", -1.0, 1)])
    (tmp_path / "tokenizer.model").write_bytes(model)
    config = config_of(tmp_path, write_run(tmp_path / "run", [rows]), tokenizer=str(tmp_path))
    header = pack(config, quiet=True)
    assert header["dtype"] == "int32"
    found = stream(config.output)
    assert found == reference(rows, Tokenizer(model, "written").encode, 257, 1.0)
    assert max(number for _, _, ids in found for number in ids) > 65_535
    assert TokenShards.open(config.output).tokens(0, len(found[0][2])).tolist() == found[0][2]


def test_the_same_bytes_for_any_workers_files_and_order(tmp_path: Path) -> None:
    rows = documents(120)
    runs = [write_run(tmp_path / "one", [rows]), write_run(tmp_path / "many", [rows[i::7] for i in (3, 1, 6, 0, 2, 5, 4)])]
    a, b = write_run(tmp_path / "a", [rows[60:]]), write_run(tmp_path / "b", [rows[:60][::-1]])
    engines = (INPROCESS, Engine(executor="inprocess"), Engine(workers=1), Engine(workers=2, split_bytes=4096))
    inputs = ((runs[0],), (runs[1],), (a, b), (b, a))
    headers, found = [], []
    for number, (given, engine) in enumerate(zip(inputs, engines, strict=True)):
        config = config_of(tmp_path, "", f"pack{number}", input=given, engine=engine, shard_tokens=3_000)
        pack(config, quiet=True)
        found.append(shard_bytes(config.output))
        header = orjson.loads((Path(config.output) / "pack.json").read_bytes())
        header["settings"].pop("input")
        header["identity"].pop("input")
        headers.append(header)
    assert len(found[0]) > 6
    assert found[1:] == found[:1] * 3
    assert headers[1:] == headers[:1] * 3


def test_killed_in_each_phase_it_continues_to_the_same_bytes(tmp_path: Path) -> None:
    rows = documents()
    run = write_run(tmp_path / "run", [rows[:20], rows[20:40], rows[40:]])
    settings = {"input": [run], "tokenizer": "bytes", "shard_tokens": 3000, "engine": {"executor": "inprocess", "split_bytes": 4096}}
    path = tmp_path / "killed.yaml"
    path.write_text(yaml.safe_dump(settings | {"output": str(tmp_path / "killed")}))
    phases = ("encode", "count", "order")
    command = [sys.executable, "-m", "tests.pipeline.pack_killer", str(path), *phases]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == [f"{phase}: 9 9" for phase in phases]
    assert not (tmp_path / "killed" / "pack.json").exists()
    killed, plain = (config_of(tmp_path, run, name, shard_tokens=3000) for name in ("killed", "plain"))
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("train-*")}
    assert len(shards) > 6
    again, whole = pack(killed, quiet=True), pack(plain, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in shards} == shards, "finished units were done again"
    assert shard_bytes(killed.output) == shard_bytes(plain.output)
    for header in (again, whole):
        assert set(header.pop("seconds")) == {"start", "encode", "count", "order"}
        assert header.pop("peak_memory_bytes")["worker"] > 0
    assert again == whole


def test_a_finished_pack_is_left_alone_a_damaged_one_is_mended_and_another_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [documents()])
    config = config_of(tmp_path, run, shard_tokens=3_000)
    pack(config, quiet=True)
    before = shard_bytes(config.output)
    left = Path(config.output) / "work" / "encoded" / "0.arrow"  # as a kill right behind the header leaves it
    left.parent.mkdir(parents=True)
    for path in (left, Path(config.output) / "begun.json"):
        path.write_text("{}")
    assert pack(config, quiet=True)["already_complete"]
    assert {path.name for path in Path(config.output).iterdir()} == {".lock", "pack.json", *before}
    (Path(config.output) / "train-00001.idx").unlink()
    assert "already_complete" not in pack(config, quiet=True)
    assert shard_bytes(config.output) == before

    other = config_of(tmp_path, run, shard_tokens=3_000, seed=18)
    with pytest.raises(RunError, match=r"holds a pack of another configuration \(seed: 17 there, 18 here\); choose another output"):
        pack(other, quiet=True)
    pack(config_of(tmp_path, run, seed=18), overwrite=True, quiet=True)
    assert len(shard_bytes(config.output)) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(RunError, match=r"holds files that no pack of ours wrote \(thesis\.txt\)"):
        pack(config_of(tmp_path, run, "mine"), overwrite=True, quiet=True)


def test_a_folder_of_intermediates_may_be_shared_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    run, work = write_run(tmp_path / "run", [documents(8)]), tmp_path / "work"
    work.mkdir()
    (work / "shards").mkdir()
    (work / "thesis.txt").write_text("")
    engine = Engine(executor="inprocess", work=str(work))
    for name, seed in (("first", 17), ("second", 18)):
        pack(config_of(tmp_path, run, name, engine=engine, seed=seed), quiet=True)
    assert {path.name for path in work.iterdir()} == {".lock", "shards", "thesis.txt"}


def test_a_pack_in_an_object_store_has_the_same_bytes(bucket: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [documents(30)])
    plain = config_of(tmp_path, run, shard_tokens=3_000)
    wanted = pack(plain, quiet=True)["shards"]
    stored = config_of(tmp_path, run, output=f"{bucket}/pack", shard_tokens=3_000)
    assert pack(stored, quiet=True)["shards"] == wanted
    assert pack(stored, quiet=True)["already_complete"]
    names = storage.list_names(stored.output)
    assert {name: storage.read_bytes(f"{stored.output}/{name}") for name in names if name != "pack.json"} == shard_bytes(plain.output)


def test_every_document_is_accounted_for(tmp_path: Path) -> None:
    rows = documents()
    config = config_of(tmp_path, write_run(tmp_path / "run", [rows[:30], rows[30:]]))
    header = pack(config, quiet=True)
    times = {row["id"]: times_of(row["id"], row["sampling_weight"], 17) for row in rows}
    empty = sum(not row["text"] and times[row["id"]] > 0 for row in rows)
    never = sum(count == 0 for count in times.values())
    packed = {name for name, _, _ in stream(config.output)}
    wanted = {"input": 60, "packed": len(packed), "not_sampled": never, "empty": empty, "behind_max_tokens": 0}
    assert header["documents"] == wanted
    assert len(packed) + never + empty == 60
    for group in header["groups"]:
        mine = [row for row in rows if (row["domain"], row["lang"]) == (group["domain"], group["lang"])]
        sizes = [len(row["text"].encode()) for row in mine]
        inside = [times[row["id"]] if row["text"] else 0 for row in mine]
        assert group["input_documents"] == len(mine)
        assert group["input_bytes"] == sum(sizes)
        assert group["documents"] == sum(inside)
        assert group["unique_documents"] == sum(count > 0 for count in inside)
        assert group["tokens"] == sum((size + 1) * count for size, count in zip(sizes, inside, strict=True))
        assert group["unique_tokens"] == sum(size + 1 for size, count in zip(sizes, inside, strict=True) if count)
        assert group["bytes"] == sum(size * count for size, count in zip(sizes, inside, strict=True))
        assert group["epochs"] == round(group["bytes"] / group["input_bytes"], 6)
        assert group["most_epochs"] == max(inside)


def test_max_tokens_ends_the_same_stream_before_a_document(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [documents()])
    whole = config_of(tmp_path, run, "whole", shard_tokens=2_000)
    total = pack(whole, quiet=True)["num_tokens"]
    sequences = stream(whole.output)
    for limit in (len(sequences[0][2]), total // 2, total - 1, total, total + 1):
        config = config_of(tmp_path, run, f"pack-{limit}", shard_tokens=2_000, max_tokens=limit)
        header = pack(config, quiet=True)
        found = stream(config.output)
        assert found == sequences[: len(found)]
        assert header["num_tokens"] == sum(len(ids) for _, _, ids in found) <= limit
        assert len(found) == len(sequences) or header["num_tokens"] + len(sequences[len(found)][2]) > limit
        assert header["documents"]["packed"] == len({name for name, _, _ in found})
        assert header["documents"]["behind_max_tokens"] == len({s[0] for s in sequences}) - len({s[0] for s in found})
    with pytest.raises(InputError, match="max_tokens: got 3, the first document of the stream is longer"):
        pack(config_of(tmp_path, run, "none", max_tokens=3), quiet=True)


def test_a_window_changes_the_order_within_each_shard_and_says_what_it_still_cuts(tmp_path: Path) -> None:
    rows = [row | {"text": "x" * (1 + 7919 * number % 997)} for number, row in enumerate(documents(600))]
    run = write_run(tmp_path / "run", [rows])
    plain, fitted = (config_of(tmp_path, run, f"window-{w}", shard_tokens=90_000, window=w, max_tokens=200_000) for w in (None, 700))
    before, header = pack(plain, quiet=True), pack(fitted, quiet=True)
    assert [shard["num_tokens"] for shard in header["shards"]] == [shard["num_tokens"] for shard in before["shards"]]
    first, second = (stream(config.output) for config in (plain, fitted))
    cuts, at = {}, 0
    for name, found in (("plain", first), ("fitted", second)):
        at, cuts[name] = 0, 0
        for _, _, ids in found:
            cuts[name] += len(ids) <= 700 and at // 700 != (at + len(ids) - 1) // 700
            at += len(ids)
    assert header["cut_by_window"] == cuts["fitted"] < cuts["plain"] / 3
    assert before["cut_by_window"] == 0
    numbers = [shard["num_documents"] for shard in header["shards"]]
    for place, number in zip([sum(numbers[:i]) for i in range(len(numbers))], numbers, strict=True):
        assert sorted(first[place : place + number]) == sorted(second[place : place + number])
    assert first != second


def test_repeats_are_the_copies_and_other_weights_say_nothing_more(tmp_path: Path) -> None:
    rows = [row | {"weight": 3.0, "repeats": number % 3} for number, row in enumerate(documents(12))]
    header = pack(config := config_of(tmp_path, write_run(tmp_path / "run", [rows]), epochs=2.0), quiet=True)
    found = stream(config.output)
    for row in rows:
        assert sum(name == row["id"] for name, _, _ in found) == (2 * row["repeats"] if row["text"] else 0)
    assert max(group["most_epochs"] for group in header["groups"]) == 4
    assert header["capped"] == 0


def test_no_document_counts_more_than_the_cap_and_how_many_would_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row | {"sampling_weight": 7.5 if number == 3 else 1.0} for number, row in enumerate(documents(6))]
    run = write_run(tmp_path / "run", [rows])
    assert corpus(monkeypatch, "--input", run, "--tokenizer", "bytes", "--output", str(tmp_path / "pack"), *IN_PROCESS) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "1 documents would have counted more often than max_epochs allows" in told
    assert "input 6 = packed 6 + not sampled 0 + empty 0 + behind max_tokens 0 documents" in told
    assert [epoch for name, epoch, _ in stream(str(tmp_path / "pack")) if name == "003"] == [0, 1, 2, 3]


@pytest.mark.parametrize("weight", [-0.5, float("nan")])
def test_a_weight_that_cannot_count_is_named_with_its_document(weight: float, tmp_path: Path) -> None:
    rows = documents(4)
    rows[2]["sampling_weight"] = weight
    with pytest.raises(InputError, match=rf"part-000000\.parquet: document '002' has the weight {weight:g}; wanted a number from 0 on"):
        pack(config_of(tmp_path, write_run(tmp_path / "run", [rows])), quiet=True)


def test_files_of_any_format_with_bad_records_and_ids_of_their_own(tmp_path: Path) -> None:
    lines = [{"id": "own", "text": "one"}, {"text": "two", "lang": "en"}, {"text": "three"}]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*map(orjson.dumps, lines), b"not json"]))
    (tmp_path / "b.txt").write_text("four")
    config = config_of(tmp_path, str(tmp_path / "*.*"), domains={"a": 2.0})
    header = pack(config, quiet=True)
    assert header["unreadable_records"] == 1
    assert header["documents"]["packed"] == 4
    names = pq.read_table(f"{config.output}/train-00000.documents.parquet").to_pylist()
    assert sorted((row["id"], row["source"], row["domain"], row["lang"], row["epoch"]) for row in names) == [
        ("a.jsonl#2", "a.jsonl", "a", "en", 0),
        ("a.jsonl#2", "a.jsonl", "a", "en", 1),
        ("a.jsonl#3", "a.jsonl", "a", "", 0),
        ("a.jsonl#3", "a.jsonl", "a", "", 1),
        ("b.txt#1", "b.txt", "b", "", 0),
        ("own", "a.jsonl", "a", "", 0),
        ("own", "a.jsonl", "a", "", 1),
    ]


def test_documents_that_share_an_id_stay_and_keep_their_order_whatever_the_files(tmp_path: Path) -> None:
    rows = [{"id": f"{i % 3}", "text": f"text {i // 2}", "domain": f"d{i % 2}"} for i in range(12)]
    found = []
    for number, parts in enumerate(([rows], [rows[::-1]], [rows[i::4] for i in (2, 0, 3, 1)])):
        config = config_of(tmp_path, write_run(tmp_path / f"run{number}", parts), f"pack{number}")
        assert pack(config, quiet=True)["repeated_ids"] == 9
        found.append(shard_bytes(config.output))
    assert found[1:] == found[:1] * 2


IN_PROCESS = ("--set", "engine.executor=inprocess")


def corpus(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    return run_command(monkeypatch, "pack", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "wanted a YAML file, or --input, --tokenizer and --output"),
        (("--epochs", "5"), "epochs: got 5, but no document may count more than 4 times; raise max_epochs"),
        (("--tokenizer", "nowhere"), "nowhere: cannot be read: No such file"),
        (("--input", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--set", "domains.web=0", "--set", "domains.law=0"), "no document is left to pack; check the input and the weights"),
        (("--set", "shard_tokens=5000000000"), "shard_tokens: got 5,000,000,000; a shard of so many needs about"),
        (("--input", "RUN"), "part-000000.parquet: is named twice by the input"),
        (("--set", "epoch=2"), "unknown key 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_what_the_user_can_mend_is_one_message(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", [documents(4)])
    monkeypatch.chdir(tmp_path)
    given = ("--input", run, "--tokenizer", "bytes", "--output", "pack", *IN_PROCESS) if arguments else ()
    assert corpus(monkeypatch, *given, *(argument.replace("RUN", run) for argument in arguments), "--quiet") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.rglob("train-*"))


def test_the_shipped_pack_is_of_the_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(__file__).parents[2] / "configs" / "packing/sample.yaml"
    run = write_run(tmp_path / "run", [documents(4)])
    assert yaml.safe_load(shipped.read_text())["output"] == "out/pack"
    assert corpus(monkeypatch, str(shipped), "--input", run, "--tokenizer", "bytes", "--output", str(tmp_path / "pack"), "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert TokenShards.open(tmp_path / "pack").num_tokens > 0
