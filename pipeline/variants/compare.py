"""A comparison from start to end: annotate once, hold text out, select each corpus, deal it to seeds, pack, train, measure, judge.

All that takes long is a unit that commits by itself under a name that stands for all it depends on: a comparison that was killed goes on,
and one that gets a further variant trains that variant.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch

from configs.errors import RunError
from pipeline import storage
from pipeline.claim import locked
from pipeline.config import Engine, RunConfig, as_settings
from pipeline.engine import InProcess, OnRay, run_phase
from pipeline.manifest import identity
from pipeline.packing.pack_claim import packing_code
from pipeline.progress import Progress
from pipeline.run import run as run_corpus
from pipeline.variants.buckets import write_buckets
from pipeline.variants.checks import check_before_reading, check_budgets
from pipeline.variants.config import VariantsConfig
from pipeline.variants.held_out import freeze
from pipeline.variants.pictures import pictures
from pipeline.variants.results import Measured, conclude, describe_corpora, describe_held_out, read_held_out
from pipeline.variants.selection import base_run, make_corpus, read_found, removed_shares, variant_runs, write_taken
from pipeline.variants.slices import LEAK_SHARE, AlarmWork, SliceWork, read_parquet, sound_alarm, write_slice
from pipeline.variants.training import PackWork, TrainWork, pack_slice, read_nats, train_one
from stages.dedup.stage import DocumentDedup
from tokenizer.encoder import load_encoder


@dataclass(frozen=True)
class Corpus:
    """What models of one name are trained on."""

    of: str
    """The variant whose documents it has."""
    half: int | None = None
    bucket: int | None = None
    shuffled: bool = False


def corpora(config: VariantsConfig) -> dict[str, Corpus]:
    """Variants, controls and buckets by name."""
    against = config.against
    found = {variant.name: Corpus(variant.name) for variant in config.variants}
    found |= {"half_a": Corpus(against, half=0), "half_b": Corpus(against, half=1), "shuffled": Corpus(against, shuffled=True)}
    if config.score_buckets:
        found |= {f"bucket_{i}": Corpus(config.score_buckets.of, bucket=i) for i in range(config.score_buckets.buckets)}
    return found


def compare_variants(config: VariantsConfig, quiet: bool = False) -> dict[str, Any]:
    """Compare, or continue; what `verdict.json` holds. Raises `CorpusError`."""
    base = base_run(config)
    runs = variant_runs(config)
    parameters = check_before_reading(config, base)
    with locked(config.output), _executor(config, base) as executor:
        return _Comparison(config, base, runs, executor, quiet).conclude(parameters)


def _executor(config: VariantsConfig, base: RunConfig) -> AbstractContextManager[InProcess | OnRay]:
    if base.engine.executor == "inprocess":
        return InProcess()
    return OnRay(_engine(config, base), tuple(str(Path(folder).absolute()) for folder in (config.output,)))


def _engine(config: VariantsConfig, base: RunConfig) -> Engine:
    return Engine(address=base.engine.address, workers=config.workers or base.engine.workers, retries=base.engine.retries)


@dataclass
class _Comparison:
    """One comparison under way."""

    config: VariantsConfig
    base: RunConfig
    runs: dict[str, RunConfig]
    executor: InProcess | OnRay
    quiet: bool
    names: dict[str, str] = field(default_factory=dict)
    """Variant -> what stands for its documents."""

    def __post_init__(self) -> None:
        self.progress = Progress(self.quiet)

    def folder(self, name: str) -> str:
        """A folder of this comparison."""
        return storage.join(self.config.output, name)

    def conclude(self, parameters: int) -> dict[str, Any]:
        """All steps; the verdict."""
        config = self.config
        run_corpus(self.base, overwrite=True, quiet=True)
        data, found = read_found(self.base.output)
        near = next(stage for stage in self.base.stages if isinstance(stage, DocumentDedup))
        held_identity = identity(
            data["identity"],
            asdict(config.held_out),
            config.draw,
            near.similarity,
            _sources("pipeline/variants", ("frame", "held_out", "overlap")),
        )
        held = self.folder(f"held_out/{held_identity}")
        frozen = freeze(config.held_out, config.draw, found, near.similarity, held, self.executor, self.progress)
        removed = read_parquet(storage.join(held, "removed.parquet"))
        selections = {}
        with self.progress.phase("select corpora", len(self.runs), {}) as bar:
            for variant in config.variants:
                name, run, taken = variant.name, self.runs[variant.name], storage.join(held, "taken.txt")
                if variant.sources:
                    taken = self.folder(f"taken/{identity(held_identity, variant.sources)}.txt")
                    write_taken(self.base, variant.sources, storage.join(held, "taken.txt"), taken)
                summary = make_corpus(run, self.base, taken, self.executor, True)
                self.names[name] = identity(summary["identity"], held_identity)
                selections[name] = removed_shares(run.output, removed)
                bar.advance({})
        alarms = self._alarms(held)
        packs = self._packs(held)
        check_budgets(config, packs)
        measured = self._trainings(held, packs)
        held_out = read_held_out(storage.join(held, "documents.parquet"))
        result = {
            "settings": as_settings(config) | {"parameters": parameters, "against": config.against},
            "held_out": frozen | describe_held_out(held_out),
            **conclude(config, held_out, alarms, measured),
            "corpora": describe_corpora(config, held_out, selections, alarms, packs, measured),
        }
        storage.write_bytes(self.folder("verdict.json"), orjson.dumps(result, option=orjson.OPT_INDENT_2))
        for name, picture in pictures(result).items():
            storage.write_bytes(self.folder(name), picture.encode())
        return result

    def _alarms(self, held: str) -> dict[str, dict[str, Any]]:
        """What is found of held-out text in each variant, and in the control."""
        documents, ngram = storage.join(held, "documents.parquet"), self.config.held_out.ngram
        works = {name: AlarmWork(storage.join(run.output, "corpus"), documents, ngram) for name, run in self.runs.items()}
        works["leak"] = AlarmWork(works[self.config.against].corpus, documents, ngram, LEAK_SHARE)
        keys = {name: identity(self.names.get(name, self.names[self.config.against]), asdict(work)) for name, work in works.items()}
        done = run_phase(
            self.executor, self.progress, "look for leaks", self.folder("alarms"), sound_alarm, {keys[n]: works[n] for n in works}
        )
        return {name: {key: done[keys[name]][key] for key in ("documents", "leaked", "found")} for name in works}

    def _packs(self, held: str) -> dict[tuple[str, int], dict[str, Any]]:
        """Deal and pack each corpus for each seed; by name and seed what `pack_slice` reports, with `folder` and `key`."""
        config = self.config
        sha256 = load_encoder(config.training.tokenizer).sha256
        clusters = storage.join(held, "clusters.parquet")
        buckets = ""
        if config.score_buckets:
            buckets = self.folder(f"buckets/{identity(self.names[config.score_buckets.of], asdict(config.score_buckets))}.parquet")
            write_buckets(config.score_buckets, self.runs, buckets)
        slices: dict[str, SliceWork] = {}
        packs: dict[str, PackWork] = {}
        keys: dict[tuple[str, int], str] = {}
        for name, corpus in corpora(config).items():
            for place, seed in enumerate(config.seeds):
                bucket = None if corpus.bucket is None else (buckets, corpus.bucket)
                dealing = (place, len(config.seeds), config.draw, corpus.half, bucket)
                dealt = identity(self.names[corpus.of], dealing, _sources("pipeline/variants", ("slices",)))
                folder = storage.join(self.runs[corpus.of].output, "corpus")
                slices[dealt] = SliceWork(folder, clusters, *dealing, self.folder(f"slices/{dealt}.documents"))
                budget = (seed, config.training.tokens, config.max_epochs)
                key = identity(dealt, sha256, budget, packing_code())
                packs[key] = PackWork(slices[dealt].output, config.training.tokenizer, *budget, self.folder(f"packs/{key}.tokens"))
                keys[name, seed] = key
        run_phase(self.executor, self.progress, "deal to seeds", self.folder("slices"), write_slice, slices)
        done = run_phase(self.executor, self.progress, "pack", self.folder("packs"), pack_slice, packs)
        return {place: done[key] | {"folder": packs[key].output, "key": key} for place, key in keys.items()}

    def _trainings(self, held: str, packs: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Measured]:
        """Train on each pack at each learning rate; the measurements by name."""
        config = self.config
        settings, documents = config.training, storage.join(held, "documents.parquet")
        machine = torch.cuda.get_device_name() if settings.gpus and torch.cuda.is_available() else "cpu"
        code = (_sources("model"), _sources("pipeline/variants", ("training",)), torch.__version__, np.__version__, machine)
        works: dict[str, TrainWork] = {}
        keys: dict[str, list[list[str]]] = {}
        for name, corpus in corpora(config).items():
            keys[name] = [[] for _ in config.seeds]
            for place, seed in enumerate(config.seeds):
                pack = packs[name, seed]
                for rate in settings.learning_rates:
                    shared = {key: value for key, value in asdict(settings).items() if key not in ("learning_rates", "gpus")}
                    key = identity(pack["key"], held, shared, seed, rate, corpus.shuffled, code)
                    works[key] = TrainWork(
                        pack["folder"], documents, settings, seed, rate, corpus.shuffled, self.folder(f"trainings/{key}.training")
                    )
                    keys[name][place].append(key)
        executor = self.executor
        if settings.gpus and isinstance(executor, OnRay):
            executor = OnRay(_engine(config, self.base), (), settings.gpus)
        done = run_phase(executor, self.progress, "train and measure", self.folder("trainings"), train_one, works)
        for key, work in works.items():
            if not storage.exists(storage.join(work.folder, "nats.npy")):
                raise RunError(f"{work.folder}: the measurements of this training are gone; delete {self.folder('trainings')}/{key}.json")
        return {name: _measured(rows, works, done) for name, rows in keys.items()}


def _measured(keys: Sequence[Sequence[str]], works: Mapping[str, TrainWork], done: Mapping[str, Mapping[str, Any]]) -> Measured:
    nats = np.array([[read_nats(works[key].folder) for key in row] for row in keys])
    return Measured(nats, [[float(done[key]["loss"]) for key in row] for row in keys], sum(int(done[k]["faults"]) for r in keys for k in r))


@cache
def _sources(folder: str, modules: tuple[str, ...] = ()) -> str:
    """Stands for the program text of a folder, or of some modules in it."""
    files = sorted((Path(__file__).parent.parent.parent / folder).rglob("*.py"))
    return identity([hashlib.sha256(file.read_bytes()).hexdigest() for file in files if not modules or file.stem in modules])
