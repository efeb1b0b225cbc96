"""Exact and near-duplicate documents: signatures, candidate pairs, verification, survivors. Arrays in, arrays out."""
