"""Which texts are held out, and what a sketch tells of what was learnt."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.texts import texts as texts_of
from tests.tokenizer.conftest import INPUTS, batches_of, sample_config
from tokenizer.card import card
from tokenizer.heldout import SKETCH_SIZE, Overlap, Sketch, is_held_out, part
from tokenizer.train import train


def texts(*values: str) -> pa.Array:
    return pa.array(values, pa.large_string())


def ids_of(batches: object) -> list[str]:
    return [name for batch in batches for name in batch["id"].to_pylist()]  # type: ignore[attr-defined]


def test_each_text_is_on_one_side_whatever_else_there_is() -> None:
    rows = [{"id": f"d{number}", "text": "x"} for number in range(2000)]
    held = ids_of(part(batches_of(rows), 0.2, 1, held_out=True))
    rest = ids_of(part(batches_of(rows), 0.2, 1, held_out=False))
    assert sorted(held + rest) == sorted(str(row["id"]) for row in rows)
    assert 320 < len(held) < 480  # 400 and 4.5 standard deviations
    assert ids_of(part(batches_of(rows[500:600]), 0.2, 1, held_out=True)) == [
        name for name in held if name in {f"d{n}" for n in range(500, 600)}
    ]
    assert set(ids_of(part(batches_of(rows), 0.1, 1, held_out=True))) < set(held)
    assert ids_of(part(batches_of(rows), 0.2, 2, held_out=True)) != held


def test_shares_at_the_ends_take_none_and_all() -> None:
    (batch,) = batches_of([{"id": f"d{number}", "text": "x"} for number in range(50)])
    assert not is_held_out(batch, 0.0, 1).any()
    assert is_held_out(batch, 1.0, 1).all()


@given(st.lists(st.text(max_size=5), max_size=30), st.lists(st.text(max_size=5), max_size=30))
def test_few_texts_are_all_checked(learnt: list[str], measured: list[str]) -> None:
    sketch = Sketch()
    sketch.add(texts(*learnt[:10]))
    sketch.add(texts(*learnt[10:]))
    overlap = Overlap(sketch.as_json())
    overlap.add(texts(*measured))
    assert sketch.as_json()["texts"] == len(learnt)
    assert (overlap.checked, overlap.learnt) == (len(measured), sum(text in set(learnt) for text in measured))


def test_of_many_texts_a_share_is_checked_in_any_order() -> None:
    many = [f"text {number}" for number in range(8 * SKETCH_SIZE)]
    one, other = Sketch(), Sketch()
    one.add(texts(*many))
    for low in range(len(many), 0, -1000):
        other.add(texts(*many[max(0, low - 1000) : low]))
    assert one.as_json() == other.as_json()
    assert len(one.as_json()["smallest_hashes"]) == SKETCH_SIZE
    learnt, unseen = Overlap(one.as_json()), Overlap(one.as_json())
    learnt.add(texts(*many))
    unseen.add(texts(*(f"other {number}" for number in range(8 * SKETCH_SIZE))))
    assert (learnt.checked, learnt.learnt) == (SKETCH_SIZE, SKETCH_SIZE)
    assert unseen.learnt == 0
    assert 0.8 * SKETCH_SIZE < unseen.checked < 1.2 * SKETCH_SIZE


def test_the_card_says_what_was_held_out() -> None:
    for share, says in ((0.0, False), (0.2, True)):
        facts = train(sample_config(held_out=share), texts_of(INPUTS)).facts
        assert ("Held out, to be measured on: a share of 0.2 of the texts, by hash of the id, split 1." in card(facts)) == says
