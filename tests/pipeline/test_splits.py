"""From files to splits: what makes them different, and how records are counted across them."""

import json
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.config import Source
from pipeline.local import LocalWork, annotate_split
from pipeline.readers import list_source, pieces
from pipeline.readers.piece import Piece
from pipeline.splits import ENTRY_BYTES, BadFile, OpenWork, Split, pack, record_bases
from pipeline.storage import FileInfo
from stages.batch import Batch
from stages.measure import Measure

SOURCE = Source(name="a", path="unused")


def piece(start: int, size: int, first_record: int | None = None) -> Piece:
    return Piece("uri", "file.jsonl", "jsonl", start, start + size, size, first_record)


def packed(entries: list[Piece | BadFile], num_bytes: int = 100, source: Source = SOURCE, num_entries: int = 2) -> list[tuple[int, ...]]:
    """Start of each entry, by split; a split has room for `num_entries` of `num_bytes` in all."""
    work = OpenWork(source, (FileInfo("uri", "file.jsonl", 1000, "1000-1"),), "folder", num_bytes + num_entries * ENTRY_BYTES)
    found = [e.as_json() if isinstance(e, Piece) else {"bad_file": e.__dict__} for e in entries]
    splits = pack({"key": work}, {"key": {"entries": [found]}})
    assert len({split.input_identity for split in splits}) == len(splits)
    return [tuple(e.start if isinstance(e, Piece) else -1 for e in split.entries) for split in splits]


def test_small_pieces_share_a_split_and_large_ones_have_their_own() -> None:
    pieces: list[Piece | BadFile] = [piece(0, 40), piece(40, 60), piece(100, 1), piece(101, 5000), piece(5101, 5)]
    assert packed(pieces) == [(0, 40), (100,), (101,), (5101,)]


def test_many_tiny_files_do_not_fill_one_split() -> None:
    assert len(packed([piece(i, 1) for i in range(10)], num_bytes=10, num_entries=4)) == 3


def test_a_bad_file_is_an_entry_after_what_could_be_read() -> None:
    assert packed([piece(0, 40), BadFile("file.jsonl", "truncated_file", "torn")]) == [(0, -1)]


def test_raw_shards_of_one_stream_with_equal_sizes_are_different_splits() -> None:
    assert packed([piece(0, 80, first_record=1), piece(0, 80, first_record=9)], num_entries=1) == [(0,), (0,)]


def test_max_bytes_stops_taking_pieces_once_they_hold_so_many() -> None:
    assert packed([piece(0, 80), piece(80, 80), piece(160, 80)], source=Source(name="a", path="p", max_bytes=100)) == [(0,), (80,)]


def test_no_piece_at_all_is_one_empty_split() -> None:
    assert packed([]) == [()]


def test_records_count_on_across_splits_of_a_file_unless_the_piece_knows_its_first() -> None:
    work = OpenWork(SOURCE, (FileInfo("uri", "file.jsonl", 1000, "1000-1"),), "folder", 100)
    pieces = [piece(0, 80, 1), piece(80, 80), piece(160, 80), piece(240, 80, first_record=31)]
    splits = pack({"key": work}, {"key": {"entries": [[p.as_json() for p in pieces]]}})
    assert record_bases(splits, [{"records": [n]} for n in (10, 7, 13, 5)]) == [[0], [10], [17], [0]]


class Sizes(Measure):
    """Notes how many rows it is given at once."""

    seen: ClassVar[list[int]] = []

    def annotate(self, batch: Batch) -> Batch:
        self.seen.append(len(batch))
        return super().annotate(batch)


@pytest.mark.parametrize(
    ("batch_rows", "num_chars", "sizes"),
    [(4, 10, [4, 4, 2]), (1, 10, [1] * 10), (100, 10, [10]), (100, 3 << 20, [2] * 5)],
)
def test_files_of_one_row_are_annotated_together_within_the_limits_of_a_batch(
    tmp_path: Path, batch_rows: int, num_chars: int, sizes: list[int]
) -> None:
    for i in range(10):
        (tmp_path / f"{i}.jsonl").write_text(json.dumps({"text": str(i) * num_chars}) + "\n\n", encoding="utf-8")
    source = Source(name="a", path=str(tmp_path / "*.jsonl"))
    entries = tuple(piece for file in list_source(source) for piece in pieces(file, source, 1 << 30))
    Sizes.seen.clear()
    done = annotate_split(LocalWork(Split(source, entries, 1, "x"), (Sizes(),), batch_rows, str(tmp_path / "shard.arrow")))
    assert [size for size in Sizes.seen if size] == sizes  # a reader ends with an empty batch
    assert done["rows"] == [1] * 10
    assert done["documents"] == 10
