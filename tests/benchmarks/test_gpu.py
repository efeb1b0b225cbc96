"""The GPU benchmark on a CPU: its plan by hand, and a dry run of its jobs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import Sweep, _rates
from benchmarks.gpu_cases import CASES, SHAPES, Case, peak_tflops, plan
from benchmarks.gpu_parity import CHECKS
from model.train import OptimizerSettings, StepSettings, build

ROOT = Path(__file__).parents[2]


def test_every_case_needs_checks_that_exist_and_has_its_own_name() -> None:
    for case in CASES:
        assert set(case.needs()) <= set(CHECKS), case.name
        assert case.sequences % case.micro_batch == 0
        StepSettings(micro_batch=case.micro_batch, optimizer=OptimizerSettings(kind=case.optimizer))  # type: ignore[arg-type]
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_plan_of_seven_billion_parameters_by_hand() -> None:
    count = 7_000_559_616
    parts = plan(Case(model="7b", micro_batch=2, sequences=16, optimizer="adamw_split"), SHAPES["7b"])
    assert parts["weights"] + parts["gradients"] + parts["moments"] == 14 * count
    # 32 layers, 2 x 4,096 tokens, 10 x 4,096 + 3 x 11,008 numbers of two bytes
    assert parts["activations"] == 32 * 8192 * (40960 + 33024) * 2
    assert parts["copies"] == 0
    assert parts["total"] == sum(value for name, value in parts.items() if name != "total")
    forgotten = plan(Case(model="7b", micro_batch=2, sequences=16, activations="recompute"), SHAPES["7b"])
    assert forgotten["weights"] + forgotten["gradients"] + forgotten["moments"] == 16 * count
    assert forgotten["activations"] == (32 * 4096 + 40960 + 33024) * 8192 * 2


def test_planned_activations_are_those_that_autograd_keeps() -> None:
    """Of layers that are not compiled, within 5 %; on a CPU."""
    case = Case(model="1b", micro_batch=1, sequences=1, length=128, optimizer="adamw_bf16", compile="off")
    kept = []
    for layers in (1, 2):
        trainer = build(
            case.shape(dry=True).__class__(**vars(case.shape(dry=True)) | {"num_hidden_layers": layers}),
            StepSettings(precision="bf16", compile=False, optimizer=OptimizerSettings(kind="adamw_bf16")),
        )
        own = {p.untyped_storage().data_ptr() for p in trainer.model.parameters()}
        seen: dict[int, torch.Tensor] = {}

        def keep(x: torch.Tensor, own: set[int] = own, seen: dict[int, torch.Tensor] = seen) -> torch.Tensor:
            if x.untyped_storage().data_ptr() not in own:
                seen[x.untyped_storage().data_ptr()] = x
            return x

        ids = torch.randint(3, 320, (1, 128))
        trainer.model.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x), trainer._numbers():
            loss = trainer.model(ids, labels=ids).loss
        kept.append(sum(x.untyped_storage().nbytes() for x in seen.values()))
        assert loss is not None
    planned = plan(case, case.shape(dry=True))["activations"] / case.shape(dry=True).num_hidden_layers
    assert kept[1] - kept[0] == pytest.approx(planned, rel=0.05)


def test_rates_by_hand() -> None:
    timed = {"state": "ok", "tokens_per_step": 65536, "step_seconds": 5.0, "flops_per_token": 46.9e9, "flops_per_token_causal": 43.7e9}
    rates = _rates(timed, "NVIDIA H200", {"tflops": {"square": 790.0}})
    assert rates["tokens_per_second"] == pytest.approx(13107.2)
    assert rates["tflops"] == pytest.approx(614.7, abs=0.1)
    assert rates["mfu"] == pytest.approx(0.6213, abs=1e-4)
    assert rates["mfu_causal"] == pytest.approx(0.5789, abs=1e-4)
    assert rates["share_of_ceiling"] == pytest.approx(0.7781, abs=1e-4)
    assert _rates({"state": "failed"}, "NVIDIA H200", {}) == {}
    assert "mfu" not in _rates(timed, "an unknown device", {})


@pytest.mark.parametrize(
    ("name", "peak"), [("NVIDIA H200", 989.5), ("NVIDIA H100 PCIe", 756.0), ("NVIDIA H100 80GB HBM3", 989.5), ("X", None)]
)
def test_peaks_are_known_by_the_device_s_name(name: str, peak: float | None) -> None:
    assert peak_tflops(name) == peak


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/gpu.py", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_dry_run_checks_then_times_and_writes_each_result(tmp_path: Path) -> None:
    name = "7b adamw_split 2x4096"
    done = run("--dry-run", "--only", name, "--output", str(tmp_path / "gpu.json"), "--seconds", "1000")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["dry_run"] is True
    assert {check["check"]: check["passed"] for check in found["parity"]} == {
        **{"sdpa_cudnn": None, "chunked_loss": True, "compile_layer": None, "optimizer_adamw_split": True}
    }
    (case,) = found["cases"]
    assert case["state"] == "ok"
    assert case["tokens_per_step"] == 4 * 64
    assert case["settings"]["length"] == 4096
    assert found["ceiling"]["tflops"].keys() == {"square", "W_pack", "o_proj", "gate", "down"}
    assert "planned GB" in done.stdout
    assert "= 140.7" in " ".join(done.stdout.split()), "98.0 of state, 38.8 of activations, 2.4 and 1.5"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_what_to_do(tmp_path: Path) -> None:
    done = run("--output", str(tmp_path / "gpu.json"))
    assert done.returncode == 1
    assert "--dry-run" in done.stderr
    assert "error" in json.loads((tmp_path / "gpu.json").read_text())["device"]


class Scripted(Sweep):
    """A sweep whose jobs answer from a table."""

    def __init__(self, tmp_path: Path, answers: dict[str, object], seconds: float = 1000) -> None:
        import argparse

        super().__init__(
            argparse.Namespace(output=str(tmp_path / "gpu.json"), seconds=seconds, only="1b adamw", skip_parity=False, dry_run=True)
        )
        self.cases = self.cases[:1]
        self.answers = answers

    def _work(self, job, seconds, line):  # type: ignore[no-untyped-def]
        if job["job"] == "parity":
            for name in job["names"]:
                if name == self.answers.get("dies"):
                    return "the process ended with status -11"
                line({"check": name, "passed": name != self.answers.get("fails"), "error": "x"})
            return None
        if job["job"] == "time":
            if "time" in self.answers:
                line(self.answers["time"])
            return "no answer"
        line({"device": "CPU", "memory_bytes": None, "torch": "2", "python": "3", "tflops": {"square": 1.0}})
        return None


@pytest.mark.parametrize("how", ["fails", "dies"])
def test_a_case_whose_path_failed_its_check_is_not_timed_and_later_checks_still_run(tmp_path: Path, how: str) -> None:
    sweep = Scripted(tmp_path, {how: "chunked_loss"})
    assert sweep.run() == 1
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["cases"][0]["state"] == "not timed"
    assert found["cases"][0]["error"] == "parity failed: chunked_loss"
    assert {check["check"]: check["passed"] for check in found["parity"]}["optimizer_adamw"] is True


@pytest.mark.parametrize(("check", "setting", "instead"), [("sdpa_cudnn", "attention", "flash"), ("compile_layer", "compile", "off")])
def test_a_default_path_that_fails_gives_way_to_the_next(tmp_path: Path, check: str, setting: str, instead: str) -> None:
    sweep = Scripted(tmp_path, {"fails": check})
    sweep.run()
    (case,) = json.loads((tmp_path / "gpu.json").read_text())["cases"]
    assert case["settings"][setting] == instead
    assert case["state"] == "failed", "nothing is wrong with this path, but the script has no answer for it"


def test_too_little_memory_halves_the_micro_batch(tmp_path: Path) -> None:
    sweep = Scripted(tmp_path, {"time": {"state": "out of memory"}})
    sweep.run()
    cases = json.loads((tmp_path / "gpu.json").read_text())["cases"]
    assert [case["settings"]["micro_batch"] for case in cases] == [8, 4, 2, 1]


def test_time_that_has_run_out_is_said_and_loses_nothing(tmp_path: Path) -> None:
    sweep = Scripted(tmp_path, {}, seconds=10)
    sweep.run()
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [case["state"] for case in found["cases"]] == ["not reached"]
    assert "tflops" in found["ceiling"]


def test_a_worker_that_hangs_or_dies_is_ended_and_what_it_said_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse

    sweep = Sweep(argparse.Namespace(output=str(tmp_path / "gpu.json"), seconds=60, only="", skip_parity=False, dry_run=True))
    worker = tmp_path / "benchmarks" / "gpu_worker.py"
    worker.parent.mkdir()
    (worker.parent / "__init__.py").touch()
    monkeypatch.setattr("benchmarks.gpu.ROOT", tmp_path)
    said: list[dict[str, object]] = []
    worker.write_text(
        'import os, subprocess\nprint(\'RESULT {"a": 1}\', flush=True)\nsubprocess.Popen(["sleep", "60"])\nos.kill(os.getpid(), 9)\n'
    )
    assert sweep._work({}, 30, said.append) == "the process ended with status -9"
    worker.write_text("import time\nprint('RESULT {\"a\": 2}', flush=True)\ntime.sleep(60)\n")
    assert sweep._work({}, 3, said.append) == "stopped after 3 s"
    assert said == [{"a": 1}, {"a": 2}]
    assert sweep.left() > 10, "neither waited for what the worker had started"
