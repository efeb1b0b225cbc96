"""YAML into frozen dataclasses, strictly: each error says the file, the line, the place, what stood there and what was wanted.

A configuration is a keyword-only frozen dataclass beside its owner. The YAML node tree is kept until the values are known to be
good, so a message can name the line: `configs/sample.yaml:14: stages[3].quality: unknown key 'min_scor'; did you mean
'min_score'?`. Rejected alternative: pydantic. It is heavier to import, it reports places without lines, and `model/` must load its
configurations on a GPU node that has only torch.

Supported types: bool, int, float, str, `Literal`, `tuple[T, ...]`, `dict[str, T]`, `T | None`, nested dataclasses, each refined
with `Annotated[T, Between(...)]`; a field annotated with `ByKey` holds a list of `{key: settings}` items chosen from a registry.
"""

import copy
import dataclasses
import difflib
import json
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml
from yaml.reader import ReaderError

from configs.bounds import Between, Bytes, Count, Positive, SettingError, Share
from configs.errors import ConfigError

CONFIGS = Path(__file__).parent
"""The folder of the shipped YAML files; rule files and models that a run names are searched here too."""

# fmt: off
__all__ = [
    "CONFIGS", "Between", "ByKey", "Bytes", "Count", "Positive", "SettingError", "Share",
    "find_file", "load", "load_with_options", "override", "parse_bytes", "parse_yaml", "read_yaml",
]
# fmt: on

T = TypeVar("T")


@dataclass(frozen=True)
class ByKey:
    """A list of one-key mappings; `classes` gives the dataclass of each key at load time."""

    what: str
    classes: Callable[[], Mapping[str, type]]


class _Yaml(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 floats: `1e-3` is a number, and `yes`, `no`, `on`, `off` are words, as in YAML 1.2."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not (tag.endswith(":bool") and first in "yYnNoO")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def read_yaml(path: str | Path) -> yaml.MappingNode:
    """The root mapping of a YAML file, with line marks.

    Raises `ConfigError` if the file is missing, is not UTF-8 YAML, or holds something else than one mapping.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        near = _nearest(Path(path).name, [p.name for p in Path(path).parent.glob("*.yaml")]) if Path(path).parent.is_dir() else ""
        raise ConfigError(f"{name}: no such file{near}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read as UTF-8 text: {error}") from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> yaml.MappingNode:
    """As `read_yaml`, from a text; `name` stands for the file in messages. What an alias names is copied: each stands for itself."""
    node = _compose(text, name, name)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{name}: wanted a mapping of settings at the top, got {_describe(node)}")
    return node


def _compose(text: str, name: str, place: str) -> yaml.Node | None:
    """The tree of a text, without sharing and with plain keys. Raises `ConfigError` with the line of what is wrong."""
    is_file = not place.startswith("--set ")
    try:
        loader = _Yaml(text)
        loader.name = name
        node = loader.get_single_node()
        return _own_copy(node, [_MAX_NODES]) if node is not None else None
    except ReaderError as error:
        where = f":{text.count(chr(10), 0, error.position) + 1}" if is_file else ""
        code = ord(error.character) if isinstance(error.character, str) else error.character
        raise ConfigError(f"{place}{where}: the character U+{code:04X} may not stand in YAML; delete it") from None
    except RecursionError:
        raise ConfigError(f"{place}: not valid YAML: lists or mappings are nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark and is_file else ""
        raise ConfigError(f"{place}{where}: not valid YAML: {getattr(error, 'problem', error)}") from None


_MAX_NODES = 100_000
"""Aliases of aliases grow without end ('a billion laughs'); no configuration has so many values."""


def _own_copy(node: yaml.Node, left: list[int], parents: tuple[int, ...] = ()) -> yaml.Node:
    left[0] -= 1
    if left[0] < 0:
        raise _error(node, "", f"aliases make more than {_MAX_NODES} values")
    if id(node) in parents:
        raise _error(node, "", "the alias of a value stands within that value")
    parents = (*parents, id(node))
    node = copy.copy(node)
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, "", f"got {_describe(key)} for a key, wanted a word")
        node.value = [(copy.copy(key), _own_copy(value, left, parents)) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        node.value = [_own_copy(item, left, parents) for item in node.value]
    return node


def _marks(origin: str) -> tuple[yaml.Mark, yaml.Mark]:
    return (yaml.Mark(origin, 0, 0, 0, None, 0),) * 2


def override(root: yaml.MappingNode, assignment: str) -> None:
    """Apply one `--set a.b.c=value` to the tree in place. List items are named by their key, or by index: `stages[2]`, `stages.0`.

    `stages.document_dedup.bands=20` finds the stage by its key. Missing keys of mappings are created; the strict load afterwards
    refuses those that do not exist.
    """
    origin = f"--set {assignment}"
    path, equals, value = assignment.partition("=")
    if not equals or not path:
        raise ConfigError(f"{origin}: wanted KEY.KEY=VALUE")
    new = _compose(value, origin, origin) or yaml.ScalarNode("tag:yaml.org,2002:null", "", *_marks(origin))
    node: yaml.Node = root
    steps = path.replace("[", ".").replace("]", "").split(".")
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        done = ".".join(steps[: depth + 1])
        if isinstance(node, yaml.SequenceNode):
            node = _list_item(node, step, origin, done, new if last else None)
        elif isinstance(node, yaml.MappingNode):
            node = _map_item(node, step, origin, new if last else None)
        else:
            raise ConfigError(f"{origin}: '{done}' has no settings below it; it is {_describe(node)}")


def _map_item(node: yaml.MappingNode, step: str, origin: str, new: yaml.Node | None) -> yaml.Node:
    mark = yaml.Mark(origin, 0, 0, 0, None, 0)
    for index, (key, value) in enumerate(node.value):
        if key.value == step:
            if new is not None:
                node.value[index] = (key, new)
                return new
            if isinstance(value, yaml.ScalarNode) and value.tag.endswith(":null"):
                empty = yaml.MappingNode("tag:yaml.org,2002:map", [], mark, mark)
                node.value[index] = (key, empty)
                return empty
            return cast(yaml.Node, value)
    value = new if new is not None else yaml.MappingNode("tag:yaml.org,2002:map", [], mark, mark)
    node.value.append((yaml.ScalarNode("tag:yaml.org,2002:str", step, mark, mark), value))
    return value


def _list_item(node: yaml.SequenceNode, step: str, origin: str, done: str, new: yaml.Node | None) -> yaml.Node:
    if step.isascii() and step.isdecimal():
        if len(step) > 9 or int(step) >= len(node.value):
            raise ConfigError(f"{origin}: '{done}': the list has {len(node.value)} items, counted from 0")
        if new is not None:
            node.value[int(step)] = new
            return new
        return cast(yaml.Node, node.value[int(step)])
    named: list[tuple[int, yaml.Node]] = []
    for index, item in enumerate(node.value):
        if isinstance(item, yaml.MappingNode) and len(item.value) == 1 and item.value[0][0].value == step:
            named.append((0, item))
        elif isinstance(item, yaml.MappingNode) and any(k.value == "name" and v.value == step for k, v in item.value):
            named.append((1, item))
        elif isinstance(item, yaml.ScalarNode) and item.value == step:
            named.append((0, _word_as_item(node, index)))
    if len(named) > 1:
        raise ConfigError(f"{origin}: {len(named)} items are called '{step}'; name one by index, as in '{done.rpartition('.')[0]}[0]'")
    if not named:
        known = [i.value[0][0].value if isinstance(i, yaml.MappingNode) else i.value for i in node.value if i.value]
        hint = (
            _nearest(step, known)
            or f"; it has {', '.join(map(str, known)) or 'no item'}: add the item in the file, then set its values here"
        )
        raise ConfigError(f"{origin}: no item '{step}' in the list{hint}")
    by_name, item = named[0]
    assert isinstance(item, yaml.MappingNode)
    return item if by_name else _map_item(item, step, origin, new)


def _word_as_item(node: yaml.SequenceNode, index: int) -> yaml.MappingNode:
    """Write `- document_dedup` as `- document_dedup: {}`, which it means."""
    word = node.value[index]
    empty = yaml.MappingNode("tag:yaml.org,2002:map", [], word.start_mark, word.end_mark)
    node.value[index] = item = yaml.MappingNode("tag:yaml.org,2002:map", [(word, empty)], word.start_mark, word.end_mark)
    return item


def load_with_options(cls: type[T], path: Path | None, named: Mapping[str, Any], required: Sequence[str], overrides: Sequence[str]) -> T:
    """A configuration from a YAML file, from options of the command line, or from a file with options instead of its settings.

    Options that are `None` were not given. Without a file those in `required` must be. Raises `ConfigError`.
    """
    given = {key: value for key, value in named.items() if value is not None}
    if path is None and not set(required) <= set(given):
        raise ConfigError(f"wanted a YAML file, or {', '.join(f'--{key}' for key in required[:-1])} and --{required[-1]}")
    root = read_yaml(path) if path else parse_yaml("{}", "command line")
    for key, value in given.items():
        override(root, f"{key}={json.dumps(value, ensure_ascii=False)}")
    for assignment in overrides:
        override(root, assignment)
    return load(cls, root)


def load(cls: type[T], node: yaml.Node, path: str = "") -> T:
    """Build the dataclass `cls` from a YAML mapping; `path` is the place of `node` in its file, for messages.

    Raises `ConfigError` for an unknown, missing or repeated key, a wrong type, a value out of bounds, or settings that do not fit
    together.
    """
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        node = yaml.MappingNode("tag:yaml.org,2002:map", [], node.start_mark, node.end_mark)
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, path, "a mapping of settings")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if key not in fields:
            raise _error(key_node, path, f"unknown key '{key}'{_nearest(key, fields)}; known are: {', '.join(fields)}")
        if key in values:
            raise _error(key_node, path, f"key '{key}' stands twice")
        values[key] = _value(hints[key], value_node, _join(path, key))
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _error(node, path, f"key '{name}' is missing")
    try:
        return cls(**values)
    except SettingError as error:
        key_node = next((k for k, _ in node.value if k.value == error.key), node)
        raise _error(key_node, _join(path, error.key), error.message) from None


def _value(hint: Any, node: yaml.Node, path: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        marks = args[1:]
        for mark in marks:
            if isinstance(mark, ByKey):
                return _by_key(mark, node, path)
        value = _value(args[0], node, path)
        for mark in marks:
            if isinstance(mark, Between) and value is not None and not mark.holds(value):
                raise _error(node, path, f"got {value}, wanted {mark}")
        return value
    if origin in (Union, types.UnionType):
        if type(None) in args and isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
            return None
        (inner,) = [a for a in args if a is not type(None)]
        return _value(inner, node, path)
    if origin is Literal:
        if isinstance(node, yaml.ScalarNode):
            for choice in args:
                if node.value == str(choice):
                    return choice
        near = _nearest(node.value, args) if isinstance(node, yaml.ScalarNode) else ""
        raise _wrong(node, path, "one of " + ", ".join(map(str, args)), near)
    if origin is tuple:
        if not isinstance(node, yaml.SequenceNode):
            raise _wrong(node, path, "a list")
        return tuple(_value(args[0], item, f"{path}[{i}]") for i, item in enumerate(node.value))
    if origin is dict:
        if not isinstance(node, yaml.MappingNode):
            raise _wrong(node, path, "a mapping")
        result: dict[str, Any] = {}
        for k, v in node.value:
            if k.value in result:
                raise _error(k, path, f"key '{k.value}' stands twice")
            result[k.value] = _value(args[1], v, _join(path, k.value))
        return result
    if dataclasses.is_dataclass(hint):
        return load(cast(type, hint), node, path)
    return _scalar(hint, node, path)


_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _scalar(hint: Any, node: yaml.Node, path: str) -> Any:
    wanted = _WANTED[hint]
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(node, path, wanted)
    kind = node.tag.rpartition(":")[2]
    if hint is str and kind in ("str", "int", "float", "timestamp"):
        return node.value
    if hint is bool and kind == "bool":
        return node.value.lower() == "true"
    if (hint is float and kind in ("int", "float")) or (hint is int and kind == "int"):
        try:
            return _number(hint, node.value)
        except (ValueError, OverflowError):
            raise _wrong(node, path, wanted) from None
    if hint is int and kind == "str" and (size := parse_bytes(node.value)) is not None:
        return size
    raise _wrong(node, path, wanted)


def _number(hint: type, text: str) -> int | float:
    """Raises `ValueError` for NaN, for what is too large, and for what only YAML 1.1 takes for a number: octal `010`, base 60 `1:30`."""
    text = text.replace("_", "")
    if hint is int:
        return int(text, 0)
    try:
        value = float(re.sub(r"^([-+]?)\.inf$", r"\1inf", text, flags=re.IGNORECASE))
    except ValueError:
        value = float(int(text, 0))  # 0x10
    if math.isnan(value) or (math.isinf(value) and "inf" not in text.lower()):
        raise ValueError(text)
    return value


def parse_bytes(text: str) -> int | None:
    """'2GB' -> 2_000_000_000, '64MiB' -> 67_108_864; `None` if it is not a size."""
    units = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
    for unit, factor in sorted(units.items(), key=lambda item: -len(item[0])):
        number = text[: -len(unit)].strip()
        if text.lower().endswith(unit) and number.replace(".", "", 1).isdecimal():
            size = float(number) * factor
            return int(size) if math.isfinite(size) else None
    return None


def _by_key(mark: ByKey, node: yaml.Node, path: str) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(node, path, f"a list of {mark.what}s")
    classes = mark.classes()
    items: list[Any] = []
    for index, item in enumerate(node.value):
        place = f"{path}[{index}]"
        if isinstance(item, yaml.ScalarNode) and item.value in classes:
            items.append(load(classes[item.value], yaml.MappingNode("", [], item.start_mark, item.end_mark), f"{place}.{item.value}"))
            continue
        if not isinstance(item, yaml.MappingNode) or len(item.value) != 1:
            raise _wrong(item, place, f"one {mark.what} with its settings, as in '- {next(iter(classes))}: {{}}'")
        key_node, settings = item.value[0]
        if key_node.value not in classes:
            near = _nearest(key_node.value, classes)
            raise _error(key_node, place, f"unknown {mark.what} '{key_node.value}'{near}; known are: {', '.join(sorted(classes))}")
        items.append(load(classes[key_node.value], settings, f"{place}.{key_node.value}"))
    return tuple(items)


def find_file(path: str) -> Path:
    """A file that a configuration names: from the working directory, else from the shipped `configs/`. May not exist."""
    return Path(path) if Path(path).exists() or Path(path).is_absolute() else CONFIGS / path


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _nearest(word: str, known: Sequence[Any] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _describe(node: yaml.Node | None) -> str:
    if node is None:
        return "nothing"
    if isinstance(node, yaml.ScalarNode):
        text = node.value if len(node.value) <= 80 else node.value[:80] + "..."
        return "nothing" if node.tag.endswith(":null") else repr(text)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _wrong(node: yaml.Node, path: str, wanted: str, hint: str = "") -> ConfigError:
    return _error(node, path, f"got {_describe(node)}, wanted {wanted}{hint}")


def _error(node: yaml.Node, path: str, message: str) -> ConfigError:
    mark = node.start_mark
    where = str(mark.name)
    if not where.startswith("--set "):
        where += f":{mark.line + 1}"
    return ConfigError(f"{where}: {path}: {message}" if path else f"{where}: {message}")
