"""Length, content hash and language columns, and a language model trained here."""

from pathlib import Path
from types import SimpleNamespace

import fasttext
import pyarrow as pa
import pytest
import xxhash

from configs.errors import ConfigError
from pipeline.plan import check_stages
from stages.batch import Batch
from stages.language_models import is_english
from stages.measure import Measure


def measured(texts: list[str], langs: list[str | None], measure: Measure = Measure()) -> pa.RecordBatch:  # noqa: B008
    columns = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string()), pa.array(langs, pa.string())], names=["text", "lang"])
    return measure.annotate(Batch(columns)).columns


def test_lengths_and_hash() -> None:
    found = measured(["中文 text", ""], ["zh", "en"])
    assert found["num_chars"].to_pylist() == [7, 0]
    assert found["num_bytes"].to_pylist() == [11, 0]
    assert found["content_hash"].to_pylist() == [xxhash.xxh3_128_digest(text.encode()) for text in ("中文 text", "")]


def test_a_text_of_white_space_alone_has_no_characters() -> None:
    found = measured(["\n\n\n", " \t\u3000\r\n", "\n.\n", "\u00a01"], [None] * 4)
    assert found["num_chars"].to_pylist() == [0, 0, 3, 2]
    assert found["num_bytes"].to_pylist() == [3, 7, 3, 3]


def test_a_given_language_is_kept_and_a_missing_one_decided() -> None:
    assert measured(["中文的文本", "中文的文本", "plain words"], ["zh", None, None])["lang"].to_pylist() == ["zh", "zh-hans", "en"]


def test_columns_are_those_declared() -> None:
    found = measured(["x"], [None])
    assert [found.schema.field(field.name) for field in Measure().adds()] == list(Measure().adds())


def test_a_slice_of_a_column_is_hashed_by_its_own_texts() -> None:
    whole = pa.RecordBatch.from_arrays([pa.array(["a", "bc", "d"], pa.large_string()), pa.nulls(3, pa.string())], names=["text", "lang"])
    found = Measure().annotate(Batch(whole.slice(1, 2))).columns
    assert found["content_hash"].to_pylist() == [xxhash.xxh3_128_digest(b"bc"), xxhash.xxh3_128_digest(b"d")]


def test_no_rows() -> None:
    assert measured([], []).num_rows == 0


ENGLISH = "seven green apples lie under old trees near quiet rivers"
GERMAN = "sieben gruene Aepfel liegen unter alten Baeumen nahe ruhigen Fluessen"


@pytest.fixture(scope="module")
def lid_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two languages, twenty words."""
    folder = tmp_path_factory.mktemp("lid")
    rows = [f"__label__{code} {word}" for code, text in (("eng_Latn", ENGLISH), ("deu_Latn", GERMAN)) for word in text.split()] * 20
    (folder / "train.txt").write_text("\n".join(rows), encoding="utf-8")
    # fastText 0.9.3 fills a tenth of its vectors per thread: with fewer than 11 threads the rest is uninitialised and may end in NaN
    model = fasttext.train_supervised(str(folder / "train.txt"), dim=8, epoch=25, lr=0.1, thread=12, verbose=0)
    model.save_model(str(folder / "lid.bin"))
    return str(folder / "lid.bin")


def test_a_model_decides_on_latin_text_and_on_nothing_else(lid_model: str) -> None:
    texts = [ENGLISH, GERMAN, "中文的文本", "for (i = 0; i < n; i++) {", ENGLISH, ""]
    langs = [None, None, None, None, "de", None]
    assert measured(texts, langs)["lang"].to_pylist() == ["other", "other", "zh-hans", "code", "de", "none"]
    found = measured(texts, langs, Measure(lid_model=lid_model))["lang"].to_pylist()
    assert found == ["en", "other", "zh-hans", "code", "de", "none"]


def test_a_model_that_is_not_sure_is_not_believed(lid_model: str) -> None:
    nonsense = "one two three four five six seven"
    assert measured([ENGLISH, nonsense], [None, None], Measure(lid_model=lid_model))["lang"].to_pylist() == ["en", "en"]
    mixture = f"{ENGLISH} {GERMAN}"
    assert measured([mixture], [None], Measure(lid_model=lid_model, lid_min_score=0.9))["lang"].to_pylist() == ["other"]


def test_lines_of_a_text_are_asked_about_together(lid_model: str) -> None:
    assert measured([ENGLISH.replace(" ", "\n")], [None], Measure(lid_model=lid_model))["lang"].to_pylist() == ["en"]


def test_the_model_is_part_of_what_languages_depend_on(lid_model: str) -> None:
    assert Measure(lid_model=lid_model).files() == Measure(lid_model=lid_model).model_files() == (lid_model,)
    assert Measure(lid_model=lid_model).computed_by() != Measure().computed_by()
    assert Measure().files() == ()


def test_a_file_that_is_no_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lid.bin").write_text("no model", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"measure.lid_model: '.*lid.bin' is no fastText model"):
        Measure(lid_model=str(tmp_path / "lid.bin")).files()


def test_lingua_decides_on_latin_text() -> None:
    pytest.importorskip("lingua", reason="needs the extra lingua")
    dutch = "de kinderen spelen in de tuin van hun oude huis aan het water"
    names = "sandwich monday hotel"
    texts = [ENGLISH, GERMAN, dutch, "中文的文本", "for (i = 0; i < n; i++) {", names]
    assert measured(texts, [None] * 6)["lang"].to_pylist() == ["other", "other", "other", "zh-hans", "code", "en"]
    found = measured(texts, [None] * 6, Measure(lid_model="lingua", lid_min_score=0.4))["lang"].to_pylist()
    assert found == ["en", "other", "other", "zh-hans", "code", "en"]


def test_lingua_is_no_file_and_is_asked_for_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.language_models.find_spec", lambda name: object())
    assert Measure(lid_model="lingua").files() == Measure(lid_model="lingua").model_files() == ()
    monkeypatch.setattr("stages.language_models.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"lingua is not installed; run: pip install 'baichuan-corpus\[lingua\]'"):
        Measure(lid_model="lingua").files()


def test_scores_of_lingua_are_rounded_and_low_ones_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"a": ("ENGLISH", 0.6499999), "b": ("ENGLISH", 0.64), "c": ("DUTCH", 0.9)}

    class Detector:
        def compute_language_confidence_values(self, text: str) -> list[SimpleNamespace]:
            name, value = answers[text]
            return [SimpleNamespace(language=SimpleNamespace(name=name), value=value)]

    monkeypatch.setattr("stages.language_models._lingua", Detector)
    assert is_english("lingua", [b"a", b"b", b"c"], 0.65) == [True, None, False]


def test_a_missing_model_is_found_when_planning() -> None:
    with pytest.raises(ConfigError, match=r"measure: no such file 'no/lid.bin'"):
        check_stages((Measure(lid_model="no/lid.bin"),))
