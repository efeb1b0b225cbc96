"""A place in which the commands of the docs can be run: with `out/sample`, and with a reader's own corpus, tokenizer, pack and model."""

import json
import re
from pathlib import Path

import pytest
import zstandard

from tests.docs.shown import ROOT
from tests.pipeline.conftest import prose, run_command

CRAWL = ("s3://bucket/crawl/*.warc.gz", "data/sample/crawl.warc.gz")
POSTS = ("--texts", "data/posts.jsonl.zst")
TINY_TOKENIZER = ("--input", "data/posts.jsonl.zst", "--preset", "small_2k", "--vocab-size", "400")
"""Of English words; a text with a thousand characters needs as many ids."""
TINY_TRAINING = (
    *("--set", "model.hidden_size=16", "--set", "model.intermediate_size=32", "--set", "model.num_hidden_layers=1"),
    *("--set", "model.num_attention_heads=2", "--set", "tokens=16384", "--set", "schedule.warmup_steps=2", "--set", "threads=1"),
)


@pytest.fixture(scope="session")
def place(workplace: Path) -> Path:
    """`my.yaml` is README's own-data example, with a local file for the bucket; what other commands need is made as small as it goes."""
    (own,) = re.findall(r"```yaml\n(name: my-corpus\n.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert CRAWL[0] in own
    (workplace / "my.yaml").write_text(own.replace(*CRAWL), encoding="utf-8")
    (workplace / "my").mkdir()
    (workplace / "my" / "zh.yaml").symlink_to(ROOT / "configs/filters/zh.yaml")
    for folder in ("books/old", "forum"):
        (workplace / "data" / folder).mkdir(parents=True)
    chinese, english = (_texts(ROOT / f"data/sample/{lang}_encyclopedia.jsonl") for lang in ("zh", "en"))
    for number, text in enumerate(chinese):
        (workplace / "data" / "books" / "old" / f"{number}.txt").write_text(text, encoding="gb18030")
    _write(workplace / "data/forum/posts.jsonl.zst", [{"content": text} for text in [*english, *english[:4]]])
    _write(workplace / "data/posts.jsonl.zst", [{"text": prose(number)} for number in range(40)])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        for words in (
            ("run", "my.yaml", "--set", "engine.executor=inprocess", "--quiet"),
            ("tokenizer", "train", *TINY_TOKENIZER, "--output", "out/tokenizer", "--quiet"),
            ("pack", "--input", "out/my-corpus", "--tokenizer", "out/tokenizer", "--output", "out/pack", "--quiet"),
            ("train", "configs/train/sample.yaml", *TINY_TRAINING, "--quiet"),
            ("tokenizer", "compare", *POSTS, "--tokenizer", "out/tokenizer", "--output", "out/compression", "--quiet"),
        ):
            assert run_command(patch, *words) == 0, words
    return workplace


@pytest.fixture(scope="session")
def place_with_variants(place: Path, comparison: tuple[Path, object, object]) -> Path:
    """With `CONFIG`, a comparison of variants, and its verdict in `out/variants`."""
    (place / "CONFIG").symlink_to(comparison[0])
    (place / "out" / "variants").symlink_to(comparison[0].parent / "out")
    return place


def _texts(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_bytes(zstandard.compress("\n".join(map(json.dumps, rows)).encode()))
