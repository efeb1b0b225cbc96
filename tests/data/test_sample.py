"""The bundled sample is what its program makes, and its labels are true: checked from the files alone, by slow and obvious means."""

import gzip
import html
import io
import ipaddress
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from pipeline import readers
from pipeline.config import Source

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
NO_FAULT_SHARED = {"repeated_sentence", "mixed", "control_characters", "pii"}
"""Labels that also good documents have."""


def make_sample(*options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "data/make_sample.py", *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def labels() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / "labels.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def sources() -> list[dict[str, str]]:
    loaded = yaml.safe_load(make_sample("--sources").stdout)
    assert isinstance(loaded, list)
    return loaded


@pytest.fixture(scope="module")
def texts(sources: list[dict[str, str]]) -> dict[tuple[str, int], str]:
    """The text of each document by path and record, read without our readers; of a web page its HTML, of a broken row its bytes."""
    return {(Path(source["path"]).name, record): text for source in sources for record, text in _records(ROOT / source["path"], source)}


def _records(path: Path, source: dict[str, str]) -> list[tuple[int, str]]:
    text_key = source.get("text_key", "text")
    data = path.read_bytes()
    if path.suffix == ".parquet":
        return list(enumerate((row[text_key] for row in pq.read_table(io.BytesIO(data)).to_pylist()), 1))
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompress(data)
    if ".warc" in path.name:
        members = enumerate(data.split(b"WARC/1.1\r\n")[1:], 1)
        return [(number, _decoded_page(member)) for number, member in members if b" 200 OK\r\nContent-Type: text/html" in member]
    lines = enumerate(data.split(b"\n"), 1)
    if path.suffix == ".txt":
        return _blocks(list(lines), source.get("encoding", "utf-8"))
    return [(number, _json_text(line, text_key)) for number, line in lines if line]


def _decoded_page(member: bytes) -> str:
    body = member.split(b"\r\n\r\n", 2)[2]
    charset = re.search(rb"charset=\"?([\w-]+)", body)
    assert charset is not None
    return body.decode(charset[1].decode())


def _blocks(lines: list[tuple[int, bytes]], encoding: str) -> list[tuple[int, str]]:
    blocks: list[tuple[int, list[bytes]]] = []
    before = b""
    for number, line in lines:
        if line and not before:
            blocks.append((number, []))
        if line:
            blocks[-1][1].append(line)
        before = line
    return [(number, b"\n".join(block).decode(encoding, "replace")) for number, block in blocks]


def _json_text(line: bytes, text_key: str) -> str:
    try:
        text = json.loads(line)[text_key]
    except (ValueError, KeyError, TypeError):
        text = None
    return text if isinstance(text, str) else line.decode("utf-8", "replace")


def _article(page: str) -> str:
    """The lines of the article on one of our pages."""
    inner = re.search(r'<div class="(?:post-)?content">\n(.*?)\n</div>', page, re.S)
    assert inner is not None
    return html.unescape("\n".join(re.findall("<p>(.*?)</p>", inner[1])))


def text_of(label: dict[str, Any], texts: dict[tuple[str, int], str]) -> str:
    text = texts[label["path"], label["record"]]
    return _article(text) if label["source"] == "crawl" else text


def _passages(lang: str) -> list[str]:
    files = [path.read_text("utf-8") for path in sorted((ROOT / "data" / "passages" / lang).glob("*.txt"))]
    return [part.split("\n", 1)[1].strip("\n") for file in files for part in f"\n{file}".split("\n%%% ")[1:]]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_program_makes_what_is_committed(hash_seed: str) -> None:
    result = make_sample("--check", hash_seed=hash_seed)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout


def test_the_sample_is_small_enough_for_git() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 2_000_000


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_passage_is_used_cleanly_exactly_once(lang: str, labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]) -> None:
    clean = Counter(text_of(label, texts) for label in labels if label["label"] == "clean" and label["lang"] == lang)
    passages = _passages(lang)
    assert clean == Counter(passages)
    assert max(clean.values()) == 1
    assert sum(300 <= len(passage) <= 1000 for passage in passages) >= 150


def test_a_passage_stands_verbatim_elsewhere_only_as_a_labelled_duplicate(
    labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]
) -> None:
    passages = {*_passages("zh"), *_passages("en")}
    elsewhere = {
        (label["label"], label["edit"])
        for label in labels
        if label["label"] != "clean" and label["edit"] != "web_page" and texts[label["path"], label["record"]] in passages
    }
    assert elsewhere == {("exact_duplicate", "verbatim")}


def test_labels_cover_every_record_once(labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]) -> None:
    assert Counter((label["path"], label["record"]) for label in labels) == Counter(texts.keys())
    assert len({label["id"] for label in labels}) == len(labels)


def test_labels_name_documents_as_the_readers_do(
    sources: list[dict[str, str]], labels: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    seen: Counter[str] = Counter()
    read = []
    for settings in sources:
        source = Source(**settings)
        (file,) = readers.list_source(source)
        inflating = readers.needs_inflating(file, source)
        pieces = readers.inflate(file, source, str(tmp_path / source.name), 1 << 24).pieces if inflating else None
        for piece in pieces or readers.pieces(file, source, 1 << 24):
            for rows in readers.read(piece, source, 1024):
                for row in rows.columns.select(["id", "source", "path", "record"]).to_pylist():
                    own_id = row["id"] or f"{row['source']}/{row['path']}#{row['record']}"
                    seen[own_id] += 1
                    read.append(row | {"id": own_id if seen[own_id] == 1 else f"{own_id}~{seen[own_id]}"})
    assert read == [{key: label[key] for key in ("id", "source", "path", "record")} for label in labels]


def test_chinese_has_every_fault_that_english_has(labels: list[dict[str, Any]]) -> None:
    faults: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label in labels:
        if label["lang"] in ("zh", "en") and label["label"] not in ("clean", "article", "repeated_id"):
            faults[label["lang"]][label["label"]] += 1
    assert len(faults["en"]) == 15
    assert all(faults["zh"][name] >= count for name, count in faults["en"].items())


def test_only_faulty_documents_are_to_be_dropped(labels: list[dict[str, Any]]) -> None:
    kept = {label["label"] for label in labels if label["keep"] is True}
    assert kept - NO_FAULT_SHARED == {"clean", "article", "letter", "code", "repeated_id"}
    assert all(label["keep"] is not False or label["label"] not in kept or label["edit"] == "dump" for label in labels)


def _slow_tokens(text: str) -> list[str]:
    """Character by character: a Han character is a token, and so is a run of other letters and digits."""
    tokens = [""]
    for character in text.lower():
        if "CJK" in unicodedata.name(character, "") and character.isalpha():
            tokens += [character, ""]
        elif character.isalnum():
            tokens[-1] += character
        else:
            tokens.append("")
    return [token for token in tokens if token]


def _slow_jaccard(left: str, right: str) -> float:
    a, b = ({" ".join(tokens[at : at + 5]) for at in range(len(tokens) - 4)} for tokens in (_slow_tokens(left), _slow_tokens(right)))
    return len([shingle for shingle in a if shingle in b]) / len([*a, *(shingle for shingle in b if shingle not in a)])


def test_labelled_similarity_is_true(labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]) -> None:
    by_id = {label["id"]: label for label in labels}
    compared = [label for label in labels if label["jaccard"] is not None]
    assert len(compared) > 100
    for label in compared:
        origin = by_id[label["of"]]
        assert origin["label"] == "clean"
        assert label["jaccard"] == pytest.approx(_slow_jaccard(text_of(label, texts), text_of(origin, texts)), abs=5e-5), label["id"]
        assert label["keep"] is (False if label["jaccard"] >= 0.8 else None), label["id"]


def _edit_distance(left: list[str], right: list[str]) -> int:
    row = list(range(len(right) + 1))
    for i, token in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            diagonal, row[j] = row[j], min(diagonal + (token != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def test_labelled_edit_rate_is_true(labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]) -> None:
    """Neighbouring edits can cancel or combine, so the distance is at most the number of edits, and little less."""
    by_id = {label["id"]: label for label in labels}
    one_of_each = {(label["edit_rate"], label["lang"]): label for label in labels if label["edit"] == "tokens"}
    assert {rate for rate, _ in one_of_each} == {0.01, 0.02, 0.05, 0.1, 0.2, 0.35}
    for label in one_of_each.values():
        origin = re.findall(r"[一-鿿]|[^\W一-鿿]+", text_of(by_id[label["of"]], texts))
        edited = re.findall(r"[一-鿿]|[^\W一-鿿]+", text_of(label, texts))
        edits = round(label["edit_rate"] * len(origin))
        assert 0.8 * edits <= _edit_distance(origin, edited) <= edits, label["id"]


def _passes_luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _is_invented_number(number: str) -> bool:
    """A mobile number of block 154, an identity number of area 99 with a valid check character, or a published test card."""
    if len(number) == 11:
        return number.startswith("1540000")
    if len(number) == 18:
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11]
        return number.startswith("99") and number[17] == check
    cards = {"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005", "6200000000000005"}
    return number in cards and _passes_luhn(number)


def test_personal_data_is_invented(texts: dict[tuple[str, int], str]) -> None:
    found: Counter[str] = Counter()
    for (path, record), text in texts.items():
        where = f"{path}#{record}"
        for number in re.findall(r"(?<![\w-])\d{11,}X?(?![\w-])", text, re.ASCII):
            assert _is_invented_number(number), f"{where}: {number}"
            found[f"{len(number)} digits"] += 1
        for host in re.findall(r"(?:@|https?://)([\w.-]+)|\b([\w-]+(?:\.[\w-]+)*\.(?:com|cn|org|net|io|gov|edu))\b", text, re.ASCII):
            name = "".join(host).rstrip(".")
            if "." in name:
                assert re.fullmatch(r"(?:[\w-]+\.)*example\.(?:com|org|cn)", name), f"{where}: {name}"
                found["host"] += 1
        for address in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text):
            assert not ipaddress.ip_address(address).is_global, f"{where}: {address}"
            found["address"] += 1
        for phone in re.findall(r"\(\d{3}\) \d{3}-\d{4}", text):
            assert phone.startswith("(202) 555-01"), f"{where}: {phone}"
            found["phone"] += 1
    assert min(found[kind] for kind in ("11 digits", "15 digits", "16 digits", "18 digits", "host", "address", "phone")) >= 5, found


def test_boilerplate_stands_in_many_documents(texts: dict[tuple[str, int], str]) -> None:
    for line in ("责任编辑：沈小舟", "版权所有 © 临溪在线 保留一切权利", "Share this article on your favourite social network"):
        assert sum(line in text for text in texts.values()) >= 10, line


def test_documents_of_one_label_are_not_all_alike(labels: list[dict[str, Any]], texts: dict[tuple[str, int], str]) -> None:
    """Spam, lists and lorem ipsum differ from document to document, so that they are found by what they are, not as duplicates."""
    for name in ("seo_spam", "listing", "lorem_ipsum", "symbol_noise"):
        group = [text_of(label, texts) for label in labels if label["label"] == name and label["source"] != "crawl"]
        assert all(left != right for left, right in pairwise(sorted(group))), name
