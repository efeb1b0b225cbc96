"""How much a document counts that stands for others: sampling weights from the sizes of duplicate clusters.

What was crawled often is often worth more, up to a point: FineWeb-2 (Penedo et al. 2025, "rehydration") keeps one document of each cluster
and repeats it by the cluster's size, with factors that rise to about ten copies and fall to 1 for boilerplate; theirs for Chinese are the
default here. SoftDedup (He et al. 2024) deletes nothing and weighs common data down instead: over 26 % fewer steps to the same perplexity.
It estimates commonness by n-grams; ours is the size of a verified cluster, whose kept documents together count as one, however many of it
were rejected or belong to an earlier run.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FINEWEB2_ZH = {"1": 1.0, "2": 2.0, "3": 3.0, "6": 4.0, "9": 5.0, "14": 4.0, "26": 3.0, "37": 2.0, "55": 1.0}
"""Cluster size from which on a factor holds; FineWeb-2, its configuration for cmn_Hani."""


def duplicate_weights(
    policy: str, cluster_size: npt.NDArray[np.int64], num_clean: npt.NDArray[np.int64], factors: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """The weight of each document, (n,), if it is kept: see `stages.select.Select.duplicates`. `factors` holds size -> factor, from 1 on.

    `num_clean` counts the documents of the cluster that are kept if duplicates are not dropped; where it is 0 none is, and none is divided.

    >>> duplicate_weights("rehydrate", np.array([1, 2, 7, 100]), np.ones(4), FINEWEB2_ZH).tolist()
    [1.0, 2.0, 4.0, 1.0]
    >>> duplicate_weights("soft", np.array([1, 4, 10_000]), np.array([1, 4, 100]), FINEWEB2_ZH).tolist()
    [1.0, 0.25, 0.01]
    """
    if policy == "soft":
        return np.asarray(1.0 / np.maximum(num_clean, 1))
    if policy == "rehydrate":
        sizes = np.array(sorted(map(int, factors)))
        values = np.array([factors[str(size)] for size in sizes], np.float64)
        return np.asarray(values[np.searchsorted(sizes, cluster_size, side="right") - 1])
    return np.ones(len(cluster_size))
