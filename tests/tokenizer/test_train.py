"""Training through its public face: what comes out, that nothing is skipped, and what is refused before hours are spent."""

import unicodedata
from collections.abc import Iterator

import pyarrow as pa
import pytest

import tokenizer.train
from configs.errors import ConfigError, InputError, RunError
from pipeline.texts import texts
from tests.tokenizer.conftest import INPUTS, batches_of, sample_config
from tokenizer.card import card
from tokenizer.codec import Tokenizer
from tokenizer.recipe import Recipe, load_recipe, presets
from tokenizer.train import Trained, train


def test_it_has_the_size_and_ids_that_were_asked_for(trained: Trained, small: Tokenizer) -> None:
    assert len(small) == 2000
    assert small.model.pieces[:6] == ("<unk>", "<s>", "</s>", "\n", "\t", "0")
    assert small.stock.vocab_size() == 2000
    facts = trained.facts
    assert facts["merges"] + facts["characters"] + load_recipe("small_2k").num_fixed == 2000
    assert facts["texts"]["read"] == facts["texts"]["taken"] == sum(group["texts"] for group in facts["groups"])
    assert "Tokenizer of 2,000 ids, preset small_2k" in card(facts)


def test_no_piece_holds_two_digits_or_mixes_them_with_letters(small: Tokenizer) -> None:
    for piece in small.model.pieces[271:]:
        assert not any(unicodedata.category(character) == "Nd" for character in piece) or len(piece) == 1, piece


def test_the_same_texts_in_any_order_and_batches_give_the_same_model(trained: Trained) -> None:
    batches = list(texts(INPUTS)())

    def backwards() -> Iterator[pa.RecordBatch]:
        for batch in reversed(batches):
            for low in range(0, batch.num_rows, 7):
                yield batch.slice(low, 7)

    again = train(sample_config(threads=1), backwards)
    assert again.model == trained.model


def test_cuts_at_rare_pairs_change_no_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer.train, "CUTS_PER_MERGE", 8)
    cut = train(sample_config(), texts(INPUTS))
    assert cut.facts["least_pair_count"] > 5
    assert cut.facts["cuts_changed_nothing"]
    monkeypatch.setattr(tokenizer.train, "CUTS_PER_MERGE", 1 << 40)
    uncut = train(sample_config(), texts(INPUTS))
    assert uncut.facts["least_pair_count"] == 0
    assert uncut.facts["words"] != cut.facts["words"]
    assert Tokenizer(uncut.model, "uncut").model.pieces == Tokenizer(cut.model, "cut").model.pieces


def test_lines_that_sentencepiece_would_skip_are_learnt_from() -> None:
    rows = [{"id": f"d{i}", "text": "我们在这里。" * 3_000 + "▅▁" + "the quick fox " * 3_000} for i in range(3)]
    found = train(sample_config(vocab_size=300), lambda: batches_of(rows))
    pieces = Tokenizer(found.model, "long lines").model.pieces
    assert {"我", "们", "里", "▁", "q"} <= set(pieces)
    assert "▅" not in pieces


def test_at_most_so_many_texts_are_taken_and_always_the_same() -> None:
    taken = [train(sample_config(max_texts=60, vocab_size=1500), texts(INPUTS)).facts for _ in range(2)]
    assert taken[0] == taken[1] | {"peak_memory_bytes": taken[0]["peak_memory_bytes"]}
    assert 45 <= taken[0]["texts"]["taken"] <= 60
    assert taken[0]["share"] < 1


def test_of_more_text_than_fits_a_share_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(sample_config(), texts(INPUTS)).facts
    room = whole["estimated_memory_bytes"] - tokenizer.train.OUR_BYTES - tokenizer.train.TRAINER_BYTES
    cap = tokenizer.train.OUR_BYTES + tokenizer.train.TRAINER_BYTES + room // 2
    facts = train(sample_config(memory=cap), texts(INPUTS)).facts
    assert facts["share"] < 0.7
    assert facts["estimated_memory_bytes"] <= cap
    assert 0 < facts["texts"]["taken"] < whole["texts"]["taken"]


def test_weights_decide_what_is_learnt() -> None:
    sizes = {}
    for domain in ("en_law", "zh_law"):
        made = Tokenizer(train(sample_config(preset="small_8k", vocab_size=4000, domains={domain: 20}), texts(INPUTS)).model, domain)
        sizes[domain] = len(made.encode("No person shall be held liable for an act done in good faith under this section."))
    assert sizes["en_law"] < sizes["zh_law"]


def test_a_vocabulary_without_room_for_the_characters_is_refused_with_what_to_change() -> None:
    wanted = r"1,200 ids have no room for merges: a character_coverage of 1\.0 takes [\d,]+ characters .* Set vocab_size to ([\d,]+)$"
    with pytest.raises(RunError, match=wanted) as refused:
        train(sample_config(vocab_size=1200, character_coverage=1.0), texts(INPUTS))
    size = int(str(refused.value).rpartition(" ")[2].replace(",", ""))
    assert len(Tokenizer(train(sample_config(vocab_size=size, character_coverage=1.0), texts(INPUTS)).model, "mended")) == size


def test_a_smaller_coverage_is_offered_where_it_helps() -> None:
    rows = [{"id": "d", "text": "the quick brown fox " * 500 + "".join(map(chr, range(0x4E00, 0x4E30)))}]
    with pytest.raises(RunError, match=r"or character_coverage to 0\.99\d+$") as refused:
        train(sample_config(vocab_size=320, character_coverage=1.0), lambda: batches_of(rows))
    share = float(str(refused.value).rpartition(" ")[2])
    assert train(sample_config(vocab_size=320, character_coverage=share), lambda: batches_of(rows)).facts["merges"] > 20


def test_too_little_text_is_refused_with_the_size_that_it_allows() -> None:
    rows = [{"id": "d", "text": "The quick brown fox jumps over the lazy dog. " * 20}]
    with pytest.raises(InputError, match=r"1 texts of 1 .*; 2,000 ids need 17,290\. Give more text, or set vocab_size to at most 3\d\d"):
        train(sample_config(), lambda: batches_of(rows))
    with pytest.raises(InputError, match=r"there are no texts to learn from"):
        train(sample_config(), lambda: iter(()))


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(RunError, match=r"memory: 1,000 bytes; the trainer alone takes"):
        train(sample_config(memory=1000), texts(INPUTS))
    least = tokenizer.train.OUR_BYTES + tokenizer.train.TRAINER_BYTES
    with pytest.raises(RunError, match=r"hold the words of [\d,]+ bytes of text, too little for 2,000 ids; set memory to about"):
        train(sample_config(memory=least + 1000), texts(INPUTS))


def test_published_special_ids_of_baichuan() -> None:
    first, second = load_recipe("baichuan1"), load_recipe("baichuan2")
    ids = {symbol: 3 + number for number, symbol in enumerate(first.symbols)}
    wanted = {"<SEP>": 3, "<CLS>": 4, "\n": 5, "\t": 6, "<h2>": 7, "</td>": 51, "0": 52, "９": 71, "，": 72, "```": 88, "<!--": 89}
    wanted |= {"-->": 90, "---": 91, "<!DOCTYPE>": 92, "<reserved_0>": 93, "<reserved_102>": 195, "<reserved_299>": 392}
    assert {symbol: ids[symbol] for symbol in wanted} == wanted
    assert (first.vocab_size, first.dummy_prefix, first.max_piece_chars, first.num_fixed) == (64_000, True, 10, 649)
    assert 3 + second.symbols.index("<reserved_106>") == 195
    assert (second.vocab_size, second.dummy_prefix, second.whitespace_pieces, second.max_piece_chars) == (125_696, False, True, 32)
    assert second.character_coverage == 0.9999


def test_every_preset_loads() -> None:
    assert presets() == ["baichuan1", "baichuan2", "small_2k", "small_32k", "small_8k"]
    for name in presets():
        recipe = load_recipe(name)
        assert {"\n", "\t", *"0123456789"} <= set(recipe.symbols)


def test_an_unknown_preset_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no tokenizer preset 'baichuan3'; there are baichuan1, baichuan2, small_2k"):
        load_recipe("baichuan3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"defined": ("a b",)}, r"defined: got 'a b', wanted a text without spaces"),
        ({"defined": ("ab", "ab")}, r"defined: 'ab' stands twice"),
        ({"reserved": 100}, r"vocab_size: got 300; the special ids and bytes alone are 359"),
    ],
)
def test_recipes_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    plain = {"vocab_size": 300, "dummy_prefix": False, "whitespace_pieces": True, "character_coverage": 0.99, "max_piece_chars": 8}
    with pytest.raises(ConfigError, match=message):
        Recipe(**plain | settings)  # type: ignore[arg-type]
