"""What proxies read: of each domain some kept text, of each target some held-out text, as ids in one file.

Documents are taken in the order of a hash of the run's seed and their ids, divided by their `sampling_weight`, until there are as many
tokens as one training has: so the sample depends on no order, is the likelier to hold a document the more it weighs, and no proxy needs to
read a text twice unless its domain is small. A document of the weight 0 is never taken. Held-out text is what was drawn and nothing
else speaks against, each content once, as it is after normalisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.mixture.held_out import FOLDER
from pipeline.parquet_files import write_parquet
from stages.filters.rules import primary_subtag
from stages.text.buffers import text_buffer
from tokenizer.byte_level import ByteTokenizer
from tokenizer.codec import Tokenizer
from tokenizer.sampling import hash_units

_SAMPLE = pa.schema({"text": pa.large_string(), "name": pa.string(), "held_out": pa.bool_(), "place": pa.float64(), "id": pa.string()})

HEADROOM = 1.5
"""Of a large domain so many times the bytes that are needed are looked through, since documents differ in length."""
BYTES_PER_TOKEN = 6
"""A tokenizer's tokens are seldom longer in the mean."""
EOS = 2
"""Stands after each document, for bytes and for our tokenizers."""


class Texts(NamedTuple):
    """Ids by domain, and by target."""

    train: dict[str, npt.NDArray[np.int32]]
    held_out: dict[str, npt.NDArray[np.int32]]
    """`domain/lang` -> ids."""
    token_bytes: npt.NDArray[np.int64]
    """Bytes of each id; 0 for special ones."""


@dataclass(frozen=True)
class SampleWork:
    """One part of the corpus and of what was held out."""

    output: str
    part: str
    shares: dict[str, float]
    """Of each domain's documents, those of the sampling weight 1, by their hash; beyond 1 for a small domain, of which all are taken."""
    seed: int
    uri: str


def sample(work: SampleWork) -> dict[str, Any]:
    """Write what may be needed of a part: `text`, `name` (a domain, or a target), `held_out`, `place` (where it stands in the order)."""
    kept = _read(storage.join(work.output, "corpus", work.part), ["id", "text", "domain", "sampling_weight"])
    weight = kept["sampling_weight"].to_numpy().astype(np.float64)
    unit = hash_units(text_buffer(kept["id"].combine_chunks()), work.seed)
    place = np.divide(unit, weight, out=np.full(len(unit), np.inf), where=weight > 0)
    share = np.array([work.shares.get(name, 0.0) for name in kept["domain"].to_pylist()])
    kept = kept.append_column("place", pa.array(place)).filter(pa.array(place < share))
    apart = _read(storage.join(work.output, FOLDER, work.part), ["id", "text", "domain", "lang", "drawn", "reasons", "content_hash"])
    apart = apart.filter(pc.and_(apart["drawn"], pc.equal(pc.list_value_length(apart["reasons"]), 0)))
    names = [f"{d}/{primary_subtag(lang or '')}" for d, lang in zip(apart["domain"].to_pylist(), apart["lang"].to_pylist(), strict=True)]
    contents = [value.hex() for value in apart["content_hash"].to_pylist()]
    columns = {
        "text": pa.chunked_array([*kept["text"].chunks, *apart["text"].chunks], pa.large_string()),
        "name": kept["domain"].to_pylist() + names,
        "held_out": [False] * kept.num_rows + [True] * apart.num_rows,
        "place": np.concatenate([kept["place"].to_numpy(), hash_units(text_buffer(pa.array(contents, pa.string())), work.seed)]),
        "id": kept["id"].to_pylist() + contents,
    }
    write_parquet(work.uri, pa.table(columns, schema=_SAMPLE))
    return {"documents": kept.num_rows + apart.num_rows}


def sampled_shares(weighted_bytes: Mapping[str, float], tokens: int, tokenizer: str) -> dict[str, float]:
    """Shares of each domain's documents that hold as many tokens as a training has, with some to spare; each times its sampling weight."""
    needed = HEADROOM * tokens * (1 if tokenizer == "bytes" else BYTES_PER_TOKEN)
    return {name: needed / max(size, 1.0) for name, size in weighted_bytes.items()}


def read_texts(uris: Sequence[str], tokenizer: str, tokens: int, held_out_tokens: int) -> Texts:
    """Encode what the parts gave, up to so many tokens of each domain and target."""
    codec = ByteTokenizer() if tokenizer == "bytes" else Tokenizer.load(tokenizer)
    rows = pa.concat_tables([_read(uri, ["text", "name", "held_out", "place", "id"]) for uri in uris]).sort_by(
        [("place", "ascending"), ("id", "ascending")]
    )
    found: tuple[dict[str, npt.NDArray[np.int32]], dict[str, npt.NDArray[np.int32]]] = ({}, {})
    for name in sorted(set(rows["name"].to_pylist())):
        for is_held_out, most in ((False, tokens), (True, held_out_tokens)):
            own = rows.filter(pc.and_(pc.equal(rows["name"], name), pc.equal(rows["held_out"], is_held_out)))
            if is_held_out and own.num_rows:  # copies have one place
                own = own.take(pa.array(np.unique(own["id"].to_numpy(zero_copy_only=False), return_index=True)[1])).sort_by("place")
            if own.num_rows:
                found[is_held_out][name] = _ids(codec, own["text"], most)
    return Texts(*found, _token_bytes(codec))


def _ids(codec: ByteTokenizer | Tokenizer, texts: pa.ChunkedArray, most: int) -> npt.NDArray[np.int32]:
    sizes = np.cumsum(pc.binary_length(texts).to_numpy())
    needed = int(np.searchsorted(sizes, most * (1 if isinstance(codec, ByteTokenizer) else BYTES_PER_TOKEN))) + 1
    encoded = codec.encode_arrow(texts.slice(0, needed).combine_chunks())
    ends = np.insert(encoded.ids.astype(np.int32), encoded.offsets[1:], EOS)
    return np.asarray(ends[:most], np.int32)


def _token_bytes(codec: ByteTokenizer | Tokenizer) -> npt.NDArray[np.int64]:
    every = np.arange(len(codec), dtype=np.int32)
    sizes = pc.binary_length(codec.decode_arrow(np.arange(len(codec) + 1), every)).to_numpy().astype(np.int64)
    sizes[: EOS + 1] = 0
    return np.asarray(sizes)


def _read(uri: str, columns: list[str]) -> pa.Table:
    with storage.open_input(uri) as file:
        return pq.read_table(file, columns=columns).combine_chunks()
