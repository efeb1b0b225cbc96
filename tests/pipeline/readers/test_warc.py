import gzip
import json
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import readers
from pipeline.readers import warc
from pipeline.readers.rows import record_limit
from tests.pipeline.readers.reading import brief, pieces_of, read_all, read_pieces, source_of

AEB = Path(__file__).parents[4] / "shared" / "data" / "html" / "aeb"
SIMPLIFIED = "今天天气很好，我们去公园散步，看到许多花开了。"
TRADITIONAL = "今天天氣很好，我們去公園散步，看到許多花開了。"


def page(text: str, head: str = "") -> bytes:
    return f"<html><head>{head}<title>t</title></head><body><nav>menu</nav><article><p>{text}</p></article></body></html>".encode()


def http(body: bytes, headers: str = "Content-Type: text/html", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body


def record(kind: str, block: bytes, number: int = 0, claimed_bytes: int | None = None, newline: str = "\r\n") -> bytes:
    """A record as the standard wants it; `claimed_bytes` makes its Content-Length lie."""
    fields = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Record-ID: <urn:uuid:{number:08d}>",
        f"WARC-Target-URI: http://example.org/{number}",
        "WARC-Date: 2020-01-02T03:04:05Z",
        f"Content-Type: {'application/http; msgtype=response' if kind == 'response' else 'text/plain'}",
        f"Content-Length: {len(block) if claimed_bytes is None else claimed_bytes}",
    ]
    return newline.join([*fields, "", ""]).encode() + block + 2 * newline.encode()


def html_record(text: str, number: int = 0) -> bytes:
    return record("response", http(page(text)), number)


def written(tmp_path: Path, *records: bytes, name: str = "a.warc") -> Path:
    """Plain, or for .gz each record in its own member."""
    path = tmp_path / name
    path.write_bytes(b"".join(gzip.compress(r) for r in records) if name.endswith(".gz") else b"".join(records))
    return path


both = pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])


@both
def test_an_html_response_becomes_its_main_text(tmp_path: Path, name: str) -> None:
    (row,) = read_all(source_of(written(tmp_path, html_record(SIMPLIFIED, 7), name=name), domain="web"))
    assert (row["text"], row["id"], row["url"], row["record"]) == (SIMPLIFIED, "00000007", "http://example.org/7", 1)
    assert json.loads(row["meta"]) == {"date": "2020-01-02T03:04:05Z", "content_type": "text/html", "encoding": "utf-8"}


@both
def test_other_records_are_no_documents_but_take_a_number(tmp_path: Path, name: str) -> None:
    path = written(
        tmp_path,
        record("warcinfo", b"software: x"),
        record("request", b"GET / HTTP/1.1\r\n\r\n"),
        html_record("one"),
        record("response", http(b"\x89PNG", "Content-Type: image/png")),
        record("response", http(b"plain", "Content-Type: text/plain")),
        record("response", http(page("gone"), status="404 Not Found")),
        record("response", http(page("moved"), status="301 Moved")),
        record("metadata", b"x: y"),
        record("revisit", http(b"")),
        html_record("two"),
        name=name,
    )
    assert brief(read_all(source_of(path))) == [(3, "one"), (10, "two")]


def test_wet_conversions_are_text_as_it_stands(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        record("conversion", f"{SIMPLIFIED}\nline\n".encode(), 1),
        record("conversion", b"\xff", 2),
        record("conversion", b"", 3),
        name="a.wet.gz",
    )
    rows = read_all(source_of(path))
    assert brief(rows) == [(1, f"{SIMPLIFIED}\nline\n"), (2, "<invalid_utf8>"), (3, "<no_text>")]
    assert [row["id"] for row in rows] == ["00000001", "00000002", "00000003"]


@pytest.mark.parametrize(
    ("encoding", "text", "headers", "head", "found"),
    [
        ("gb18030", SIMPLIFIED, "Content-Type: text/html; charset=gb2312", "", "gb18030"),
        ("gbk", SIMPLIFIED, "Content-Type: text/html", '<meta charset="gbk">', "gb18030"),
        (
            "gbk",
            SIMPLIFIED,
            "Content-Type: text/html",
            '<meta http-equiv="Content-Type" content="text/html; charset=GB2312">',
            "gb18030",
        ),
        ("gb18030", SIMPLIFIED * 5, "Content-Type: text/html", "", "gb18030"),
        ("big5", TRADITIONAL, "Content-Type: text/html; charset=Big5", "", "big5"),
        ("big5", TRADITIONAL, "Content-Type: text/html", '<meta charset="big5">', "big5"),
        ("big5", TRADITIONAL * 5, "Content-Type: text/html", "", "big5"),
        ("utf-8", SIMPLIFIED, "Content-Type: text/html; charset=iso-8859-1", "", "utf-8"),
        ("utf-8", SIMPLIFIED, "Content-Type: text/html; charset=nonsense", '<meta charset="gbk">', "utf-8"),
        ("utf-8-sig", SIMPLIFIED, "Content-Type: text/html", "", "utf-8"),
        ("cp1252", "Un café très cher coûte deux euros à Nîmes", "Content-Type: text/html; charset=ISO-8859-1", "", "cp1252"),
        ("shift_jis", "今日はとても良い天気です", "Content-Type: text/html; charset=Shift_JIS", "", "shift_jis"),
    ],
)
def test_pages_in_old_encodings_come_out_right(tmp_path: Path, encoding: str, text: str, headers: str, head: str, found: str) -> None:
    body = page(text, head).decode().encode(encoding)
    (row,) = read_all(source_of(written(tmp_path, record("response", http(body, headers)))))
    assert (row["text"], json.loads(row["meta"])["encoding"]) == (text, found)


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize(
    ("headers", "encode"),
    [
        ("Content-Encoding: gzip", gzip.compress),
        ("Content-Encoding: deflate", zlib.compress),
        ("Transfer-Encoding: chunked", lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
        (
            "Content-Encoding: gzip\r\nTransfer-Encoding: chunked",
            lambda b: b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(b)), gzip.compress(b)),
        ),
    ],
)
def test_bodies_are_decoded_where_the_crawler_has_not(tmp_path: Path, headers: str, encode: object, encoded: bool) -> None:
    body = encode(page(SIMPLIFIED)) if encoded and callable(encode) else page(SIMPLIFIED)
    path = written(tmp_path, record("response", http(body, f"Content-Type: text/html\r\n{headers}")))
    assert brief(read_all(source_of(path))) == [(1, SIMPLIFIED)]


def test_a_body_that_expands_without_end_is_too_large_in_bounded_memory(tmp_path: Path) -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(compressor.compress(b" " * (1 << 20)) for _ in range(200)) + compressor.flush()
    path = written(tmp_path, record("response", http(body, "Content-Type: text/html\r\nContent-Encoding: gzip")), html_record("good"))
    rows = read_all(source_of(path, max_document_bytes=1 << 20))
    assert brief(rows) == [(1, "<record_too_large>"), (2, "good")]


def test_pages_without_text_are_faults(tmp_path: Path) -> None:
    pages = [b"", b"<html><body><nav>menu</nav></body></html>", b"\x00\x01\x02", b"<div>" * 5000 + b"deep"]
    rows = read_all(source_of(written(tmp_path, *[record("response", http(body)) for body in pages])))
    assert [row["fault"] for row in rows if row["fault"]] == ["no_main_content", "no_main_content", "too_deep_html"]


@both
def test_garbage_between_records_is_a_row_and_reading_goes_on(tmp_path: Path, name: str) -> None:
    rows = read_all(source_of(written(tmp_path, html_record("one"), b"garbage\r\nWARC/9\r\n", html_record("two"), name=name)))
    assert brief(rows) == [(1, "one"), (2, "<bad_warc_record>"), (3, "two")]
    assert rows[1]["raw"].startswith(b"garbage\r\n")


@both
@pytest.mark.parametrize("claimed_bytes", [0, 20, 5_000, 50_000_000, 10**17])
def test_a_lying_content_length_costs_one_record(tmp_path: Path, name: str, claimed_bytes: int) -> None:
    liar = record("response", http(page("liar")), claimed_bytes=claimed_bytes)
    rows = read_all(source_of(written(tmp_path, html_record("one"), liar, html_record("two"), html_record("three"), name=name)))
    found = brief(rows)
    assert found[0] == (1, "one")
    assert [text for _, text in found[1:-2]] == ["<bad_warc_record>"]
    assert [text for _, text in found[-2:]] == ["two", "three"]


@pytest.mark.parametrize(
    "header", [b"WARC/1.0\r\n\r\n", b"WARC/1.0\r\nContent-Length: -5\r\n\r\n", b"WARC/1.0\r\nContent-Length: x\r\n\r\nab\r\n\r\n"]
)
def test_a_header_without_a_valid_length_is_a_bad_record(tmp_path: Path, header: bytes) -> None:
    rows = read_all(source_of(written(tmp_path, header, html_record("good"))))
    assert brief(rows) == [(1, "<bad_warc_record>"), (2, "good")]


def test_a_header_that_does_not_end_is_a_bad_record(tmp_path: Path) -> None:
    rows = read_all(source_of(written(tmp_path, b"WARC/1.0\r\nx: " + b"y" * 200_000 + b"\r\n", html_record("good"))))
    assert brief(rows) == [(1, "<bad_warc_record>"), (2, "good")]


@both
def test_a_file_that_ends_in_a_record_has_a_bad_record_at_the_end(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, html_record("one"), html_record("two"), name=name)
    path.write_bytes(path.read_bytes()[:-30])
    assert brief(read_all(source_of(path))) == [(1, "one"), (2, "<bad_warc_record>")]


@pytest.mark.parametrize("at", [0, 2, 12, 40, -6])
def test_a_damaged_member_costs_one_record(tmp_path: Path, at: int) -> None:
    """At the magic, the method, in the data, and in the checksum."""
    one, two, three = (gzip.compress(html_record(text, number)) for number, text in enumerate(["one", "two", "three"]))
    bad = bytearray(two)
    bad[at] ^= 0xFF
    path = tmp_path / "a.warc.gz"
    path.write_bytes(one + bytes(bad) + three)
    assert brief(read_all(source_of(path))) == [(1, "one"), (2, "<bad_warc_record>"), (3, "three")]


def test_headers_that_end_lines_with_lf_alone_are_read(tmp_path: Path) -> None:
    assert brief(read_all(source_of(written(tmp_path, record("conversion", b"text", newline="\n"), html_record("b"))))) == [
        (1, "text"),
        (2, "b"),
    ]


def test_one_single_member_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(b"".join(html_record(str(number)) for number in range(50))) + b"\0" * 512)
    assert len(pieces_of(source_of(path), target_bytes=1)) == 1
    assert brief(read_all(source_of(path))) == [(number + 1, str(number)) for number in range(50)]


def test_a_record_above_the_limit_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    with path.open("wb") as file:
        file.write(html_record("one") + record("response", b"", claimed_bytes=100_000_000).removesuffix(b"\r\n\r\n"))
        file.seek(100_000_000, 1)
        file.write(b"\r\n\r\n" + html_record("two"))
    tracemalloc.start()
    try:
        rows = read_all(source_of(path, max_document_bytes=1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert brief(rows) == [(1, "one"), (2, "<record_too_large>"), (3, "two")]
    assert peak < 16 << 20


def test_the_index_tells_where_each_record_begins(tmp_path: Path) -> None:
    one, two = html_record("one"), html_record("two and more")
    plain, packed = source_of(written(tmp_path, one, two)), source_of(written(tmp_path, one, two, name="b.warc.gz"))
    (file,) = readers.list_source(plain)
    assert warc.index(file, record_limit(plain)) == [(0, len(one) - 4, 1), (len(one), len(two) - 4, 1)]
    (file,) = readers.list_source(packed)
    assert warc.index(file, record_limit(packed)) == [(0, len(one) - 4, 1), (len(gzip.compress(one)), len(two) - 4, 1)]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read_all(source_of(written(tmp_path))) == []
    assert read_all(source_of(written(tmp_path, b"", name="a.warc.gz"))) == []


PARTS = st.lists(
    st.sampled_from(
        [
            html_record("one"),
            record("conversion", b"text"),
            record("request", b"GET"),
            record("response", http(page("liar")), claimed_bytes=9),
            record("response", http(page("liar")), claimed_bytes=900),
            record("conversion", b"z" * 3000),
            b"garbage",
            b"\r\n",
            b"WARC/1.0\r\n",
        ]
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(
    parts=PARTS,
    cut=st.integers(0, 50),
    flip=st.integers(0, 5000),
    target_bytes=st.integers(1, 2000),
    name=st.sampled_from(["a.warc", "a.warc.gz"]),
)
def test_any_split_of_any_damaged_file_gives_the_rows_of_one_piece(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cut: int, flip: int, target_bytes: int, name: str
) -> None:
    path = written(tmp_path_factory.mktemp("split"), *parts, name=name)
    data = bytearray(path.read_bytes())
    if flip < len(data):
        data[flip] ^= 0x55
    path.write_bytes(data[: len(data) - cut])
    source = source_of(path, max_document_bytes=2000)
    pieces = pieces_of(source, target_bytes=target_bytes)
    assert read_pieces(pieces, source, 3) == read_all(source, target_bytes=1 << 30)


@pytest.mark.skipif(not AEB.is_dir(), reason="needs the real data in ../shared/data")
def test_real_pages_give_most_of_the_article_that_people_marked(tmp_path: Path) -> None:
    """Recall and precision of 4-word shingles against the gold text of 181 news pages."""
    gold = json.loads((AEB / "ground-truth.json").read_text(encoding="utf-8"))
    names = sorted(gold)
    blocks = [gzip.decompress((AEB / "html" / f"{name}.html.gz").read_bytes()) for name in names]
    rows = read_all(source_of(written(tmp_path, *[record("response", http(b), n) for n, b in enumerate(blocks)], name="a.warc.gz")))
    found = {int(row["id"]): row["text"] for row in rows}

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return set(zip(words, words[1:], words[2:], words[3:], strict=False))

    recall, precision = [], []
    for number, name in enumerate(names):
        wanted, got = shingles(gold[name]["articleBody"]), shingles(found.get(number, ""))
        recall.append(len(wanted & got) / max(len(wanted), 1))
        precision.append(len(wanted & got) / max(len(got), 1))
    assert sum(recall) / len(recall) > 0.95
    assert sum(precision) / len(precision) > 0.87
