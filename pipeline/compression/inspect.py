"""Look at the pieces of one tokenizer, and at how often texts use them."""

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline import storage
from pipeline.compression.documents import held_out, measured, spam_phrases
from pipeline.compression.page import inspection_page
from pipeline.texts import texts
from tokenizer.compression.pieces import describe
from tokenizer.foreign import open_tokenizer


def inspect(
    tokenizer: str,
    inputs: Sequence[str] = (),
    top: int = 20,
    split: str | None = None,
    json_file: str | None = None,
    page: str | None = None,
) -> dict[str, Any]:
    """What `tokenizer.compression.pieces.describe` finds, with use where there are `inputs`. Raises `CorpusError`."""
    found = open_tokenizer(tokenizer, split)
    uses = None
    if inputs:
        table = measured(held_out(texts(inputs)(), 1.0, 0), {tokenizer: found}, lambda *_: None, round_trip=False)
        uses = table.uses[tokenizer].pieces
    described = describe(found.pieces, uses, spam_phrases(), top)
    if json_file:
        storage.write_bytes(json_file, orjson.dumps(described, option=orjson.OPT_INDENT_2))
    if page:
        storage.write_bytes(page, inspection_page(tokenizer, described).encode())
    return described
