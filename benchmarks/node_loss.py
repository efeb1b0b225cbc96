"""A cluster of two nodes on one machine loses one of them in the middle of a run: does the run end, with the same bytes?

    python benchmarks/node_loss.py configs/real_data.yaml
    python benchmarks/node_loss.py configs/sample.yaml --phases shards write

Each variant is a run on a cluster of two nodes of one CPU each (`ray.cluster_utils`, real raylets); all processes of the second node get
SIGKILL as soon as a unit of a phase is committed while that node has a worker. Then a node joins anew for the next variant. Prints, for
each, the hash of corpus, rejected, ledger and edits, how many units were to do when the node died, and how long the run took.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster
from real_runs import digest

ROOT = Path("out/node_loss")


def start(config: str, address: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a run with two workers on the cluster at `address`, or in one process if that is empty."""
    where = [f"engine.address={address}", "engine.executor=ray", "engine.workers=2"] if address else ["engine.executor=inprocess"]
    sets = [argument for override in (f"output={folder}", *where) for argument in ("--set", override)]
    return subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", config, "--quiet", *sets], stdout=subprocess.DEVNULL)


def workers_below(node: object) -> int:
    """How many Ray workers of this node are at work on a unit."""
    raylet = node.all_processes["raylet"][0].process.pid  # type: ignore[attr-defined]
    with contextlib.suppress(psutil.Error):
        lines = [" ".join(child.cmdline()) for child in psutil.Process(raylet).children(recursive=True)]
        return sum(line.startswith("ray::") and "IDLE" not in line for line in lines)
    return 0


def committed(folder: Path, phase: str) -> int:
    """Units of a phase that are done; a phase is named by the beginning of its folder."""
    return sum(1 for _ in (folder / "work").glob(f"{phase}*/*.json"))


def lose_node(cluster: Cluster, config: str, phase: str) -> tuple[str, int, float]:
    """A run whose second node dies in `phase`: the hash of its output, units of the phase done by then, seconds. Exits if it fails."""
    folder = ROOT / f"killed_in_{phase}"
    node = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    cluster.wait_for_nodes()
    started = time.monotonic()
    process = start(config, cluster.address, folder)
    while process.poll() is None and not (committed(folder, phase) and workers_below(node)):
        time.sleep(0.005)
    if process.poll() is not None:
        sys.exit(f"the run ended before the second node worked on '{phase}': choose another phase or more input")
    done = committed(folder, phase)
    cluster.remove_node(node, allow_graceful=False)
    if process.wait():
        sys.exit(f"the run that lost a node in '{phase}' ended with {process.returncode}")
    return digest(folder), done, time.monotonic() - started


def main() -> None:
    """Run all variants and print what was seen; exit code 1 if a byte differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--phases", nargs="+", default=["shards", "send", "write"], help="beginnings of folders below work/")
    arguments = parser.parse_args()
    shutil.rmtree(ROOT, ignore_errors=True)
    plain = ROOT / "one_process"
    if start(arguments.config, "", plain).wait():
        sys.exit("the undisturbed run failed")
    documents = json.loads((plain / "summary.json").read_text())["documents"]
    print(f"{'one process, no Ray':<24} {digest(plain)}  {documents}", flush=True)
    head = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    digests = [digest(plain)]
    try:
        for phase in arguments.phases:
            found, done, seconds = lose_node(cluster, arguments.config, phase)
            digests.append(found)
            print(f"{'node killed in ' + phase:<24} {found}  with {done} units of it done; {seconds:.1f} s", flush=True)
    finally:
        cluster.shutdown()
    same = len(set(digests)) == 1
    print(f"same bytes: {same}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
