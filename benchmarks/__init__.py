"""Measurements, each a command with a docstring. A package, so that no installed one of this name stands before it."""
