"""Training speed on one GPU: parity of each fast path first, then tokens/s, TFLOPS and MFU of the 7b and 1b presets by a sweep of levers.

    python benchmarks/gpu.py [--output out/gpu.json] [--seconds 470] [--only 7b] [--skip-parity]
    python benchmarks/gpu.py --dry-run        # on a CPU: the same paths in tiny shapes

Needs torch, numpy and safetensors, from a bare checkout. Each job runs in its own process; the JSON file is written anew after each, so
that stopping it loses nothing. docs/gpu.md says how to read the figures. A case is timed only if the parity checks of the paths that it
uses have passed. The exit status is 0 if every job that ran gave a result, 1 else.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.gpu_cases import CASES, GOALS, Case, peak_tflops, plan  # noqa: E402

SECONDS = 470
"""For everything: eight minutes with room to end."""
PARITY_SHARE = 0.3
"""Of that time at most, unless the checks are all that is asked for."""
CASE_SECONDS = 150
LEAST_SECONDS = 45
"""With less left no further case is begun."""
EXPANDABLE = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
"""Less memory is lost to fragments; not every virtual machine can."""

Line = Callable[[dict[str, Any]], None]


def main() -> int:
    """Run all jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="out/gpu.json", help="JSON file with all figures")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for everything")
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    parser.add_argument("--skip-parity", action="store_true", help="time cases whose paths were not compared; figures say so")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes on a CPU")
    return Sweep(parser.parse_args()).run()


class Sweep:
    """The jobs in order, what they found, and the time that is left."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.dry = arguments, arguments.dry_run
        self.started = time.monotonic()
        self.environment: dict[str, str] = {} if self.dry else dict(EXPANDABLE)
        self.found: dict[str, Any] = {"seconds_allowed": arguments.seconds, "dry_run": self.dry, "parity": [], "cases": []}
        self.cases = [case for case in CASES if arguments.only in case.name]

    def left(self) -> float:
        """Seconds."""
        return float(self.arguments.seconds - (time.monotonic() - self.started))

    def run(self) -> int:
        """All jobs; the exit status."""
        facts = self._device()
        if facts is None:
            print("no CUDA device works here: look at the messages above, or take --dry-run for a CPU", file=sys.stderr)
            return 1
        self._print_plan(facts)
        self._keep("ceiling", self._one({"job": "ceiling"}, 60))
        if not self.arguments.skip_parity:
            self._parity()
        waiting = list(self.cases)
        while waiting:
            case = self._possible(waiting.pop(0))
            self._keep("cases", self._case(case, facts), append=True)
            last = self.found["cases"][-1]
            print(_row(last), flush=True)
            if last["state"] == "out of memory" and case.micro_batch > 1:
                waiting.insert(0, dataclasses.replace(case, micro_batch=case.micro_batch // 2))
        self._print_best()
        states = [case["state"] for case in self.found["cases"]] + [_state(check) for check in self.found["parity"]]
        return 0 if not {"failed", "timeout"} & set(states) else 1

    def _device(self) -> dict[str, Any] | None:
        facts = self._one({"job": "device"}, 90)
        if "error" in facts and self.environment:
            self.environment = {}  # a machine without virtual memory management: plain segments
            facts = self._one({"job": "device"}, 90)
        self._keep("device", facts)
        return None if "error" in facts else facts

    def _parity(self) -> None:
        """All checks that the cases need, those of the first cases first.

        Where a process dies, its check has failed, and the next process goes on behind it. What the time does not reach is unchecked.
        """
        names = list(dict.fromkeys(name for case in self.cases for name in case.needs()))
        until = self.left() - self.arguments.seconds * PARITY_SHARE
        while names and self.left() > max(until, LEAST_SECONDS):
            done: list[str] = []

            def line(result: dict[str, Any], done: list[str] = done) -> None:
                done.append(result["check"])
                self._keep("parity", result, append=True)
                print(f"parity {result['check']:24}{_state(result):9}{_details(result)}", flush=True)

            error = self._work({"job": "parity", "names": names}, self.left() - max(until, LEAST_SECONDS), line)
            names = names[len(done) :]
            if names and error:
                late = error.startswith("stopped")
                line({"check": names[0], "passed": None if late else False, "skipped" if late else "error": error})
                names = names[1:]

    def _passed(self) -> dict[str, bool | None]:
        return {check["check"]: check["passed"] for check in self.found["parity"]}

    def _possible(self, case: Case) -> Case:
        """The case itself, or with the next best path where one that it takes by default has failed its check."""
        passed = self._passed()
        if passed.get("sdpa_cudnn") is False and case.attention == "auto":
            case = dataclasses.replace(case, attention="flash")
        if passed.get("compile_layer") is False and case.compile == "layer":
            case = dataclasses.replace(case, compile="off")
        return case

    def _case(self, case: Case, facts: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {"name": case.name, "settings": dataclasses.asdict(case), "planned_bytes": plan(case, case.shape(False))}
        passed = self._passed()
        failed = [name for name in case.needs() if passed.get(name) is False]
        unknown = [name for name in case.needs() if passed.get(name) is None]
        if failed:
            return result | {"state": "not timed", "error": f"parity failed: {', '.join(failed)}"}
        if self.left() < LEAST_SECONDS:
            return result | {"state": "not reached"}
        states = sum(result["planned_bytes"][part] for part in ("weights", "gradients", "moments"))
        if facts["memory_bytes"] and states > facts["memory_bytes"]:
            return result | {"state": "not timed", "error": f"needs {states / 1e9:.0f} GB for weights, gradients and moments alone"}
        job, seconds = {"job": "time", "case": dataclasses.asdict(case.tiny() if self.dry else case)}, min(CASE_SECONDS, self.left())
        result |= {"unchecked": unknown} | self._one(job, seconds)
        if result["state"] == "timeout" and seconds < CASE_SECONDS:
            result["state"] = "not reached"  # nothing is wrong with it: the time for everything was over
        return result | _rates(result, facts["device"], self.found["ceiling"])

    def _one(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """A job with one result; `error` and `state` say why there is none."""
        results: list[dict[str, Any]] = []
        error = self._work(job, seconds, results.append)
        if results:
            return results[-1]
        return {"state": "timeout" if error and error.startswith("stopped") else "failed", "error": error or "ended without a result"}

    def _work(self, job: dict[str, Any], seconds: float, line: Line) -> str | None:
        """Run a job, giving its results as they come; why it did not end well."""
        command = [sys.executable, "-m", "benchmarks.gpu_worker", json.dumps(job | {"dry": self.dry})]
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | self.environment | {"PYTHONPATH": path}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)

        assert process.stdout is not None
        lines = process.stdout

        def pump() -> None:
            for text in lines:
                if text.startswith("RESULT "):
                    line(json.loads(text.removeprefix("RESULT ")))

        reader = threading.Thread(target=pump, daemon=True)
        reader.start()
        error = None
        try:
            if status := process.wait(max(seconds, 1)):
                error = f"the process ended with status {status}"
        except subprocess.TimeoutExpired:
            error = f"stopped after {seconds:.0f} s"
        finally:
            # Also what it started: torch's compilers outlive a crash and would hold the pipe open
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(30)
        lines.close()
        return error

    def _keep(self, key: str, value: dict[str, Any], append: bool = False) -> None:
        """Note a result and write the file."""
        if append:
            self.found[key].append(value)
        else:
            self.found[key] = value
        self.found["seconds"] = round(time.monotonic() - self.started, 1)
        file = Path(self.arguments.output)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.tmp")
        temporary.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        temporary.replace(file)

    def _print_plan(self, facts: dict[str, Any]) -> None:
        memory = f", {facts['memory_bytes'] / 1e9:.1f} GB" if facts["memory_bytes"] else ""
        print(f"{facts['device']}{memory}; torch {facts['torch']}, CUDA {facts.get('cuda')}, Python {facts['python']}")
        print("planned GB: weights + gradients + moments + bf16 copies + activations + head + context = total")
        for case in self.cases:
            parts = {name: value / 1e9 for name, value in plan(case, case.shape(False)).items()}
            print(f"  {' + '.join(f'{value:.1f}' for value in list(parts.values())[:-1])} = {parts['total']:6.1f}  {case.name}")
        sys.stdout.flush()

    def _print_best(self) -> None:
        for model, goal in GOALS.items():
            timed = [case for case in self.found["cases"] if case["settings"]["model"] == model and case.get("mfu")]
            plain = [case for case in timed if case["settings"]["precision"] == "bf16" and not case["settings"]["documents"]]
            if plain:
                best = max(plain, key=lambda case: case["mfu"])
                print(f"best {model} in bf16: {best['mfu']:.1%} MFU ({best['mfu_causal']:.1%} causal), goal {goal} %: {best['name']}")
        print(f"figures  {self.arguments.output}   {self.found['seconds']:.0f} s")


def _rates(result: dict[str, Any], device: str, ceiling: dict[str, Any]) -> dict[str, Any]:
    """Tokens/s, TFLOPS and shares of peak and ceiling from a timed step."""
    if result["state"] != "ok":
        return {}
    speed = result["tokens_per_step"] / result["step_seconds"]
    headline, causal = (speed * result[key] / 1e12 for key in ("flops_per_token", "flops_per_token_causal"))
    rates = {"tokens_per_second": speed, "tflops": headline, "tflops_causal": causal}
    if peak := peak_tflops(device):
        rates |= {"peak_tflops": peak, "mfu": headline / peak, "mfu_causal": causal / peak}
    if measured := ceiling.get("tflops", {}).get("square"):
        rates |= {"share_of_ceiling": headline / measured, "share_of_ceiling_causal": causal / measured}
    return rates


def _row(case: dict[str, Any]) -> str:
    if case["state"] != "ok":
        return f"{case['state']:>11}  {case['name']}: {case.get('error', '')}"
    mfu = f"MFU {case['mfu']:.1%} (causal {case['mfu_causal']:.1%})" if case.get("mfu") else "MFU -"
    memory = f"{case['peak_bytes'] / 1e9:.1f} GB" if case["peak_bytes"] else "-"
    ceiling = f"{case['share_of_ceiling']:.1%} of ceiling" if case.get("share_of_ceiling") else "ceiling -"
    return (
        f"{case['tokens_per_second']:9,.0f} tokens/s  {case['tflops']:6.1f} TFLOPS  {mfu}  {ceiling}  "
        f"peak {memory}  step {case['step_seconds']:.3f} s, update {case['update_seconds']:.3f}  {case['name']}"
    )


def _state(check: dict[str, Any]) -> str:
    return {True: "passed", False: "failed", None: "skipped"}[check["passed"]]


def _details(check: dict[str, Any]) -> str:
    if "worst" in check:
        return f"worst {check['worst']:.2e}, bound {check['bound']:.2e}: {check['what']}"
    return str(check.get("skipped") or check.get("error") or "")


if __name__ == "__main__":
    sys.exit(main())
