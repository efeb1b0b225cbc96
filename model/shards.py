"""Token shards as training reads them: one stream of ids, addressed by position, with the documents that lie in any part of it.

    shards = TokenShards.open("out/pack", tokenizer_sha256=...)
    window = shards.tokens(k * T, (k + 1) * T)                 # sample k of length T
    segments = shards.segments(k * T, (k + 1) * T)             # 1 1 1 2 2 ...: the attention's mask

The stream is the concatenation of the shards in the header's order; a position is all that a checkpoint has to keep. Shards of another
tokenizer are refused: ids of two vocabularies look alike, and the loss tells nobody. Needs numpy only (`documents` pyarrow).
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.errors import InputError
from tokenizer.megatron import HEADER, HEADER_VERSION, Index, read_index


class TokenShards:
    """A folder of token shards. Positions count ids from the start of the first shard."""

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        """Use `open`. Raises `InputError` for shards that are missing, cut off, or not as the header says."""
        self.folder, self.header = folder, header
        self.num_tokens = int(header["num_tokens"])
        self.vocab_size = int(header["tokenizer"]["vocab_size"])
        self.eos_id = int(header["tokenizer"]["eos_id"])
        self.tokenizer_sha256 = str(header["tokenizer"]["sha256"])
        self._shards = header["shards"]
        self._indexes = [_checked_index(folder, shard, header["dtype"]) for shard in self._shards]
        files = [folder / f"{shard['prefix']}.bin" for shard in self._shards]
        self._ids = [np.memmap(file, index.dtype, "r") for file, index in zip(files, self._indexes, strict=True)]
        self._names: tuple[str, Any] = ("", None)
        self._bounds = np.cumsum([0, *(len(ids) for ids in self._ids)], dtype=np.int64)
        if self._bounds[-1] != self.num_tokens:
            raise InputError(f"{folder / HEADER}: says {self.num_tokens:,} tokens, the shards hold {self._bounds[-1]:,}; pack again")

    @classmethod
    def open(cls, folder: str | Path, tokenizer_sha256: str | None = None) -> "TokenShards":
        """Map a folder that `corpus pack` wrote. Raises `InputError` if it is damaged, or not of the tokenizer that is asked for."""
        path = Path(folder)
        header = _read_header(path)
        theirs = header["tokenizer"]
        if tokenizer_sha256 is not None and theirs["sha256"] != tokenizer_sha256:
            raise InputError(
                f"{path}: holds ids of another tokenizer: '{theirs['name']}' with sha256 {theirs['sha256'][:12]}…, wanted "
                f"{tokenizer_sha256[:12]}…; pack the corpus with this model's tokenizer, or train a model for that one"
            )
        return cls(path, header)

    def tokens(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """The ids at positions start to stop, (stop - start,)."""
        self._check(start, stop)
        found = np.empty(stop - start, np.int32)
        for number, low, high in self._parts(start, stop):
            base = int(self._bounds[number])
            found[max(base, start) - start : base + high - start] = self._ids[number][low:high]
        return found

    def segments(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """For each position the number of its document within the window, from 1, (stop - start,)."""
        self._check(start, stop)
        begins = np.zeros(stop - start, np.int32)
        begins[:1] = 1
        for number, low, high in self._parts(start, stop):
            dtype, _, pointers = self._indexes[number]
            first, behind = np.searchsorted(pointers, np.array([low, high]) * dtype.itemsize)
            begins[pointers[first:behind] // dtype.itemsize + (self._bounds[number] - start)] = 1
        return np.cumsum(begins, dtype=np.int32)

    def documents(self, start: int, stop: int) -> list[tuple[str, str]]:
        """(shard's prefix, document's id) for each number that `segments` gives for this window."""
        self._check(start, stop)
        found = []
        for number, low, high in self._parts(start, stop):
            dtype, _, pointers = self._indexes[number]
            first = int(np.searchsorted(pointers, low * dtype.itemsize, "right")) - 1
            behind = int(np.searchsorted(pointers, high * dtype.itemsize))
            prefix = self._shards[number]["prefix"]
            found += [(prefix, name) for name in self._names_of(prefix)[first:behind].to_pylist()]
        return found

    def verify(self) -> None:
        """Compare every byte with the header's checksums; reads all. Raises `InputError` with the first file that differs."""
        for shard in self._shards:
            for suffix in ("bin", "idx"):
                file = self.folder / f"{shard['prefix']}.{suffix}"
                with file.open("rb") as opened:
                    found = hashlib.file_digest(opened, "sha256").hexdigest()
                wanted = shard[f"{suffix}_sha256"]
                if found != wanted:
                    raise InputError(f"{file}: damaged: its sha256 is {found[:12]}…, {HEADER} says {wanted[:12]}…; pack again")

    def _names_of(self, prefix: str) -> Any:
        """The ids of a shard's documents; those of the last shard are kept."""
        if self._names[0] != prefix:
            import pyarrow.parquet as pq

            file = self.folder / f"{prefix}.documents.parquet"
            try:
                self._names = (prefix, pq.read_table(file, columns=["id"])["id"])
            except OSError as error:
                raise InputError(f"{file}: cannot be read: {error}; pack again") from None
        return self._names[1]

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.num_tokens:
            raise InputError(f"{self.folder}: positions {start:,} to {stop:,} are not within its {self.num_tokens:,} tokens")

    def _parts(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """(shard, first, behind) of the ids in a window, by the shard's own count."""
        if start == stop:
            return []
        first = int(np.searchsorted(self._bounds, start, "right")) - 1
        last = int(np.searchsorted(self._bounds, stop)) - 1
        bounds = self._bounds.tolist()
        return [(n, max(start - bounds[n], 0), min(stop, bounds[n + 1]) - bounds[n]) for n in range(first, last + 1)]


def _read_header(folder: Path) -> dict[str, Any]:
    file = folder / HEADER
    try:
        header = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; wanted a folder that `corpus pack` has finished") from None
    except ValueError:
        raise InputError(f"{file}: is damaged; pack again") from None
    if not isinstance(header, dict) or header.get("version") != HEADER_VERSION:
        version = header.get("version") if isinstance(header, dict) else None
        raise InputError(f"{file}: version {version} of the header, wanted {HEADER_VERSION}; pack again with this version of the program")
    return header


def _checked_index(folder: Path, shard: dict[str, Any], dtype: str) -> Index:
    """The index of a shard, if both files are as they were written."""
    index = read_index(folder / f"{shard['prefix']}.idx")
    if index.dtype != np.dtype(dtype):
        raise InputError(f"{folder / shard['prefix']}.idx: says ids of type {index.dtype.name}, {HEADER} says {dtype}; pack again")
    if len(index.lengths) != shard["num_documents"]:
        raise InputError(
            f"{folder / shard['prefix']}.idx: has {len(index.lengths):,} documents, {HEADER} says {shard['num_documents']:,}; pack again"
        )
    file = folder / f"{shard['prefix']}.bin"
    wanted = shard["num_tokens"] * index.dtype.itemsize
    size = file.stat().st_size if file.exists() else None
    if size is None:
        raise InputError(f"{file}: missing, but {HEADER} names it; pack again")
    if size != wanted:
        raise InputError(f"{file}: {'cut off' if size < wanted else 'too long'}: {size:,} bytes, wanted {wanted:,}; pack again")
    return index
