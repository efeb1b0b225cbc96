"""A model as the files that Hugging Face's `tokenizers` and `transformers` load, with identical ids.

Their BPE merges a *pair* of pieces by the pair's rank, SentencePiece's any pair whose text is a piece, by the piece's score; so each
way to cut a piece becomes a merge, in the order of the scores. Their added tokens are taken out before a space is put in front, and so
cannot stand for our user-defined symbols; instead a pattern isolates the symbols, and a model that first looks the whole part up in the
vocabulary (`ignore_merges`) finds them. That look-up would also find pieces that merging never makes: BPE makes each of its own pieces
from its text (checked here; a foreign model where it does not is refused), and parts that read `<s>` are parted once more.

One difference is left: a literal U+2581 is a space to them, as to SentencePiece.
"""

import json
import re
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from tokenizer.codec import Tokenizer
from tokenizer.model_file import CONTROL, NORMAL, SPACE, UNKNOWN, USER_DEFINED


def files(made: Tokenizer) -> dict[str, bytes]:
    """`tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`. Raises `InputError` for a model that they cannot hold."""
    if not made.is_exact:
        raise InputError("only byte-fallback BPE over unchanged text has a tokenizer.json with identical ids")
    _check_reachable(made)
    unknown = _of_kind(made, UNKNOWN)[0]
    begin, end = _of_kind(made, CONTROL)[:2]
    names = {"unk_token": unknown, "bos_token": begin, "eos_token": end, "pad_token": unknown}
    config = names | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # `<s>` in a text is three characters, as to SentencePiece
        "model_max_length": 1_000_000_000,
    }
    return {
        "tokenizer.json": _dumped(_tokenizer_json(made)),
        "tokenizer_config.json": _dumped(config),
        "special_tokens_map.json": _dumped(names),
    }


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _tokenizer_json(made: Tokenizer) -> dict[str, Any]:
    model = made.model
    defined = _of_kind(made, USER_DEFINED)
    normalizers: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if model.add_dummy_prefix:
        normalizers.insert(0, {"type": "Prepend", "prepend": SPACE})
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    special = [
        {"id": number, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for number, (piece, kind) in enumerate(zip(model.pieces, model.types, strict=True))
        if kind in (UNKNOWN, CONTROL)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*([_isolation(defined)] if defined else []), _guard(made)]},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": _of_kind(made, UNKNOWN)[0],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": True,
            "vocab": {piece: number for number, piece in enumerate(model.pieces)},
            "merges": _merges(made),
        },
    }


def _of_kind(made: Tokenizer, kind: int) -> list[str]:
    return [piece for piece, its in zip(made.model.pieces, made.model.types, strict=True) if its == kind]


def _isolation(symbols: list[str]) -> dict[str, Any]:
    """Parts the text at user-defined symbols, the longest that matches."""
    pattern = "|".join(re.escape(symbol) for symbol in sorted(symbols, key=len, reverse=True))
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _guard(made: Tokenizer) -> dict[str, Any]:
    """Parts a part that reads as a control or unknown piece, `<s>`, behind the first piece that merging makes of it."""
    patterns = []
    for piece in _of_kind(made, UNKNOWN) + _of_kind(made, CONTROL):
        ids = made.encode_arrow(pa.array([piece]), dummy_prefix=False).ids
        first = made.model.pieces[ids[0]] if made.model.types[ids[0]] == NORMAL else piece[:1]  # else it begins with bytes
        patterns.append(rf"\A{re.escape(first)}(?={re.escape(piece[len(first) :])}\z)")
    return {"type": "Split", "pattern": {"Regex": "|".join(patterns)}, "behavior": "Isolated", "invert": False}


def _merges(made: Tokenizer) -> list[list[str]]:
    """Every way to cut each piece in two pieces, best score first."""
    model = made.model
    normal = set(_of_kind(made, NORMAL))
    order = sorted((-score, number) for number, (score, kind) in enumerate(zip(model.scores, model.types, strict=True)) if kind == NORMAL)
    return [
        [piece[:cut], piece[cut:]]
        for _, number in order
        for piece in (model.pieces[number],)
        for cut in range(1, len(piece))
        if piece[:cut] in normal and piece[cut:] in normal
    ]


def _check_reachable(made: Tokenizer) -> None:
    """Raise `InputError` if some piece is not what its own text becomes; see above."""
    model = made.model
    numbers = [number for number, kind in enumerate(model.types) if kind == NORMAL]
    column = pa.array([model.pieces[number].replace(SPACE, " ") for number in numbers], pa.large_string())
    offsets, ids = made.encode_arrow(column, dummy_prefix=False)
    single = np.diff(offsets) == 1
    single[single] = ids[offsets[:-1][single]] == np.array(numbers)[single]
    wrong = np.flatnonzero(~single)
    if len(wrong):
        first = model.pieces[numbers[wrong[0]]]
        raise InputError(f"{len(wrong)} pieces as '{first}' are never made by merging; such a model has no tokenizer.json")
