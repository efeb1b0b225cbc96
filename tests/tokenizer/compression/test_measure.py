"""Counts over documents, by hand on a vocabulary of a few pieces."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.conftest import written_model
from tokenizer.compression.measure import BYTES, CHANGED, CHARACTERS, TOKENS, WORDS, Measurement, Table, figures, groups
from tokenizer.foreign import Encoded, Measured, open_tokenizer
from tokenizer.model_file import NORMAL

PIECES = ["a", "b", "中", "▁", "ab", "▁a"]
ROWS: list[dict[str, str | None]] = [
    {"id": "1", "text": "ab ab", "lang": "en", "domain": "web"},  # ab ▁a b: "▁a" scores below "ab"
    {"id": "2", "text": "中中é", "lang": "zh-hans", "domain": "web"},  # 中 中 and two bytes
    {"id": "3", "text": "", "lang": "zh", "domain": "law"},
    {"id": "4", "text": "a a", "lang": "zh", "domain": "law"},  # a ▁a
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    file = tmp_path_factory.mktemp("tiny") / "tiny.model"
    file.write_bytes(written_model([(piece, -float(score), NORMAL) for score, piece in enumerate(["▁a", *PIECES[:3], "▁", "ab"])]))
    return open_tokenizer(str(file))


class Picky:
    """A byte for each token; refuses texts with an x, and forgets capitals."""

    format = "picky"

    def __init__(self, tiny: Measured) -> None:
        self.pieces = tiny.pieces

    def encode(self, column: pa.Array) -> Encoded:
        texts = [b"" if "x" in text else text.lower().encode() for text in column.to_pylist()]
        offsets = [0]
        for text in texts:
            offsets.append(offsets[-1] + len(text))
        refused = {row: "has an x" for row, text in enumerate(column.to_pylist()) if "x" in text}
        return Encoded(np.array(offsets, np.int64), np.frombuffer(b"".join(texts), np.uint8).astype(np.int32) + 1, refused)

    def decode(self, encoded: Encoded) -> list[bytes]:
        data = (encoded.ids - 1).astype("uint8").tobytes()
        return [data[start:end] for start, end in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]


def measured(rows: list[dict[str, str | None]], size: int = 100, **tokenizers: Measured) -> Table:
    found = Measurement(tokenizers)
    for low in range(0, len(rows), size):
        found.add(pa.RecordBatch.from_pylist(rows[low : low + size]))
    return found.table()


def test_figures_by_hand(tiny: Measured) -> None:
    table = measured(ROWS, tiny=tiny)
    assert table.texts[:, CHARACTERS].tolist() == [5, 3, 0, 3]
    assert table.texts[:, BYTES].tolist() == [5, 8, 0, 3]
    assert table.texts[:, WORDS].tolist() == [2, -1, -1, -1]
    assert table.uses["tiny"].counts[:, TOKENS].tolist() == [3, 4, 0, 2]
    assert figures(table, "tiny", table.texts[:, BYTES] >= 0) == {
        "tokens": 9,
        "tokens_per_char": 9 / 11,
        "bytes_per_token": 16 / 9,
        "tokens_per_word": 3 / 2,
        "byte_share": 2 / 9,
        "unknown_tokens": 0,
        "round_trip_failures": 0,
    }
    pieces = [surface for surface, uses in zip(tiny.pieces.surfaces, table.uses["tiny"].pieces, strict=True) for _ in range(uses)]
    assert sorted(pieces) == sorted([b"ab", b" a", b"b", "中".encode(), "中".encode(), b"\xc3", b"\xa9", b"a", b" a"])


def test_groups_are_all_languages_and_domains_with_their_usual_language(tiny: Measured) -> None:
    found = groups(measured(ROWS, tiny=tiny))
    assert [(lang, domain, rows.tolist()) for lang, domain, rows in found] == [
        (None, None, [True] * 4),
        ("en", None, [True, False, False, False]),
        ("zh", None, [False, True, True, True]),
        ("zh", "law", [False, False, True, True]),
        ("en", "web", [True, True, False, False]),
    ]
    assert [group[:2] for group in groups(measured([{"id": "1", "text": "a"}], tiny=tiny))] == [(None, None), ("", None), ("", "")]


def test_a_group_without_text_has_no_ratios(tiny: Measured) -> None:
    table = measured([{"id": "1", "text": None}, {"id": "2", "text": ""}], tiny=tiny)
    found = figures(table, "tiny", table.texts[:, BYTES] >= 0)
    assert (found["tokens"], found["tokens_per_char"], found["bytes_per_token"], found["tokens_per_word"]) == (0, None, None, None)


def test_a_refused_text_counts_for_none_and_is_named(tiny: Measured) -> None:
    rows: list[dict[str, str | None]] = [{"id": f"d{place}", "text": text} for place, text in enumerate(["ab", "axb", "ba", "x"])]
    table = measured(rows, 3, tiny=tiny, picky=Picky(tiny))
    assert (table.documents_read, len(table.langs)) == (4, 2)
    assert table.texts[:, CHARACTERS].tolist() == [2, 2]
    assert table.uses["tiny"].counts[:, TOKENS].tolist() == [1, 2]
    assert table.uses["tiny"].pieces.sum() == 3
    assert (table.uses["tiny"].refused, table.uses["picky"].refused) == (0, 2)
    assert table.uses["picky"].named == [
        {"row": 1, "id": "d1", "why": "refused: has an x"},
        {"row": 3, "id": "d3", "why": "refused: has an x"},
    ]


def test_texts_that_do_not_come_back_are_counted_and_the_first_are_named(tiny: Measured) -> None:
    rows: list[dict[str, str | None]] = [{"id": f"d{place}", "text": "Ab" if place % 2 else "ab"} for place in range(60)]
    table = measured(rows, 7, picky=Picky(tiny))
    assert figures(table, "picky", table.texts[:, BYTES] >= 0)["round_trip_failures"] == 30
    assert [found["row"] for found in table.uses["picky"].named] == list(range(1, 40, 2))
    assert table.uses["picky"].named[0]["why"] == "does not come back as it was"


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("ab中 é\n"), max_size=8), max_size=12), st.integers(1, 5))
def test_batches_decide_nothing(tiny: Measured, texts: list[str], size: int) -> None:
    rows: list[dict[str, str | None]] = [{"id": str(place), "text": text, "lang": "en"} for place, text in enumerate(texts)]
    one, other = measured(rows, size, tiny=tiny), measured(rows, max(1, len(rows)), tiny=tiny)
    assert one.texts.tolist() == other.texts.tolist()
    assert one.uses["tiny"].counts.tolist() == other.uses["tiny"].counts.tolist()
    assert one.uses["tiny"].pieces.tolist() == other.uses["tiny"].pieces.tolist()
    assert one.texts[:, WORDS].tolist() == [len(text.split()) for text in texts]


def test_nothing_is_decoded_where_it_is_not_asked_for(tiny: Measured) -> None:
    found = Measurement({"picky": Picky(tiny)}, round_trip=False)
    found.add(pa.RecordBatch.from_pylist([{"id": "1", "text": "AB"}]))
    assert found.table().uses["picky"].counts[:, CHANGED].tolist() == [0]
