"""The mixtures that proxies are trained on: the prior itself, and draws around it, some near and some far.

Each draw is a Dirichlet whose strength is itself drawn (RegMix, Liu et al. 2024): at strength s a share p varies like that of s x K draws.
The prior is flattened by a square root first, so that small domains are seen at shares from which something can be learned. Caps hold
(`stages.mixture.shares.capped`). Draws of a domain depend on the seed and its name, so the order of domains changes nothing.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from stages.mixture.shares import Floats, capped, natural, tempered

STRENGTHS = (2.0, 16.0)
"""The least and the largest, drawn evenly on a logarithmic scale."""
LEAST_SHARE = 1e-4
"""What a draw gives at least to a domain that the prior has: a share of zero says little about the next to it."""


def swarm(names: Sequence[str], prior: Floats, most: Floats, num: int, seed: int) -> Floats:
    """Mixtures, (num, K), the prior first; none exceeds `most`, (K,)."""
    flat = tempered(prior, 2.0)
    strengths = np.exp(np.random.default_rng([seed, 0]).uniform(np.log(STRENGTHS[0]), np.log(STRENGTHS[1]), num))
    draws = np.empty((num, len(names)))
    for place, name in enumerate(names):
        rng = np.random.default_rng([seed, 1, zlib.crc32(name.encode())])
        draws[:, place] = [rng.gamma(max(strength * len(names) * flat[place], 1e-3)) for strength in strengths]
    mixes = np.where(prior > 0, np.maximum(draws / draws.sum(axis=1, keepdims=True), LEAST_SHARE), 0.0)
    mixes[0] = prior
    return np.array([natural(capped(natural(mix), most)) for mix in mixes])
