"""Us beside our peers: the same documents, one run, one core and two, with repeats and spread, and what each finds. `make bench`.

    python benchmarks/side_by_side.py [--data DATA] [--only COMPARISON ...] [--cores 1 2] [--fresh] [--page docs/benchmarks.md]

DATA is a folder of `*_en.jsonl.zst` and `*_zh.jsonl.zst` files such as the real data; without it the bundled sample is varied until it is
large enough. Peers that this project does not depend on get their own environments below `.peers/`, from PyPI, all versions pinned in
`benchmarks/peers/requirements/`. Each case is a process of its own and its result is kept in `.peers/results/`, so a run that was stopped
goes on, and one whose code, documents and versions are unchanged measures nothing again (`--fresh` does). A peer that cannot be
installed or that fails is a row with the reason.

Writes the page and, beside it, all figures as JSON. What is measured and how ratios are made stands on the page.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers.cases import REPEATS, Case, Runner, cases
from peers.documents import Sizes, make
from peers.page import COMPARISONS, NOT_RUN, written

FOLDER = Path(".peers")


def main() -> None:
    """Make documents, run cases, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(COMPARISONS), help="run these alone; of the others what is kept is shown")
    parser.add_argument("--cores", nargs="+", type=int, choices=(1, 2), default=[1, 2])
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that a case's processes are stopped too
    documents = make(arguments.data, FOLDER.absolute() / "documents", Sizes())
    runner = Runner(FOLDER.absolute(), documents, arguments.repeats, arguments.fresh)
    found = []
    for case in cases():
        if case.comparison in (arguments.only or COMPARISONS) and case.cores in arguments.cores:
            outcome = runner.run(case)
            print(f"{case.name}: {outcome.get('failure') or outcome['seconds']}", flush=True)
        else:
            outcome = runner.kept(case) or {"failure": NOT_RUN}
        found.append(row(case, outcome, documents.facts))
    report = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "documents": documents.facts,
        "repeats": arguments.repeats,
        "cases": found,
    }
    arguments.page.with_suffix(".json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    arguments.page.write_text(written(report), encoding="utf-8")
    failed = sum("failure" in one for one in found)
    print(f"{arguments.page} and .json: {len(found) - failed} of {len(found)} cases")


def row(case: Case, outcome: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """A case as it stands in the report: megabytes are of the text as it was before anyone prepared it."""
    set_name = case.set if case.set in ("planted", "hosts") else "text"
    names = ("comparison", "who", "variant", "language", "cores")
    known = {"megabytes": facts["megabytes"][f"{set_name}-{case.language}"]} if case.language else {}
    result = outcome.get("result", {})
    return {name: getattr(case, name) for name in names} | known | {k: v for k, v in outcome.items() if k != "result"} | result


def machine() -> dict[str, Any]:
    """What it was measured on, without names and paths."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gigabytes": round(memory),
        "system": platform.system(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
