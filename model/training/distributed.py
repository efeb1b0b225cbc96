"""The processes of a training: one alone, or those that torchrun started, each with its device and its share of the batch.

FSDP2: every matrix is cut by rows over the processes; a layer's is put together when its turn comes. Process r of W has rows
[r·c, (r+1)·c) with c = ceil(rows / W), which `own_rows` says, so that weights can be made and checkpoints read without any process
holding a whole model.
"""

import os
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor

from configs.errors import ConfigError


@dataclass(frozen=True)
class World:
    """One process among those of a training."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in their order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for all."""
        if self.size > 1:
            dist.barrier()


def join(device: str = "auto") -> World:
    """Find the device and, if torchrun started this process, the others: NCCL for CUDA, gloo for CPUs. Raises `ConfigError`."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: got cuda, and there is none here; take cpu or auto")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    size, place_in_node = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device(kind, place_in_node) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", device_id=place if kind == "cuda" else None)
    return World(world_rank(), size, place)


def world_rank() -> int:
    """The number of this process, as torchrun says it; 0 without."""
    return int(os.environ.get("RANK", "0"))


def leave() -> None:
    """Say good-bye to the others."""
    if dist.is_initialized():
        dist.destroy_process_group()


def shard(model: nn.Module, layers: nn.ModuleList, products: torch.dtype) -> None:
    """Cut a model on the meta device over all processes, layer by layer; gathered in the type of the products, gradients added in fp32."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    # Casting inputs would round RoPE's tables too, which stay fp32
    policy = MixedPrecisionPolicy(param_dtype=products, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)


def own_rows(num_rows: int, rank: int, size: int) -> tuple[int, int]:
    """The rows of a tensor that a process holds.

    >>> [own_rows(10, rank, 4) for rank in range(4)]
    [(0, 3), (3, 6), (6, 9), (9, 10)]
    """
    chunk = -(-num_rows // size)
    return min(rank * chunk, num_rows), min((rank + 1) * chunk, num_rows)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that is in this process."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, in each process."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
