"""What all programs of a side-by-side run read, made once and kept below a folder under the name of all that it depends on.

- `text-LANG.jsonl`: documents of every file of the real data, each file giving as many bytes, in a seeded order, none above
  `LONGEST_BYTES`; `tokens-LANG` our tokens of the same and `spaced-LANG` the folded tokens that fastText reads, for peers that bring none.
- `planted-LANG/`: near-duplicates (`dedup_planted`) and their true similarity by two definitions, see `judge`.
- `hosts-LANG/`: documents with planted passages (`sentence_dedup`), in our normal form, so that nothing but cuts changes them.
- `model-LANG/model.bin`: a fastText model of good texts against the same with their words at other places: for speed alone.
- `vocabulary.model`, `.json`: SentencePiece's file and the `tokenizer.json` of it: Baichuan-7B's if the real data has it, else learnt here.
- `ranks.tiktoken`: Qwen's, if the real data has it.

Without the real data the passages of the bundled sample serve, and as many copies of them with seeded edits as are needed: word frequencies
and lines are those of text, sentences are not.
"""

import json
import random
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import dedup_edits
import dedup_planted
import pyarrow as pa
import sentence_dedup
from dedup_reference import documents, jaccard, shingles
from dedup_truth import listed_shingles

from pipeline.manifest import file_identity, identity
from pipeline.quality.config import Model
from pipeline.quality.fasttext_process import train_fasttext
from pipeline.texts import texts as batches_of
from stages.batch import Batch
from stages.normalize import Normalize
from stages.quality.tokens import spaced
from stages.quality.weights import BAD, GOOD
from stages.text.buffers import text_buffer
from stages.text.fold import ALONE, IGNORED, LETTER, class_of, fold
from stages.text.sentences import sentences
from tokenizer.codec import Tokenizer
from tokenizer.huggingface import files as huggingface_files
from tokenizer.recipe import TrainConfig
from tokenizer.train import train

LANGUAGES = ("en", "zh")
LONGEST_BYTES = 64_000
HOST_CHARS = {"zh": 3_000, "en": 7_500}
"""A quarter of what `sentence_dedup` has: a planted passage is 4 to 13 % of its host."""
SIMILARITIES = (1.0, 0.99, 0.97, 0.95, 0.93, 0.91)
KIND = {"zh": "Han", "en": "words"}
PARTS = 4
"""Files of a set that is read as files."""
BUNDLED = Path("data/passages")
PUBLISHED_VOCABULARY = "tokenizers/rebuilt/baichuan7b.spm.model"
RANKS = "tokenizers/qwen/qwen.tiktoken"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is made of each."""

    text_bytes: int = 1_500_000
    """Of each language."""
    pairs: int = 600
    """Planted near-duplicates of each language, and twice as many documents beside them."""
    passages: int = 120
    """Planted passages of each language, in twice as many hosts."""
    vocabulary: int = 8_000
    """Ids of the vocabulary that is learnt where there is none."""
    seed: int = 29


class Documents(NamedTuple):
    """Where the sets are, and what is known of them."""

    folder: Path
    identity: str
    facts: dict[str, Any]
    """`source` ("real data" or "bundled sample"), `documents` and `megabytes` by set."""


def make(data: Path | None, into: Path, sizes: Sizes) -> Documents:
    """Make the sets that are not there. `data` is a folder of `*_LANG.jsonl.zst` files; None for the bundled sample."""
    sources = [*Path(__file__).parent.glob("documents.py"), *(Path(m.__file__) for m in (dedup_planted, dedup_edits, sentence_dedup))]
    read = sorted([*data.glob("*.jsonl.zst"), *data.glob(PUBLISHED_VOCABULARY)] if data else BUNDLED.rglob("*.txt"))
    name = identity([file_identity(path) for path in sources], [(path.name, path.stat().st_size) for path in read], asdict(sizes))
    folder = into / name
    if not (folder / "facts.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        facts: dict[str, Any] = {"source": "real data" if data else "bundled sample", "documents": {}, "megabytes": {}}
        for lang in LANGUAGES:
            for kind, texts in _sets(data, folder, lang, sizes).items():
                facts["documents"][f"{kind}-{lang}"] = len(texts)
                facts["megabytes"][f"{kind}-{lang}"] = sum(len(text.encode()) for text in texts) / 1e6
        facts["vocabulary"] = _vocabulary(data, folder, sizes)
        (folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return Documents(folder, name, json.loads((folder / "facts.json").read_text(encoding="utf-8")))


def _sets(data: Path | None, folder: Path, lang: str, sizes: Sizes) -> dict[str, list[str]]:
    rng = random.Random(f"{lang}-{sizes.seed}")
    text = _from_files(data, lang, sizes.text_bytes, rng) if data else _varied(lang, sizes.text_bytes, rng)
    write(folder / f"text-{lang}.jsonl", dict(enumerate(text)))
    write(folder / f"tokens-{lang}.jsonl", {i: " ".join(tokens_of(one)) for i, one in enumerate(text)})
    lines = as_fasttext_reads(text)
    write(folder / f"spaced-{lang}.jsonl", dict(enumerate(lines)))
    _train_model(folder / f"model-{lang}", lines, as_fasttext_reads([sentence_dedup.scrambled(one, rng) for one in text]))

    candidates = dedup_planted.passages(lang, rng, data) if data else _endless(_bundled(lang), rng)
    pairs, planted = dedup_planted.plant(lang, sizes.pairs, rng, candidates)
    write_parts(folder / f"planted-{lang}", planted, rng)
    truth = [{"left": p.left, "right": p.right, "kind": p.kind, "similarity": similarities(planted[p.left], planted[p.right], lang)}
             for p in pairs]  # fmt: skip
    (folder / f"planted-{lang}.truth.json").write_text(json.dumps(truth), encoding="utf-8")

    pool = sentence_dedup.pool(data, lang, rng) if data else list(_take(_endless(_paragraphs(lang), rng), sizes.passages))
    around = sentence_dedup.hosts(data, lang) if data else [_joined(lang)]
    shortened = [normal(_begin(lines, HOST_CHARS[lang])) for lines in around]
    hosts = list(sentence_dedup.planted_hosts(KIND[lang], normal(pool[: sizes.passages]), shortened, rng, SIMILARITIES))
    assert normal([host.text for host in hosts]) == [host.text for host in hosts], "joining changed the normal form"
    write_parts(folder / f"hosts-{lang}", {host.id: host.text for host in hosts}, rng)
    (folder / f"hosts-{lang}.truth.json").write_text(json.dumps([host._asdict() for host in hosts], ensure_ascii=False), encoding="utf-8")
    return {"text": text, "planted": list(planted.values()), "hosts": [host.text for host in hosts]}


def _from_files(data: Path, lang: str, num_bytes: int, rng: random.Random) -> list[str]:
    files = sorted(data.glob(f"*_{lang}.jsonl.zst"))
    found: list[str] = []
    for file in files:
        left = num_bytes / len(files)
        texts = [row["text"] for row in documents(file) if len(row["text"].encode()) <= LONGEST_BYTES]
        for text in rng.sample(texts, len(texts)):
            if left <= 0:
                break
            found.append(text)
            left -= len(text.encode())
    return found


def _bundled(lang: str) -> list[str]:
    text = "".join(path.read_text("utf-8") for path in sorted((BUNDLED / lang).glob("*.txt")))
    return [passage.strip() for passage in re.split(r"^%%% .+\n", text, flags=re.MULTILINE) if passage.strip()]


def _paragraphs(lang: str) -> list[str]:
    return list(sentence_dedup.paragraphs("\n".join(_bundled(lang)).split("\n")))


def _joined(lang: str) -> list[str]:
    return [line for passage in _bundled(lang) for line in passage.split("\n")]


def _endless(texts: list[str], rng: random.Random) -> Iterator[str]:
    """The texts, then for ever the same with each word or character at another place."""
    yield from texts
    while True:
        yield sentence_dedup.scrambled(rng.choice(texts), rng)


def _take(texts: Iterator[str], number: int) -> Iterator[str]:
    return (text for _, text in zip(range(number), texts, strict=False))


def _varied(lang: str, num_bytes: int, rng: random.Random) -> list[str]:
    """The bundled passages, then edited copies of them, up to so many bytes."""
    texts = _bundled(lang)
    source = dedup_edits.Source(lang, texts)
    found = []
    while num_bytes > 0:
        text = texts[len(found) % len(texts)]
        found.append(text if len(found) < len(texts) else dedup_edits.replace(source, text, rng.uniform(0.5, 0.9), rng))
        num_bytes -= len(found[-1].encode())
    return found


def _begin(lines: list[str], num_chars: int) -> list[str]:
    """The first lines of a host, as many as give so many characters."""
    taken: list[str] = []
    for line in lines:
        if sum(map(len, taken)) >= num_chars:
            break
        taken.append(line)
    return taken


def normal(texts: list[str]) -> list[str]:
    """Each text in our normal form."""
    columns = {"text": pa.array(texts, pa.large_string()), "fault": pa.nulls(len(texts), pa.string())}
    return list(Normalize().annotate(Batch(pa.RecordBatch.from_pydict(columns)))["text"].to_pylist())


def write(path: Path, texts: dict[Any, str]) -> None:
    """JSON lines of `id` and `text`."""
    lines = (json.dumps({"id": str(name), "text": text}, ensure_ascii=False) + "\n" for name, text in texts.items())
    path.write_text("".join(lines), encoding="utf-8")


def write_parts(folder: Path, texts: dict[str, str], rng: random.Random) -> None:
    """Shuffled over `PARTS` files."""
    folder.mkdir()
    ids = rng.sample(list(texts), len(texts))
    for part in range(PARTS):
        write(folder / f"part-{part}.jsonl", {name: texts[name] for name in ids[part::PARTS]})


def similarities(left: str, right: str, lang: str) -> list[float]:
    """True Jaccard similarity by our shingles and by those of the data's own lists, in which punctuation and variants count."""
    return [
        jaccard(shingles(left), shingles(right)),
        jaccard(listed_shingles(left, lang), listed_shingles(right, lang)),  # type: ignore[arg-type]
    ]


def tokens_of(text: str) -> list[str]:
    """Our tokens for shingles, plainly."""
    found: list[str] = []
    run = ""
    for character in fold(text):
        kind = class_of(character)
        if kind == LETTER:
            run += character
        elif kind != IGNORED:
            found += [run] * bool(run) + [character] * (kind == ALONE)
            run = ""
    return found + [run] * bool(run)


def as_fasttext_reads(texts: Iterable[str]) -> list[str]:
    """Each text as one line of folded tokens."""
    text = text_buffer(pa.array(list(texts), pa.large_string())).read_only()
    found = sentences(text)
    tokens, _ = spaced(text, found)
    bounds = zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
    return [tokens.data[tokens.offsets[a] : tokens.offsets[b]].tobytes().decode() for a, b in bounds]


def _train_model(folder: Path, good: list[str], bad: list[str]) -> None:
    folder.mkdir()
    lines = [f"{label} {line}\n" for pair in zip(good, bad, strict=True) for label, line in zip((GOOD, BAD), pair, strict=True)]
    (folder / "lines.txt").write_text("".join(lines), encoding="utf-8")
    train_fasttext(folder / "lines.txt", folder / "model.bin", Model(epochs=1).as_fasttext())
    (folder / "lines.txt").unlink()


def _vocabulary(data: Path | None, folder: Path, sizes: Sizes) -> str:
    """Write the two files; what vocabulary it is."""
    model = folder / "vocabulary.model"
    published = data / PUBLISHED_VOCABULARY if data else None
    if published and published.exists():
        shutil.copy(published, model)
        name = "Baichuan-7B's"
    else:
        config = TrainConfig(input=("",), output="", preset="small_8k", vocab_size=sizes.vocabulary, memory=2_000_000_000)
        model.write_bytes(train(config, batches_of([str(folder / f"text-{lang}.jsonl") for lang in LANGUAGES])).model)
        name = "learnt from the same documents"
    if data and (data / RANKS).exists():
        shutil.copy(data / RANKS, folder / "ranks.tiktoken")
    made = Tokenizer.load(model)
    (folder / "vocabulary.json").write_bytes(huggingface_files(made)["tokenizer.json"])
    return f"{name}, {len(made.model.pieces):,} ids"
