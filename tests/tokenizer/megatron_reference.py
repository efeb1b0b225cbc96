"""Megatron's token files read field by field, as their writer's source says; slow and obvious."""

import struct
from pathlib import Path


def read_sequences(prefix: Path) -> list[list[int]]:
    """The ids of each sequence; asserts that each is one document."""
    index, data = Path(f"{prefix}.idx").read_bytes(), Path(f"{prefix}.bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, num_sequences, num_marks = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    letter, size = {4: ("i", 4), 8: ("H", 2)}[code]
    at = 34
    lengths = struct.unpack_from(f"<{num_sequences}i", index, at)
    at += 4 * num_sequences
    pointers = struct.unpack_from(f"<{num_sequences}q", index, at)
    at += 8 * num_sequences
    marks = struct.unpack_from(f"<{num_marks}q", index, at)
    assert at + 8 * num_marks == len(index)
    assert marks == tuple(range(num_sequences + 1))
    assert sum(lengths) * size == len(data)
    return [list(struct.unpack_from(f"<{length}{letter}", data, pointer)) for length, pointer in zip(lengths, pointers, strict=True)]
