"""datatrove's MinHash signatures, document by document; runs in datatrove's own environment, started by `signatures_vs_peers.py`.

    python benchmarks/datatrove_signatures.py DOCUMENTS RESULTS LANGUAGE SHINGLE BANDS ROWS

DOCUMENTS is JSON lines with `text` and `tokens`, ours joined by spaces. RESULTS gets one JSON object, CPU seconds of all documents:
`text`, as datatrove does it, its normal form and its word tokenizer included; `tokens`, the given ones in n-grams, hashed and signed; and
`signed`, the hashes of those alone. Also how many shingles the tokens gave. Nothing is written: files cost datatrove extra.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import TextNormConfig


class GivenTokens:
    """Stands in for a word tokenizer where the tokens are given."""

    def word_tokenize(self, text: str) -> list[str]:
        """What spaces separate."""
        return text.split(" ")


def main() -> None:
    """Measure all documents."""
    documents, results, language = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    shingle, bands, rows = map(int, sys.argv[4:])
    hashes = HashConfig(precision=64, hash_fc="xxhash")
    nothing = TextNormConfig(
        lowercase=False, norm_whitespace=False, remove_punctuation=False, norm_unicode_diacritics=False, norm_numbers=False,
        norm_weekdays=False, norm_monthnames=False,
    )  # fmt: skip
    usual = MinhashConfig(n_grams=shingle, num_buckets=bands, hashes_per_bucket=rows, hash_config=hashes)
    given = MinhashConfig(n_grams=shingle, num_buckets=bands, hashes_per_bucket=rows, hash_config=hashes, norm_config=nothing)
    as_shipped = MinhashDedupSignature(output_folder=str(results.parent), config=usual, language=language)
    as_given = MinhashDedupSignature(output_folder=str(results.parent), config=given, language=language)
    as_given.word_tokenizer = GivenTokens()
    seconds = {"text": 0.0, "tokens": 0.0, "signed": 0.0}
    num_shingles = 0
    as_shipped.get_signature(as_shipped.get_shingles("A first sentence, to load the tokenizers. 第一句话，也一样。"))
    for line in documents.open(encoding="utf-8"):
        row = json.loads(line)
        start = time.process_time()
        shingles = as_shipped.get_shingles(row["text"])
        if shingles.size:
            as_shipped.get_signature(shingles)
        seconds["text"] += time.process_time() - start
        start = time.process_time()
        shingles = as_given.get_shingles(row["tokens"])
        hashed = time.process_time()
        if shingles.size:
            as_given.get_signature(shingles)
        end = time.process_time()
        seconds["tokens"] += end - start
        seconds["signed"] += end - hashed
        num_shingles += len(shingles)
    results.write_text(json.dumps(seconds | {"shingles": num_shingles}), encoding="utf-8")


if __name__ == "__main__":
    main()
