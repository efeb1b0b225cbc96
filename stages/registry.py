"""The stages that a run's YAML may name."""

from collections.abc import Mapping

from stages.decontaminate.stage import Decontaminate
from stages.dedup.sentence_stage import SentenceDedup
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.heuristics import Heuristics
from stages.measure import Measure
from stages.mixture.stage import Mixture
from stages.normalize import Normalize
from stages.pii.stage import Pii
from stages.quality.stage import Quality
from stages.safety.stage import Safety
from stages.select import Select
from stages.sentences.stage import Sentences
from stages.stage import Stage


def stage_classes() -> Mapping[str, type[Stage]]:
    """Stage key -> class, in the usual order of a run."""
    return {
        "normalize": Normalize,
        "measure": Measure,
        "heuristics": Heuristics,
        "quality": Quality,
        "sentences": Sentences,
        "safety": Safety,
        "pii": Pii,
        "decontaminate": Decontaminate,
        "exact_dedup": ExactDedup,
        "document_dedup": DocumentDedup,
        "sentence_dedup": SentenceDedup,
        "select": Select,
        "mixture": Mixture,
    }
