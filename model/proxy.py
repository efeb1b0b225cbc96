"""Proxies: small models that train on a mixture of domains for a fixed number of tokens and say how well they predict each held-out text.

A proxy has about 0.1 M parameters and reads bytes by default, so that no tokenizer is needed before the corpus exists; on one thread it
takes seconds. What matters are differences between mixtures, so all else is equal: initialisation, the windows of each domain and their
order come from the seed and the domain's name, and how many windows of each are read is exact (largest remainders), spread evenly over
the steps: Aioli (Chen et al. 2024) found no method that beats such stratified sampling by itself. No domain is read more than
`MAX_EPOCHS` times.

B batch, N positions, V vocabulary.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from configs.errors import ConfigError
from model.baichuan import Baichuan
from model.config import BaichuanConfig
from stages.mixture.doremi import updated

MAX_EPOCHS = 4.0
"""Up to so many passes are nearly as good as new text (Muennighoff et al. 2023); beyond, a proxy would measure memorisation."""

Ids = npt.NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """A proxy and its training."""

    hidden_size: int = 64
    intermediate_size: int = 176
    layers: int = 2
    heads: int = 4
    length: int = 64
    """Tokens of a window."""
    batch: int = 4
    """Windows of a step. A short training needs steps more than it needs long or many windows."""
    tokens: int = 262_144
    """Of one training."""
    learning_rate: float = 6e-3
    """At its highest, after a tenth of the steps; falls to a tenth along a cosine."""
    initializer_range: float = 0.06
    """Three times Baichuan's, for a twentieth of its width: 1.9 % fewer bits per byte after 131,072 bytes than 0.1."""
    seed: int = 1
    device: str = "cpu"

    @property
    def windows(self) -> int:
        """Of one training."""
        return self.steps * self.batch

    @property
    def steps(self) -> int:
        """Of one training."""
        return self.tokens // (self.length * self.batch)

    def check(self) -> None:
        """Raises `ConfigError` if the budget is less than a batch."""
        if self.steps < 1:
            raise ConfigError(f"proxy: a budget of {self.tokens:,} tokens is less than one batch of {self.batch} x {self.length} tokens")


class ProxyData(NamedTuple):
    """Texts as ids."""

    names: tuple[str, ...]
    """Of the domains."""
    train: tuple[Ids, ...]
    """Of each domain, its documents one after the other."""
    held_out: tuple[Ids, ...]
    """Of each target."""
    token_bytes: npt.NDArray[np.integer]
    """Bytes of each id, (V,); 0 for special ones, which are not measured."""

    def max_shares(self, settings: ProxySettings) -> npt.NDArray[np.float64]:
        """The largest share of each domain that keeps within `MAX_EPOCHS`, (K,)."""
        return np.array([MAX_EPOCHS * (len(ids) // settings.length) / settings.windows for ids in self.train])


def train_proxy(mix: Sequence[float], data: ProxyData, settings: ProxySettings) -> list[float]:
    """Train on a mixture; bits per byte of each target. Raises `ConfigError` for a budget that is less than a batch."""
    settings.check()
    with _one_thread(settings):
        return _bits_per_byte(_trained(mix, data, settings), data, settings)


def train_doremi(
    data: ProxyData, prior: Sequence[float], settings: ProxySettings, rate: float = 1.0, smoothing: float = 1e-3
) -> list[float]:
    """DoReMi (Xie et al. 2023): the mean of the domain weights over the steps of one proxy.

    A reference is trained on the prior. The proxy reads all domains equally, weighs their losses, and after each step the weights grow with
    the domains' excess loss over the reference (clipped at 0 token by token), by exponentiated gradient, smoothed with the uniform mix.
    """
    settings.check()
    num = len(data.train)
    with _one_thread(settings):
        reference = _trained(prior, data, settings)
        weights = np.full(num, 1.0 / num)
        total = np.zeros(num)
        each = -(-settings.batch // num)
        steps = settings.windows // (each * num)
        model, optimizer, scheduler = _fresh(data, settings, steps)
        order = [_windows(data, place, steps * each, settings) for place in range(num)]
        for step in range(steps):
            ids_BN = torch.cat([order[place][step * each : (step + 1) * each] for place in range(num)]).to(settings.device)
            domain = np.repeat(np.arange(num), each)
            nats_BN = _nats(model, ids_BN)
            with torch.no_grad():
                excess = (nats_BN - _nats(reference, ids_BN)).clamp(min=0).mean(1).cpu().numpy()
            weights = updated(weights, np.bincount(domain, excess) / each, rate, smoothing)
            total += weights
            loss = (nats_BN.mean(1) * torch.tensor(weights[domain] / each, dtype=torch.float32, device=ids_BN.device)).sum()
            _step(loss, model, optimizer, scheduler)
    return [float(share) for share in total / steps]


@contextmanager
def _one_thread(settings: ProxySettings) -> Iterator[None]:
    """Proxies run beside each other, and one thread adds in one order. Draws are ours alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    devices = [torch.cuda.current_device()] if settings.device.startswith("cuda") else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        torch.set_num_threads(threads)


def _fresh(
    data: ProxyData, settings: ProxySettings, steps: int
) -> tuple[Baichuan, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """A model, and a rate that has fallen after so many steps."""
    torch.manual_seed(settings.seed)
    config = BaichuanConfig(
        vocab_size=len(data.token_bytes),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_length=settings.length,
        initializer_range=settings.initializer_range,
    )
    model = Baichuan(config).to(settings.device)
    optimizer = torch.optim.AdamW(model.parameter_groups(0.1), lr=settings.learning_rate, betas=(0.9, 0.95), fused=True)
    warm = max(1, steps // 10)

    def factor(step: int) -> float:
        progress = (step - warm) / max(1, steps - warm)
        return (step + 1) / warm if step < warm else 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, progress)))

    return model, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _trained(mix: Sequence[float], data: ProxyData, settings: ProxySettings) -> Baichuan:
    model, optimizer, scheduler = _fresh(data, settings, settings.steps)
    counts = allocate(np.asarray(mix, np.float64), settings.windows)
    windows = [_windows(data, place, count, settings) for place, count in enumerate(counts)]
    # The i-th of a domain's n windows stands at (i + 1/2) / n of the training, so every step has the domains in proportion
    at = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    order = torch.from_numpy(np.argsort(at, kind="stable"))
    ids_WN = torch.cat(windows)[order].to(settings.device)
    for begin in range(0, len(ids_WN), settings.batch):
        ids_BN = ids_WN[begin : begin + settings.batch]
        loss = F.cross_entropy(model(ids_BN, use_cache=False).logits[:, :-1].flatten(0, 1), ids_BN[:, 1:].flatten())
        _step(loss, model, optimizer, scheduler)
    return model


def _step(loss: Tensor, model: Baichuan, optimizer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.LRScheduler) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()


def allocate(mix: npt.NDArray[np.float64], total: int) -> list[int]:
    """Windows of each domain, summing to the total: largest remainders, the first of equal ones.

    >>> allocate(np.array([0.5, 0.25, 0.25]), 10)
    [5, 3, 2]
    """
    exact = mix / mix.sum() * total
    counts = np.floor(exact + 1e-9).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return [int(count) for count in counts]


def _windows(data: ProxyData, place: int, count: int, settings: ProxySettings) -> Tensor:
    """So many windows of a domain in an order of its own, over again where it has fewer, (count, N)."""
    there = len(data.train[place]) // settings.length
    assert count == 0 or count <= (MAX_EPOCHS + 1e-6) * there + 1, f"{count} windows of '{data.names[place]}', which has {there}"
    ids = torch.from_numpy(data.train[place][: there * settings.length].astype(np.int64)).view(there, settings.length)
    draw = np.random.default_rng([settings.seed, zlib.crc32(data.names[place].encode())])
    passes = [draw.permutation(there) for _ in range(-(-count // max(there, 1)))]
    return ids[torch.from_numpy(np.concatenate([*passes, np.zeros(0, np.int64)])[:count])]


def _nats(model: Baichuan, ids_BN: Tensor) -> Tensor:
    """Of each token but the first of a window, (B, N - 1)."""
    logits = model(ids_BN, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2).float(), ids_BN[:, 1:], reduction="none")


@torch.no_grad()
def _bits_per_byte(model: Baichuan, data: ProxyData, settings: ProxySettings) -> list[float]:
    token_bytes_V = torch.from_numpy(data.token_bytes.astype(np.int64)).to(settings.device)
    found = []
    for ids in data.held_out:
        there = len(ids) // settings.length
        windows = torch.from_numpy(ids[: there * settings.length].astype(np.int64)).view(there, settings.length).to(settings.device)
        nats = num_bytes = 0.0
        for ids_BN in torch.split(windows, 32):
            size_BN = token_bytes_V[ids_BN[:, 1:]]
            nats += float((_nats(model, ids_BN) * (size_BN > 0)).sum())
            num_bytes += float(size_BN.sum())
        found.append(nats / max(num_bytes, 1.0) / math.log(2))
    return found
