"""The learning rate by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.training.schedule import share_of_rate
from model.training.settings import ScheduleSettings

KINDS = st.sampled_from(["cosine", "wsd", "constant"])


def shares(num_steps: int, **settings: object) -> list[float]:
    return [round(share_of_rate(ScheduleSettings(**settings), step, num_steps), 3) for step in range(1, num_steps + 1)]  # type: ignore[arg-type]


def test_cosine_falls_from_the_end_of_the_warm_up_to_the_final_share() -> None:
    assert shares(6, warmup_steps=2, final_share=0.0) == [0.5, 1.0, 0.854, 0.5, 0.146, 0.0]
    assert shares(4, final_share=0.2) == [0.883, 0.6, 0.317, 0.2]


def test_wsd_is_flat_until_the_last_steps_then_a_line() -> None:
    assert shares(10, kind="wsd", warmup_steps=2, decay_share=0.4, final_share=0.0) == [0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_constant_stays() -> None:
    assert shares(4, kind="constant", warmup_steps=2) == [0.5, 1, 1, 1]


@given(KINDS, st.integers(0, 50), st.integers(1, 200), st.floats(0, 1), st.floats(0, 1))
def test_a_rate_rises_then_falls_and_stays_between_zero_and_the_highest(
    kind: str, warmup: int, num_steps: int, final: float, decay: float
) -> None:
    settings = ScheduleSettings(kind=kind, warmup_steps=warmup, final_share=final, decay_share=decay)  # type: ignore[arg-type]
    found = [share_of_rate(settings, step, num_steps) for step in range(1, num_steps + 1)]
    top = min(warmup, num_steps)
    assert all(0 <= share <= 1 for share in found)
    assert found[:top] == sorted(found[:top])
    assert found[top:] == sorted(found[top:], reverse=True)
    if kind == "cosine" and num_steps > warmup:
        assert found[-1] == pytest.approx(final)
