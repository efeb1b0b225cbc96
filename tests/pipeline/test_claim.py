"""An output folder belongs to one run; what others put there is never deleted, believed or mixed in."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigError, RunError
from pipeline.config import load_run
from pipeline.reselect import select
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts
from tests.pipeline.test_run import corpus_of_many, finish

Maker = Callable[..., Path]


@pytest.mark.parametrize(
    "override",
    ["sources.a.text_key=extra", "sources.a.domain=law", "sources.a.licence=MIT", "sources.a.max_bytes=5", "name=other", "seed=3"],
)
def test_any_changed_setting_is_another_run(make_config: Maker, override: str) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    before = (Path(folder) / "run.json").read_bytes()
    with pytest.raises(RunError, match="another configuration"):
        finish(config, override)
    assert (Path(folder) / "run.json").read_bytes() == before


@pytest.mark.parametrize("options", [{}, {"overwrite": True}])
def test_a_folder_with_files_of_others_is_left_alone(make_config: Maker, tmp_path: Path, options: dict[str, bool]) -> None:
    config = make_config(corpus_of_many())
    folder = Path(load_run(config).output)
    (folder / "work" / "thesis").mkdir(parents=True)
    (folder / "work" / "thesis" / "x").write_text("mine")
    with pytest.raises(RunError, match="files that no run of ours wrote"):
        finish(config, **options)
    (folder / "work" / "thesis" / "x").rename(folder / "README.md")
    with pytest.raises(RunError, match=r"files that no run of ours wrote \(README.md"):
        finish(config, **options)
    assert (folder / "README.md").read_text() == "mine"


def test_a_users_folder_in_work_survives_a_finished_run(make_config: Maker, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "notes-1234").mkdir(parents=True)
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    (Path(folder) / "work" / "notes-1234").mkdir()
    finish(config, "stages.document_dedup.similarity=0.9", overwrite=True)
    assert (Path(folder) / "work" / "notes-1234").is_dir()


def test_a_selection_never_replaces_a_run(make_config: Maker) -> None:
    _, one = finish(make_config(corpus_of_many(), name="one"))
    _, two = finish(make_config({"a": [{"text": prose(1)}]}, name="two"))
    before = output_bytes(two)
    with pytest.raises(RunError, match=r"choose another output"):
        select(one, two, [], quiet=True)
    with pytest.raises(RunError, match="is the run itself"):
        select(one, one, [], quiet=True)
    assert output_bytes(two) == before


def test_selections_of_two_runs_are_not_mixed_in_one_folder(make_config: Maker, tmp_path: Path) -> None:
    _, one = finish(make_config(corpus_of_many(), name="one"))
    _, two = finish(make_config({"a": [{"text": prose(1)}]}, name="two"))
    selected = str(tmp_path / "selected")
    select(one, selected, [], quiet=True)
    with pytest.raises(RunError, match="choose another output"):
        select(two, selected, [], quiet=True)
    assert select(two, selected, [], quiet=True, overwrite=True)["documents"]["kept"] == 1
    assert read_parts(selected, "corpus").num_rows == 1


def test_a_strange_part_in_the_outputs_is_refused(make_config: Maker) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    shutil.copy(Path(folder) / "corpus/part-000000.parquet", Path(folder) / "corpus/part-000099.parquet")
    with pytest.raises(RunError, match=r"'part-000099.parquet' is not of this run"):
        finish(config)


def test_what_an_overwritten_run_left_cannot_be_selected_from(make_config: Maker, tmp_path: Path) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(b"\x1f\x8b\x08torn")
    with pytest.raises(Exception, match="torn"):
        finish(config, f"sources.a.path={torn}", overwrite=True)
    with pytest.raises(RunError, match="did not get as far as its selection"):
        select(folder, str(tmp_path / "x"), [], quiet=True)


def test_infinite_bounds_survive_a_selection(make_config: Maker, tmp_path: Path) -> None:
    stages = [{"heuristics": {"overrides": {"num_words": {"min": float("-inf"), "max": float("inf")}}}}]
    _, folder = finish(make_config(corpus_of_many(), stages=stages))
    select(folder, str(tmp_path / "again"), [], quiet=True)
    assert output_bytes(tmp_path / "again") == output_bytes(folder)


def test_a_run_can_be_moved_and_selected_from_anywhere(make_config: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, folder = finish(make_config(corpus_of_many(), output="relative/out"))
    shutil.move(folder, tmp_path / "moved")
    monkeypatch.chdir("/")
    select(str(tmp_path / "moved"), str(tmp_path / "again"), [], quiet=True)
    assert ledger(tmp_path / "again").keys() == ledger(tmp_path / "moved").keys()


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: os.truncate(p, 100)], ids=["gone", "truncated"])
def test_damaged_intermediates_are_named(make_config: Maker, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    _, folder = finish(make_config(corpus_of_many()))
    damage(next((Path(folder) / "work" / "shards").glob("*.arrow")))
    with pytest.raises(RunError, match=r"\.arrow: this intermediate is missing or damaged"):
        select(folder, str(tmp_path / "x"), [], quiet=True)


def test_damaged_records_and_parts_are_named_and_damaged_statistics_are_made_again(make_config: Maker) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    before = output_bytes(folder)
    (Path(folder) / "summary.json").write_text("[1")
    for path in (Path(folder) / "work" / "shards").glob("*.json"):
        os.truncate(path, 10)
    finish(config)
    assert output_bytes(folder) == before

    (Path(folder) / "summary.json").unlink()
    os.truncate(Path(folder) / "corpus/part-000000.parquet", 50)
    with pytest.raises(RunError, match=r"part-000000\.parquet: is damaged.*delete it"):
        finish(config)
    (Path(folder) / "corpus/part-000000.parquet").unlink()
    finish(config)
    assert output_bytes(folder) == before

    (Path(folder) / "run.json").write_text('{"identity"')
    with pytest.raises(RunError, match=r"run\.json: is damaged"):
        finish(config)


def test_outputs_do_not_go_where_a_source_is_read(make_config: Maker, tmp_path: Path) -> None:
    config = make_config({"a": [{"text": "a"}]})
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "x.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(ConfigError, match="is where source 'a' is read from"):
        finish(config, f"sources.a.path={tmp_path}/input", f"output={tmp_path}/input/out")
