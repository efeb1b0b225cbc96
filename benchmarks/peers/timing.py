"""How every program of a side-by-side run measures: pinned, the first call apart, CPU and wall seconds of each repeat.

A program reads its case, a JSON file, and writes what it found beside it:

    {"version": "0.10.1", "first": {"wall": ..., "cpu": ...}, "repeats": [{"wall": ..., "cpu": ...}, ...], "found": {...}}

`spread` is for functions of a list of documents: on n cores n processes, each pinned to its core, do the n-th documents each, and start
every repeat together; wall is that of the slowest, CPU the sum. A function that needs less than `LEAST_SECONDS` is called so often that
a repeat lasts as long, and seconds are those of one call. `whole` is for programs that read and write files and start their own workers.
"""

import json
import math
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

LEAST_SECONDS = 1.0

Case = dict[str, Any]
Found = dict[str, Any]
Seconds = dict[str, float]
Prepared = Callable[[], Found]


def main(ways: dict[str, Callable[[Case], dict[str, Any]]], distribution: str | None = None) -> None:
    """Run the way that the case names and write the result; `distribution` is whose version stands in it, unless the way says it."""
    path = Path(sys.argv[1])
    case = json.loads(path.read_text(encoding="utf-8"))
    os.sched_setaffinity(0, case["cores"])
    result = ways[case["way"]](case)
    version = {} if distribution is None else {"version": metadata.version(distribution)}
    path.with_suffix(".result.json").write_text(json.dumps(version | result), encoding="utf-8")


def texts(case: Case) -> list[str]:
    """The documents of a case."""
    with open(case["documents"], encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def spread(case: Case, prepare: Callable[[list[str]], Prepared]) -> dict[str, Any]:
    """Measure what `prepare` makes of a worker's documents; what it finds is added up over workers."""
    cores = case["cores"]
    barrier, slowest = multiprocessing.Barrier(len(cores)), multiprocessing.Array("d", len(cores))
    pipes = [multiprocessing.Pipe(duplex=False) for _ in cores]
    workers = [
        multiprocessing.Process(target=_work, args=(case, prepare, number, barrier, slowest, pipe[1]), daemon=True)
        for number, pipe in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    for _, sender in pipes:
        sender.close()
    try:
        answers = [receiver.recv() for receiver, _ in pipes]
    except EOFError:
        sys.exit("a worker ended early")  # it has said why
    for worker in workers:
        worker.join()
    return {
        "first": _together([answer["first"] for answer in answers]),
        "repeats": [_together(list(seconds)) for seconds in zip(*(answer["repeats"] for answer in answers), strict=True)],
        "found": {key: sum(answer["found"][key] for answer in answers) for key in answers[0]["found"]},
    }


def _work(case: Case, prepare: Callable[[list[str]], Prepared], number: int, barrier: Any, slowest: Any, pipe: Any) -> None:
    cores = case["cores"]
    os.sched_setaffinity(0, {cores[number]})
    function = prepare(texts(case)[number :: len(cores)])
    first, found = timed(function, 1)
    barrier.wait()
    second = timed(function, 1)[0]
    slowest[number] = second["wall"]
    barrier.wait()
    calls = max(1, math.ceil(LEAST_SECONDS / max(slowest[:])))
    repeats = [second] if calls == 1 else []
    while len(repeats) < case["repeats"]:
        barrier.wait()
        repeats.append(timed(function, calls)[0])
    pipe.send({"first": first, "repeats": repeats, "found": found})


def timed(function: Callable[[], Any], calls: int) -> tuple[Seconds, Any]:
    """Seconds of one of so many calls, child processes that ended included, and what the last returned."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    for _ in range(calls):
        returned = function()
    return {"wall": (time.perf_counter() - wall) / calls, "cpu": (_cpu_seconds() - cpu) / calls}, returned


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _together(seconds: list[Seconds]) -> Seconds:
    return {"wall": max(one["wall"] for one in seconds), "cpu": sum(one["cpu"] for one in seconds)}


def whole(case: Case, run: Callable[[Path], Any], found: Callable[[Path], Found]) -> dict[str, Any]:
    """Measure a program from files to files, each time in a folder of its own; `found` reads the first one's output, untimed."""
    first, repeats, read = None, [], {}
    for number in range(case["repeats"] + 1):
        folder = Path(case["folder"]) / str(number)
        folder.mkdir(parents=True)
        seconds, _ = timed(lambda folder=folder: run(folder), 1)
        if first is None:
            first, read = seconds, found(folder)
        else:
            repeats.append(seconds)
    return {"first": first, "repeats": repeats, "found": read}


def write_kept(case: Case, rows: Iterable[tuple[str, str]]) -> Found:
    """Write the ids and texts that a program kept where the judge reads them; how many there are."""
    number = 0
    with open(case["kept"], "w", encoding="utf-8") as file:
        for name, text in rows:
            file.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")
            number += 1
    return {"kept": number}
