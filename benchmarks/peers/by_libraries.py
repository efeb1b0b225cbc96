"""Libraries that we depend on ourselves, in their fastest batch from Python: fastText's scores; SentencePiece, tokenizers, tiktoken ids."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers.timing import Case, Found, main, spread


def fasttext(case: Case) -> dict[str, Any]:
    """`predict` on a list of texts that are folded and spaced already, as it wants them."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        import fasttext

        from stages.quality.weights import GOOD

        model = fasttext.load_model(f"{case['model']}/model.bin")

        def predict() -> Found:
            labels, shares = model.predict(documents, k=2)
            good = (float(share[list(label).index(GOOD)]) for label, share in zip(labels, shares, strict=True))
            return {"scored": len(labels), "probability": sum(good)}

        return predict

    return spread(case, prepare)


def sentencepiece(case: Case) -> dict[str, Any]:
    """`encode` of a list, one thread a process."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        import sentencepiece

        model = sentencepiece.SentencePieceProcessor(model_file=case["model"])
        return lambda: {"ids": sum(map(len, model.encode(documents, num_threads=1)))}

    return spread(case, prepare)


def tokenizers(case: Case) -> dict[str, Any]:
    """`encode_batch_fast`, one thread a process, with the `tokenizer.json` that we write of the same vocabulary."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        from tokenizers import Tokenizer

        model = Tokenizer.from_file(case["model"])
        return lambda: {"ids": sum(len(one.ids) for one in model.encode_batch_fast(documents, add_special_tokens=False))}

    return spread(case, prepare)


def tiktoken(case: Case) -> dict[str, Any]:
    """`encode_ordinary_batch`, one thread a process; a vocabulary of another kind and size."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        from tiktoken import Encoding
        from tiktoken.load import load_tiktoken_bpe

        from tokenizer.foreign import SPLITS

        ranks = load_tiktoken_bpe(case["model"])
        model = Encoding(Path(case["model"]).stem, pat_str=SPLITS["qwen"], mergeable_ranks=ranks, special_tokens={})
        return lambda: {"ids": sum(map(len, model.encode_ordinary_batch(documents, num_threads=1)))}

    return spread(case, prepare)


if __name__ == "__main__":
    main({"fasttext": fasttext, "sentencepiece": sentencepiece, "tokenizers": tokenizers, "tiktoken": tiktoken}, sys.argv[2])
