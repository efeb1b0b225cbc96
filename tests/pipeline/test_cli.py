"""The command's exit statuses."""

import sys
from typing import Any

import pytest

from pipeline import cli


def status(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["corpus", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("pipeline.config.load_run", ("run", "x.yaml")),
        ("pipeline.reselect.select", ("select", "x", "--output", "y")),
    ],
)
def test_ctrl_c_says_that_what_is_done_is_kept(
    place: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    assert status(monkeypatch, *arguments) == 130
    assert capsys.readouterr().err == "stopped; what is done is kept: run the same command again to continue\n"


@pytest.mark.parametrize("arguments", [("run",), ("nope",), ("run", "--nope"), ("run", "no-such-file.yaml")])
def test_a_wrong_call_prints_its_error_and_exits_2(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, *arguments) == 2
    assert "rror" in capsys.readouterr().err


def test_help_exits_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status(monkeypatch, "--help") == 0
