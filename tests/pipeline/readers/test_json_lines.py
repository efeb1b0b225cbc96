import json
import re
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from pipeline import readers, storage
from pipeline.readers import Piece
from pipeline.readers.json_columns import Keys
from stages.schema import RAW_BYTES
from tests.pipeline.readers.reading import brief, pieces_of, read_all, read_pieces, source_of

SHARED = Path(__file__).parents[4] / "shared" / "data"


def written(tmp_path: Path, *lines: bytes, name: str = "a.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines))
    return path


def test_a_row_has_the_text_the_id_the_url_and_the_other_fields_as_meta(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id":"a","b":[1,{"c":null}],"text":"你好\\n","url":"http://x/","a":2,"domain":"d"}\n'.encode())
    (row,) = read_all(source_of(path, licence="MIT", domain="law", lang="zh"))
    assert row == {
        "id": "a",
        "text": "你好\n",
        "source": "test",
        "domain": "law",
        "lang": "zh",
        "url": "http://x/",
        "licence": "MIT",
        "meta": '{"b":[1,{"c":null}],"a":2,"domain":"d"}',
        "path": "a.jsonl",
        "record": 1,
        "fault": None,
        "fault_detail": None,
        "raw": None,
    }


@pytest.mark.parametrize(
    ("value", "wanted_id", "meta"),
    [
        ('"x"', "x", None),
        ("17", "17", None),
        ("-9223372036854775808", "-9223372036854775808", None),
        ("true", None, '{"id":true}'),
        ("1.5", None, '{"id":1.5}'),
        ("null", None, '{"id":null}'),
        ('""', None, '{"id":""}'),
        ('["x"]', None, '{"id":["x"]}'),
    ],
)
def test_ids_are_strings_or_whole_numbers_and_others_stay_in_meta(
    tmp_path: Path, value: str, wanted_id: str | None, meta: str | None
) -> None:
    (row,) = read_all(source_of(written(tmp_path, f'{{"text":"t","id":{value}}}'.encode())))
    assert (row["id"], row["meta"]) == (wanted_id, meta)


def test_the_lang_field_wins_over_the_lang_of_the_source(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"text":"a","l":"en"}', b'{"text":"b","l":3}', b'{"text":"c"}')
    rows = read_all(source_of(path, lang="zh", lang_key="l"))
    assert [row["lang"] for row in rows] == ["en", "zh", "zh"]
    assert [row["meta"] for row in rows] == [None, '{"l":3}', None]


@pytest.mark.parametrize(
    ("line", "fault", "detail"),
    [
        (b'{"text": "half', "bad_json", "unexpected end"),
        (b'{"text": "a\x00b"}', "bad_json", "control character"),
        (b"\x00\x00", "bad_json", "unexpected character"),
        (b'{"text": "a", "x": NaN}', "bad_json", "unexpected character"),
        (b'{"text": "a", "x": 1e999}', "bad_json", "infinity"),
        (b"[" * 5000 + b"]" * 5000, "bad_json", "depth"),
        (b'{"text": "a", "x": ' + b"[" * 600 + b"]" * 600 + b"}", "bad_json", "nested too deeply"),
        (b'["text"]', "not_an_object", "is a list"),
        (b'"text"', "not_an_object", "is a string"),
        (b"null", "not_an_object", "is null"),
        (b"12", "not_an_object", "is a number"),
        (b'{"txt": "a"}', "no_text", "no field 'text'; the others are: 'txt'"),
        (b"{}", "no_text", "the others are: none"),
        (b'{"text": null}', "no_text", "is null"),
        (b'{"text": 1}', "text_not_a_string", "is a number"),
        (b'{"text": ["a"]}', "text_not_a_string", "is a list"),
        (b'{"text": true}', "text_not_a_string", "true or false"),
        (b'{"text": "\xff\xfe"}', "invalid_utf8", "byte 11 of the line"),
        (b'{"text": "\xed\xa0\x80"}', "invalid_utf8", "byte 11 of the line"),
        (b'{"text": "\\ud800"}', "invalid_unicode", "surrogate"),
    ],
)
def test_a_bad_line_is_a_row_with_its_fault_and_the_next_line_is_read(tmp_path: Path, line: bytes, fault: str, detail: str) -> None:
    bad, good = read_all(source_of(written(tmp_path, line, b'{"text":"good"}')))
    assert (bad["fault"], bad["text"], bad["record"], bad["raw"]) == (fault, "", 1, line)
    assert detail in bad["fault_detail"]
    assert (good["text"], good["fault"], good["record"]) == ("good", None, 2)


def test_a_row_without_text_keeps_its_id(tmp_path: Path) -> None:
    (row,) = read_all(source_of(written(tmp_path, b'{"id":"x","text":null,"url":"u"}')))
    assert (row["id"], row["url"], row["fault"]) == ("x", "u", "no_text")


def test_white_space_is_a_text_and_an_escaped_nul_too(tmp_path: Path) -> None:
    rows = read_all(source_of(written(tmp_path, b'{"text":" \\n"}', b'{"text":""}', b'{"text":"\\u0000"}')))
    assert [(row["text"], row["fault"]) for row in rows] == [(" \n", None), ("", None), ("\0", None)]


def test_blank_lines_count_and_give_no_row(tmp_path: Path) -> None:
    path = written(tmp_path, b"", b'{"text":"a"}\r', b"  \t", b"", b'{"text":"b"}', b"", b" ")
    source = source_of(path)
    assert brief(read_all(source)) == [(2, "a"), (5, "b")]
    (piece,) = pieces_of(source)
    assert [records for _, records in readers.read(piece, source, 100)] == [7]


def test_the_last_line_needs_no_newline_and_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert brief(read_all(source_of(written(tmp_path, b'{"text":"a"}')))) == [(1, "a")]
    assert read_all(source_of(written(tmp_path, b""))) == []


def test_a_byte_order_mark_at_the_start_is_dropped(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf{"text":"a"}', b'\xef\xbb\xbf{"text":"b"}')
    assert brief(read_all(source_of(path))) == [(1, "a"), (2, "<bad_json>")]


def test_a_text_of_the_largest_size_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    path = written(
        tmp_path, '{"text":"一二三四"}'.encode(), '{"text":"一二三四x", "id":"i"}'.encode(), b'{"text":"' + b"\\u4e00" * 4 + b'"}'
    )
    rows = read_all(source_of(path, max_document_bytes=12))
    assert [row["fault"] for row in rows] == [None, "document_too_large", None]
    assert (rows[1]["id"], rows[1]["raw"]) == ("i", "一二三四x".encode())
    assert rows[1]["fault_detail"] == "13 bytes of text; max_document_bytes is 12"


def test_raw_is_cut(tmp_path: Path) -> None:
    (row,) = read_all(source_of(written(tmp_path, b"x" * 100_000)))
    assert row["raw"] == b"x" * RAW_BYTES


def test_a_line_of_200_mb_is_one_fault_and_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text":"before"}\n{"text":"')
        file.seek(200_000_000)
        file.write(b'"}\n{"text":"after"}\n')
    source = source_of(path, max_document_bytes=1 << 20)
    tracemalloc.start()
    try:
        one = brief(read_all(source, target_bytes=1 << 30))
        many = brief(read_all(source, target_bytes=16 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one == many == [(1, "before"), (2, "<record_too_large>"), (3, "after")]
    assert peak < 16 << 20  # the limit of 3 MiB joined once, two reads of 1 MiB, rows


def test_the_record_limit_is_twice_the_document_and_a_mebibyte(tmp_path: Path) -> None:
    limit = 2 * 10 + (1 << 20)
    fits = b'{"text":"a"}'.ljust(limit)
    rows = read_all(source_of(written(tmp_path, fits, fits + b" ", b'{"text":"b"}'), max_document_bytes=10))
    assert brief(rows) == [(1, "a"), (2, "<record_too_large>"), (3, "b")]


LINES = st.lists(
    st.one_of(
        st.text(max_size=30).map(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "replace")),
        st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")),
        st.sampled_from([b"", b" ", b"\r", b"{}", b"\xef\xbb\xbf", b'{"text":"' + b"x" * 90 + b'"}']),
    ),
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(lines=LINES, ends=st.booleans(), target_bytes=st.integers(1, 200), batch_rows=st.integers(1, 9))
def test_any_split_gives_the_rows_of_one_piece(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ends: bool, target_bytes: int, batch_rows: int
) -> None:
    path = tmp_path_factory.mktemp("split") / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ends else b""))
    source = source_of(path, max_document_bytes=60)
    pieces = pieces_of(source, target_bytes=target_bytes)
    assert sum(piece.size for piece in pieces) == path.stat().st_size
    assert read_pieces(pieces, source, batch_rows) == read_all(source, target_bytes=1 << 30)


VALUES = [
    *re.findall(
        r"\S+", r'"" "a" "\n\t\"\\" "\/" "\u4e2d" "\ud83d\ude00" "\ud800" "\udc00x" "\u0041\u00e9" "\u12" "\x" "half "中文。é😀" "12-bytes"'
    ),
    *re.findall(
        r"\S+", "1 -0 0 01 123456789012345678 1234567890123456789 18446744073709551616 -5 1.50 1. .5 1e5 1E+10 1e400 - NaN true false null"
    ),
    *re.findall(r"\S+", '[] [1,"a",[true]] [1,2.0] [1,] [} {} {"a":1} {"a":1,"a":2} {"x":{"y":[{"z":null}]}} {"a"} nul "\x7f"'),
    *("[\t]", '{"a":\t1}', "[1\t,2]", "[" * 62 + "]" * 62),
]
KEYS = ["text", "id", "url", "lang", "a", "b", "ä中", "te\\u0078t", "", "k" * 40]
BLANKS = st.sampled_from(["", "", "", "", " ", "\t\r", "\x0b"])
TEXTS = st.sampled_from(["", '"text":"文\\n本 text, and more"', '"text":"t"'])
MEMBERS = st.tuples(BLANKS, st.sampled_from(KEYS), BLANKS, st.sampled_from(VALUES), BLANKS)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """A line of JSON, mostly valid; sometimes with a byte changed."""
    members = [f'{a}"{key}"{b}:{value}{c}' for a, key, b, value, c in draw(st.lists(MEMBERS, max_size=4))]
    members = draw(st.permutations([*members, *filter(None, [draw(TEXTS)])]))
    line = f"{draw(BLANKS)}{{{','.join(members)}}}{draw(BLANKS)}".encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(line) - 1))
        line = line[:at] + draw(st.binary(max_size=1).filter(lambda byte: byte != b"\n")) + line[at + 1 :]
    return line


@settings(max_examples=400, deadline=None)
@given(
    lines=st.lists(objects(), max_size=12),
    lang_key=st.sampled_from(["lang", None]),
    lang=st.sampled_from(["auto", "zh"]),
    max_document_bytes=st.sampled_from([9, 4 << 20]),
    batch_rows=st.integers(1, 9),
)
def test_columns_are_what_orjson_reads(lines: list[bytes], batch_rows: int, **settings: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "a.jsonl").write_bytes(b"\n".join(lines))
        source = source_of(folder, **settings)
        rows = read_all(source, batch_rows=batch_rows)
        patch.setattr(Keys, "of", lambda *_: None)  # no line is taken
        assert rows == read_all(source, batch_rows=batch_rows)


def test_a_file_that_was_cut_short_or_removed_after_listing_is_an_input_error(tmp_path: Path) -> None:
    path = written(tmp_path, *[b'{"text":"a"}'] * 100)
    source = source_of(path)
    (piece,) = pieces_of(source)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match=r"ends at byte 700, had 1299 when it was listed; run again"):
        read_pieces([piece], source)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.jsonl: no such file"):
        read_pieces([piece], source)


def test_rows_before_a_break_stand(tmp_path: Path) -> None:
    path = written(tmp_path, *[b'{"text":"a"}'] * 100)
    source = source_of(path)
    broken = Piece.from_json(pieces_of(source)[0].as_json() | {"end": 10_000})
    batches = readers.read(broken, source, 10)
    assert sum(next(batches).columns.num_rows for _ in range(9)) == 90
    with pytest.raises(InputError, match="ends at byte 1299"):
        list(batches)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real data in ../shared/data")
def test_real_reviews_are_read_whole_from_zstd(tmp_path: Path) -> None:
    source = source_of(SHARED / "reviews_zh.jsonl.zst")
    rows = read_all(source, tmp_path, target_bytes=500_000, batch_rows=1000)
    assert len(rows) == 12_208
    assert [row["record"] for row in rows] == list(range(1, 12_209))
    assert not any(row["fault"] for row in rows)
    assert {row["path"] for row in rows} == {"reviews_zh.jsonl.zst"}
    assert storage.list_names(str(tmp_path / "reviews_zh.jsonl.zst")) == {f"{index:06d}.raw" for index in range(7)}


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n"])
def test_runs_of_blank_lines_are_counted_and_passed_over_quickly(tmp_path: Path, blank: bytes) -> None:
    count = (20 << 20) // len(blank)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n' + blank * count + b'{"text": "b"}\n' + b"\n" * 5 + b'{"text": "c"}')
    started = time.process_time()
    rows = read_all(source_of(tmp_path), target_bytes=32 << 20)
    assert brief(rows) == [(1, "a"), (count + 2, "b"), (count + 8, "c")]
    assert time.process_time() - started < 3  # one by one: 16 s for 21 million lines


@given(
    parts=st.lists(st.sampled_from([b"\n" * 90, b" " * 50, b"\r\n", b'{"text": "a"}\n', b"x", b"\n"]), max_size=12),
    chunk_bytes=st.integers(1, 120),
    target_bytes=st.integers(1, 400),
)
def test_joined_blank_lines_leave_the_same_rows(parts: list[bytes], chunk_bytes: int, target_bytes: int) -> None:
    data = b"".join(parts)
    wanted = [(n, line) for n, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "a.jsonl").write_bytes(data)
        patch.setattr(storage, "chunk_bytes", lambda _: chunk_bytes)
        rows = read_all(source_of(folder), target_bytes=target_bytes)
    assert [row["record"] for row in rows] == [number for number, _ in wanted]


def test_a_line_of_spaces_that_is_too_long_is_still_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b" " * (2 << 20) + b"x\n" + b'{"text": "b"}\n')
    assert brief(read_all(source_of(tmp_path, max_document_bytes=1000), target_bytes=9 << 20)) == [(1, "<record_too_large>"), (2, "b")]
