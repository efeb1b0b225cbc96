"""Learn the shares of a run's domains: sample texts, train proxies as units of the engine, fit, solve, and leave the figures.

Each proxy is a unit with a name of its own, made of the texts, the settings, the program and its mixture; so a run that was killed goes on
with the proxies that are missing, and a run of the same texts and settings trains nothing. The same bytes come out on one kind of
machine: floating point differs between CPUs, so shares may differ in the third decimal elsewhere. A `mixture.yaml` holds everywhere.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import xxhash

from configs.errors import RunError
from pipeline import storage
from pipeline.dedup.rounds import Phases
from pipeline.engine import OnRay, run_phase
from pipeline.manifest import file_identity, identity
from pipeline.mixture.pictures import predicted_and_measured, weights_with_intervals
from pipeline.mixture.proxy_texts import SampleWork, Texts, read_texts, sample, sampled_shares
from stages.mixture.learn import Learned, learn
from stages.mixture.proxies import ProxyOptions
from stages.mixture.shares import Floats, natural, unimax
from stages.mixture.stage import Mixture
from stages.mixture.targets import Targets

FOLDER = "mixture"
PROXIES = "proxies-"
"""Names of the folders of finished proxies begin so; what they are made of is in the rest of the name."""

_MODEL = Path(__file__).parents[2] / "model"
_SOURCES = [_MODEL / name for name in ("proxy.py", "baichuan.py", "attention.py", "positions.py", "config.py")]


@dataclass(frozen=True)
class ProxyWork:
    """One proxy: where the texts are, and how it mixes them."""

    texts: str
    names: tuple[str, ...]
    """Of the domains."""
    mix: tuple[float, ...]
    options: ProxyOptions


def train(work: ProxyWork) -> dict[str, Any]:
    """Train a proxy. `losses`: bits per byte of each target."""
    from model.proxy import train_proxy

    losses = train_proxy(work.mix, _proxy_data(_load(work.texts), work.names), _proxy_settings(work.options))
    return {"losses": losses, "documents": 0}


def learned_shares(
    runner: Phases, stage: Mixture, names: tuple[str, ...], different: Floats, weighted: Floats, parts: Sequence[str], key: str
) -> Learned:
    """Learn the shares of the domains `names`, sorted, with so many bytes of different text, and by sampling weight. Writes `mixture/`.

    Raises `RunError` before any training if a domain that counts has no held-out text, or there is too little text for the proxies.
    """
    options, settings = stage.proxy, stage.learn
    texts, uri = _texts(runner, stage, dict(zip(names, weighted.tolist(), strict=True)), parts, key)
    targets = _targets(stage, texts, names)
    budget = float(weighted.sum()) if stage.budget is None else float(stage.budget)
    swarm_most = _swarm_most(texts, names, options)
    fallback = unimax(different, budget, stage.max_epochs)
    prior = natural(weighted) if settings.prior == "natural" else fallback

    def train_proxies(mixes: Floats) -> Floats:
        rows = [tuple(round(share, 9) for share in mix) for mix in mixes.tolist()]
        works = {identity(row): ProxyWork(uri, names, row, options) for row in rows}
        found = _run(runner, options, f"{PROXIES}{identity(uri, _program(), dataclasses.asdict(options))}", works)
        where = [sorted(texts.held_out).index(name) for name in targets.names]
        return np.array([found[identity(row)]["losses"] for row in rows])[:, where]

    learned = learn(names, prior, fallback, stage.max_epochs * different / budget, swarm_most, targets, train_proxies, settings)
    _write(runner.plan.config.output, learned, targets)
    return learned


def _texts(runner: Phases, stage: Mixture, weighted: Mapping[str, float], parts: Sequence[str], key: str) -> tuple[Texts, str]:
    """The texts, and the file that holds them under a name made of their content."""
    config, options = runner.plan.config, stage.proxy
    shares = sampled_shares(weighted, options.tokens, options.tokenizer)
    folder = f"samples-{identity(key, shares, config.seed)}"
    uris = [storage.join(runner.plan.work, folder, f"{name}") for name in parts]
    works = {name: SampleWork(config.output, name, shares, config.seed, uri) for name, uri in zip(parts, uris, strict=True)}
    lost = [name for name in parts if name not in storage.list_names(storage.join(runner.plan.work, folder))]
    runner.phase("proxy texts", folder, sample, works, drop=lost)
    texts = read_texts(uris, options.tokenizer, options.tokens, options.held_out_tokens)
    arrays = {f"train/{n}": ids for n, ids in texts.train.items()} | {f"held_out/{n}": ids for n, ids in texts.held_out.items()}
    arrays["token_bytes"] = texts.token_bytes.astype(np.int32)
    digest = xxhash.xxh3_64()
    for array_name in sorted(arrays):
        digest.update(f"{array_name} {len(arrays[array_name])}".encode())
        digest.update(np.ascontiguousarray(arrays[array_name]).tobytes())
    name = f"ids-{digest.hexdigest()}"
    runner.folders.add(name)
    uri = storage.join(runner.plan.work, name, "ids.npz")
    with storage.committed(uri) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return texts, uri


def _load(uri: str) -> Texts:
    with storage.open_input(uri) as file, np.load(file) as arrays:
        found = {kind: {n.partition("/")[2]: arrays[n] for n in arrays if n.startswith(f"{kind}/")} for kind in ("train", "held_out")}
        return Texts(found["train"], found["held_out"], arrays["token_bytes"])


def _proxy_data(texts: Texts, names: tuple[str, ...]) -> Any:
    from model.proxy import ProxyData

    train = tuple(texts.train.get(name, np.zeros(0, np.int32)) for name in names)
    return ProxyData(names, train, tuple(texts.held_out[name] for name in sorted(texts.held_out)), texts.token_bytes)


def _proxy_settings(options: ProxyOptions) -> Any:
    from model.proxy import ProxySettings

    shape = {f.name: getattr(options, f.name) for f in dataclasses.fields(ProxySettings) if hasattr(options, f.name)}
    return ProxySettings(**shape, device="cuda" if options.gpus else "cpu")


def _targets(stage: Mixture, texts: Texts, names: Sequence[str]) -> Targets:
    """Held-out texts that count and are long enough to be measured."""
    wanted = stage.learn.targets or names
    windows = {name: len(ids) // stage.proxy.length for name, ids in texts.held_out.items()}
    found = [name for name in sorted(windows) if windows[name] and name.rpartition("/")[0] in wanted]
    if missing := sorted(set(wanted) - {name.rpartition("/")[0] for name in found}):
        raise RunError(
            f"mixture: no held-out text of {', '.join(missing)} that a filter would have kept, so nothing can be learned about it: raise "
            "mixture.held_out.share or max_share, or name the other domains in mixture.learn.targets"
        )
    return Targets(tuple(found), tuple(name.rpartition("/")[0] for name in found))


def _swarm_most(texts: Texts, names: tuple[str, ...], options: ProxyOptions) -> Floats:
    from model.proxy import MAX_EPOCHS

    settings = _proxy_settings(options)
    most: Floats = _proxy_data(texts, names).max_shares(settings)
    if most.sum() < 1.0:
        raise RunError(
            f"mixture: {MAX_EPOCHS:g} passes over all kept text are {most.sum() * settings.tokens:,.0f} tokens, and a proxy trains on "
            f"{settings.tokens:,}; lower mixture.proxy.tokens"
        )
    return most


def _run(runner: Phases, options: ProxyOptions, folder: str, works: Mapping[str, ProxyWork]) -> dict[str, Any]:
    """One unit for each proxy; on GPUs, where each takes its part of one."""
    if not options.gpus:
        return dict(zip(works, runner.phase("proxies", folder, train, works), strict=True))
    runner.folders.add(folder)
    with OnRay(runner.plan.config.engine, (), options.gpus) as executor:
        return run_phase(executor, runner.progress, "proxies", storage.join(runner.plan.work, folder), train, works)


def _program() -> list[str]:
    """Stands for what trains."""
    from importlib import metadata

    return [*(file_identity(file) for file in _SOURCES), metadata.version("torch")]


def _write(output: str, learned: Learned, targets: Targets) -> None:
    """`mixture/learned.json` and two pictures."""
    figures = {
        "abstained": learned.abstained,
        "law": learned.law,
        "laws": {name: {"error": law.error, "rank_correlation": law.rank_correlation} for name, law in learned.laws.items()},
        "domains": {
            name: {"share": share, "solution": solution, "low": low, "high": high}
            for name, share, solution, low, high in zip(
                learned.names, *(values.tolist() for values in (learned.shares, learned.solution, learned.low, learned.high)), strict=True
            )
        },
        "targets": list(targets.names),
        "proxies": [
            {"mix": mix, "losses": losses, "measured": measured, "predicted": predicted}
            for mix, losses, measured, predicted in zip(
                learned.mixes.tolist(),
                learned.losses.tolist(),
                learned.measured.tolist(),
                learned.laws[learned.law].predicted.tolist(),
                strict=True,
            )
        ],
    }
    folder = storage.join(output, FOLDER)
    storage.write_bytes(storage.join(folder, "learned.json"), orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    storage.write_bytes(storage.join(folder, "predicted.svg"), predicted_and_measured(learned).encode())
    storage.write_bytes(storage.join(folder, "weights.svg"), weights_with_intervals(learned).encode())
