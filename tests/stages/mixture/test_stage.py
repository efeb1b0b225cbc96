"""Settings of the stage: what is refused, and where it is said."""

from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.loader import load, parse_yaml
from stages.mixture.stage import Mixture, check_domains


def mixture(text: str) -> Mixture:
    return load(Mixture, parse_yaml(text, "run.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: manual", r"method: manual shares need either shares.*or file"),
        ("{method: manual, shares: {a: 1}, file: m.yaml}", "method: manual shares need either"),
        ("{method: unimax, shares: {a: 1}}", r"run.yaml:1: shares: the method is unimax, which would not read them"),
        ("{method: manual, shares: {a: 0.5, b: 0.4}}", "shares: the shares sum to 0.9, wanted 1"),
        ("{languages: {zh: 0.5, en: 0.6}}", "languages: the shares sum to 1.1, wanted 1"),
        ("{method: manual, shares: {a: -0.5, b: 1.5}}", "shares.a: got -0.5, wanted at least 0"),
        ("{temperature: 0.5}", "temperature: got 0.5, wanted between 1 and 1000"),
        ("{max_epochs: 0}", "max_epochs: got 0"),
        ("{held_out: {share: 0.6}}", "held_out.share: got 0.6"),
        ("{method: doremi}", "method: got 'doremi', wanted one of natural, manual, temperature, unimax"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mixture(text)


def test_shares_as_a_rounded_file_has_them_are_taken() -> None:
    assert mixture("{method: manual, shares: {a: 0.333, b: 0.333, c: 0.333}}").given() == {"a": 0.333, "b": 0.333, "c": 0.333}


def test_given_shares_must_name_the_domains_of_the_run() -> None:
    stage = mixture("{method: manual, shares: {law: 0.5, newz: 0.5}}")
    with pytest.raises(ConfigError, match=r"stages\[0\]\.mixture\.shares: no source has the domain 'newz'; did you mean 'news'"):
        check_domains([stage], ["law", "news"])
    with pytest.raises(ConfigError, match=r"no share for web; give each domain one, 0 to leave it out"):
        check_domains([stage], ["law", "newz", "web"])


def test_a_mixture_file_is_checked_like_shares(tmp_path: Path) -> None:
    path = tmp_path / "mixture.yaml"
    stage = Mixture(method="manual", file=str(path))
    for text, message in (
        ("shares: {a: 0.5}", "mixture.yaml: shares: the shares sum to 0.5"),
        ("share: {a: 1}", "unknown key 'share'; did you mean 'shares'"),
        ("shares: [a]", "shares: got a list, wanted a mapping"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            stage.check()
    path.write_text("# by hand\nshares: {a: 0.25, b: 0.75}\n", encoding="utf-8")
    assert stage.given() == {"a": 0.25, "b": 0.75}


def test_the_shipped_mixtures_load() -> None:
    from configs.loader import CONFIGS
    from pipeline.config import load_run

    files = sorted((CONFIGS / "mixture").glob("*.yaml"))
    assert files
    for path in files:
        assert any(isinstance(stage, Mixture) for stage in load_run(path).stages)
