"""What packing, proxies and evaluation need of a tokenizer, whichever it is: ids of columns, the ends of texts, and who it is."""

import hashlib
from dataclasses import dataclass

from configs.errors import InputError
from tokenizer.byte_level import BYTES, VERSION, ByteTokenizer
from tokenizer.codec import Tokenizer


@dataclass(frozen=True)
class Encoder:
    """A tokenizer with its identity."""

    tokenizer: Tokenizer | ByteTokenizer
    name: str
    """As the user named it: a folder, a file, or `bytes`."""
    sha256: str
    """Of the content of `tokenizer.model`; `bytes-v1` for bytes. Shards of ids are refused where it differs."""
    bos_id: int | None
    eos_id: int
    model: bytes | None
    """The content of `tokenizer.model`, if there is one."""

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self.tokenizer)


def load_encoder(name: str) -> Encoder:
    """`bytes`, a `.model` file, or a folder with `tokenizer.model`. Raises `InputError` if there is none, or it has no end of text."""
    if name == BYTES:
        return Encoder(ByteTokenizer(), name, VERSION, 1, 2, None)
    made = Tokenizer.load(name)
    begin, end = made.stock.bos_id(), made.stock.eos_id()
    if end < 0:
        raise InputError(f"{name}: this tokenizer has no end-of-text id, which parts the documents of a stream; train one that has </s>")
    digest = hashlib.sha256(made.model_bytes).hexdigest()
    return Encoder(made, name, digest, begin if begin >= 0 else None, end, made.model_bytes)
