from importlib import metadata
from pathlib import Path

import pytest

from configs.errors import InputError
from pipeline import readers
from tests.pipeline.readers.reading import read_all, source_of


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two installed distributions, and a folder for the constraints."""
    site = tmp_path / "site"
    files = {
        "alpha_one-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: alpha-one\nVersion: 1.0\n",
        "alpha_one-1.0.dist-info/licenses/LICENSE": b"Permission is granted",
        "alpha_one-1.0.dist-info/top_level.txt": b"alpha",
        "alpha/README.md": b"# Alpha",
        "alpha/docs/guide.rst": b"Guide\n=====",
        "alpha/code.py": b"pass",
        "alpha/NOTICE.txt": b"\xff\xfe",
        "beta-2.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: beta\nVersion: 2.0\n",
        "beta/AUTHORS": b"Somebody",
    }
    for name, data in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(data)
    for distribution, listed in (("alpha_one-1.0", "alpha"), ("beta-2.0", "beta")):
        lines = [f"{name},," for name in files if name.startswith(listed)] + ["alpha/gone.md,,", "../../etc/README,,"]
        (site / f"{distribution}.dist-info" / "RECORD").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(site))
    assert metadata.version("alpha-one") == "1.0"
    return tmp_path


def test_documents_are_the_docs_of_pinned_distributions_in_the_pinned_version(packages: Path) -> None:
    constraints = packages / "constraints.txt"
    constraints.write_text("# pins\nAlpha.One==1.0 ; python_version > '3'\nbeta==2.1\nabsent==1\n-r other.txt\nunpinned>=1\n")
    rows = read_all(source_of(constraints, format="python_docs"))
    assert [(row["id"], row["text"], row["fault"]) for row in rows] == [
        ("alpha-one-1.0/alpha/NOTICE.txt", "", "invalid_utf8"),
        ("alpha-one-1.0/alpha/README.md", "# Alpha", None),
        ("alpha-one-1.0/alpha/docs/guide.rst", "Guide\n=====", None),
        ("alpha-one-1.0/alpha_one-1.0.dist-info/licenses/LICENSE", "Permission is granted", None),
    ]
    assert all(row["path"] == row["id"] and row["record"] == 1 for row in rows)


def test_max_bytes_stops_adding_files(packages: Path) -> None:
    (packages / "constraints.txt").write_text("alpha-one==1.0\nbeta==2.0\n")
    sizes = [2, 7, 11, 21, 8]
    for max_bytes, count in ((1, 1), (2, 1), (3, 2), (20, 3), (21, 4), (1000, 5)):
        files = readers.list_source(source_of(packages, format="python_docs", max_bytes=max_bytes))
        assert [file.size for file in files] == sizes[:count]


def test_constraints_that_match_nothing_are_an_input_error(packages: Path) -> None:
    (packages / "constraints.txt").write_text("absent==1\n")
    with pytest.raises(InputError, match="pins no installed distribution"):
        readers.list_source(source_of(packages, format="python_docs"))
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        readers.list_source(source_of(packages / "none.txt", format="python_docs"))
