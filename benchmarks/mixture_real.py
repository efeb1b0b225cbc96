"""Models trained on a run's learned mixture against natural, uniform and UniMax shares, on held-out text that the learning has not seen.

    corpus run configs/mixture/real_data.yaml
    python benchmarks/mixture_real.py out/mixture_real --seeds 2 3 4

For each seed the models are the run's proxies, and mixtures share initialisation, windows and their order. Bits per byte of each domain
and language are divided by those of the natural mixture of the same seed; languages count equally within a domain, and domains equally.
P values are of a paired t test over seeds, corrected by Holm. Trainings are cached in the run's folder `mixture/comparison.jsonl`, so that
the same command continues.
"""

import argparse
import dataclasses
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from scipy import stats

from model.proxy import ProxyData, ProxySettings, train_proxy
from pipeline.mixture.proxy_texts import SampleWork, read_texts, sample, sampled_shares
from stages.mixture.proxies import ProxyOptions
from stages.mixture.shares import natural, unimax
from stages.mixture.targets import Targets, together


def weighted_bytes(run: Path) -> dict[str, float]:
    """What is kept of each domain, by sampling weight."""
    found: dict[str, float] = {}
    for part in (run / "corpus").glob("*.parquet"):
        rows = pq.read_table(part, columns=["domain", "num_bytes", "sampling_weight"])
        for name, size, weight in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            found[name] = found.get(name, 0.0) + size * weight
    return found


def texts_of(run: Path, options: ProxyOptions, held_out_tokens: int, seed: int) -> tuple[ProxyData, Targets]:
    """The domains' text, and held-out text behind what the learning measured, as a run with this seed took them."""
    weighted = weighted_bytes(run)
    shares = sampled_shares(weighted, options.tokens, options.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        parts = sorted(path.name for path in (run / "corpus").glob("*.parquet"))
        for part in parts:
            sample(SampleWork(str(run), part, shares, seed, f"{folder}/{part}"))
        known = options.held_out_tokens
        texts = read_texts([f"{folder}/{part}" for part in parts], options.tokenizer, options.tokens, known + held_out_tokens)
    fresh = {name: ids[known:] for name, ids in texts.held_out.items() if len(ids) >= known + 8 * options.length}
    names = tuple(sorted(weighted))
    data = ProxyData(names, tuple(texts.train[name] for name in names), tuple(fresh.values()), texts.token_bytes)
    return data, Targets(tuple(fresh), tuple(name.rpartition("/")[0] for name in fresh))


def main() -> None:
    """Train what is missing, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--tokens", type=int, help="of one training; as the run's proxies if not given")
    parser.add_argument("--held-out-tokens", type=int, default=32_768, help="of each domain and language at most")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    settings = json.loads((args.run / "run.json").read_text(encoding="utf-8"))["settings"]
    options = ProxyOptions(**settings["stages"][-1]["mixture"]["proxy"])
    options = dataclasses.replace(options, tokens=args.tokens or options.tokens)
    data, targets = texts_of(args.run, options, args.held_out_tokens, settings["seed"])
    report = json.loads((args.run / "summary.json").read_text(encoding="utf-8"))["mixture"]
    figures = json.loads((args.run / "mixture/learned.json").read_text(encoding="utf-8"))
    sizes = np.array([report["by_domain"][name]["bytes"] for name in data.names], np.float64)
    given = yaml.safe_load((args.run / "mixture.yaml").read_text(encoding="utf-8"))["shares"]
    mixes = {
        "natural": natural(sizes),
        "uniform": np.full(len(sizes), 1 / len(sizes)),
        "UniMax": unimax(sizes, float(report["bytes"]), report["max_epochs"]),
        "learned": natural(
            np.array([given[name] if not figures["abstained"] else figures["domains"][name]["solution"] for name in data.names])
        ),
    }
    shape = {field.name: getattr(options, field.name) for field in dataclasses.fields(ProxySettings) if hasattr(options, field.name)}
    jobs = {(name, seed): ProxySettings(**shape | {"seed": seed}) for seed in args.seeds for name in mixes}
    for name, mix in mixes.items():
        epochs = mix * options.tokens / np.array([len(ids) for ids in data.train])
        assert epochs.max() <= 4, f"{name} reads a domain {epochs.max():.1f} times"
    losses = _losses(args.run / "mixture/comparison.jsonl", jobs, mixes, data, args.processes)
    print(f"{'':<10}" + "".join(f"{name[:9]:>10}" for name in data.names))
    for name, mix in mixes.items():
        print(f"{name:<10}" + "".join(f"{share:10.3f}" for share in mix))
    law = figures["laws"][figures["law"]]
    print(f"learned: {len(figures['proxies'])} proxies, {figures['law']}, rank correlation {law['rank_correlation']:.2f}"
          + (": the run abstained to UniMax; compared is what it would have taken" if figures["abstained"] else ""))  # fmt: skip
    _print_comparison(mixes, losses, args.seeds, targets)


def _losses(
    file: Path, jobs: dict[tuple[str, int], ProxySettings], mixes: dict[str, np.ndarray], data: ProxyData, processes: int
) -> dict[tuple[str, int], np.ndarray]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {row["key"]: row["losses"] for row in map(json.loads, lines)}
    keys = {job: json.dumps([dataclasses.asdict(settings), mixes[job[0]].round(9).tolist()]) for job, settings in jobs.items()}
    missing = [job for job in jobs if keys[job] not in known]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool, file.open("a", encoding="utf-8") as out:
        arguments = ([mixes[name].tolist() for name, _ in missing], [data] * len(missing), [jobs[job] for job in missing])
        for job, losses in zip(missing, pool.map(train_proxy, *arguments), strict=True):
            known[keys[job]] = losses
            out.write(json.dumps({"key": keys[job], "losses": losses}) + "\n")
            out.flush()
    return {job: np.array(known[key]) for job, key in keys.items()}


def _print_comparison(mixes: dict[str, np.ndarray], losses: dict[tuple[str, int], np.ndarray], seeds: list[int], targets: Targets) -> None:
    averaging, domains = targets.averaging(), sorted(set(targets.domain))
    print(f"\nbits per byte relative to natural, {len(seeds)} paired seeds, {len(targets.names)} held-out texts of {len(domains)} domains")
    macro = {
        name: np.array([together(losses[name, seed][None], losses["natural", seed], averaging, "mean")[0] for seed in seeds])
        for name in mixes
    }
    print(f"{'':<10}{'macro':>8}{'range over seeds':>20}  " + "".join(f"{name[:9]:>10}" for name in domains))
    for name in mixes:
        by_domain = np.mean([averaging @ (losses[name, seed] / losses["natural", seed]) for seed in seeds], axis=0)
        values = "".join(f"{value:10.4f}" for value in by_domain)
        print(f"{name:<10}{macro[name].mean():8.4f}{macro[name].min():12.4f}-{macro[name].max():.4f}   {values}")
    tested = {name: float(stats.ttest_rel(macro["learned"], macro[name]).pvalue) for name in mixes if name != "learned"}
    order = sorted(tested, key=lambda name: tested[name])
    corrected = 0.0
    print("learned against:")
    for place, name in enumerate(order):
        corrected = max(corrected, min(1.0, tested[name] * (len(order) - place)))
        ratio = np.array([averaging @ (losses["learned", seed] / losses[name, seed]) for seed in seeds]).mean(axis=0)
        change = 100 * (ratio.mean() - 1)
        worst = int(ratio.argmax())
        print(
            f"  {name:<8} {change:+.2f} %, p {tested[name]:.4f} (Holm {corrected:.4f}); "
            f"worst domain {domains[worst]} {100 * (ratio[worst] - 1):+.2f} %"
        )
    bits = np.mean([losses["natural", seed] for seed in seeds], axis=0)
    print("natural, bits per byte: " + ", ".join(f"{name} {value:.3f}" for name, value in zip(targets.names, bits, strict=True)))


if __name__ == "__main__":
    main()
