"""Bits per byte: what a model pays for a text, per byte of its UTF-8, so that models with different tokenizers compare.

    rows = bits_per_byte(model, encode, texts)      # a row a document: nats, bytes
    figures = summarise(rows)                       # by language and domain, with intervals

Nats of all tokens of a text over its bytes, begin and end excluded: sum(nats) / (ln 2 · sum(bytes)), sums over documents before the
division. A document longer than the window is read in windows that move by `stride`; each token is scored once, behind at least
`length - stride` tokens.

The first token has nothing before it. Documents of our token shards carry no begin id and their first token is never a target, so a begin
id would be an embedding that nothing has trained: by default the first token costs ln V, what knowing nothing costs (14 bits with 16,384
pieces: 1.4 % of 1,000 bytes at one bit a byte). A model that was trained behind a begin id gets it by `begin_id`.

Languages are never averaged: a byte of Chinese is a third of a character. Within a language the figure is the mean over domains, each
counting equally. Intervals are 95 % percentile bootstrap over documents, or over `group` where documents belong together (versions of a
text), within each domain.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError
from model.likelihood import LanguageModel, Window, sliding_windows, target_nats

Encode = Callable[[str], Sequence[int]]
"""A text to its ids, without begin and end."""

DRAWS = 2000
"""Of a bootstrap: the ends of a 95 % interval move by about 3 % of its width between seeds."""
_TOKENS_AT_ONCE = 1 << 20
"""Tokens that wait to be sorted into batches of like length."""


class Text(NamedTuple):
    """A document to be scored."""

    id: str
    domain: str
    text: str
    lang: str = ""
    group: str = ""
    """Documents of one group are drawn together by the bootstrap; empty: this document alone."""


class Score(NamedTuple):
    """What a document cost."""

    id: str
    domain: str
    lang: str
    group: str
    tokens: int
    bytes: int
    nats: float

    @property
    def bits_per_byte(self) -> float:
        """Not a number for an empty text."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan


def bits_per_byte(
    model: LanguageModel,
    encode: Encode,
    texts: Iterable[tuple[str, ...]],
    length: int | None = None,
    batch: int = 8,
    stride: int | None = None,
    begin_id: int | None = None,
) -> list[Score]:
    """A score for each text, in order; texts are (id, domain, text[, lang[, group]]).

    `length`: tokens of context at most, the model's own if not given. `stride`: by how many tokens windows move, half of `length` if not
    given. Raises `ConfigError` for a stride outside 1 to `length`, `InputError` for ids beyond the model's vocabulary.
    """
    length = model.config.max_length if length is None else length
    stride = max(1, length // 2) if stride is None else stride
    if not 1 <= stride <= length:
        raise ConfigError(f"evaluate: stride: got {stride}, wanted 1 to length, {length}")
    first_nats = math.log(model.config.vocab_size)
    scores: list[Score] = []
    for part in _parts((Text(*text), list(encode(text[2]))) for text in texts):
        windows: list[Window] = []
        owners: list[int] = []
        nats = np.zeros(len(part))
        for place, (_, ids) in enumerate(part):
            if ids and begin_id is None:
                nats[place] = first_nats
            of_document = sliding_windows(ids if begin_id is None else [begin_id, *ids], length, stride)
            windows += of_document
            owners += [place] * len(of_document)
        for owner, values in zip(owners, target_nats(model, windows, batch), strict=True):
            nats[owner] += values.sum()
        for (text, ids), cost in zip(part, nats.tolist(), strict=True):
            scores.append(Score(text.id, text.domain, text.lang, text.group, len(ids), len(text.text.encode()), cost))
    return scores


def _parts(encoded: Iterable[tuple[Text, list[int]]]) -> Iterator[list[tuple[Text, list[int]]]]:
    part: list[tuple[Text, list[int]]] = []
    size = 0
    for text, ids in encoded:
        part.append((text, ids))
        size += len(ids)
        if size >= _TOKENS_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def summarise(scores: Sequence[Score], draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """By language: bits per byte as the mean over domains, with its interval, and each domain's own; languages stay apart."""
    cells: dict[str, dict[str, list[Score]]] = {}
    for score in scores:
        if score.bytes:
            cells.setdefault(score.lang or "und", {}).setdefault(score.domain, []).append(score)
    summary: dict[str, Any] = {}
    for lang, domains in sorted(cells.items()):
        found: dict[str, dict[str, Any]] = {}
        drawn: list[npt.NDArray[np.float64]] = []
        for domain, rows in sorted(domains.items()):
            sums = [sum(row.nats for row in rows), sum(row.bytes for row in rows), sum(row.tokens for row in rows)]
            drawn.append(_draws(rows, draws, [seed, zlib.crc32(f"{lang}/{domain}".encode())]))
            found[domain] = {
                **{"bits_per_byte": sums[0] / math.log(2) / sums[1], "interval": interval(drawn[-1])},
                **{"documents": len(rows), "bytes": sums[1], "tokens": sums[2], "nats": sums[0]},
            }
        macro = sum(figures["bits_per_byte"] for figures in found.values()) / len(found)
        summary[lang] = {"bits_per_byte": macro, "interval": interval(np.mean(drawn, axis=0)), "domains": found}
    return summary


def interval(draws: npt.NDArray[np.float64]) -> list[float] | None:
    """The middle 95 % of bootstrap draws; `None` where there are none, as one document says nothing about the next."""
    if not len(draws) or np.isnan(draws).any():
        return None
    low, high = np.quantile(draws, [0.025, 0.975])
    return [float(low), float(high)]


def bootstrap(numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64], draws: int, seed: Any) -> npt.NDArray[np.float64]:
    """Ratios of sums of `draws` samples of as many pairs, with replacement, (draws,); not a number for fewer than two pairs."""
    count = len(numerators)
    if count < 2:
        return np.full(draws, np.nan)
    generator = np.random.default_rng(seed)
    ratios = []
    for begin in range(0, draws, step := max(1, (1 << 22) // count)):
        chosen = generator.integers(count, size=(min(step, draws - begin), count))
        ratios.append(numerators[chosen].sum(1) / denominators[chosen].sum(1))
    return np.concatenate(ratios)


def _draws(rows: Sequence[Score], draws: int, seed: Any) -> npt.NDArray[np.float64]:
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        sums = groups.setdefault(("group", row.group) if row.group else ("id", row.id), [0.0, 0.0])
        sums[0] += row.nats
        sums[1] += row.bytes
    nats, num_bytes = np.array(list(groups.values())).T
    return bootstrap(nats / math.log(2), num_bytes, draws, seed)
