"""A name for each of many documents, 4 bytes each: as an array of texts each would have the width of the longest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Names:
    """Which of some names each document has, (n,)."""

    codes: npt.NDArray[np.int32]
    """Places in `values`."""
    values: tuple[str, ...]
    """Sorted, each once, and each is the name of some document."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Names":
        """The names in a column without nulls."""
        encoded = pc.dictionary_encode(column.combine_chunks())
        return cls.renamed(encoded.indices.to_numpy(), encoded.dictionary.to_pylist())

    @classmethod
    def renamed(cls, codes: npt.NDArray[np.integer], names: Sequence[str]) -> "Names":
        """Document i has the name `names[codes[i]]`; several codes may have one name, and each has a document."""
        values = sorted(set(names))
        places = {name: place for place, name in enumerate(values)}
        return cls(np.array([places[name] for name in names], np.int32)[codes], tuple(values))

    def among(self, wanted: Collection[str]) -> npt.NDArray[np.bool_]:
        """Documents with one of these names, (n,)."""
        return np.array([name in wanted for name in self.values], np.bool_)[self.codes]

    def at(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The names of some documents."""
        return [self.values[code] for code in self.codes[rows].tolist()]
