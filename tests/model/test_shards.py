"""Shards as one stream: any window is what the documents side by side say, and damaged folders are refused."""

import hashlib
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from model.shards import TokenShards
from tokenizer.megatron import index_bytes

Documents = list[list[int]]


def write_shards(folder: Path, shards: list[Documents], dtype: str = "uint16") -> None:
    """A folder as `corpus pack` leaves it, by hand; document j of shard i is called i/j."""
    described = []
    for i, documents in enumerate(shards):
        ids = np.array([number for document in documents for number in document], dtype)
        index = index_bytes(np.array([len(document) for document in documents]), ids.dtype)
        (folder / f"train-{i:05d}.bin").write_bytes(ids.tobytes())
        (folder / f"train-{i:05d}.idx").write_bytes(index)
        pq.write_table(pa.table({"id": [f"{i}/{j}" for j in range(len(documents))]}), folder / f"train-{i:05d}.documents.parquet")
        sums = {"bin_sha256": hashlib.sha256(ids.tobytes()).hexdigest(), "idx_sha256": hashlib.sha256(index).hexdigest()}
        described.append({"prefix": f"train-{i:05d}", "num_tokens": len(ids), "num_documents": len(documents)} | sums)
    header: dict[str, Any] = {
        "version": 1,
        "tokenizer": {"name": "out/zh", "sha256": "ab" * 32, "vocab_size": 1000, "bos_id": 1, "eos_id": 2},
        "dtype": dtype,
        "num_tokens": sum(shard["num_tokens"] for shard in described),
        "shards": described,
    }
    (folder / "pack.json").write_text(json.dumps(header))


def slow_segments(numbers: list[int]) -> list[int]:
    """Documents of a window counted from 1."""
    found: list[int] = []
    for before, number in zip([numbers[:1][0] if numbers else None, *numbers], numbers, strict=False):
        found.append((found[-1] + (number != before)) if found else 1)
    return found


@settings(deadline=None)
@given(
    shards=st.lists(st.lists(st.lists(st.integers(0, 65_535), min_size=1, max_size=7), min_size=1, max_size=6), min_size=1, max_size=4),
    dtype=st.sampled_from(["uint16", "int32"]),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_any_cutting_of_the_stream_gives_the_same_stream(shards: list[Documents], dtype: str, cuts: list[int]) -> None:
    stream = [number for documents in shards for document in documents for number in document]
    owners = [(i, j) for i, documents in enumerate(shards) for j, document in enumerate(documents) for _ in document]
    numbers = [sorted(set(owners)).index(owner) for owner in owners]
    with tempfile.TemporaryDirectory() as folder:
        write_shards(Path(folder), shards, dtype)
        read = TokenShards.open(folder)
        read.verify()
        assert read.num_tokens == len(stream)
        bounds = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
        for start, stop in pairwise(bounds):
            tokens, segments = read.tokens(start, stop), read.segments(start, stop)
            assert tokens.dtype == segments.dtype == np.int32
            assert tokens.tolist() == stream[start:stop]
            assert segments.tolist() == slow_segments(numbers[start:stop])
            named = [(f"train-{i:05d}", f"{i}/{j}") for i, j in dict.fromkeys(owners[start:stop])]
            assert read.documents(start, stop) == named


def test_an_empty_window_has_nothing(tmp_path: Path) -> None:
    write_shards(tmp_path, [[[5, 2]], [[6, 2]]])
    read = TokenShards.open(tmp_path)
    for place in range(5):
        assert read.tokens(place, place).tolist() == read.segments(place, place).tolist() == read.documents(place, place) == []


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 5)])
def test_positions_outside_are_refused(start: int, stop: int, tmp_path: Path) -> None:
    write_shards(tmp_path, [[[5, 2]], [[6, 2]]])
    read = TokenShards.open(tmp_path)
    for method in (read.tokens, read.segments, read.documents):
        with pytest.raises(InputError, match="are not within its 4 tokens"):
            method(start, stop)


def test_shards_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path, [[[5, 2]]])
    assert TokenShards.open(tmp_path, "ab" * 32).eos_id == 2
    with pytest.raises(InputError, match=r"holds ids of another tokenizer: 'out/zh' with sha256 abababababab…, wanted cdcdcdcdcdcd…; pack"):
        TokenShards.open(tmp_path, "cd" * 32)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    def refused(match: str) -> None:
        with pytest.raises(InputError, match=match):
            TokenShards.open(tmp_path)

    refused(r"pack\.json: cannot be read: No such file or directory; wanted a folder that `corpus pack` has finished")
    (tmp_path / "pack.json").write_text("{")
    refused(r"pack\.json: is damaged")
    (tmp_path / "pack.json").write_text('{"version": 0}')
    refused("version 0 of the header, wanted 1")
    write_shards(tmp_path, [[[5, 2], [7, 2]]])
    data, index, header = (tmp_path / name for name in ("train-00000.bin", "train-00000.idx", "pack.json"))
    whole, said = data.read_bytes(), header.read_text()
    data.write_bytes(whole[:-1])
    refused(r"train-00000\.bin: cut off: 7 bytes, wanted 8")
    data.write_bytes(whole + b"\0")
    refused(r"train-00000\.bin: too long: 9 bytes, wanted 8")
    data.unlink()
    refused(r"train-00000\.bin: missing, but pack\.json names it")
    data.write_bytes(whole)
    header.write_text(said.replace("uint16", "int32"))
    refused(r"train-00000\.idx: says ids of type uint16, pack\.json says int32")
    header.write_text(said.replace('"num_documents": 2', '"num_documents": 3'))
    refused(r"train-00000\.idx: has 2 documents, pack\.json says 3")
    header.write_text(said.replace('"num_tokens": 4, "shards"', '"num_tokens": 5, "shards"'))
    refused("says 5 tokens, the shards hold 4")
    header.write_text(said)
    index.unlink()
    refused(r"train-00000\.idx: cannot be read: No such file or directory; pack again")


def test_a_changed_byte_is_found_by_its_checksum(tmp_path: Path) -> None:
    write_shards(tmp_path, [[[5, 2]], [[6, 2]]])
    (tmp_path / "train-00001.bin").write_bytes(bytes([7, 0, 2, 0]))
    read = TokenShards.open(tmp_path)
    with pytest.raises(InputError, match=r"train-00001\.bin: damaged: its sha256 is"):
        read.verify()
