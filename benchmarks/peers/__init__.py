"""What `benchmarks/side_by_side.py` runs: peers in environments of their own, and the same documents for them and for us.

A case is one program in one process. `by_*.py` and `ours.py` are these programs; each runs in the environment of its peer and imports from
here `timing` alone, which needs nothing but Python. `documents` makes what they read, `cases` lists them, `page` shows what they found.
"""
