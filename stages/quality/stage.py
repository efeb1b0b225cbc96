"""The stage `quality`: how good a text is by trained models, as a probability, a percentile and a bucket, and which sentences are not.

| column | what it is |
|---|---|
| `quality` | probability that the document is one of the model's good ones, if good and bad were equally frequent |
| `quality_percentile` | where that stands among the model's reference documents of the language, 0 to 100 |
| `quality_domain_percentile` | the same among those of its language and domain, where the model has enough of them |
| `quality_bucket` | the percentile in 20 parts, 0 to 19 |
| `paragraph_quality` | mean of the paragraphs' probabilities: each counts the same, however long |
| `sentence_quality`, `sentence_quality_min` | mean and worst of the sentences' probabilities, in which their length counts |
| `quality_spans` | sentences below `min_sentence_quality` outside protected blocks, proposed for removal |

Paragraphs and sentences of fewer than `MIN_TOKENS` tokens are left out. All are null for a language without a model. All thresholds but
that of sentences are read when documents are selected, so `corpus select` changes them in seconds. Several models of one language are an
ensemble: mean or maximum of their probabilities and percentiles. Speed, and what the scores are worth: docs/quality.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError
from configs.loader import Between, SettingError, Share
from stages.batch import Batch
from stages.edits import SPANS, spans_column
from stages.filters.rules import primary_subtag
from stages.quality.calibration import Floats
from stages.quality.model import (
    QualityModel,
    check_model,
    describe_model,
    load_model,
    model_files,
    rows_by_language,
    rows_by_value,
)
from stages.quality.weights import Sums, sums
from stages.stage import Stage
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.sentences import Sentences, sentences
from stages.text.units import units

Percent = Annotated[float, Between(0, 100)]

MIN_TOKENS = 5
"""A heading or a word in brackets has no quality of its own."""
BUCKETS = 20
RULE = "low_quality_sentence"

_THRESHOLDS = ("min_quality", "min_percentile", "top_share")
_SCORES = ("quality", "quality_percentile", "quality_domain_percentile", "paragraph_quality", "sentence_quality", "sentence_quality_min")


@dataclass(frozen=True, kw_only=True)
class Quality(Stage):
    """Which models score, and what is done about the scores. Thresholds go by language (`zh`), or by language and domain (`zh/news`)."""

    key: ClassVar[str] = "quality"
    reads: ClassVar[tuple[str, ...]] = ("text", "lang", "domain")
    proposes: ClassVar[bool] = True

    models: dict[str, tuple[str, ...]]
    """Folders that `corpus quality train` wrote, for each language; `zh` scores zh-hans and zh-hant too."""
    ensemble: Literal["mean", "max"] = "mean"
    """What several models of a language say together."""
    min_sentence_quality: Share | None = None
    """Sentences with a lower probability are proposed as `low_quality_sentence`; `stages.edits` decides. None: no sentence is."""

    min_quality: dict[str, Share] = field(default_factory=dict)
    """Documents with a lower probability are rejected as `low_quality`."""
    min_percentile: dict[str, Percent] = field(default_factory=dict)
    """Documents with a lower percentile are rejected as `low_quality_percentile`; for a domain, that among its own documents."""
    top_share: dict[str, Share] = field(default_factory=dict)
    """Share of the reference documents, the best ones, that a document must belong to, else `below_top_share`: 0.1 is percentile 90."""
    skip_heuristics_above: Percent | None = None
    """Percentile above which the reasons of `heuristics` do not count, as in Nemotron-CC (Su et al. 2024)."""
    weights_by_percentile: dict[str, Annotated[float, Between(0)]] = field(default_factory=dict)
    """Sampling weight from which percentile on, as in `{0: 0.5, 50: 1, 90: 3}`; 1 for documents without a score."""

    def __post_init__(self) -> None:
        if not self.models or not all(self.models.values()):
            raise SettingError("models", "got none, wanted a model for each language, as in {zh: [out/quality_zh]}")
        for setting in _THRESHOLDS:
            for group in getattr(self, setting):
                if group.partition("/")[0] not in self.models:
                    raise SettingError(setting, f"got the language of '{group}', wanted one with a model: {', '.join(self.models)}")
        for percentile in self.weights_by_percentile:
            if not percentile.replace(".", "", 1).isdecimal() or float(percentile) > 100:
                raise SettingError("weights_by_percentile", f"got the percentile {percentile}, wanted numbers from 0 to 100")

    def adds(self) -> tuple[pa.Field, ...]:
        """Scores are null where no model knows the language."""
        scores = [pa.field(name, pa.float32()) for name in _SCORES]
        return (*scores, pa.field("quality_bucket", pa.int8()), pa.field(spans_column(self.key), SPANS))

    def annotate(self, batch: Batch) -> Batch:
        """Score the documents of each language with its models."""
        languages = rows_by_language(batch["lang"])
        scores = {name: np.full(len(batch), np.nan) for name in _SCORES}
        found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        for language, folders in self.models.items():
            rows = languages.get(language)
            if rows is None:
                continue
            texts = text_buffer(batch["text"].take(pa.array(rows))).read_only()
            domains = batch["domain"].take(pa.array(rows)).to_pylist()
            scored, sentence_quality, cut = self._score(texts, language, domains, [load_model(folder) for folder in folders])
            for name, values in scored.items():
                scores[name][rows] = values
            if self.min_sentence_quality is not None:
                found.append(_proposals(texts, rows, cut, sentence_quality < self.min_sentence_quality))
        columns: dict[str, pa.Array] = {name: pa.array(values.astype(np.float32), mask=np.isnan(values)) for name, values in scores.items()}
        bucket = np.minimum(scores["quality_percentile"] * BUCKETS / 100, BUCKETS - 1)
        missing = np.isnan(bucket)
        columns["quality_bucket"] = pa.array(np.where(missing, 0, bucket).astype(np.int8), mask=missing)
        columns[spans_column(self.key)] = _spans(found, len(batch))
        return batch.with_columns(columns)

    def _score(
        self, text: TextBuffer, language: str, domains: list[str], models: list[QualityModel]
    ) -> tuple[dict[str, Floats], Floats, Sentences]:
        cut = sentences(text)
        of_models: list[dict[str, Floats]] = []
        of_sentences: list[Floats] = []
        for model in models:
            documents, parts = sums(text, cut, model.weights)
            quality = model.probability(documents)
            by_domain = model.percentile(quality, language)
            paragraphs, first = _paragraphs(parts, cut)
            scored = {"quality": quality, "quality_percentile": by_domain.copy()}
            for domain, rows in rows_by_value(domains).items():
                if (group := f"{language}/{domain}") in model.grids:
                    by_domain[rows] = model.percentile(quality[rows], group)
            scored["quality_domain_percentile"] = by_domain
            scored["paragraph_quality"] = _over(np.add, _long(model.probability(paragraphs), paragraphs.tokens), first)
            of_models.append(scored)
            of_sentences.append(_long(model.sentence_probability(parts), parts.tokens))
        together = np.max if self.ensemble == "max" else np.mean
        result = {name: together([scored[name] for scored in of_models], axis=0) for name in of_models[0]}
        sentence_quality = together(of_sentences, axis=0)
        result["sentence_quality"] = _over(np.add, sentence_quality, cut.offsets)
        result["sentence_quality_min"] = _over(np.minimum, sentence_quality, cut.offsets)
        return result, sentence_quality, cut

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`low_quality`, `low_quality_percentile`, `below_top_share`."""
        top = {group: 100 * (1 - share) for group, share in self.top_share.items()}
        percentile = columns["quality_percentile"].to_numpy(), columns["quality_domain_percentile"].to_numpy()
        found = {
            "low_quality": _below(columns, self.min_quality, *[columns["quality"].to_numpy()] * 2),
            "low_quality_percentile": _below(columns, self.min_percentile, *percentile),
            "below_top_share": _below(columns, top, *percentile),
        }
        return {reason: mask for reason, mask in found.items() if mask.any()}

    def excuses(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Good documents, from the reasons of `heuristics`."""
        if self.skip_heuristics_above is None:
            return {}
        return {"heuristics": columns["quality_percentile"].to_numpy() > self.skip_heuristics_above}

    def weights(self, columns: pa.Table) -> npt.NDArray[np.float64] | None:
        """The weight of the highest step of `weights_by_percentile` that a document reaches, 1 below all of them."""
        if not self.weights_by_percentile:
            return None
        steps = sorted((float(percentile), weight) for percentile, weight in self.weights_by_percentile.items())
        percentile = columns["quality_percentile"].to_numpy()
        reached = np.searchsorted([step for step, _ in steps], np.nan_to_num(percentile, nan=-1.0), "right")
        return np.asarray(np.array([1.0, *(weight for _, weight in steps)])[reached])

    def computed_by(self) -> dict[str, Any]:
        """The models, and what proposes sentences."""
        return {"models": self.models, "ensemble": self.ensemble, "min_sentence_quality": self.min_sentence_quality}

    def files(self) -> tuple[str, ...]:
        """Two of each model. Raises `ConfigError` if a folder has none."""
        try:
            return tuple(file for folder in self._folders for file in model_files(folder))
        except ConfigError as error:
            raise ConfigError(f"stages.quality.models: {error}") from None

    def model_files(self) -> tuple[str, ...]:
        """All of them."""
        return self.files()

    def check(self) -> None:
        """Raises `ConfigError` if a model is damaged, for another language, or has no reference documents of a domain that is asked for."""
        for language, folders in self.models.items():
            for folder in folders:
                check_model(folder, language)
                grids = describe_model(folder)["percentiles"]
                for group in (*self.min_percentile, *self.top_share):
                    if group.partition("/")[0] == language and group not in grids:
                        known = ", ".join(sorted(grids))
                        raise ConfigError(f"the model in '{folder}' has no reference documents of '{group}'; it has: {known}")

    def describe(self) -> tuple[str, ...]:
        """The models and what their cards promise."""
        lines = []
        for language, folders in self.models.items():
            for folder in folders:
                card = describe_model(folder)
                test, labelled = card["metrics"][language], card.get("labelled")
                line = f"{language}: {folder}, F1 {test['f1']:.2f}, ECE {test['ece']:.2f} on sources that it was not trained on"
                if labelled:
                    line += f"; calibrated on {labelled['keep'] + labelled['drop']:,} labelled texts, ECE {labelled['ece_after']:.2f} there"
                lines.append(line)
        return tuple(lines)

    @property
    def _folders(self) -> list[str]:
        return list(dict.fromkeys(folder for folders in self.models.values() for folder in folders))


def check_thresholds(stages: Iterable[Stage], domains: Iterable[str]) -> None:
    """Raises `ConfigError` for a threshold of a domain that no source of the run has."""
    known = sorted(set(domains))
    for number, stage in enumerate(stages):
        for setting in _THRESHOLDS if isinstance(stage, Quality) else ():
            for group in getattr(stage, setting):
                _, slash, domain = group.partition("/")
                if slash and domain not in known:
                    near = get_close_matches(domain, known, n=1)
                    hint = f"; did you mean '{near[0]}'?" if near else ""
                    raise ConfigError(f"stages[{number}].quality.{setting}.{group}: no source has the domain '{domain}'{hint}; there are: "
                                      f"{', '.join(known)}")  # fmt: skip


def _long(score: Floats, tokens: npt.NDArray[np.int64]) -> Floats:
    return np.where(tokens >= MIN_TOKENS, score, np.nan)


def _paragraphs(parts: Sums, cut: Sentences) -> tuple[Sums, npt.NDArray[np.int64]]:
    """Sums of paragraphs, without the n-grams across sentences, and the first paragraph of each document, (n + 1,)."""
    document = np.repeat(np.arange(len(cut.offsets) - 1), np.diff(cut.offsets))
    starts = np.ones(len(document), np.bool_)
    starts[1:] = (document[1:] != document[:-1]) | (cut.paragraphs[1:] != cut.paragraphs[:-1])
    first = np.flatnonzero(starts)
    return parts.over(first, np.append(first, len(document))[1:]), np.searchsorted(document[first], np.arange(len(cut.offsets)))


def _over(function: np.ufunc, values: Floats, offsets: npt.NDArray[np.int64]) -> Floats:
    """The mean (for `np.add`) or minimum of the values of each document that are not NaN; NaN if there are none."""
    there = ~np.isnan(values)
    document = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[there]
    counts = np.bincount(document, minlength=len(offsets) - 1)
    result = np.full(len(offsets) - 1, 0.0 if function is np.add else np.inf)
    function.at(result, document, values[there])
    return np.where(counts > 0, result / np.maximum(counts, 1) if function is np.add else result, np.nan)


def _proposals(
    text: TextBuffer, rows: npt.NDArray[np.int64], cut: Sentences, low: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row of the batch, start and end within its text of each sentence to remove: low ones that touch no protected block."""
    found = units(text)
    at = np.flatnonzero(low & found.free)
    document = np.searchsorted(cut.offsets, at, "right") - 1
    base = text.offsets[document]
    return rows[document], found.start[at] - base, found.end[at] - base


def _spans(found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]], num_rows: int) -> pa.Array:
    empty = np.zeros(0, np.int64)
    row, start, end = (np.concatenate([part[place] for part in found] or [empty]) for place in range(3))
    order = np.lexsort((start, row))
    offsets = np.searchsorted(row[order], np.arange(num_rows + 1)).astype(np.int32)
    rules = pa.repeat(pa.scalar(RULE, pa.string()), len(row))
    spans = pa.StructArray.from_arrays([pa.array(start[order]), pa.array(end[order]), rules], fields=list(SPANS.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), spans)


def _below(columns: pa.Table, bounds: dict[str, float], of_language: Floats, of_domain: Floats) -> npt.NDArray[np.bool_]:
    """Rows below the bound of their language and domain, else of their language; the score is chosen accordingly."""
    result = np.zeros(columns.num_rows, np.bool_)
    languages = [primary_subtag(code) if code else "" for code in columns["lang"].to_pylist()]
    groups = [f"{language}/{domain}" for language, domain in zip(languages, columns["domain"].to_pylist(), strict=True)]
    for group, rows in rows_by_value(groups).items():
        language = group.partition("/")[0]
        if group in bounds:
            result[rows] = of_domain[rows] < np.float32(bounds[group])
        elif language in bounds:
            result[rows] = of_language[rows] < np.float32(bounds[language])
    return result
