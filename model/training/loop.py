"""A whole training: from settings to a model, through kills, spikes and full memory.

OUTPUT/ holds `metrics.jsonl`, `timing.jsonl`, `heldout.jsonl`, `faults.jsonl` (model/training/records.py), `checkpoints/`, and at the end
`model/`, `loss.png` and the final figures in `training.json`. Run again, a training goes on from its last checkpoint; on a CPU with the
same number of threads to the same bits as if it had never stopped.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from configs.errors import RunError
from model.baichuan import Baichuan
from model.checkpoint import save
from model.training.batches import Batch, TokenSource
from model.training.curve import draw_curve
from model.training.distributed import World, join
from model.training.faults import Watch, describe, stop, worst
from model.training.heldout import Heldout
from model.training.plan import Plan, make_plan
from model.training.progress import Progress
from model.training.records import FAULTS, HELDOUT, METRICS, TIMING, Records, read_records
from model.training.schedule import share_of_rate
from model.training.settings import TrainConfig
from model.training.snapshots import Snapshots
from model.training.trainer import StepResult, build

TRAINING = "training.json"


@dataclass(frozen=True)
class TrainResult:
    """What a training came to."""

    folder: str
    num_steps: int
    tokens: int
    loss: float
    """Cross-entropy of the last tenth of the steps, nats a token."""
    faults: int
    """Batches that were not learnt from."""
    heldout_loss: float | None
    """Nats a token."""
    unigram_entropy: float | None
    """Of the held-out tokens: what a model pays that knows their frequencies only."""
    seconds: float
    """Of all steps, on the clock."""
    tokens_per_second: float
    """Median over steps."""


def train(
    config: TrainConfig,
    source: TokenSource | None = None,
    heldout: TokenSource | None = None,
    quiet: bool = False,
    overwrite: bool = False,
) -> TrainResult:
    """Train, or go on with a training that was stopped. `source`, `heldout`: instead of the packs that `config` names.

    Raises `CorpusError`: `ConfigError` and `InputError` before the first step, `RunError` for another training in the output folder, for
    full memory or a full disk, and by `faults.policy`.
    """
    world = join(config.device)
    plan = make_plan(config, source, heldout, world)
    folder = Path(config.output)
    with _machine(config, world), _memory(config):
        finished = _claim(folder, plan, config, world, overwrite)
        if finished is not None:
            if not quiet and world.is_first:
                print(f"{folder}: this training was already complete; nothing was done again", file=sys.stderr)
            return TrainResult(**finished)
        run = _Run(config, plan, world, folder, quiet)
        with run.records:
            run.steps()
            return run.finish()


class _Run:
    """A training under way."""

    def __init__(self, config: TrainConfig, plan: Plan, world: World, folder: Path, quiet: bool) -> None:
        self.config, self.plan, self.world, self.folder = config, plan, world, folder
        self.progress = Progress(plan.shape, config.length, plan.num_steps, world, quiet)
        self.trainer = build(plan.shape, config.step, config.seed, world)
        self.snapshots = Snapshots(folder / "checkpoints", config.checkpoints.keep, world)
        latest = self.snapshots.latest()
        self.first, state = 1, {}
        if latest is not None:
            self.trainer.load_state(latest.read, latest.facts["updates"])
            self.first, state = latest.step + 1, latest.facts["watch"]
            self.progress.say(f"going on after step {latest.step:,}")
        elif config.model.weights is not None:
            weights = Baichuan.from_pretrained(config.model.weights).state_dict()
            self.trainer.load_weights(weights)
        self.watch = Watch(config.faults, state)
        self.records = Records(folder, self.first - 1, world.is_first)
        self.board = _board(folder) if config.tensorboard and world.is_first else None

    def steps(self) -> None:
        """All steps that are left."""
        config, plan = self.config, self.plan
        for step, batch in plan.batches.steps(self.first, plan.num_steps):
            started = time.perf_counter()
            rate = config.step.optimizer.learning_rate * share_of_rate(config.schedule, step, plan.num_steps)
            limit = self.watch.limit()
            result = self.trainer.step(batch, rate, limit)
            self.watch.see(result)
            self._record(step, rate, result, time.perf_counter() - started)
            if not result.applied:
                self._answer(step, batch, result, limit)
            is_last = step == plan.num_steps
            if plan.heldout is not None and (is_last or _is_due(step, config.heldout_every)):
                self._measure(step, plan.heldout)
            if is_last or _is_due(step, config.checkpoints.every):
                self.records.sync()
                self.snapshots.save(step, self.trainer.state(), {"updates": self.trainer.num_updates, "watch": self.watch.state()})

    def finish(self) -> TrainResult:
        """Write the model, and say what came of it."""
        plan, folder = self.plan, self.folder
        self.snapshots.wait()
        weights = self.trainer.whole_weights()
        metrics, timing, heldout = (read_records(folder, name) for name in (METRICS, TIMING, HELDOUT))
        entropy = plan.heldout.unigram_entropy() if plan.heldout is not None else None
        last = [row["cross_entropy"] for row in metrics[-max(1, plan.num_steps // 10) :] if row["cross_entropy"] is not None]
        speeds = sorted(row["tokens_per_second"] for row in timing)
        result = TrainResult(
            folder=str(folder),
            num_steps=plan.num_steps,
            tokens=self._tokens(plan.num_steps),
            loss=sum(last) / max(1, len(last)),
            faults=sum(not row["applied"] for row in metrics),
            heldout_loss=heldout[-1]["loss"] if heldout else None,
            unigram_entropy=entropy,
            seconds=round(sum(row["seconds"] for row in timing), 1),
            tokens_per_second=round(speeds[len(speeds) // 2], 1),
        )
        if self.world.is_first:
            save(plan.shape.to_json(), weights, folder / "model")
            if plan.tokenizer_file is not None:
                shutil.copyfile(plan.tokenizer_file, folder / "model" / plan.tokenizer_file.name)
            if not draw_curve(folder, entropy):
                self.progress.say("no loss.png: matplotlib is not installed")
            _write_training(folder, plan, self.config, asdict(result))
        if self.board is not None:
            self.board.close()
        self.world.barrier()
        return result

    def _record(self, step: int, rate: float, result: StepResult, seconds: float) -> None:
        speed = self.config.batch * self.config.length / seconds
        row = {"step": step, "loss": result.loss, "cross_entropy": result.cross_entropy, "lr": rate, "grad_norm": result.grad_norm}
        self.records.add(METRICS, row | {"tokens": self._tokens(step), "applied": result.applied})
        self.records.add(TIMING, {"step": step, "seconds": seconds, "tokens_per_second": speed, "mfu": self.progress.mfu(speed)})
        self.progress.step(step, result.cross_entropy, speed, seconds)
        if self.board is not None:
            for name in ("cross_entropy", "lr", "grad_norm"):
                self.board.add_scalar(name, row[name], step)

    def _answer(self, step: int, batch: Batch, result: StepResult, limit: float) -> None:
        """Name a faulty batch, and do what the policy says."""
        policy = self.config.faults.policy
        what = describe(result, limit)
        losses = self.trainer.losses(batch)
        of_all = self.world.gather([(loss, self.plan.batches.documents(step, row)) for row, loss in enumerate(losses)])
        sequences = [sequence for of_one in of_all for sequence in of_one]
        documents = [document for row in worst([loss for loss, _ in sequences]) for document in sequences[row][1]]
        did = "skip" if policy == "rewind" and not self._rewind() else policy
        self.records.add(FAULTS, {"step": step, "what": what, "policy": did, "documents": documents})
        self.progress.say(f"step {step}: {what}; {did}; worst: {', '.join(document for _, document in documents[:5])}")
        if policy == "stop":
            raise stop(step, what, documents, "the policy is to stop")
        if self.watch.in_a_row >= self.config.faults.most_in_a_row:
            raise stop(step, what, documents, f"{self.watch.in_a_row} faults in a row")

    def _rewind(self) -> bool:
        """Back to the weights of the last checkpoint; whether there is one."""
        self.snapshots.wait()
        latest = self.snapshots.latest()
        if latest is not None:
            self.trainer.load_state(latest.read, latest.facts["updates"])
        return latest is not None

    def _measure(self, step: int, heldout: Heldout) -> None:
        loss, targets = heldout.loss(self.trainer)
        self.records.add(HELDOUT, {"step": step, "tokens": self._tokens(step), "loss": loss, "targets": targets})
        self.progress.say(f"step {step:,}: held-out loss {loss:.3f} nats a token over {targets:,} tokens")

    def _tokens(self, step: int) -> int:
        return step * self.config.batch * self.config.length


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _claim(folder: Path, plan: Plan, config: TrainConfig, world: World, overwrite: bool) -> dict[str, Any] | None:
    """Make the folder this training's; the final figures if it was already finished. Raises `RunError` if it is another's."""
    path = folder / TRAINING
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    world.barrier()
    if known is not None and known["identity"] != json.loads(json.dumps(plan.identity)):
        if not overwrite:
            differing = [key for key, value in json.loads(json.dumps(plan.identity)).items() if known["identity"].get(key) != value]
            raise RunError(
                f"{folder}: holds another training (other {', '.join(differing)}); choose another output, or give --overwrite to replace it"
            )
        if world.is_first:
            shutil.rmtree(folder)
        known = None
    elif known is None and folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder}: is not empty and holds no training; choose another output")
    world.barrier()
    if known is not None and known["result"] is not None:
        return dict(known["result"])
    if world.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        _write_training(folder, plan, config, None)
    world.barrier()
    return None


def _write_training(folder: Path, plan: Plan, config: TrainConfig, result: dict[str, Any] | None) -> None:
    facts = {
        **{"result": result, "parameters": plan.shape.num_parameters(), "parameters_without_embeddings": plan.shape.num_parameters(False)},
        **{"config": asdict(config), "identity": plan.identity, "torch": torch.__version__, "threads": torch.get_num_threads()},
    }
    temporary = folder / f"{TRAINING}.tmp"
    temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(folder / TRAINING)


def _board(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


@contextmanager
def _machine(config: TrainConfig, world: World) -> Iterator[None]:
    """The threads, a random state that the seed decides, and no denormal numbers, which slow a CPU a hundredfold; then as before."""
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(config.threads or threads)
    torch.manual_seed(config.seed * world.size + world.rank)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_rng_state(random)
        torch.set_num_threads(threads)


@contextmanager
def _memory(config: TrainConfig) -> Iterator[None]:
    """Say what to change where memory is full."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; a CPU's allocator has no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        step = config.step
        advice = [f"step.micro_batch below {step.micro_batch or 'the whole share of batch'}"] if step.micro_batch != 1 else []
        advice += ["step.activations: selective or recompute"] if step.activations == "keep" else []
        advice += ["step.optimizer.kind: adamw_bf16"] if step.optimizer.kind == "adamw" and step.precision != "fp32" else []
        advice += ["more processes: torchrun --nproc-per-node", f"length below {config.length}"]
        raise RunError(f"out of memory: {str(error).splitlines()[0]} Change, in this order: {'; '.join(advice)}; then run again") from None
