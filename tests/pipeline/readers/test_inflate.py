import bz2
import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from pipeline import readers, storage
from pipeline.readers import Inflated
from tests.pipeline.readers.reading import brief, read_all, read_pieces, source_of

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress}
LINES = [b'{"text":"%d"}' % number for number in range(1000)]
WHOLE = [(number + 1, str(number)) for number in range(1000)]

every_compression = pytest.mark.parametrize("ending", sorted(COMPRESS))


def inflated(path: Path, target_bytes: int = 4000, max_expansion: int = 1000) -> Inflated:
    source = source_of(path, max_expansion=max_expansion)
    (file,) = readers.list_source(source)
    assert readers.needs_inflating(file, source)
    return readers.inflate(file, source, str(path.parent / "raw"), target_bytes)


def written(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@every_compression
def test_a_stream_becomes_shards_of_whole_lines_with_known_numbers(tmp_path: Path, ending: str) -> None:
    result = inflated(written(tmp_path, f"a.jsonl.{ending}", COMPRESS[ending](b"\n".join(LINES))))
    assert (result.error, result.fault) == (None, None)
    assert [piece.first_record for piece in result.pieces] == [1, 275, 542, 809]
    # 10 lines of 13 bytes, 90 of 14, then of 15: 274 lines are the first to reach 4,000 bytes, then 267.
    assert all(4000 <= piece.size < 4015 for piece in result.pieces[:-1])
    assert {piece.relative for piece in result.pieces} == {f"a.jsonl.{ending}"}
    assert brief(read_pieces(result.pieces, source_of(tmp_path))) == WHOLE


@every_compression
def test_members_and_frames_are_one_stream(tmp_path: Path, ending: str) -> None:
    compress = COMPRESS[ending]
    data = b"\n".join(LINES)
    path = written(tmp_path, f"a.jsonl.{ending}", compress(data[:5000]) + compress(data[5000:5001]) + compress(b"") + compress(data[5001:]))
    assert brief(read_pieces(inflated(path).pieces, source_of(path))) == WHOLE


@every_compression
@pytest.mark.parametrize("cut", [1, 8, 40])
def test_of_a_truncated_stream_the_complete_lines_before_are_kept(tmp_path: Path, ending: str, cut: int) -> None:
    compress = COMPRESS[ending]
    whole = compress(b"\n".join(LINES[:600]) + b"\n") + compress(b"\n".join(LINES[600:]))
    result = inflated(written(tmp_path, f"a.jsonl.{ending}", whole[:-cut]))
    assert result.fault == "truncated_file"
    assert result.error is not None
    assert f"a.jsonl.{ending}: truncated or damaged" in result.error
    rows = brief(read_pieces(result.pieces, source_of(tmp_path)))
    assert rows == WHOLE[: len(rows)]
    assert len(rows) >= 600


@every_compression
def test_what_is_not_compressed_at_all_gives_no_rows_and_an_error(tmp_path: Path, ending: str) -> None:
    result = inflated(written(tmp_path, f"a.jsonl.{ending}", b'{"text":"plain"}\n'))
    assert (result.pieces, result.fault) == ([], "truncated_file")


@every_compression
def test_an_empty_file_has_no_rows_and_no_error(tmp_path: Path, ending: str) -> None:
    assert inflated(written(tmp_path, f"a.jsonl.{ending}", b"")) == Inflated([], None, None)
    assert inflated(written(tmp_path, f"b.jsonl.{ending}", COMPRESS[ending](b""))) == Inflated([], None, None)


def test_a_stream_that_expands_without_end_is_stopped_in_bounded_memory(tmp_path: Path) -> None:
    line = b'{"text":"%s"}\n' % (b"x" * 1000)
    bomb = zstandard.compress(line * 150_000)  # 150 MB in some 15 kB
    path = written(tmp_path, "a.jsonl.zst", bomb)
    tracemalloc.start()
    try:
        stopped = inflated(path, target_bytes=16 << 20, max_expansion=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stopped.fault == "expands_without_end"
    assert "raise max_expansion" in str(stopped.error)
    assert sum(piece.size for piece in stopped.pieces) <= len(bomb) + (64 << 20)
    assert peak < 8 << 20
    assert inflated(path, target_bytes=16 << 20, max_expansion=100_000).error is None


def test_a_window_above_128_mib_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    result = inflated(written(tmp_path, "a.jsonl.zst", compressor.compress(b"{}\n") + compressor.flush()))
    assert result.pieces == []
    assert "too much memory" in str(result.error)


def test_a_text_file_stays_one_document_and_blocks_stay_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt.gz", gzip.compress(b"one\n\ntwo\nthree\n" * 100))
    raw = tmp_path / "raw"
    assert brief(read_all(source_of(path), raw, target_bytes=64)) == [(1, "one\n\ntwo\nthree\n" * 100)]
    blocks = brief(read_all(source_of(path, documents="block"), raw, target_bytes=64))
    assert blocks[:3] == [(1, "one"), (3, "two\nthree\none"), (7, "two\nthree\none")]
    assert len(blocks) == 101
    assert len(brief(read_all(source_of(path, documents="line"), raw, target_bytes=64))) == 300


def test_a_truncated_text_file_is_no_document(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt.gz", gzip.compress(b"one\ntwo\n")[:-4])
    with pytest.raises(InputError, match="truncated"):
        read_all(source_of(path), tmp_path / "raw")


def test_parquet_and_warc_members_need_no_inflating(tmp_path: Path) -> None:
    wanted = {"a.parquet": False, "a.warc.gz": False, "a.warc": False, "a.warc.zst": True, "a.json.gz": True, "a.txt": False}
    for name in wanted:
        written(tmp_path, name, b"")
    source = source_of(tmp_path)
    assert {file.relative: readers.needs_inflating(file, source) for file in readers.list_source(source)} == wanted


def test_a_file_that_is_gone_is_an_input_error(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl.gz", gzip.compress(b"{}"))
    source = source_of(path)
    (file,) = storage.list_files(str(path))
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        readers.inflate(file, source, str(tmp_path / "raw"), 1000)


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(st.sampled_from([b'{"text":"a"}', b"\n", b"\n\n", b"x", "中".encode()]), max_size=40).map(b"".join),
    target_bytes=st.integers(1, 100),
)
def test_any_shard_size_gives_the_rows_of_the_plain_file(tmp_path_factory: pytest.TempPathFactory, data: bytes, target_bytes: int) -> None:
    folder = tmp_path_factory.mktemp("inflate")
    plain = read_all(source_of(written(folder, "a.jsonl", data)))
    packed = read_all(source_of(written(folder, "a.jsonl.gz", gzip.compress(data))), folder / "raw", target_bytes)
    assert [row | {"path": "a.jsonl"} for row in packed] == plain
