"""How often a document counts and where its copies stand, in whole numbers of Python: slow and obvious."""

import math

MASK = (1 << 64) - 1
MULTIPLIER = 0x9E3779B97F4A7C15


def hash_of(text: str, seed: int) -> int:
    mixed = ((seed & MASK) ^ 0x51D7A5C3) * MULTIPLIER & MASK
    for byte in text.encode():
        mixed = (mixed ^ byte) * MULTIPLIER & MASK
        mixed ^= mixed >> 29
    return (mixed ^ mixed >> 32) * 0xFF51AFD7ED558CCD & MASK


def times_of(text_id: str, weight: float, seed: int) -> int:
    return math.floor(weight) + ((hash_of(text_id, seed) >> 11) / 2**53 < weight - math.floor(weight))


def place_of(text_id: str, epoch: int, times: int, seed: int) -> int:
    unit = hash_of(text_id, seed ^ 0x0B5297A4D) ^ (epoch + 1) * 0x9E3779B97F4A7C15 & MASK
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        unit = (unit ^ unit >> 33) * factor & MASK
    unit ^= unit >> 33
    return epoch * (MASK // times) + unit // times
