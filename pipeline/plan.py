"""What a run will do, checked and said before anything starts.

Planning completes the stages, folds their schemas, looks for every file that a setting names, and refuses a run that cannot fit its
memory. It reads no document. `corpus run --dry-run` prints it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from configs.errors import ConfigError, RunError
from configs.loader import find_file
from pipeline import storage
from pipeline.config import RunConfig, Source, as_settings
from pipeline.dedup.decide import EDGE_BYTES, MEMBER_BYTES
from pipeline.earlier import EarlierRun, earlier_runs
from pipeline.judge import is_heavy
from pipeline.manifest import code_identity, file_identity, identity
from pipeline.readers import check_source, pieces
from pipeline.splits import list_inputs
from pipeline.storage import FileInfo
from stages.decontaminate.stage import MAKING_FACTOR, Decontaminate
from stages.dedup.sentence_stage import SentenceDedup
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.measure import Measure
from stages.mixture.stage import COPIES_STAY, Mixture, check_domains, finds_copies
from stages.quality.stage import check_thresholds
from stages.schema import DOCUMENT
from stages.select import Select
from stages.stage import Stage, fold_schemas

WORKER_BYTES = 420_000_000
"""A worker with our kernels and libraries loaded, before it holds a document (measured: docs/engine.md)."""
SPLIT_FACTOR = 10
"""Peak bytes of a worker per byte of split, above `WORKER_BYTES` (measured: docs/engine.md)."""
DOCUMENT_FACTOR = 32
"""The same per byte of the longest document that a source admits."""


FORGOTTEN = "WARNING: this run has no mixture, so that it keeps copies of them, and what resembles them"


@dataclass(frozen=True)
class Plan:
    """A run that can start."""

    config: RunConfig
    stages: tuple[Stage, ...]
    inputs: list[tuple[Source, list[FileInfo]]]
    earlier: tuple[EarlierRun, ...] = ()

    @property
    def work(self) -> str:
        """Folder of the intermediates."""
        return self.config.engine.work or storage.join(self.config.output, "work")

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of the output with a file for each shard; `edits` only if a stage proposes any, `heldout` only with a mixture."""
        edits = ("edits",) if any(stage.proposes for stage in self.stages) else ()
        return ("corpus", "rejected", "ledger", *edits, *(("heldout",) if self.stage(Mixture) else ()))

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of a shard."""
        return fold_schemas(self.stages)

    @cached_property
    def local_identity(self) -> str:
        """Stands for all that shards depend on, but their input."""
        computed = [[s.key, s.computed_by(), [file_identity(find_file(f)) for f in s.model_files()]] for s in self.stages]
        return identity(code_identity(), computed)

    @cached_property
    def select_identity(self) -> str:
        """Stands for all that decisions depend on, but the shards."""
        files = {f: file_identity(find_file(f)) for s in self.stages for f in s.files()}
        return identity(self.local_identity, [as_settings(s) for s in self.stages], files, as_settings(self.config.rejected))

    @cached_property
    def input_identity(self) -> str:
        """Stands for the input files as they are now."""
        files = [[s.name, [(f.relative, f.fingerprint) for f in files]] for s, files in self.inputs]
        return identity(files, [run.identity for run in self.earlier])

    @property
    def input_bytes(self) -> int:
        """Bytes of all input files as they lie."""
        return sum(file.size for _, files in self.inputs for file in files)

    def stage(self, kind: type[Stage]) -> Stage | None:
        """The stage of this class, if the run has it."""
        return next((stage for stage in self.stages if isinstance(stage, kind)), None)

    def informed(self, stage: Stage, knowing: Stage) -> "Plan":
        """The plan with a stage that knows what was counted in the place of one that does not."""
        return replace(self, stages=tuple(knowing if other is stage else other for other in self.stages))


def complete_stages(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages of a run with those that every run has: `measure` once the text is final, `select` at the end, before a mixture."""
    keys = [stage.key for stage in stages]
    if "normalize" in keys[1:]:
        raise ConfigError(f"stages[{keys.index('normalize')}].normalize: stands after '{keys[0]}', which reads the text; put it first")
    last = stages[-1:] if keys[-1:] == ["mixture"] else ()
    stages = stages[: len(stages) - len(last)]
    keys = [stage.key for stage in stages]
    if "mixture" in keys:
        raise ConfigError(f"stages[{keys.index('mixture')}].mixture: other stages stand after it; it weighs what they keep: put it last")
    if "select" in keys[:-1]:
        later = keys[keys.index("select") + 1]
        raise ConfigError(f"stages[{keys.index('select')}].select: '{later}' stands after it; select reads all the others: put it last")
    if "measure" not in keys:
        first = 1 if keys[:1] == ["normalize"] else 0
        stages = (*stages[:first], Measure(), *stages[first:])
    return (*stages, *(() if "select" in keys else (Select(),)), *last)


def check_stages(stages: tuple[Stage, ...]) -> None:
    """Every column that a stage reads exists before it, and every file that it names exists. Raises `ConfigError`."""
    known = set(DOCUMENT.names)
    for number, stage in enumerate(stages):
        for name in stage.reads:
            if name not in known:
                raise ConfigError(
                    f"stages[{number}].{stage.key}: needs the column '{name}', which no stage before it adds; known are: "
                    + ", ".join(sorted(known))
                )
        for file in stage.files():
            if not find_file(file).is_file():
                raise ConfigError(f"stages[{number}].{stage.key}: no such file '{file}', looked for here and in configs/")
        try:
            stage.check()
        except ConfigError as error:
            raise ConfigError(f"stages[{number}].{stage.key}: {error}") from None
        known |= {field.name for field in stage.adds()}


def make_plan(config: RunConfig) -> Plan:
    """Check a run and list its input. Raises `ConfigError`, `InputError` or `RunError`."""
    stages = complete_stages(config.stages)
    check_stages(stages)
    _check_memory(config, stages)
    domains = [source.domain or source.name for source in config.sources]
    check_domains(config.stages, domains)
    check_thresholds(config.stages, domains)
    inputs = list_inputs(config)
    _check_output(config, inputs)
    for source, files in inputs:
        check_source(source, files[:1])
    _check_columns(inputs, config.engine.split_bytes)
    return Plan(config, stages, inputs, earlier_runs(config.earlier, stages))


def _check_output(config: RunConfig, inputs: list[tuple[Source, list[FileInfo]]]) -> None:
    """Outputs must not become inputs of the next call."""
    if not storage.is_local(config.output):
        return
    output = os.path.abspath(storage.local_path(config.output))
    for source, files in inputs:
        folder = os.path.abspath(storage.local_path(source.path)) if storage.is_local(source.path) else ""
        inside = os.path.isdir(folder) and os.path.commonpath([folder, output]) == folder
        if inside or any(file.uri.startswith(f"{output}/") for file in files):
            raise ConfigError(
                f"output: {config.output} is where source '{source.name}' is read from ({source.path}); choose another folder"
            )


def _check_columns(inputs: list[tuple[Source, list[FileInfo]]], split_bytes: int) -> None:
    """The first Parquet file of each source has the columns that its settings name: a missing one is found before Ray starts."""
    for source, files in inputs:
        first = next((file for file in files if source.format in ("auto", "parquet") and file.relative.endswith(".parquet")), None)
        if first is not None and source.bad_file == "fail":
            pieces(first, source, split_bytes)


def _check_memory(config: RunConfig, stages: tuple[Stage, ...]) -> None:
    engine = config.engine
    index = sum(stage.index_bytes() for stage in stages if isinstance(stage, Decontaminate))
    if (need := WORKER_BYTES + MAKING_FACTOR * index) > engine.memory_per_worker:
        raise RunError(
            f"engine.memory_per_worker: got {engine.memory_per_worker:,} bytes; to make the index of the evaluation sets takes about "
            f"{need:,}: raise it, or name fewer sets under stages.decontaminate.benchmarks"
        )
    split = WORKER_BYTES + index + SPLIT_FACTOR * engine.split_bytes
    if split > engine.memory_per_worker:
        fits = max(0, engine.memory_per_worker - WORKER_BYTES - index) // SPLIT_FACTOR
        raise RunError(
            f"engine.memory_per_worker: got {engine.memory_per_worker:,} bytes; a split of {engine.split_bytes:,} bytes needs about "
            f"{split:,}: raise it, or set engine.split_bytes to at most {fits:,}"
        )
    for source in config.sources:
        need = WORKER_BYTES + index + DOCUMENT_FACTOR * source.max_document_bytes
        if need > engine.memory_per_worker:
            raise RunError(
                f"sources.{source.name}.max_document_bytes: a document of {source.max_document_bytes:,} bytes needs about {need:,} bytes, "
                f"but engine.memory_per_worker is {engine.memory_per_worker:,}"
            )


def num_partitions(row_bytes: float, memory_per_worker: int, num_shards: int) -> int:
    """How many partitions keep a reduce task, which holds its rows about five times, within half of a worker's memory.

    Small inputs get up to 16, to keep several workers busy. Depends on input and settings only, never on the number of workers.
    """
    needed = int(5 * row_bytes / (memory_per_worker / 2)) + 1
    return max(needed, min(num_shards, 16))


def describe(plan: Plan) -> Iterator[str]:
    """The plan as lines of text."""
    config = plan.config
    size = estimated_text_bytes(plan)
    num_splits = sum(max(1, -(-sum(_text_bytes(f) for f in files) // config.engine.split_bytes)) for _, files in plan.inputs if files)
    documents = size // 1000
    yield f"run '{config.name}': {len(plan.inputs)} sources -> {config.output}"
    for source, files in plan.inputs:
        yield f"  source {source.name:<24} {len(files):>7,} files {sum(f.size for f in files) / 1e6:>12,.1f} MB   {source.path}"
    for run in plan.earlier:
        yield f"  earlier run {run.folder}: {sum(s.num_rows for s in run.shards):,} documents, its kept ones stay"
        if run.num_held_out:
            yield f"    {run.num_held_out:,} were held out there: {_again(plan, run.seed) if plan.stage(Mixture) else FORGOTTEN}"
    yield f"local pass, fused: read > {' > '.join(stage.key for stage in plan.stages if stage.adds())}"
    yield f"  about {num_splits:,} splits of at most {config.engine.split_bytes / 1e6:,.1f} MB, one shard and one output file each"
    yield from (f"  {stage.key}: {line}" for stage in plan.stages for line in stage.describe())
    rounds = ["ids"]
    rounds += ["exact copies"] if plan.stage(ExactDedup) else []
    rounds += ["band buckets", "components", "verification"] if plan.stage(DocumentDedup) else []
    most = (config.engine.memory_per_worker - WORKER_BYTES) // (MEMBER_BYTES + 10 * EDGE_BYTES)
    last = " > passages > repeats > similar units" if plan.stage(SentenceDedup) else ""
    yield f"corpus passes, through partitions on disk: {' > '.join(rounds)} > clusters > survivors{last}"
    if len(rounds) > 1:
        yield f"  a cluster is decided in one worker: up to {most:,} documents with 10 verified pairs each; more are refused, not tried"
    yield f"last pass: select > write{' > weigh' if plan.stage(Mixture) else ''}"
    if isinstance(mixture := plan.stage(Mixture), Mixture) and mixture.held_out.share and not finds_copies(plan.stages):
        yield f"  mixture: {COPIES_STAY}"
    yield "columns of a shard:"
    for field in plan.schema:
        yield f"  {field.name:<28} {field.type}{'' if not is_heavy(field.name) else '   (not in the ledger)'}"
    yield "outputs:"
    for folder in plan.folders:
        yield f"  {storage.join(config.output, folder)}/part-*.parquet"
    yield f"  {storage.join(config.output, 'summary.json')}, README.md (dataset card), run.json"
    yield f"  {plan.work}/ (intermediates; `corpus select` reuses them)"
    disk = size * (1.0 + 1.1 + 0.6) + documents * 16 * 32
    workers = config.engine.workers or 2
    yield (
        f"estimate: {size / 1e6:,.0f} MB of text, {disk / 1e6:,.0f} MB of disk, {config.engine.memory_per_worker / 1e9:.1f} GB a worker, "
        f"{size / 15e6 / workers:,.0f} s with {workers} workers at 15 MB/s each"
    )


def _again(plan: Plan, seed: int) -> str:
    """What a mixture does with documents that an earlier run of some seed held out."""
    same = seed == plan.config.seed
    hosts = "its hosts are drawn again" if same else f"its seed is {seed}, so that other texts of its hosts are not known"
    copies = "is held out here too" if finds_copies(plan.stages) else "is not found without exact_dedup or document_dedup"
    return f"what equals or resembles them {copies}; {hosts}"


def estimated_text_bytes(plan: Plan) -> int:
    """Uncompressed input; compressed files are taken to hold four times their size."""
    return sum(_text_bytes(file) for _, files in plan.inputs for file in files)


def _text_bytes(file: FileInfo) -> int:
    return file.size * (4 if file.relative.endswith((".gz", ".zst", ".bz2", ".parquet")) else 1)
