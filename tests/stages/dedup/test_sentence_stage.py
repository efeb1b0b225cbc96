"""Settings of `sentence_dedup`."""

import pytest

from configs.errors import ConfigError
from configs.loader import load, parse_yaml
from stages.dedup.sentence_stage import SentenceDedup


def test_nothing_is_stored_so_every_setting_can_be_selected_again() -> None:
    assert SentenceDedup().adds() == ()
    assert SentenceDedup(similarity=0.8, min_sentences=3).computed_by() == {}


@pytest.mark.parametrize("setting", ["similarity: 1.1", "min_sentences: 0", "keys: 0", "shingle: 1", "min_documents: 1", "bands: 8"])
def test_settings_out_of_bounds_are_refused_with_their_line(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml:1"):
        load(SentenceDedup, parse_yaml(setting, "run.yaml"))


def test_the_plan_says_what_goes_and_what_is_found() -> None:
    exact, near, edges = SentenceDedup().describe()
    assert exact.startswith("repeats of 2 sentences and 20 words or 40 characters, or of one of 50 words or 100 characters")
    assert near.endswith("0.9: 0.989, 0.95: 1.000, 0.99: 1.000")
    assert edges == "edges: openings in 20 documents, lines in 20% of a source"
    assert SentenceDedup(fuzzy=False).describe()[1].endswith("off")
