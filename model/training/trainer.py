"""One step of training: forward, backward, norm of the gradients, update. Everything else is about when to take it.

    trainer = build(preset("1b"), StepSettings(micro_batch=4))   # this machine's best device
    result = trainer.step(batch, learning_rate=3e-4)

A batch is cut into parts of `micro_batch` sequences, and over the processes; losses and gradients of parts add up to those of the batch
exactly as one would compute them (targets are counted over all of it), so that cutting changes rounding alone.
The loss is read before the weights are touched: a batch that gives no number, or a loss above `limit`, changes nothing.
"""

import math
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from configs.errors import ConfigError
from model.baichuan import Baichuan
from model.config import BaichuanConfig
from model.loss import IGNORED
from model.training.batches import Batch
from model.training.distributed import World, join, local, own_rows, shard, whole
from model.training.kernels import attention_kernels, keep_products
from model.training.optimizer import make_optimizer
from model.training.settings import StepSettings


@dataclass(frozen=True)
class StepResult:
    """What a step gave."""

    loss: float
    """Cross-entropy with z-loss, of the batch before the update."""
    cross_entropy: float
    """Nats a target."""
    grad_norm: float
    """Before clipping."""
    applied: bool
    """Whether the weights were changed."""


class Trainer:
    """A model on its device or devices, with its optimizer."""

    def __init__(self, model: Baichuan, settings: StepSettings, world: World) -> None:
        self.model, self.settings, self.world = model, settings, world
        self.optimizer = make_optimizer(model, settings.optimizer, compiled=world.device.type == "cuda")
        self.num_updates = 0
        compiles = _compiles(settings, world)
        # Cut models were compiled layer by layer: what FSDP does between layers cannot be
        self._losses: Callable[..., tuple[Tensor, Tensor]] = (
            torch.compile(self._forward, fullgraph=True) if compiles and not _by_layer(settings, world) else self._forward
        )

    def step(self, batch: Batch, learning_rate: float, limit: float = math.inf) -> StepResult:
        """Learn from this process's part of a batch, unless its loss or gradient is no number or its cross-entropy above `limit`."""
        sums = self.forward_backward(batch)
        gradients = [local(p.grad) for p in self.model.parameters() if p.grad is not None]
        # In fp32 also of bf16 gradients, and with one look at the device: FSDP leaves each row in one process
        square = torch.stack(torch._foreach_norm(gradients, dtype=torch.float32)).square().sum()
        loss, cross_entropy, square_norm = self.world.sum(torch.stack((*sums, square))).tolist()
        grad_norm = math.sqrt(square_norm) if square_norm >= 0 else square_norm
        applied = math.isfinite(loss) and math.isfinite(grad_norm) and cross_entropy <= limit
        if applied:
            clip = self.settings.optimizer.clip
            if clip and grad_norm > clip:
                torch._foreach_mul_(gradients, clip / grad_norm)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
            self.num_updates += 1
        self.optimizer.zero_grad()
        return StepResult(loss, cross_entropy, grad_norm, applied)

    def forward_backward(self, batch: Batch) -> Tensor:
        """Add a batch's gradients to the parameters'; this process's part of loss and cross-entropy, (2,), on the device."""
        self.model.train()
        batch = batch.to(self.world.device)
        num_sequences, length = batch.ids.shape
        whole_batch = (
            self.world.sum((batch.labels[:, 1:] != IGNORED).sum()),
            num_sequences * (length - 1) * self.world.size,
        )
        sums = torch.zeros(2, device=self.world.device)
        size = self.settings.micro_batch or num_sequences
        for begin in range(0, num_sequences, size):
            part = batch.part(begin, begin + size)
            if self.world.size > 1:
                cast(Any, self.model).set_requires_gradient_sync(begin + size >= num_sequences)
            with self._numbers():
                loss, cross_entropy = self._losses(part.ids, part.segments, part.labels, whole_batch)
            # FSDP averages gradients over the processes, and parts of a loss add up
            (loss * self.world.size).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack((loss.detach(), cross_entropy))
        return sums

    @torch.no_grad()
    def losses(self, batch: Batch) -> list[float]:
        """The cross-entropy of each of this process's sequences, nats a target."""
        batch = batch.to(self.world.device)
        found = []
        for row in range(len(batch.ids)):
            part = batch.part(row, row + 1)
            with self._numbers():
                output = self.model(part.ids, attention_mask=part.segments, labels=part.labels)
            found.append(output.cross_entropy)
        self._forget_gathered()
        return cast(list[float], torch.stack(found).tolist())

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> tuple[float, int]:
        """The sum of cross-entropy over all processes' parts of a batch, in nats, and its targets."""
        batch = batch.to(self.world.device)
        sums = torch.zeros(2, dtype=torch.float64, device=self.world.device)
        size = self.settings.micro_batch or len(batch.ids)
        for begin in range(0, len(batch.ids), size):
            part = batch.part(begin, begin + size)
            num_targets = (part.labels[:, 1:] != IGNORED).sum()
            with self._numbers():
                output = self.model(part.ids, attention_mask=part.segments, labels=part.labels, use_cache=False)
            sums += torch.stack((output.cross_entropy.double() * num_targets, num_targets.double()))
        self._forget_gathered()
        nats, targets = self.world.sum(sums).tolist()
        return nats, int(targets)

    def state(self) -> dict[str, Tensor]:
        """What this process holds of weights and moments, and its random state; by name, not copied."""
        state: dict[str, Tensor] = {"random.cpu": torch.get_rng_state()}
        if self.world.device.type == "cuda":
            state["random.cuda"] = torch.cuda.get_rng_state(self.world.device)
        for name, parameter in self.model.named_parameters():
            state[f"model.{name}"] = local(parameter.detach())
            for kept, tensor in self.optimizer.state[parameter].items():
                if kept != "step":
                    state[f"{kept}.{name}"] = local(tensor)
        return state

    @torch.no_grad()
    def load_state(self, read: Callable[[str, tuple[int, int] | None], Tensor | None], num_updates: int) -> None:
        """Restore what `state` gave. `read` gets a name and the rows of it that are wanted, or `None` for all of a random state."""
        self.num_updates = num_updates
        for name, parameter in self.model.named_parameters():
            rows = own_rows(parameter.shape[0], self.world.rank, self.world.size)
            state = self.optimizer.state[parameter]
            state["step"].fill_(num_updates)
            for key, tensor in ((f"model.{name}", parameter), *((f"{kept}.{name}", state[kept]) for kept in state if kept != "step")):
                found = read(key, rows)
                assert found is not None
                local(tensor).copy_(found)
        if (random := read("random.cpu", None)) is not None:
            torch.set_rng_state(random)
        if self.world.device.type == "cuda" and (random := read("random.cuda", None)) is not None:
            torch.cuda.set_rng_state(random, self.world.device)

    @torch.no_grad()
    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Start from these instead of fresh weights; whole tensors by their official names."""
        for name, parameter in self.model.named_parameters():
            begin, end = own_rows(parameter.shape[0], self.world.rank, self.world.size)
            local(parameter).copy_(weights[name][begin:end])

    def whole_weights(self) -> dict[str, Tensor]:
        """The model's weights by their official names, whole, on the host; in the first process only, others get nothing."""
        weights = {}
        for name, parameter in self.model.named_parameters():
            tensor = whole(parameter.detach()).cpu()
            if self.world.is_first:
                weights[name] = tensor
        return weights

    def _forward(self, ids: Tensor, segments: Tensor | None, labels: Tensor, whole_batch: tuple[Tensor, int]) -> tuple[Tensor, Tensor]:
        output = self.model(ids, attention_mask=segments, labels=labels, whole=whole_batch)
        return output.loss, output.cross_entropy

    def _forget_gathered(self) -> None:
        """After a forward pass alone FSDP leaves the root's weights whole, for a backward pass that does not come."""
        if self.world.size > 1:
            cast(Any, self.model).reshard()

    def _numbers(self) -> ExitStack:
        """The types of numbers and the kernels that a forward pass uses."""
        device = self.world.device
        contexts = ExitStack()
        contexts.enter_context(attention_kernels(self.settings.attention, device))
        contexts.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=self.settings.precision != "fp32"))
        return contexts


def build(shape: BaichuanConfig, settings: StepSettings, seed: int = 0, world: World | None = None) -> Trainer:
    """A trainer of a fresh model: the same weights on any number of processes. Raises `ConfigError` for what this machine cannot do."""
    world = world or join()
    check_machine(settings, world)
    with torch.device("meta"):
        model = Baichuan(shape)
    if settings.optimizer.kind != "adamw":
        model.to(torch.bfloat16)
    if settings.precision == "fp8":
        from model.training.fp8 import use_fp8

        use_fp8(model)
    if settings.activations != "keep":
        model.checkpoint_layers(settings.recompute_every, *([keep_products] if settings.activations == "selective" else []))
    if settings.precision != "fp32":
        model.model.stream_dtype = torch.bfloat16
    if _compiles(settings, world) and _by_layer(settings, world):
        for layer in model.model.layers:
            layer.compile(fullgraph=world.size == 1)
    if world.size > 1:
        shard(model, model.model.layers, torch.float32 if settings.precision == "fp32" else torch.bfloat16)
    model.to_empty(device=world.device)
    _fill(model, world, seed)
    return Trainer(model, settings, world)


@torch.no_grad()
def _fill(model: Baichuan, world: World, seed: int) -> None:
    """Fresh weights, each tensor from its own generator, so that no process ever holds more than one whole tensor."""
    for name, parameter in model.named_parameters():
        # 32 bits: a CPU's generator reads no more of its seed
        generator = torch.Generator(world.device).manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        fresh = torch.empty(parameter.shape, dtype=torch.float32, device=world.device)
        model.fill_fresh(name, fresh, generator)
        begin, end = own_rows(parameter.shape[0], world.rank, world.size)
        local(parameter).copy_(fresh[begin:end])


def check_machine(settings: StepSettings, world: World) -> None:
    """Refuse what this machine cannot do. Raises `ConfigError`."""
    if settings.precision == "fp8":
        from model.training.fp8 import check_fp8

        check_fp8(world.device)
    if settings.activations == "selective" and _compiles(settings, world) and _by_layer(settings, world):
        model = "compile_scope: model, " if world.size == 1 else ""
        raise ConfigError(
            f"step.activations: selective forgets all of a layer that is compiled by itself; take {model}compile: false, or recompute"
        )
    if settings.optimizer.kind != "adamw" and settings.precision == "fp32":
        kind = settings.optimizer.kind
        raise ConfigError(f"step.optimizer.kind: {kind} keeps weights in bf16, and step.precision is fp32; take bf16 or adamw")


def _compiles(settings: StepSettings, world: World) -> bool:
    return world.device.type == "cuda" if settings.compile is None else settings.compile


def _by_layer(settings: StepSettings, world: World) -> bool:
    return settings.compile_scope == "layer" or world.size > 1
