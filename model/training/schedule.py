"""The learning rate of a step: warm-up, then cosine, or constant with a decay at the end (WSD, arXiv 2404.06395), or constant.

A pure function of the step, so that there is nothing to save and a resumed run cannot differ.
"""

import math

from model.training.settings import ScheduleSettings


def share_of_rate(settings: ScheduleSettings, step: int, num_steps: int) -> float:
    """The share of the highest rate that step `step` of 1..`num_steps` uses; the last one uses `final_share`.

    >>> from model.training.settings import ScheduleSettings
    >>> [round(share_of_rate(ScheduleSettings(warmup_steps=2, final_share=0.0), step, 6), 3) for step in range(1, 7)]
    [0.5, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    warmup = settings.warmup_steps
    if step <= warmup:
        return step / warmup
    if settings.kind == "constant":
        return 1.0
    begin = warmup if settings.kind == "cosine" else max(warmup, num_steps - round(settings.decay_share * num_steps))
    if step <= begin:
        return 1.0
    done = min(1.0, (step - begin) / (num_steps - begin))
    falling = (1 + math.cos(math.pi * done)) / 2 if settings.kind == "cosine" else 1 - done
    return settings.final_share + (1 - settings.final_share) * falling
