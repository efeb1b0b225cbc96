"""Load a model, measure it as configured, write figures and rows."""

import hashlib
import heapq
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from configs.errors import ConfigError, RunError
from model import Baichuan
from model.evaluate import Score, Text, bits_per_byte, summarise
from model.extrapolation import Position, perplexity_by_position
from model.multiple_choice import LETTERS, PROTOCOLS, Answer, answer
from model.multiple_choice import summarise as summarise_answers
from pipeline import storage
from pipeline.evaluation.chart import line_chart
from pipeline.evaluation.questions import read_questions
from pipeline.evaluation.settings import EvaluationConfig, PositionSettings
from pipeline.models import DTYPES, check_vocabulary
from pipeline.texts import texts as read_texts
from tokenizer.encoder import Encoder, load_encoder

FIGURES = "evaluation.json"


def evaluate(config: EvaluationConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Measure as configured and write `config.output`; what `evaluation.json` holds. Raises `CorpusError`."""
    known = storage.join(config.output, FIGURES)
    if storage.list_names(config.output) and not (overwrite and storage.exists(known)):
        raise RunError(f"{config.output}: is not empty; choose another output" + ("" if overwrite else ", or give --overwrite"))
    asked = {one.name: read_questions(one, config.seed) for one in config.questions}  # first: a wrong file shows before a model is loaded
    encoder = load_encoder(config.tokenizer or config.model)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    model = Baichuan.from_pretrained(config.model, DTYPES[config.dtype], device)
    check_vocabulary(config.tokenizer or config.model, encoder.vocab_size, model.config.vocab_size)
    say: Callable[[str], None] = (lambda line: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))
    begin_id = _begin_id(config, encoder)
    encode = encoder.tokenizer.encode
    storage.make_folder(config.output)
    for stale in sorted({FIGURES, "documents.parquet", "questions.parquet", "positions.svg"} & storage.list_names(config.output)):
        storage.remove(storage.join(config.output, stale))
    figures: dict[str, Any] = {
        "model": {"folder": config.model, "parameters": model.num_parameters(), "trained_length": model.config.max_length},
        "tokenizer": {"name": encoder.name, "sha256": encoder.sha256, "vocab_size": encoder.vocab_size},
        **{"length": config.length or model.config.max_length, "begin": config.begin, "dtype": config.dtype, "device": device},
    }
    started = time.perf_counter()
    if config.texts:
        chosen = list(_chosen(config))
        say(f"bits per byte of {len(chosen):,} texts ...")
        scores = bits_per_byte(model, encode, chosen, config.length, config.batch, config.stride, begin_id)
        _write(config.output, "documents.parquet", _document_table(scores))
        figures["languages"] = summarise(scores, seed=config.seed)
        if config.positions:
            say("perplexity by position ...")
            figures["positions"] = _positions(model, encode, chosen, config.positions, config.output, begin_id)
    rows: dict[str, list[Answer]] = {}
    for one in config.questions:
        say(f"{one.name}: {len(asked[one.name].questions):,} questions ...")
        questions, examples, left_out = asked[one.name]
        length = config.length or model.config.max_length
        rows[one.name] = answer(model, encode, questions, examples, PROTOCOLS[one.protocol], length, config.batch, begin_id)
        settings = {"protocol": one.protocol, "shots": one.shots, "left_out": left_out}
        figures.setdefault("questions", {})[one.name] = settings | summarise_answers(rows[one.name], seed=config.seed)
    if rows:
        _write(config.output, "questions.parquet", _answer_table(rows))
    if config.harness:
        from model.harness import run_harness

        say(f"lm-evaluation-harness: {', '.join(config.harness)} ...")
        figures["harness"] = run_harness(model, encoder.tokenizer, config.harness, config.length, config.batch, begin_id, encoder.eos_id)
    figures["seconds"] = round(time.perf_counter() - started, 1)
    storage.write_bytes(known, orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str))
    return figures


def _begin_id(config: EvaluationConfig, encoder: Encoder) -> int | None:
    found = {"none": None, "bos": encoder.bos_id, "eos": encoder.eos_id}[config.begin]
    if config.begin == "bos" and found is None:
        raise ConfigError(f"begin: {encoder.name} has no begin id; take none or eos")
    return found


def _chosen(config: EvaluationConfig) -> Iterator[Text]:
    """The texts, in order; of each language and domain those with the smallest hashes, if they are limited."""
    most = config.documents_per_domain
    heaps: dict[tuple[str, str], list[tuple[int, int, Text]]] = {}
    for number, text in enumerate(_texts(config)):
        if not most:
            yield text
            continue
        heap = heaps.setdefault((text.lang, text.domain), [])
        item = (-int.from_bytes(hashlib.sha256(f"{config.seed} {text.id}".encode()).digest()[:8]), number, text)
        heapq.heappush(heap, item) if len(heap) < most else heapq.heappushpop(heap, item)
    for _, text in sorted((number, text) for heap in heaps.values() for _, number, text in heap):
        yield text


def _texts(config: EvaluationConfig) -> Iterator[Text]:
    for batch in read_texts(config.texts)():
        names = batch.schema.names
        columns = [batch[name].to_pylist() if name in names else [None] * batch.num_rows for name in ("id", "domain", "text", "lang")]
        for identity, domain, text, lang in zip(*columns, strict=True):
            if text:
                yield Text(identity, domain or "", text, lang or "")


def _positions(
    model: Baichuan, encode: Any, texts: list[Text], settings: PositionSettings, output: str, begin_id: int | None
) -> dict[str, Any]:
    last = int(settings.beyond * model.config.max_length)
    bounds = sorted({round(n * last / settings.rows) for n in range(settings.rows + 1)})
    rows, documents = perplexity_by_position(model, encode, (t.text for t in texts), bounds, 1, begin_id, settings.documents)
    storage.write_bytes(storage.join(output, "positions.svg"), _position_chart(rows, model.config.max_length).encode())
    return {"documents": documents, "trained_length": model.config.max_length, "rows": [row._asdict() for row in rows]}


def _position_chart(rows: list[Position], trained_length: int) -> str:
    middles = [(row.first + row.behind) / 2 for row in rows]
    lines = {"one window": [row.whole for row in rows], f"windows of {trained_length:,}": [row.trained for row in rows]}
    return line_chart("Perplexity by position", "position in the text, tokens", middles, lines, (trained_length, "trained length"))


def _document_table(scores: list[Score]) -> pa.Table:
    names = ("id", "domain", "lang", "tokens", "bytes", "nats", "bits_per_byte")
    return pa.table({name: [getattr(score, name) for score in scores] for name in names})


def _answer_table(rows: dict[str, list[Answer]]) -> pa.Table:
    flat = [(name, row) for name, answers in rows.items() for row in answers]
    columns = {"set": [name for name, _ in flat]}
    columns |= {name: [getattr(row, name) for _, row in flat] for name in Answer._fields if name != "shares"}
    return pa.table(columns | {f"share_{letter}": [row.shares[n] for _, row in flat] for n, letter in enumerate(LETTERS)})


def _write(output: str, name: str, table: pa.Table) -> None:
    with storage.committed(storage.join(output, name)) as file:
        pq.write_table(table, file, compression="zstd")
