"""Personal data: a set of hard cases written by hand, and what holds for any bytes."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.loader import SettingError
from stages.batch import Batch
from stages.edits import Span, decide, remove
from stages.pii import KINDS, NAMES
from stages.pii.anchors import anchors
from stages.pii.stage import Pii, find
from stages.text.buffers import TextBuffer, text_buffer

MARK = re.compile(r"\[\[(\w+):(.*?)\]\]")
Hits = list[tuple[str, str]]


class Case(NamedTuple):
    text: str
    expected: Hits


def cases(name: str = "hard_cases.txt") -> list[Case]:
    """The lines of a file of cases."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    texts = [line.replace("⏎", "\n") for line in lines if line and not line.startswith("# ")]
    return [Case(MARK.sub(r"\2", text.replace("\n", "⏎")).replace("⏎", "\n"), marks(text)) for text in texts]


def marks(text: str) -> Hits:
    return [(kind, value.replace("⏎", "\n")) for kind, value in MARK.findall(text.replace("\n", "⏎"))]


TEXTS = st.lists(st.sampled_from([case.text for case in cases()]) | st.text(max_size=20), max_size=8)


def hits_of(*texts: str) -> list[Hits]:
    found: list[Hits] = [[] for _ in texts]
    for document, kind, start, end in find(text_buffer(pa.array(texts, pa.large_string()))):
        found[document].append((kind, texts[document].encode()[start:end].decode()))
    return found


def scores(found: list[Hits], expected: list[Hits]) -> dict[str, tuple[float, float, int]]:
    """Kind -> recall, precision, number of true ones."""
    right, said, true = Counter[str](), Counter[str](), Counter[str]()
    for a, b in zip(found, expected, strict=True):
        said.update(kind for kind, _ in a)
        true.update(kind for kind, _ in b)
        right.update(kind for kind, _ in (Counter(a) & Counter(b)).elements())
    return {kind: (right[kind] / max(1, true[kind]), right[kind] / max(1, said[kind]), true[kind]) for kind in NAMES}


def test_precision_and_recall_on_hard_cases_by_kind() -> None:
    every = cases()
    found = hits_of(*(case.text for case in every))
    wrong = [(case.text, hits, case.expected) for case, hits in zip(every, found, strict=True) if hits != case.expected]
    for kind, (recall, precision, number) in scores(found, [case.expected for case in every]).items():
        assert number >= 6, kind
        assert recall >= 0.98, (kind, wrong)
        assert precision >= 0.98, (kind, wrong)


def test_precision_and_recall_on_held_out_cases_by_kind() -> None:
    every = cases("held_out_cases.txt")
    found = hits_of(*(case.text for case in every))
    wrong = [(case.text, hits, case.expected) for case, hits in zip(every, found, strict=True) if hits != case.expected]
    for kind, (recall, precision, number) in scores(found, [case.expected for case in every]).items():
        assert number >= 10, kind
        assert recall == 1, (kind, wrong)
        assert precision == 1, (kind, wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13812345678 39.156.66.10 200 1532", [("phone", "13812345678"), ("ip", "39.156.66.10")]),
        ("hop 12 39.156.66.10 1.25 ms", [("ip", "39.156.66.10")]),
        ("39.156.66.10 13812345678", [("ip", "39.156.66.10"), ("phone", "13812345678")]),
        ("+352 26.12.34.56", [("phone", "+352 26.12.34.56")]),
        ("?mobile=13812345678&uid=13812345678", [("phone", "13812345678")]),
        ("/13812345678/13912345678", []),
        ("13812345678/13912345678", [("phone", "13812345678"), ("phone", "13912345678")]),
        ("appSecret=9f3KqT72bLxVz1mW&next=1", [("api_key", "9f3KqT72bLxVz1mW")]),
        ("apisecret9f3KqT72bLxVz1mW", []),
        (
            "header -----BEGIN PRIVATE KEY----- and⏎-----BEGIN PRIVATE KEY-----⏎MIIEpAIBAAKCAQEA7Zq0vXc3⏎-----END PRIVATE KEY-----",
            [("private_key", "-----BEGIN PRIVATE KEY-----⏎MIIEpAIBAAKCAQEA7Zq0vXc3⏎-----END PRIVATE KEY-----")],
        ),
        ("持股13812345678股，股东电话13812345678 股东", [("phone", "13812345678")]),
    ],
)
def test_what_stands_beside_a_number(text: str, expected: Hits) -> None:
    assert hits_of(text) == [expected]


@pytest.mark.parametrize(("word", "expected"), [("手机 ", [("phone", "13812345678")]), ("订单 ", [])])
def test_words_before_a_long_row_of_numbers_hold_for_all_of_it(word: str, expected: Hits) -> None:
    assert hits_of(word + "12 34 56 " * 100 + "13812345678") == [expected]


def test_a_megabyte_of_numbers_is_looked_at_once() -> None:
    """With all that stands before it copied for each number this would be more than half a terabyte."""
    assert hits_of("12 34 56 " * 110_000 + "13812345678") == [[("phone", "13812345678")]]


BOT = "4839201756:AAHk3mQzT9wLr2Xb-VnC7yJd5_pUfEsGiOa"


@pytest.mark.parametrize("text", [f"{BOT}", f"https://api.telegram.org/bot{BOT}/getMe", f"机器人{BOT}。", f"id 7 {BOT} 12", f"1.5 {BOT}"])
def test_keys_of_bots_are_found(text: str) -> None:
    assert hits_of(text) == [[("api_key", BOT)]]


@pytest.mark.parametrize(
    "text",
    [
        BOT + "a",
        BOT[:-1],
        BOT[4:],
        "77" + BOT,
        "20240131:the-34-best-places-to-eat-in-spring",
        "20240131:" + "SERIAL-0183-2201-8837-AAXZ-9912-KKQW"[:35],
        "16000000:90000000",
        "20240131:12:30:59",
        "12345678:" + "a" * 35,
        "10000000:" + "Your_Bot_Key_1_Goes_Here_Your_Bot_K",
    ],
)
def test_what_only_looks_like_the_key_of_a_bot_is_left(text: str) -> None:
    assert hits_of(text) == [[]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_masked_by_its_own_placeholder(kind) -> None:
    case = next(c for c in cases() if [k for k, _ in c.expected] == [kind.name])
    batch = Pii().annotate(batch_of(case.text))
    (spans,) = batch["pii_spans"].to_pylist()
    assert [(s["rule"], s["replacement"]) for s in spans] == [(f"pii_{kind.name}", kind.mask)]
    assert batch[f"pii_{kind.name}"].to_pylist() == [1]


def batch_of(*texts: str) -> Batch:
    return Batch(pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())}))


def test_a_kind_that_is_not_masked_is_counted() -> None:
    batch = Pii(mask=("email",)).annotate(batch_of("电话 13800138000，邮箱 li.lei@corp.cn"))
    assert [span["rule"] for span in batch["pii_spans"].to_pylist()[0]] == ["pii_email"]
    assert (batch["pii_phone"].to_pylist(), batch["pii_email"].to_pylist()) == ([1], [1])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("邮箱：13812345678@163.com", "13812345678@163.com"),
        ("13812345678-wang@163.com", "13812345678-wang@163.com"),
        ("wang-13812345678@163.com", "wang-13812345678@163.com"),
    ],
)
@pytest.mark.parametrize("masked", [("email",), ("email", "phone"), NAMES])
def test_an_address_that_begins_with_a_number_is_masked_whole(text: str, address: str, masked: Any) -> None:
    batch = Pii(mask=masked).annotate(batch_of(text))
    (spans,) = batch["pii_spans"].to_pylist()
    start = len(text.encode()) - len(address)
    assert [(span["start"], span["end"], span["replacement"]) for span in spans] == [(start, start + len(address), "<EMAIL>")]
    assert (batch["pii_email"].to_pylist(), batch["pii_phone"].to_pylist()) == ([1], [0])


def test_what_is_not_masked_hides_nothing_that_is() -> None:
    batch = Pii(mask=("phone",)).annotate(batch_of("13812345678-wang@163.com"))
    assert [(span["start"], span["end"], span["rule"]) for span in batch["pii_spans"].to_pylist()[0]] == [(0, 11, "pii_phone")]


@given(TEXTS, st.sets(st.sampled_from(NAMES)))
def test_all_of_a_masked_kind_goes_whatever_else_is_masked(texts: list[str], masked: set[str]) -> None:
    """A span of the kind alone is covered by a span of some masked kind, in part at least."""
    text = "。".join(texts)
    (spans,) = Pii(mask=tuple(sorted(masked))).annotate(batch_of(text))["pii_spans"].to_pylist()
    assert {span["rule"] for span in spans} <= {f"pii_{kind}" for kind in masked}
    for kind in masked:
        (alone,) = Pii(mask=(kind,)).annotate(batch_of(text))["pii_spans"].to_pylist()
        assert all(any(span["start"] < own["end"] and own["start"] < span["end"] for span in spans) for own in alone)


def test_a_document_with_as_many_hits_as_set_is_dropped() -> None:
    batch = Pii().annotate(batch_of("手机13800138000、13912345678", "手机13800138000", ""))
    table = pa.Table.from_batches([batch.columns])
    assert {k: v.tolist() for k, v in Pii(drop_from={"phone": 2}).reasons(table).items()} == {"pii_phone": [True, False, False]}
    assert Pii(drop_from={"phone": 3}).reasons(table) == {}
    assert Pii().reasons(table) == {}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingError, match="drop_from"):
        Pii(drop_from={"phones": 1})


@given(TEXTS, TEXTS)
def test_documents_beside_it_change_nothing(texts: list[str], others: list[str]) -> None:
    assert hits_of(*others, *texts)[len(others) :] == [hits_of(text)[0] for text in texts]


@given(TEXTS)
def test_each_hit_is_replaced_once(texts: list[str]) -> None:
    text = "。".join(texts)
    (hits,) = hits_of(text)
    (spans,) = Pii().annotate(batch_of(text))["pii_spans"].to_pylist()
    masked = remove(text.encode(), decide([Span(**span) for span in spans], text.encode()).cuts).decode()
    masks = dict(KINDS)
    for name, mask in masks.items():
        assert masked.count(mask) == text.count(mask) + sum(kind == name for kind, _ in hits)
    assert len(masked) == len(text) + sum(len(masks[kind]) - len(value) for kind, value in hits)


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"-----BEGIN", b"138\xef\xbc", b"a@b.c\xe4", b"1.2.3.4\xff", b"::1:2:3"]), max_size=6
    )
)
def test_invalid_bytes_give_no_read_outside_and_ordered_hits(parts: list[bytes]) -> None:
    data = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    text = TextBuffer(data, offsets)
    found = anchors(text)
    assert (found.start <= found.end).all()
    assert (found.start >= offsets[found.document]).all()
    assert (found.end <= offsets[found.document + 1]).all()
    hits = [(document, start, end) for document, _, start, end in find(text)]
    assert hits == sorted(hits)
    assert all(start < end <= len(parts[document]) for document, start, end in hits)
