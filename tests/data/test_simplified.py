"""The table of simplified characters is what its program makes of OpenCC's dictionaries."""

from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_table_of_simplified_characters_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opencc")
    monkeypatch.syspath_prepend(ROOT / "data")
    import make_simplified

    written = make_simplified.FILE.read_text(encoding="utf-8")
    installed = metadata.version("OpenCC")
    if f"OpenCC {installed} " not in written:
        pytest.skip(f"the table was made with another version than OpenCC {installed}, which is installed")
    assert written == make_simplified.content()
