"""`loss.png`: the loss by tokens, raw and smoothed, with the held-out loss and the entropy that it has to beat.

Drawn by matplotlib where it is installed (`pip install matplotlib`, or the extra `plots`); a training without it lacks only the picture.
"""

from pathlib import Path
from typing import Any

from model.training.records import HELDOUT, METRICS, read_records


def draw_curve(folder: Path, unigram_entropy: float | None) -> bool:
    """Write the picture of a training's records; whether there is a matplotlib to do it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rows = [row for row in read_records(folder, METRICS) if row["cross_entropy"] is not None]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes: Any = FigureCanvasAgg(figure).figure.add_subplot()
    tokens, losses = [row["tokens"] for row in rows], [row["cross_entropy"] for row in rows]
    axes.plot(tokens, losses, color="#b8c9dd", linewidth=0.8, label="each step")
    axes.plot(tokens, _smoothed(losses, max(1, len(losses) // 40)), color="#1f4e8c", linewidth=1.6, label="smoothed")
    if heldout := read_records(folder, HELDOUT):
        axes.plot([row["tokens"] for row in heldout], [row["loss"] for row in heldout], "o-", color="#c8501e", label="held out")
    if unigram_entropy is not None:
        axes.axhline(unigram_entropy, color="#666666", linestyle="--", linewidth=1, label="entropy of held-out tokens")
    axes.set(xlabel="tokens", ylabel="cross-entropy, nats a token", title=folder.name)
    axes.legend(frameon=False)
    axes.grid(alpha=0.2)
    figure.savefig(folder / "loss.png", dpi=120)
    return True


def _smoothed(values: list[float], window: int) -> list[float]:
    """Means of the last `window` values."""
    return [sum(values[max(0, i - window + 1) : i + 1]) / (i + 1 - max(0, i - window + 1)) for i in range(len(values))]
