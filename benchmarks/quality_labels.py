"""What labels of one's own are worth: the calibration error of `corpus quality calibrate` by the number of labelled documents.

    python benchmarks/quality_labels.py [--json FILE]

After benchmarks/quality.py, whose four models and the scores of documents that they have not seen it reads. A crawl is played by these
documents, classes and sources of a class being equally frequent. Half of each source can be labelled, the other half tests. So many
documents are drawn at random and labelled, the model is calibrated on them, and the ECE is that of the other half; 200 draws, the median
and the range from the 5th to the 95th percentile. 0 labels: the model as trained.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality import OUT
from quality_scores import Scored

from stages.quality.calibration import balanced, calibration_error, recalibrate

NUMBERS = (0, 50, 100, 200, 500, 1000)
DRAWS = 200


def weights(scored: Scored) -> npt.NDArray[np.float64]:
    """Classes equally, and the sources of a class."""
    return balanced(scored.good.astype(np.int64), np.unique(scored.source, return_inverse=True)[1])


def errors(scored: Scored, number: int, rng: np.random.Generator) -> list[float]:
    """The ECE after so many labels, of each draw."""
    half = np.zeros(len(scored.good), np.bool_)
    for name in np.unique(scored.source):
        half[rng.permutation(np.flatnonzero(scored.source == name))[::2]] = True
    labelled, test = (Scored(*(column[chosen] for column in scored)) for chosen in (half, ~half))
    found = []
    for _ in range(DRAWS):
        probability = test.probability
        if number:
            at = rng.choice(len(labelled.good), number, p=weights(labelled))
            weight = balanced(labelled.good[at].astype(np.int64))
            probability = recalibrate(labelled.probability[at], labelled.good[at], weight).of(probability)
        found.append(calibration_error(probability, test.good, weights(test)))
    return found


def main() -> None:
    """Print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = {}
    print(f"{'ECE after labels':12}" + "".join(f"{number:>22,}" for number in NUMBERS))
    for name in ("zh_0", "zh_1", "en_0", "en_1"):
        scored = Scored(**np.load(OUT / "scores" / f"{name}.npz"))
        rng = np.random.default_rng(0)
        report[name] = {number: np.quantile(errors(scored, number, rng), (0.5, 0.05, 0.95)).round(4).tolist() for number in NUMBERS}
        print(f"{name:16}" + "".join(f"{middle:>9.3f} [{low:.3f}, {high:.3f}]" for middle, low, high in report[name].values()))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
