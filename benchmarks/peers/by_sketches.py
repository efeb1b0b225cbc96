"""MinHash signatures by datasketch and rensa: our tokens, joined to shingles and signed in the fastest way that each offers."""

import sys
from collections.abc import Callable
from typing import Any

from peers.timing import Case, Found, main, spread


def shingles(tokens: list[str], size: int) -> list[str]:
    """Shingles of given tokens."""
    return [" ".join(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]


def datasketch(case: Case) -> dict[str, Any]:
    """`MinHash.update_batch` with permutations drawn once, as its manual does it: shingles as bytes, hashed by its default, SHA-1."""
    from datasketch import MinHash

    lanes = case["bands"] * case["rows"]

    def prepare(documents: list[str]) -> Callable[[], Found]:
        drawn = MinHash(lanes)
        tokens = [text.split(" ") for text in documents]

        def sign() -> Found:
            for document in tokens:
                sketch = MinHash(lanes, permutations=drawn.permutations, scheme=drawn.scheme)
                sketch.update_batch([one.encode() for one in shingles(document, case["shingle"])])
            return {"signed": len(tokens)}

        return sign

    return spread(case, prepare)


def rensa(case: Case) -> dict[str, Any]:
    """`RMinHash.digest_matrix_from_token_sets`, all documents in one call."""
    from rensa import RMinHash

    lanes = case["bands"] * case["rows"]

    def prepare(documents: list[str]) -> Callable[[], Found]:
        tokens = [text.split(" ") for text in documents]

        def sign() -> Found:
            RMinHash.digest_matrix_from_token_sets([shingles(document, case["shingle"]) for document in tokens], lanes, 1)
            return {"signed": len(tokens)}

        return sign

    return spread(case, prepare)


if __name__ == "__main__":
    main({"datasketch": datasketch, "rensa": rensa}, sys.argv[2])
