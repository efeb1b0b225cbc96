"""Learn a mixture where the answer is known: a noise domain, two twins, a domain that another one helps; beside brute force and DoReMi.

    python benchmarks/mixture_planted.py --output out/mixture_planted                     # learn: minutes
    python benchmarks/mixture_planted.py --output out/mixture_planted --brute-force 120   # search: as many trainings more, resumable
    python benchmarks/mixture_planted.py --output out/mixture_planted --doremi

Six domains write in 32 symbols by Markov chains. `twin_a` and `twin_b` are one chain under two names; three quarters of the symbols of
`transfer` are followed as in `hard`; `easy` has little to learn; `noise` draws symbols evenly. As the text lies the twins have half of it
and noise a tenth. Models of 13,000 parameters, so that the search is feasible. Every training is cached in `--output`.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from model.proxy import ProxyData, ProxySettings, train_doremi, train_proxy
from stages.mixture.learn import Learned, LearnSettings, learn
from stages.mixture.shares import natural, unimax
from stages.mixture.targets import Targets, together

NATURAL = {"twin_a": 0.3, "twin_b": 0.2, "hard": 0.15, "transfer": 0.1, "easy": 0.15, "noise": 0.1}
SYMBOLS, FIRST = 32, 3
TRAIN_TOKENS, HELD_OUT_TOKENS = 2_000_000, 16_384
SETTINGS = ProxySettings(tokens=32_768, hidden_size=32, intermediate_size=64, layers=1, heads=2, learning_rate=2e-2)
SEARCH_SEED = 99
FRESH_SEEDS = (SEARCH_SEED, SEARCH_SEED + 1, SEARCH_SEED + 2)
COUNTED = {"all domains count": tuple(sorted(NATURAL)), "noise does not count": tuple(sorted(set(NATURAL) - {"noise"}))}


def chain(seed: int, successors: int) -> np.ndarray:
    """Probabilities of the symbol after each, (32, 32), on so many successors."""
    rng = np.random.default_rng(seed)
    table = np.zeros((SYMBOLS, SYMBOLS))
    for symbol in range(SYMBOLS):
        table[symbol, rng.choice(SYMBOLS, successors, replace=False)] = rng.dirichlet(np.ones(successors))
    return 0.98 * table + 0.02 / SYMBOLS


def tables() -> dict[str, np.ndarray]:
    """The chain of each domain."""
    twin, hard, own, easy = chain(1, 4), chain(2, 8), chain(3, 8), chain(4, 2)
    borrowed = np.random.default_rng(5).random(SYMBOLS) < 0.75
    noise = np.full_like(twin, 1 / SYMBOLS)
    return {"twin_a": twin, "twin_b": twin, "hard": hard, "transfer": np.where(borrowed[:, None], hard, own), "easy": easy, "noise": noise}


def written(table: np.ndarray, num: int, seed: int) -> np.ndarray:
    """So many symbols of a chain, by 256 writers side by side."""
    rng = np.random.default_rng(seed)
    bounds = table.cumsum(axis=1)
    writers = 256
    text = np.zeros((writers, num // writers), np.int64)
    text[:, 0] = rng.integers(0, SYMBOLS, writers)
    for at in range(1, text.shape[1]):
        text[:, at] = (bounds[text[:, at - 1]] < rng.random(writers)[:, None]).sum(axis=1).clip(max=SYMBOLS - 1)
    return text.ravel().astype(np.int32) + FIRST


@cache
def data() -> ProxyData:
    """The domains by name."""
    names = sorted(NATURAL)
    known = tables()
    train = tuple(written(known[name], TRAIN_TOKENS, 100 + i) for i, name in enumerate(names))
    held_out = tuple(written(known[name], HELD_OUT_TOKENS, 200 + i) for i, name in enumerate(names))
    return ProxyData(tuple(names), train, held_out, np.array([0] * FIRST + [1] * SYMBOLS))


def trained(mix: Sequence[float], seed: int) -> tuple[list[float], float]:
    """Losses, and CPU seconds."""
    settings = replace(SETTINGS, seed=seed)
    texts = data()
    started = time.process_time()
    return train_proxy(mix, texts, settings), time.process_time() - started


class Trainings:
    """Proxies by identity, in one file."""

    def __init__(self, folder: Path, processes: int) -> None:
        self.pool = ProcessPoolExecutor(processes, get_context("spawn"))  # starts no process before there is something to train
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "trainings.jsonl"
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        self.known = {row["key"]: row for row in map(json.loads, lines)}

    def losses(self, mixes: np.ndarray, seed: int) -> np.ndarray:
        """Of each mixture, trained now where it is not known."""
        rows = [[round(float(share), 9) for share in mix] for mix in mixes]
        keys = [hashlib.sha256(json.dumps([asdict(SETTINGS), row, seed]).encode()).hexdigest()[:16] for row in rows]
        missing = [(key, row) for key, row in zip(keys, rows, strict=True) if key not in self.known]
        done = self.pool.map(trained, [row for _, row in missing], [seed] * len(missing))
        with self.file.open("a", encoding="utf-8") as file:
            for (key, row), (losses, seconds) in zip(missing, done, strict=True):
                self.known[key] = {"key": key, "mix": row, "seed": seed, "losses": losses, "seconds": seconds}
                file.write(json.dumps(self.known[key]) + "\n")
                file.flush()
        return np.array([self.known[key]["losses"] for key in keys])

    def seconds(self, mixes: np.ndarray, seed: int) -> float:
        """What these trainings took."""
        self.losses(mixes, seed)
        wanted = {tuple(round(float(share), 9) for share in mix) for mix in mixes}
        return sum(row["seconds"] for row in self.known.values() if row["seed"] == seed and tuple(row["mix"]) in wanted)


def learned(trainings: Trainings, settings: LearnSettings, counted: Sequence[str], turned: bool = False) -> Learned:
    """By way of `stages.mixture.learn`; `turned` hands the domains over in another order."""
    names = list(NATURAL)[::-1] if turned else list(NATURAL)
    prior = np.array([NATURAL[name] for name in names])
    most = np.ones(len(names))
    where = [sorted(NATURAL).index(name) for name in counted]
    targets = Targets(tuple(counted), tuple(counted))
    return learn(names, prior, prior, most, most, targets, lambda mixes: trainings.losses(mixes, SETTINGS.seed)[:, where], settings)


def main() -> None:
    """Learn, print, and compare with what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--brute-force", type=int, default=0, help="mixtures to search")
    parser.add_argument("--doremi", action="store_true")
    parser.add_argument("--kl", type=float, default=LearnSettings().kl)
    parser.add_argument("--proxies-per-domain", type=int, default=LearnSettings().proxies_per_domain)
    parser.add_argument("--seconds", type=float, default=240, help="stop the search after so long; the same command continues")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    trainings, names = Trainings(args.output, args.processes), sorted(NATURAL)
    prior = np.array([NATURAL[name] for name in names])
    uniform = np.full(len(names), 1 / len(names))
    candidates = {"natural": prior, "uniform": uniform, "UniMax": unimax(prior, 1.0, 4.0)}
    _print_row("", names)
    _print_row("natural", prior)
    proxies = np.zeros((0, len(names)))
    for title, counted in COUNTED.items():
        for objective in ("mean", "worst"):
            settings = LearnSettings(objective=objective, kl=args.kl, proxies_per_domain=args.proxies_per_domain, bootstrap=0)
            result = learned(trainings, settings, counted)
            assert learned(trainings, settings, counted, turned=True).shares.tolist() == result.shares.tolist()
            ranks = ", ".join(f"{name} {law.rank_correlation:.3f}" for name, law in result.laws.items())
            _print_row(f"{objective}, {title}", result.solution, f"   {ranks}{' ABSTAINS' if result.abstained else ''}")
            candidates[f"learned, {title}"] = candidates.get(f"learned, {title}", result.solution)  # of the mean, which comes first
            proxies = result.mixes
    seconds = trainings.seconds(proxies, SETTINGS.seed)
    print(f"{len(proxies)} proxies: {seconds:.0f} CPU seconds; any order of domains gives the same shares")
    if args.doremi:
        candidates["DoReMi"] = _doremi(args.output, prior)
        _print_row("DoReMi", candidates["DoReMi"])
    searched = _search(trainings, names, args.brute_force, args.seconds) if args.brute_force else np.zeros((0, len(names)))
    losses = {name: _mean_losses(trainings, mix) for name, mix in candidates.items()}
    for title, counted in COUNTED.items():
        _print_comparison(trainings, names, candidates, losses, searched, title, [names.index(name) for name in counted])
    trainings.pool.shutdown()


def _mean_losses(trainings: Trainings, mix: np.ndarray) -> np.ndarray:
    return np.mean([trainings.losses(mix[None], seed)[0] for seed in FRESH_SEEDS], axis=0)


def _print_comparison(
    trainings: Trainings,
    names: list[str],
    candidates: dict[str, np.ndarray],
    losses: dict[str, np.ndarray],
    searched: np.ndarray,
    title: str,
    where: list[int],
) -> None:
    def told(found: np.ndarray) -> np.ndarray:
        return together(found[:, where], losses["natural"][where], np.eye(len(where)), "mean")

    print(f"\nmean loss relative to natural, {title}, {len(FRESH_SEEDS)} fresh seeds:")
    values = {name: float(told(loss[None])[0]) for name, loss in losses.items()}
    for name, value in sorted(values.items(), key=lambda item: item[1]):
        worst = (losses[name] / losses["natural"])[where].max()
        print(f"  {name:<30}{value:.4f}   noise {candidates[name][names.index('noise')]:.3f}   worst domain {worst:.4f}")
    if not len(searched):
        return
    first = np.array([trainings.losses(mix[None], SEARCH_SEED)[0] for mix in searched])
    best = searched[np.argsort(told(first))[:5]]
    again = told(np.array([_mean_losses(trainings, mix) for mix in best]))
    place = int(again.argmin())
    shares = " ".join(f"{name} {share:.3f}" for name, share in zip(names, best[place], strict=True))
    print(f"  brute force, best of {len(searched)}: {again[place]:.4f} at {shares}")
    for name, value in values.items():
        if name.startswith("learned"):
            print(f"  regret of '{name}': {100 * (value / again[place] - 1):+.2f} %")


def _print_row(title: str, values: Sequence[str] | np.ndarray, after: str = "") -> None:
    print(f"{title:<34}" + "".join(f"{value:>10}" if isinstance(value, str) else f"{value:10.3f}" for value in values) + after)


def _search(trainings: Trainings, names: list[str], num: int, seconds: float) -> np.ndarray:
    """Even draws over all mixtures, every other one over those without noise, which is what one would look for knowing the answer."""
    searched = np.random.default_rng(SEARCH_SEED).dirichlet(np.ones(len(names)), num)
    searched[1::2, names.index("noise")] = 0
    searched /= searched.sum(axis=1, keepdims=True)
    started = time.perf_counter()
    for begin in range(0, num, 4):
        trainings.losses(searched[begin : begin + 4], SEARCH_SEED)
        if time.perf_counter() - started > seconds:
            raise SystemExit(f"stopped after {begin + 4} of {num} mixtures; the same command continues")
    return searched


def _doremi(folder: Path, prior: np.ndarray) -> np.ndarray:
    file = folder / "doremi.json"
    if not file.exists():
        file.write_text(json.dumps(train_doremi(data(), natural(prior).tolist(), SETTINGS)), encoding="utf-8")
    return np.array(json.loads(file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
