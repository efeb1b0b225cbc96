"""From a model's margin to a probability, and how good the probabilities are.

A margin is a mean over words and n-grams: three words of a menu may have that of a whole page of spam, but say less. So Platt's sigmoid
(1999) gets a slope that grows with the length of the text,

    logit p = (slope + growth * log2(1 + tokens)) * margin + bias + length * log2(1 + tokens),

fitted on texts of all lengths, single sentences to whole documents, from sources that the model was not trained on. `p` is the
probability that a text is one of the good ones where good and bad are equally frequent. Documents have a `length` of 0: long is not good.
Sentences have coefficients of their own with one, since a short line is boilerplate more often than a long one. Isotonic regression was
rejected: with the few hundred documents of a small calibration set its steps put thousands of texts on one score, which neither ranks
them nor gives percentiles.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAX_LOG_TOKENS = 12.0
"""The slope grows no further from 4,095 tokens on."""
MIN_SLOPE = 0.01
"""A better margin is never a worse score, whatever the length."""
NUM_QUANTILES = 1000
BINS = 15
"""Of the calibration error: as many texts by weight in each."""
SCALE_DEVIATION, SHIFT_DEVIATION = 0.5, 1.0
"""How far the log odds of new texts are expected to be from a model's: half or one and a half times, a unit up or down."""
SIGMOID_SHARE = 0.1
_RIDGE = 1e-3
_STEPS = 50


class Calibration(NamedTuple):
    """Coefficients of the formula above."""

    slope: float
    growth: float
    bias: float
    length: float = 0.0

    def probability(self, margin: Floats, tokens: npt.NDArray[np.int64]) -> Floats:
        """Of each text, in (0, 1)."""
        length = log_tokens(tokens)
        slope = np.maximum(self.slope + self.growth * length, MIN_SLOPE)
        return np.asarray(1 / (1 + np.exp(-np.clip(slope * margin + self.bias + self.length * length, -30, 30))))


class Adjustment(NamedTuple):
    """A map of a model's probabilities that suits labelled texts: nine tenths isotonic regression, one tenth a sigmoid.

    Steps alone would put many texts on one score; the sigmoid keeps their order. Two numbers alone make the calibration error worse where
    a whole kind of good text scores among the bad ones, .098 instead of .039 with 500 labels (docs/quality.md).
    """

    scale: float
    shift: float
    """Of log odds."""
    knots: list[float]
    """Probabilities before, ascending."""
    shares: list[float]
    """Of good texts at the knots, ascending."""

    def of(self, probability: Floats) -> Floats:
        """Probabilities after; NaN stays NaN."""
        steps = np.interp(probability, self.knots, self.shares)
        return np.asarray((1 - SIGMOID_SHARE) * steps + SIGMOID_SHARE * adjusted(probability, self.scale, self.shift))


def log_tokens(tokens: npt.NDArray[np.int64]) -> Floats:
    """Length as the slope sees it, 0 to `MAX_LOG_TOKENS`."""
    return np.asarray(np.minimum(np.log2(1 + tokens), MAX_LOG_TOKENS))


def calibrate(
    margin: Floats, tokens: npt.NDArray[np.int64], good: npt.NDArray[np.bool_], weight: Floats, by_length: bool = False
) -> Calibration:
    """Fit by Newton's method to texts that are good or not; `weight` says how much each counts, `by_length` whether `length` is fitted.

    Margins are brought to a standard deviation of 1 first, so the ridge that keeps separable data finite means the same for all models.
    """
    scale = max(float(np.sqrt(np.average(margin**2, weights=weight))), 1e-12)
    columns = [margin / scale, margin / scale * log_tokens(tokens), np.ones(len(margin))] + [log_tokens(tokens)] * by_length
    ridge = _RIDGE * np.array([1.0, 1.0, 0.0, 1.0][: len(columns)])
    theta = _logistic(np.stack(columns, axis=1), good, weight, ridge, np.zeros(len(columns)))
    return Calibration(float(theta[0] / scale), float(theta[1] / scale), *map(float, theta[2:]))


def recalibrate(probability: Floats, good: npt.NDArray[np.bool_], weight: Floats) -> Adjustment:
    """Fit an adjustment to texts known to be good or not; `weight` says how much each counts.

    What few texts leave open of the sigmoid stays as it was: before them the scale is taken to be 1 with a standard deviation of
    `SCALE_DEVIATION`, the shift 0 with one of `SHIFT_DEVIATION`, and `weight` counts as so many texts as have its variance.
    """
    features = np.stack([log_odds(probability), np.ones(len(probability))], axis=1)
    ridge = np.array([SCALE_DEVIATION, SHIFT_DEVIATION]) ** -2 * (weight**2).sum() / weight.sum() ** 2
    scale, shift = _logistic(features, good, weight, ridge, np.array([1.0, 0.0]))
    return Adjustment(float(scale), float(shift), *isotonic(probability, good, weight))


def isotonic(probability: Floats, good: npt.NDArray[np.bool_], weight: Floats) -> tuple[list[float], list[float]]:
    """First and last probability of each block that pooling adjacent violators makes, and the share of good texts in it, twice."""
    values, place = np.unique(probability, return_inverse=True)
    weights, hits = np.bincount(place, weight), np.bincount(place, weight * good)
    blocks: list[tuple[float, float, float, float]] = []  # weight of good texts, weight, first, last
    for value, all_weight, hit in zip(values.tolist(), weights.tolist(), hits.tolist(), strict=True):
        block = (hit, all_weight, value, value)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2], block[3])
        blocks.append(block)
    return [end for block in blocks for end in block[2:]], [block[0] / block[1] for block in blocks for _ in range(2)]


def adjusted(probability: Floats, scale: float, shift: float) -> Floats:
    """Probabilities whose log odds are stretched and moved."""
    return np.asarray(1 / (1 + np.exp(-np.clip(scale * log_odds(probability) + shift, -30, 30))))


def log_odds(probability: Floats) -> Floats:
    """Of probabilities in (0, 1)."""
    return np.asarray(np.log(probability) - np.log1p(-probability))


def _logistic(features: Floats, good: npt.NDArray[np.bool_], weight: Floats, ridge: Floats, centre: Floats) -> Floats:
    """Coefficients of the (n, k) features by Newton's method from 0; `ridge` (k,) punishes the squares of their distance from `centre`."""
    weight = weight / weight.sum()
    theta = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(features @ theta, -30, 30)))
        gradient = features.T @ (weight * (p - good)) + ridge * (theta - centre)
        hessian = (features * (weight * p * (1 - p))[:, None]).T @ features + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        longest = float(np.abs(step).max())
        theta -= step * min(1.0, 5.0 / max(longest, 1e-12))
        if longest < 1e-9:
            break
    return theta


def balanced(*groups: npt.NDArray[np.int64]) -> Floats:
    """Weights that make the first grouping's values count equally, within each the second's, and so on; they add up to 1."""
    within = np.zeros(len(groups[0]), np.int64)
    shares = np.ones(len(within))
    for group in groups:
        outer = within
        _, within = np.unique(np.stack([outer, group]), axis=1, return_inverse=True)
        within = within.reshape(-1)
        first = np.unique(within, return_index=True)[1]
        shares /= np.bincount(outer[first])[outer]  # how many values of this grouping the outer one has
    return np.asarray(shares / np.bincount(within)[within])


def area_under_curve(score: Floats, good: npt.NDArray[np.bool_], weight: Floats) -> float:
    """Probability that a good text scores above a bad one, ties counting half; NaN if there are not both."""
    order = np.argsort(score, kind="stable")
    value, rank = np.unique(score[order], return_inverse=True)
    by_good = np.bincount(rank, np.where(good, weight, 0)[order], len(value))
    by_bad = np.bincount(rank, np.where(good, 0, weight)[order], len(value))
    total = by_good.sum() * by_bad.sum()
    below = np.cumsum(by_bad) - by_bad
    return float((by_good * (below + by_bad / 2)).sum() / total) if total > 0 else float("nan")


def f1(score: Floats, good: npt.NDArray[np.bool_], weight: Floats, threshold: float = 0.5) -> float:
    """Harmonic mean of precision and recall of the good texts, a text being called good from `threshold` on."""
    called = score >= threshold
    hit, called_weight, all_good = weight[called & good].sum(), weight[called].sum(), weight[good].sum()
    return float(2 * hit / (called_weight + all_good)) if called_weight + all_good > 0 else float("nan")


def calibration_error(score: Floats, good: npt.NDArray[np.bool_], weight: Floats) -> float:
    """ECE: the mean distance between score and share of good texts over `BINS` bins of equal weight."""
    order = np.argsort(score, kind="stable")
    until = np.cumsum(weight[order]) / weight.sum()
    number = np.minimum((until * BINS - 1e-9).astype(np.int64), BINS - 1)
    gap = np.bincount(number, (weight * (score - good))[order], BINS)
    return float(np.abs(gap).sum() / weight.sum())


def quantiles(score: Floats, weight: Floats) -> list[float]:
    """`NUM_QUANTILES` + 1 ascending scores, from the smallest to the largest, that cut the texts into parts of equal weight."""
    order = np.argsort(score, kind="stable")
    until = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    grid = np.interp(np.linspace(0, 1, NUM_QUANTILES + 1), until, score[order])
    return [float(value) for value in grid]


def percentiles(score: Floats, grid: Floats) -> Floats:
    """Where scores stand among `quantiles`: 0 below all, 100 above all, the middle of a run of equal ones."""
    position = (np.searchsorted(grid, score, "left") + np.searchsorted(grid, score, "right")) / 2
    return np.asarray(np.clip(100 * (position - 0.5) / (len(grid) - 1), 0, 100))
