"""Tokenizers for tests: one learnt from the bundled sample, and any vocabulary written down by hand."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from pipeline.texts import texts
from tokenizer.codec import Tokenizer
from tokenizer.recipe import TrainConfig
from tokenizer.train import Trained, train

settings.register_profile("kernels", deadline=None)  # the first example of a kernel's test compiles the kernel
settings.load_profile("kernels")

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
REAL = Path(__file__).parents[3] / "shared" / "data"
INPUTS = tuple(
    str(SAMPLE / name)
    for name in (
        "zh_encyclopedia.jsonl",
        "en_encyclopedia.jsonl",
        "code.jsonl",
        "zh_news.jsonl.gz",
        "zh_law.txt",
        "en_law.txt",
        "web_en.jsonl",
        "web_zh.jsonl.gz",
    )
)


def sample_config(**settings: object) -> TrainConfig:
    return TrainConfig(**{"input": INPUTS, "output": "unused", "preset": "small_2k"} | settings)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def trained() -> Trained:
    return train(sample_config(), texts(INPUTS))


@pytest.fixture(scope="session")
def small(trained: Trained) -> Tokenizer:
    return Tokenizer(trained.model, "small")


def written_model(pieces: Sequence[tuple[str, float, int]], dummy_prefix: bool = False) -> bytes:
    """A BPE model with byte fallback: `<unk>`, the 256 bytes, then (piece, score, type)."""
    byte_pieces = [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    out = b"".join(_field(1, _piece(*piece)) for piece in [("<unk>", 0.0, 2), *byte_pieces, *pieces])
    trainer = _number(3, 2) + _number(35, 1)
    normalizer = _field(1, b"identity") + _number(3, int(dummy_prefix)) + _number(4, 0) + _number(5, 1)
    return out + _field(2, trainer) + _field(3, normalizer)


def batches_of(rows: Sequence[dict[str, object]]) -> Iterator[pa.RecordBatch]:
    fields = [pa.field("id", pa.string()), pa.field("text", pa.large_string())]
    fields += [pa.field(name, pa.string()) for name in ("lang", "domain") if rows and name in rows[0]]
    fields += [pa.field(name, pa.float64()) for name in ("sampling_weight", "weight") if rows and name in rows[0]]
    yield pa.RecordBatch.from_pylist(list(rows), schema=pa.schema(fields))


def _piece(text: str, score: float, kind: int) -> bytes:
    return _field(1, text.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", score) + _number(3, kind)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
