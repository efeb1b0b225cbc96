"""What a vocabulary costs a model, and from which model on a larger one pays.

Training on a text of n characters takes n x tokens per character x FLOPs per token. A larger vocabulary lowers the second factor and
raises the third: 6 FLOPs for each weight of the output head and each token, while the input embedding is a look-up. So

    FLOPs per character = tokens_per_char x (6 (N + V H) + 12 L H T)

with N parameters without embeddings, V ids, hidden size H, L layers and context T; N is L (4 H^2 + 3 H I + 2 H) + H as in Baichuan, the
second term attention. Memory is counted apart: 2 V H parameters, input and output. What this leaves out: that rare ids are learnt badly,
and that a longer effective context helps. It says where compute breaks even, not which model reads better.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What of a model decides the cost of a token."""

    hidden: int
    intermediate: int
    layers: int
    context: int = 4096

    @property
    def without_embeddings(self) -> int:
        """N, parameters without embeddings."""
        return self.layers * (4 * self.hidden**2 + 3 * self.hidden * self.intermediate + 2 * self.hidden) + self.hidden

    @property
    def flops_without_head(self) -> int:
        """Training FLOPs of a token but for the output head."""
        return 6 * self.without_embeddings + 12 * self.layers * self.hidden * self.context


def embedding_parameters(num_ids: int, hidden: int) -> int:
    """Input and output, not tied."""
    return 2 * num_ids * hidden


def flops_per_char(tokens_per_char: float, num_ids: int, model: ModelShape) -> float:
    """Training FLOPs for a character of text."""
    return tokens_per_char * (model.flops_without_head + 6 * num_ids * model.hidden)


def best_size(tokens_per_char: Mapping[int, float], model: ModelShape) -> int:
    """The number of ids with the least FLOPs per character; of equals the smallest. `tokens_per_char` is by number of ids."""
    return min(sorted(tokens_per_char), key=lambda num_ids: flops_per_char(tokens_per_char[num_ids], num_ids, model))


def break_even_parameters(small: tuple[int, float], large: tuple[int, float], model: ModelShape) -> float | None:
    """From how many parameters without embeddings on the larger of two vocabularies pays, at a model's hidden size, layers and context.

    `small` and `large` are (ids, tokens per character). 0 if it always pays, `None` if it never does: it saves no token.
    """
    saved = small[1] - large[1]
    if saved <= 0:
        return None
    needed = model.hidden * (large[1] * large[0] - small[1] * small[0]) / saved
    return max(0.0, needed - 2 * model.layers * model.hidden * model.context)
