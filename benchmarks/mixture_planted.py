"""Learn a mixture where the answer is known: a noise domain, two twins, a domain that another one helps; beside brute force and DoReMi.

    python benchmarks/mixture_planted.py --output out/mixture_planted                     # learn: minutes
    python benchmarks/mixture_planted.py --output out/mixture_planted --brute-force 120   # search: as many trainings more, resumable
    python benchmarks/mixture_planted.py --output out/mixture_planted --doremi

Six domains write in 32 symbols by Markov chains. `twin_a` and `twin_b` are one chain under two names; three quarters of the
symbols of `transfer` are followed as in `hard`; `easy` has little to learn; `noise` draws symbols evenly. As the text lies the twins have half
of it and noise a tenth. Every training is cached in `--output`, so each command continues what was stopped.
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


def chain(seed: int, successors: int) -> np.ndarray:
    """Probabilities of the symbol after each, (32, 32), on so many successors."""
    rng = np.random.default_rng(seed)
    table = np.zeros((SYMBOLS, SYMBOLS))
    for symbol in range(SYMBOLS):
        table[symbol, rng.choice(SYMBOLS, successors, replace=False)] = rng.dirichlet(np.ones(successors))
    return 0.98 * table + 0.02 / SYMBOLS


def tables() -> dict[str, np.ndarray]:
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
        self.processes = processes
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "trainings.jsonl"
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        self.known = {row["key"]: row for row in map(json.loads, lines)}

    def losses(self, mixes: np.ndarray, seed: int) -> np.ndarray:
        rows = [[round(float(share), 9) for share in mix] for mix in mixes]
        keys = [hashlib.sha256(json.dumps([asdict(SETTINGS), row, seed]).encode()).hexdigest()[:16] for row in rows]
        missing = [(key, row) for key, row in zip(keys, rows, strict=True) if key not in self.known]
        if not missing:
            return np.array([self.known[key]["losses"] for key in keys])
        with ProcessPoolExecutor(self.processes, get_context("spawn")) as pool, self.file.open("a", encoding="utf-8") as file:
            for (key, row), (losses, seconds) in zip(
                missing, pool.map(trained, [r for _, r in missing], [seed] * len(missing)), strict=True
            ):
                self.known[key] = {"key": key, "mix": row, "seed": seed, "losses": losses, "seconds": seconds}
                file.write(json.dumps(self.known[key]) + "\n")
                file.flush()
        return np.array([self.known[key]["losses"] for key in keys])

    def seconds(self, mixes: np.ndarray, seed: int) -> float:
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
    all_targets, without_noise = tuple(names), tuple(name for name in names if name != "noise")
    print(f"{'':<34}" + "".join(f"{name:>10}" for name in names))
    print(f"{'natural':<34}" + "".join(f"{share:10.3f}" for share in prior))
    found = {}
    for title, counted in (("all domains count", all_targets), ("noise does not count", without_noise)):
        for objective in ("mean", "worst"):
            settings = LearnSettings(objective=objective, kl=args.kl, proxies_per_domain=args.proxies_per_domain)
            result = learned(trainings, settings, counted)
            assert learned(trainings, settings, counted, turned=True).shares.tolist() == result.shares.tolist()
            found[title, objective] = result
            print(f"{objective + ', ' + title:<34}" + "".join(f"{share:10.3f}" for share in result.solution)
                  + f"   {result.law} rank correlation {result.laws[result.law].rank_correlation:.3f}"
                  + f" ({', '.join(f'{n} {m.rank_correlation:.3f}' for n, m in result.laws.items())}){' ABSTAINS' if result.abstained else ''}")  # fmt: skip
    mixes = next(iter(found.values())).mixes
    print(f"{len(mixes)} proxies: {trainings.seconds(mixes, SETTINGS.seed):.0f} CPU seconds; any order of domains gives the same")
    mean = {title: found[title, "mean"].shares for title in ("all domains count", "noise does not count")}
    candidates = {"natural": prior, "uniform": np.full(len(names), 1 / len(names)), "UniMax": unimax(prior, 1.0, 4.0), **mean}
    if args.doremi:
        candidates["DoReMi"] = _doremi(args.output, prior)
    seeds = (SEARCH_SEED, SEARCH_SEED + 1, SEARCH_SEED + 2)
    losses = {name: np.mean([trainings.losses(mix[None], seed)[0] for seed in seeds], axis=0) for name, mix in candidates.items()}
    if args.brute_force:
        searched = _search(trainings, names, args.brute_force, args.seconds)
    for title, counted in (("all domains count", all_targets), ("noise does not count", without_noise)):
        where = [names.index(name) for name in counted]
        value = {
            name: float(together(loss[None, where], losses["natural"][where], np.eye(len(where)), "mean")[0])
            for name, loss in losses.items()
        }
        print(f"\nmean loss relative to natural, {title}, {len(seeds)} fresh seeds:")
        for name, told in sorted(value.items(), key=lambda item: item[1]):
            print(
                f"  {name:<24}{told:.4f}   noise {candidates[name][names.index('noise')]:.3f}   worst domain {(losses[name] / losses['natural'])[where].max():.4f}"
            )
        if args.brute_force:
            single = np.array([trainings.losses(mix[None], SEARCH_SEED)[0] for mix in searched])
            told = together(single[:, where], losses["natural"][where], np.eye(len(where)), "mean")
            best = searched[np.argsort(told)[:5]]
            again = np.array([np.mean([trainings.losses(mix[None], seed)[0] for seed in seeds], axis=0) for mix in best])
            values = together(again[:, where], losses["natural"][where], np.eye(len(where)), "mean")
            place = int(values.argmin())
            print(
                f"  brute force, best of {len(searched)}: {values[place]:.4f} at "
                + " ".join(f"{n} {s:.3f}" for n, s in zip(names, best[place], strict=True))
            )
            for name in mean:
                print(f"  regret of '{name}': {100 * (value[name] / values[place] - 1):+.2f} %")


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
    shares = np.array(json.loads(file.read_text(encoding="utf-8")))
    print("DoReMi".ljust(34) + "".join(f"{share:10.3f}" for share in shares))
    return shares


if __name__ == "__main__":
    main()
