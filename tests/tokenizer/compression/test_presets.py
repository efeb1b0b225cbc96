"""What every preset promises, whatever it learns from; and the published order on real Chinese news."""

import pyarrow as pa
import pytest

from pipeline.compression.published import order
from pipeline.texts import texts
from tests.tokenizer.conftest import INPUTS, REAL, sample_config
from tokenizer.codec import Tokenizer
from tokenizer.compression.measure import Measurement, figures, groups
from tokenizer.foreign import open_tokenizer
from tokenizer.model_file import NORMAL
from tokenizer.recipe import presets
from tokenizer.train import train


@pytest.mark.parametrize("preset", presets())
def test_no_piece_holds_two_digits_and_no_text_is_unknown(preset: str) -> None:
    made = Tokenizer(train(sample_config(preset=preset, vocab_size=6000), texts(INPUTS)).model, preset)
    learnt = [piece for piece, kind in zip(made.model.pieces, made.model.types, strict=True) if kind == NORMAL]
    assert len(learnt) > 5000
    assert [piece for piece in learnt if sum(character.isdecimal() for character in piece) > 1] == []
    assert [piece for piece in learnt if any(character.isdecimal() for character in piece) and len(piece) > 1] == []
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    ids = made.encode_arrow(pa.array([every], pa.large_string()))
    assert 0 not in ids.ids
    assert made.decode_arrow(*ids)[0].as_py() == every.encode()


@pytest.mark.skipif(not REAL.exists(), reason="needs the real data beside the project")
def test_the_published_order_holds_on_chinese_news() -> None:
    rebuilt = REAL / "tokenizers" / "rebuilt"
    names = {"baichuan7b.spm.model": "Baichuan-7B", "llama2.spm.model": "LLaMA"}
    names |= {"falcon.tokenizer.json": "Falcon", "mpt.tokenizer.json": "mpt-7B"}
    found = Measurement({file: open_tokenizer(str(rebuilt / file)) for file in names})
    found.add(next(iter(texts([str(REAL / "news_zh.jsonl.zst")])())).slice(0, 60))
    table = found.table()
    rates = {file: figures(table, file, groups(table)[0][2])["tokens_per_char"] for file in names}
    (only,) = order(rates, names)
    assert only["reproduced"], rates
    assert [names[file] for file in only["measured"]] == ["Baichuan-7B", "Falcon", "mpt-7B", "LLaMA"]
