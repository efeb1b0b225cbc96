"""A run, as its YAML says it: sources, stages in order, output, seed, engine."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from configs.loader import Between, ByKey, Bytes, Positive, SettingError, Share, load, override, read_yaml
from stages.registry import stage_classes
from stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where documents come from. One source has one format, one domain and one licence."""

    name: str
    """Unique in the run; stands in the ledger, and first in ids that we make."""
    path: str
    """A file, a folder, a glob (`data/*.jsonl.zst`, `**` too) or a URI (s3://, gs://, hf://datasets/…, http(s)://).

    For `python_docs` the constraints file that pins the distributions.
    """
    format: Literal["auto", "jsonl", "parquet", "text", "warc", "python_docs"] = "auto"
    """`auto` goes by the file's name: .jsonl .json .ndjson, .parquet, .txt .md, .warc .wet, each with .gz .zst .bz2 or without."""
    text_key: str = "text"
    """The field or column that holds the text."""
    id_key: str | None = "id"
    """The field that holds the user's own id; documents without it get `source/relative-path#record`."""
    url_key: str | None = "url"
    """The field that holds the URL, where there is one."""
    lang_key: str | None = None
    """A field that holds the language, trusted as it stands; wins over `lang`."""
    domain: str | None = None
    """The kind of text, as mixture and per-domain thresholds name it; the source's name if not given."""
    lang: str = "auto"
    """`auto` decides from the text; else a code such as zh or en for all documents."""
    licence: str | None = None
    """Kept in the ledger and on the dataset card."""
    documents: Literal["file", "line", "block"] = "file"
    """Plain text only: a document is a file, a line, or a block between blank lines."""
    encoding: str = "utf-8"
    """Plain text only: a Python codec such as gb18030 or big5, or `auto`. HTML in WARC files is always detected."""
    max_document_bytes: Bytes = 4 << 20
    """Longer documents are rejected as `document_too_large`; also bounds what one record may take in memory."""
    max_expansion: Positive = 1000
    """A compressed file that grows by more than this factor is stopped as `expands_without_end`."""
    max_bytes: Bytes | None = None
    """Stop taking splits of this source once they hold so many bytes: for trials and samples."""
    bad_file: Literal["fail", "skip"] = "fail"
    """An unreadable or truncated file ends the run, or is skipped and reported as one rejected row."""

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or "#" in self.name:
            raise SettingError("name", f"got '{self.name}', wanted a name without '/' and '#': it is part of document ids")
        if self.max_document_bytes > 1 << 30:
            raise SettingError("max_document_bytes", f"got {self.max_document_bytes}, wanted at most 1 GiB")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How the work is spread; none of it changes a byte of the corpus or the ledger but `split_bytes`."""

    executor: Literal["ray", "inprocess"] = "ray"
    """`inprocess` runs the same code in this process, one unit after the other: for debugging and small inputs."""
    address: str = "local"
    """`local` starts a Ray on this machine; `auto` or `host:port` joins a cluster that is running."""
    workers: Positive | None = None
    """Tasks at a time; all cores if not given."""
    memory_per_worker: Bytes = 2_000_000_000
    """What one task may hold. The plan is refused if a split or a partition cannot fit."""
    components_memory: Bytes | None = None
    """What the one task may hold that finds which documents hang together, 8 bytes each; `memory_per_worker` if not given."""
    split_bytes: Annotated[int, Between(1 << 10, 1 << 30)] = 16 << 20
    """Uncompressed input of one unit of work, and so of one output file."""
    batch_rows: Positive = 1024
    """Documents that pass the local stages together."""
    work: str | None = None
    """Folder of intermediates; `OUTPUT/work` if not given. On a cluster every node must see it."""
    retries: Annotated[int, Between(0, 100)] = 3
    """How often a unit is tried again after its worker died."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """What `rejected/` keeps. The ledger always has every document."""

    text: Literal["all", "sample", "none"] = "all"
    """Texts of all rejected documents, of a sample of them, or of none: reasons and places stay."""
    sample_share: Share = 0.01
    """Share of texts that `sample` keeps, chosen by a hash of the id."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One corpus run."""

    name: str
    output: str
    sources: tuple[Source, ...]
    stages: Annotated[tuple[Stage, ...], ByKey("stage", stage_classes)] = ()
    seed: int = 17
    earlier: tuple[str, ...] = ()
    """Folders of finished runs whose kept documents this one is de-duplicated against; partners keep the ids that they have there."""
    rejected: Rejected = Rejected()
    engine: Engine = Engine()

    def __post_init__(self) -> None:
        if not self.sources:
            raise SettingError("sources", "got none, wanted at least one")
        names = [source.name for source in self.sources]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise SettingError("sources", f"the name '{min(repeated)}' stands twice; ids need it unique")
        folders = [folder.rstrip("/") for folder in self.earlier]
        if repeated := {folder for folder in folders if folders.count(folder) > 1}:
            raise SettingError("earlier", f"'{min(repeated)}' stands twice")
        keys = [stage.key for stage in self.stages]
        if repeated := {key for key in keys if keys.count(key) > 1}:
            raise SettingError("stages", f"'{min(repeated)}' stands twice; a run has each stage once")


def load_run(path: str | Path, overrides: tuple[str, ...] = ()) -> RunConfig:
    """Read a run's YAML and apply `--set` overrides. Raises `ConfigError` with file, line and place."""
    root = read_yaml(path)
    for assignment in overrides:
        override(root, assignment)
    return load(RunConfig, root)


def as_settings(value: Any) -> Any:
    """Dataclasses as plain mappings with `{key: settings}` for stages: what `run.yaml` and identities hold."""
    if isinstance(value, Stage):
        return {value.key: _fields(value)}
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, tuple | list):
        return [as_settings(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_settings(item) for key, item in value.items()}
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: as_settings(getattr(value, field.name)) for field in dataclasses.fields(value)}
