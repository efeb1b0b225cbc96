"""The steps of a comparison: annotate once, hold text out, select each corpus, deal it to seeds, pack, train and measure.

All that takes long is a unit that commits by itself under a name that stands for all it depends on: a comparison that was killed goes on,
and one that gets a further variant trains that variant.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import storage
from pipeline.claim import locked
from pipeline.config import Engine, RunConfig
from pipeline.engine import InProcess, OnRay, run_phase
from pipeline.manifest import identity
from pipeline.packing.pack_claim import packing_code
from pipeline.progress import Progress
from pipeline.run import run as run_corpus
from pipeline.variants.buckets import write_buckets
from pipeline.variants.checks import check_before_reading, check_budgets
from pipeline.variants.config import VariantsConfig
from pipeline.variants.held_out import freeze
from pipeline.variants.results import Measured, read_held_out
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


@contextmanager
def prepared(config: VariantsConfig, quiet: bool = False) -> Iterator["Comparison"]:
    """A comparison whose corpora are selected, so that models can be trained on them. Raises `CorpusError`."""
    base, runs = base_run(config), variant_runs(config)
    parameters = check_before_reading(config, base)
    engine = Engine(address=base.engine.address, workers=config.workers or base.engine.workers, retries=base.engine.retries)
    shared = (str(Path(config.output).absolute()),)
    with locked(config.output), InProcess() if base.engine.executor == "inprocess" else OnRay(engine, shared) as executor:
        trains = OnRay(engine, shared, config.training.gpus) if isinstance(executor, OnRay) else executor
        yield Comparison(config, base, runs, parameters, executor, trains, quiet)


class Comparison:
    """One comparison under way."""

    def __init__(
        self,
        config: VariantsConfig,
        base: RunConfig,
        runs: Mapping[str, RunConfig],
        parameters: int,
        executor: InProcess | OnRay,
        trains: InProcess | OnRay,
        quiet: bool,
    ) -> None:
        """Annotate, hold out and select. `trains` runs trainings, with GPUs if they have any; `executor` all else."""
        self.config, self.runs, self.parameters = config, runs, parameters
        self.executor, self.trains, self.progress = executor, trains, Progress(quiet)
        run_corpus(base, overwrite=True, quiet=True)
        data, found = read_found(base.output)
        similarity = next(stage for stage in base.stages if isinstance(stage, DocumentDedup)).similarity
        code = _sources("pipeline/variants", ("frame", "names", "held_out", "overlap")), _sources("stages/mixture", ("held_out",))
        self.held_identity = identity(data["identity"], asdict(config.held_out), config.draw, similarity, code)
        held = self.folder(f"held_out/{self.held_identity}")
        self.frozen = freeze(config.held_out, config.draw, found, similarity, held, executor, self.progress)
        self.documents, self.clusters = storage.join(held, "documents.parquet"), storage.join(held, "clusters.parquet")
        self.held_out = read_held_out(self.documents)
        self.selections: dict[str, dict[str, Any]] = {}
        """Variant -> what it rejects, see `selection.removed_shares`."""
        self._selected: dict[str, str] = {}
        with self.progress.phase("select corpora", len(runs), {}) as bar:
            for variant in config.variants:
                taken = storage.join(held, "taken.txt")
                if variant.sources:
                    taken = self.folder(f"taken/{identity(self.held_identity, variant.sources)}.txt")
                    write_taken(base, variant.sources, storage.join(held, "taken.txt"), taken)
                summary = make_corpus(runs[variant.name], base, taken, executor, True)
                self._selected[variant.name] = identity(summary["identity"], self.held_identity)
                removed = read_parquet(storage.join(held, "removed.parquet"))
                self.selections[variant.name] = removed_shares(runs[variant.name].output, removed)
                bar.advance({})

    def folder(self, name: str) -> str:
        """A folder of this comparison."""
        return storage.join(self.config.output, name)

    def corpus(self, variant: str) -> str:
        """Where the documents of a variant are."""
        return storage.join(self.runs[variant].output, "corpus")

    def look_for_leaks(self) -> dict[str, dict[str, int]]:
        """What is found of held-out text in each variant, and in the control `leak`."""
        ngram, against = self.config.held_out.ngram, self.config.against
        works = {name: AlarmWork(self.corpus(name), self.documents, ngram) for name in self.runs}
        works["leak"] = AlarmWork(self.corpus(against), self.documents, ngram, LEAK_SHARE)
        code = _sources("pipeline/variants", ("slices", "overlap")), _sources("stages/decontaminate", ("tokens",))
        keys = {
            name: identity(self._selected.get(name, self._selected[against]), work.ngram, work.leak_share, code)
            for name, work in works.items()
        }
        units = {keys[name]: work for name, work in works.items()}
        done = run_phase(self.executor, self.progress, "look for leaks", self.folder("alarms"), sound_alarm, units)
        return {name: {key: done[keys[name]][key] for key in ("documents", "leaked", "found")} for name in works}

    def pack(self, names: Iterable[str] | None = None) -> dict[tuple[str, int], dict[str, Any]]:
        """Deal and pack corpora, all of them if none are named; by name and seed what `pack_slice` reports, with `folder` and `key`.

        Raises `RunError` if one has too little text for the budget.
        """
        config = self.config
        sha256 = load_encoder(config.training.tokenizer).sha256
        slices: dict[str, SliceWork] = {}
        packs: dict[str, PackWork] = {}
        keys: dict[tuple[str, int], str] = {}
        for name, corpus in corpora(config).items():
            if names is not None and name not in names:
                continue
            bucket = None if corpus.bucket is None else (self._buckets(), corpus.bucket)
            for place, seed in enumerate(config.seeds):
                dealing = (place, len(config.seeds), config.draw, corpus.half, bucket, config.piece_bytes)
                dealt = identity(self._selected[corpus.of], dealing, _sources("pipeline/variants", ("slices", "pieces")))
                slices[dealt] = SliceWork(self.corpus(corpus.of), self.clusters, *dealing, self.folder(f"slices/{dealt}.documents"))
                budget = (seed, config.training.tokens, config.max_epochs)
                key = identity(dealt, sha256, budget, packing_code(), _sources("pipeline/variants", ("training",)))
                packs[key] = PackWork(slices[dealt].output, config.training.tokenizer, *budget, self.folder(f"packs/{key}.tokens"))
                keys[name, seed] = key
        run_phase(self.executor, self.progress, "deal to seeds", self.folder("slices"), write_slice, slices)
        done = run_phase(self.executor, self.progress, "pack", self.folder("packs"), pack_slice, packs)
        found = {place: done[key] | {"folder": packs[key].output, "key": key} for place, key in keys.items()}
        check_budgets(config, found)
        return found

    def measure(self, packs: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Measured]:
        """Train on each pack at each learning rate; the measurements by name."""
        config, settings = self.config, self.config.training
        machine = torch.cuda.get_device_name() if settings.gpus and torch.cuda.is_available() else "cpu"
        code = (_sources("model"), _sources("pipeline/variants", ("training", "mixed_windows")), torch.__version__, np.__version__, machine)
        shared = {key: value for key, value in asdict(settings).items() if key not in ("learning_rates", "gpus")}
        works: dict[str, TrainWork] = {}
        keys: dict[str, dict[int, list[str]]] = {}
        for (name, seed), pack in packs.items():
            shuffled = corpora(config)[name].shuffled
            for rate in settings.learning_rates:
                key = identity(pack["key"], self.held_identity, shared, seed, rate, shuffled, config.piece_bytes, code)
                folder = self.folder(f"trainings/{key}.training")
                works[key] = TrainWork(pack["folder"], self.documents, settings, seed, rate, shuffled, bool(config.piece_bytes), folder)
                keys.setdefault(name, {}).setdefault(seed, []).append(key)
        trainings = self.folder("trainings")
        for key, work in works.items():
            if not storage.exists(storage.join(work.folder, "nats.npy")):
                storage.remove(storage.join(trainings, f"{key}.json"))
        done = run_phase(self.trains, self.progress, "train and measure", trainings, train_one, works)
        return {name: _measured(name, [rows[seed] for seed in config.seeds], works, done) for name, rows in keys.items()}

    def _buckets(self) -> str:
        settings = self.config.score_buckets
        assert settings is not None
        code = _sources("pipeline/variants", ("buckets",)), _sources("pipeline/mixture", ("cells",))
        uri = self.folder(f"buckets/{identity(self._selected[settings.of], asdict(settings), code)}.parquet")
        write_buckets(settings, self.runs, uri)
        return uri


def _measured(name: str, keys: Sequence[Sequence[str]], works: Mapping[str, TrainWork], done: Mapping[str, Mapping[str, Any]]) -> Measured:
    nats = np.array([[read_nats(works[key], name) for key in row] for row in keys])
    return Measured(nats, [[float(done[key]["loss"]) for key in row] for row in keys], sum(int(done[k]["faults"]) for r in keys for k in r))


@cache
def _sources(folder: str, modules: tuple[str, ...] = ()) -> str:
    """Stands for the program text of a folder, or of some modules in it."""
    files = sorted((Path(__file__).parent.parent.parent / folder).rglob("*.py"))
    return identity([hashlib.sha256(file.read_bytes()).hexdigest() for file in files if not modules or file.stem in modules])
