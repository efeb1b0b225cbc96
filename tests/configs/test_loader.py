"""The strict loader: every error names the file, the line, the place, what stood there and what was wanted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from configs.errors import ConfigError
from configs.loader import Between, ByKey, Bytes, SettingError, Share, load, override, parse_bytes, parse_yaml, read_yaml


@dataclass(frozen=True, kw_only=True)
class Inner:
    share: Share = 0.5
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Other:
    size: Bytes = 1


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    count: Annotated[int, Between(1, 10)] = 3
    kind: Literal["red", "green"] = "red"
    inner: Inner = Inner()
    limits: dict[str, float] | None = None
    steps: Annotated[tuple[object, ...], ByKey("step", lambda: {"inner": Inner, "other": Other})] = ()
    low: float = 0
    high: float = 1

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise SettingError("low", f"got {self.low}, wanted at most high, which is {self.high}")


def loaded(text: str, *overrides: str) -> Outer:
    root = parse_yaml(text, "run.yaml")
    for assignment in overrides:
        override(root, assignment)
    return load(Outer, root)


def error(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text, *overrides)
    return str(caught.value)


def test_a_full_file_loads_with_the_types_of_its_fields() -> None:
    text = "name: a\ncount: 4\nkind: green\ninner: {share: 1, names: [x, y]}\nlimits: {zh: 1e-3}\nsteps: [inner, other: {size: 2MB}]"
    assert loaded(text) == Outer(
        name="a", count=4, kind="green", inner=Inner(share=1.0, names=("x", "y")), limits={"zh": 0.001},
        steps=(Inner(), Other(size=2_000_000)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\ninner:\n  shar: 1", "run.yaml:3: inner: unknown key 'shar'; did you mean 'share'?; known are: share, names"),
        ("count: 3", "run.yaml:1: key 'name' is missing"),
        ("name: a\nname: b", "run.yaml:2: key 'name' stands twice"),
        ("name: a\ncount: two", "run.yaml:2: count: got 'two', wanted a whole number"),
        ("name: a\ncount: 2.5", "run.yaml:2: count: got '2.5', wanted a whole number"),
        ("name: a\ncount: true", "run.yaml:2: count: got 'true', wanted a whole number"),
        ("name: a\ncount: 11", "run.yaml:2: count: got 11, wanted between 1 and 10"),
        ("name: a\ncount: 0", "run.yaml:2: count: got 0, wanted between 1 and 10"),
        ("name: a\ninner: {share: 1.01}", "run.yaml:2: inner.share: got 1.01, wanted between 0 and 1"),
        ("name: a\ninner: {share: .nan}", "run.yaml:2: inner.share: got '.nan', wanted a number"),
        ("name: a\nkind: gren", "run.yaml:2: kind: got 'gren', wanted one of red, green; did you mean 'green'?"),
        ("name: [a]", "run.yaml:1: name: got a list, wanted a text"),
        ("name:", "run.yaml:1: name: got nothing, wanted a text"),
        ("name: a\ninner: {names: [1, {b: c}]}", "run.yaml:2: inner.names[1]: got a mapping, wanted a text"),
        (
            "name: a\nsteps:\n - iner: {}",
            "run.yaml:3: steps[0]: unknown step 'iner'; did you mean 'inner'?; known are: inner, other",
        ),
        ("name: a\nsteps:\n - {inner: {}, other: {}}", "steps[0]: got a mapping, wanted one step with its settings"),
        ("name: a\nlow: 2", "run.yaml:2: low: got 2.0, wanted at most high, which is 1"),
        ("name: a\n  b: [", "run.yaml:2: not valid YAML"),
        ("- a", "run.yaml: wanted a mapping of settings at the top, got a list"),
        ("", "run.yaml: wanted a mapping of settings at the top, got nothing"),
    ],
)
def test_errors_say_where_what_and_what_was_wanted(text: str, message: str) -> None:
    assert message in error(text)


def test_bounds_are_included() -> None:
    assert loaded("name: a\ncount: 1").count == 1
    assert loaded("name: a\ncount: 10").count == 10


def test_words_that_yaml_1_1_takes_for_booleans_are_texts() -> None:
    assert [loaded(f"name: {word}").name for word in ("no", "yes", "on", "off")] == ["no", "yes", "on", "off"]


def test_overrides_reach_into_mappings_and_into_list_items_by_key_and_by_index() -> None:
    text = "name: a\nsteps:\n - inner: {share: 0.1}\n - other:"
    assert loaded(text, "steps.inner.share=0.2", "steps[1].other.size=5").steps == (Inner(share=0.2), Other(size=5))
    assert loaded(text, "inner.names=[p, q]", "count=7") == loaded(text + "\ncount: 7\ninner: {names: [p, q]}")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("count", "--set count: wanted KEY.KEY=VALUE"),
        ("steps.iner.share=1", "--set steps.iner.share=1: no item 'iner' in the list; did you mean 'inner'?"),
        ("steps.third.a=1", "no item 'third' in the list; it has inner: add the item in the file, then set its values here"),
        ("steps.5=1", "'steps.5': the list has 1 items, counted from 0"),
        ("name.first=1", "'name.first' has no settings below it; it is 'a'"),
        ("count=many", "--set count=many: count: got 'many', wanted a whole number"),
        ("steps.inner.shar=1", "--set steps.inner.shar=1: steps[0].inner: unknown key 'shar'; did you mean 'share'?"),
    ],
)
def test_a_bad_override_is_named(assignment: str, message: str) -> None:
    assert message in error("name: a\nsteps:\n - inner: {share: 0.1}", assignment)


def test_two_items_of_one_key_must_be_named_by_index() -> None:
    assert "2 items are called 'inner'" in error("name: a\nsteps: [inner: {}, inner: {}]", "steps.inner.share=1")


def test_a_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "sample.yaml").write_text("name: a")
    with pytest.raises(ConfigError, match=r"sampel.yaml: no such file; did you mean 'sample.yaml'\?"):
        read_yaml(tmp_path / "sampel.yaml")


def test_a_file_that_is_not_utf8_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "gbk.yaml"
    path.write_bytes("name: 语料".encode("gbk"))
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("64MiB", 64 << 20), ("1.5kB", 1500), ("12", None), ("GB", None), ("-1GB", None)]
)
def test_sizes_are_written_with_units(text: str, size: int | None) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("count", value) for value in ("010", "1:30", "!!int abc", "9" * 5000, "9" * 400 + "GB")],
        *[("low", value) for value in (".NaN", ".nan", "1:30.5", "!!float abc", "1e999")],
    ],
)
def test_what_yaml_takes_for_a_number_and_we_do_not_is_an_error_with_its_line(key: str, value: str) -> None:
    message = error(f"name: a\n{key}: {value}")
    assert message.startswith(f"run.yaml:2: {key}: got '{value.rpartition(' ')[2][:80]}")
    assert "wanted a " in message
    assert len(message) < 200


@pytest.mark.parametrize("spelling", [".inf", ".Inf", ".INF", "+.INF"])
def test_infinity_is_read_in_all_its_spellings(spelling: str) -> None:
    assert loaded(f"name: a\nhigh: {spelling}").high == float("inf")
    assert loaded(f"name: a\nlow: -{spelling.removeprefix('+')}").low == float("-inf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\ncount: \x01", "run.yaml:2: the character U+0001 may not stand in YAML; delete it"),
        ("name: a\n? [x]\n: 1", "run.yaml:2: got a list for a key, wanted a word"),
        ("name: a\ninner: {[x]: 1}", "run.yaml:2: got a list for a key, wanted a word"),
        ("name: a\nlimits: {{x: 1}: 1}", "run.yaml:2: got a mapping for a key, wanted a word"),
        ("name: " + "[" * 3000, "run.yaml: not valid YAML: lists or mappings are nested too deeply"),
        ("name: &a [*a]", "run.yaml:1: the alias of a value stands within that value"),
    ],
)
def test_strange_yaml_is_an_error_and_no_traceback(text: str, message: str) -> None:
    assert error(text) == message


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    laughs = "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else 'x'] * 10)}]" for i in range(9))
    assert "aliases make more than 100000 values" in error(laughs)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("name=\x01", "--set name=\x01: the character U+0001 may not stand in YAML; delete it"),
        ("steps.².size=1", "--set steps.².size=1: no item '²' in the list"),
        ("steps.٠.size=1", "--set steps.٠.size=1: no item '٠' in the list"),
        (f"steps.{'9' * 5000}=1", "the list has 1 items, counted from 0"),
        ("steps={[x]: 1}", "--set steps={[x]: 1}: got a list for a key, wanted a word"),
    ],
)
def test_a_strange_override_is_an_error_and_no_traceback(assignment: str, message: str) -> None:
    assert message in error("name: a\nsteps: [other]", assignment)


def test_an_override_of_an_anchor_leaves_its_aliases() -> None:
    text = "name: a\nsteps:\n- inner: &shared {share: 0.1}\n- other\n- inner: *shared"
    steps = loaded(text, "steps.0.inner.share=0.9").steps
    assert steps == (Inner(share=0.9), Other(), Inner(share=0.1))


def test_an_override_reaches_an_item_written_as_a_word() -> None:
    assert loaded("name: a\nsteps: [inner, other]", "steps.other.size=2MB").steps == (Inner(), Other(size=2_000_000))
    assert loaded("name: a\nsteps: [inner, other]", "steps.other={size: 3}").steps == (Inner(), Other(size=3))
