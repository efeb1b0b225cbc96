"""The C-Eval and MMLU protocols: prompts to the letter, letters to the id, answers to the hand-computed probability."""

import math
import re

import pytest
import torch

from configs.errors import InputError
from model import BaichuanConfig
from model.multiple_choice import PROTOCOLS, Answer, Question, answer, letter_prompt, summarise, text_prompt
from tests.model.bigram import Bigram
from tests.model.reference import SMALL, lively

CEVAL, MMLU = PROTOCOLS["ceval"], PROTOCOLS["mmlu"]
Q = Question("法学", "val/law.csv:2", "谁立法？", ("甲", "乙", "丙丁", "戊"), "C")
E = Question("法学", "dev/law.csv:2", "谁守法？", ("人", "物", "天", "地"), "A")


def utf8(text: str) -> list[int]:
    return [3 + byte for byte in text.encode()]


def table_for(chances: dict[tuple[str, str], float]) -> Bigram:
    """Over bytes: after the first character's last byte the second's byte has this weight, all else 1."""
    table = torch.ones(259, 259)
    for (before, after), weight in chances.items():
        table[utf8(before)[-1], utf8(after)[0]] = weight
    return Bigram(table, max_length=10_000)


def test_the_ceval_prompt_is_the_published_one() -> None:
    assert letter_prompt(CEVAL, Q, [E]) == (
        "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。\n"
        "谁守法？\nA. 人\nB. 物\nC. 天\nD. 地\n答案：A\n\n"
        "谁立法？\nA. 甲\nB. 乙\nC. 丙丁\nD. 戊\n答案："
    )


def test_the_mmlu_prompt_is_the_published_one() -> None:
    question = Q._replace(subject="abstract algebra", stem="What?", options=("1", "2", "3", "4"))
    example = E._replace(subject="abstract algebra", stem="Who?", options=("5", "6", "7", "8"))
    assert letter_prompt(MMLU, question, [example]) == (
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
        "Who?\nA. 5\nB. 6\nC. 7\nD. 8\nAnswer: A\n\n"
        "What?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    )


def test_the_gold_answer_is_asked_without_options() -> None:
    assert text_prompt(CEVAL, Q, [E]) == (
        "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。\n谁守法？\n答案：人\n\n谁立法？\n答案："
    )


def test_the_likeliest_letter_is_chosen_and_its_share_is_among_four() -> None:
    model = table_for({("：", "A"): 2, ("：", "B"): 5, ("：", "C"): 1, ("：", "D"): 2})
    (row,) = answer(model, utf8, [Q], {"法学": [E]}, CEVAL, 4096)
    assert (row.chosen, row.answer, row.shots, row.dropped, row.cut) == ("B", "C", 1, 0, False)
    assert row.shares == pytest.approx((0.2, 0.5, 0.1, 0.2))


def test_the_gold_answer_s_text_is_scored_byte_by_byte() -> None:
    model = table_for({("：", "丙"): 260})
    (row,) = answer(model, utf8, [Q], {}, CEVAL, 4096)
    # 丙丁 are six bytes: the first has weight 260 of 518 behind the cue, the others 1 of 259
    assert row.gold_bytes == 6
    assert row.gold_nats == pytest.approx(math.log(518 / 260) + 5 * math.log(259), rel=1e-5)


def test_the_letter_is_read_behind_the_space_where_the_protocol_has_one() -> None:
    model = table_for({(" ", "D"): 7, (":", "A"): 1000})
    (row,) = answer(model, utf8, [Q], {}, MMLU, 4096)
    assert row.chosen == "D"
    assert row.shares[3] == pytest.approx(0.7)


class Pieces:
    """A tokenizer with a dummy prefix: the first piece of a text begins with a space, and `▁A` is another id than `A`."""

    def __init__(self, *merged: str) -> None:
        self.known = [
            *merged,
            *(chr(n) for n in range(32, 127)),
            *"以下是中国关于法学考试的单项选择题，请选出其中的正确答案。谁立守？甲乙丙丁戊人物天地：\n",
        ]

    def __call__(self, text: str) -> list[int]:
        ids, rest = [], " " + text
        while rest:
            piece = next(piece for piece in self.known if rest.startswith(piece))
            ids.append(self.known.index(piece))
            rest = rest[len(piece) :]
        return ids


def test_the_token_trap_a_letter_alone_is_another_piece() -> None:
    encode = Pieces(" A", " B", " C", " D")
    assert encode("A") == [0]
    table = torch.ones(200, 200)
    colon = encode.known.index("：")
    for letter, weight in zip("ABCD", (1.0, 1, 6, 2), strict=True):
        table[colon, encode.known.index(letter)] = weight
        table[colon, encode(letter)[-1]] = 50 if letter == "B" else 1  # what tokenizer("B") would look at
    (row,) = answer(Bigram(table, 4096), encode, [Q], {}, CEVAL, 4096)
    assert row.chosen == "C"
    assert row.shares == pytest.approx((0.1, 0.1, 0.6, 0.2))
    (row,) = answer(Bigram(table, 4096), encode, [Q], {}, MMLU, 4096)  # here the piece with its space is the right one
    assert row.shares == pytest.approx((0.25, 0.25, 0.25, 0.25))


def test_letters_that_merge_with_the_cue_are_scored_with_all_their_ids() -> None:
    encode = Pieces("：A", "：B")  # and none for C and D
    table = torch.ones(200, 200)
    last = encode.known.index("案")
    table[last, :3] = torch.tensor([4.0, 2.0, 1.0])
    table[last, encode.known.index("：")] = 3
    table[encode.known.index("：")] = 0.1
    table[encode.known.index("："), encode.known.index("C")] = 70
    table[encode.known.index("："), encode.known.index("D")] = 10
    rest = 198 * 0.1 + 80
    (row,) = answer(Bigram(table, 4096), encode, [Q], {}, CEVAL, 4096)
    weights = torch.tensor([4.0, 2.0, 3 * 70 / rest, 3 * 10 / rest])
    assert row.shares == pytest.approx((weights / weights.sum()).tolist(), rel=1e-5)
    assert row.chosen == "A"


def test_a_tokenizer_without_letters_is_refused() -> None:
    with pytest.raises(InputError, match=re.escape("val/law.csv:2: this tokenizer does not tell A, B, C and D apart")):
        answer(table_for({}), lambda text: [1] * len(text), [Q], {}, CEVAL, 4096)


def test_examples_are_dropped_from_the_last_until_the_prompt_fits() -> None:
    model = table_for({})
    examples = {"法学": [E, E._replace(stem="二？"), E._replace(stem="三？")]}
    two = len(utf8(letter_prompt(CEVAL, Q, examples["法学"][:2])))
    for length, shots in ((10_000, 3), (two, 2), (two - 1, 1)):
        (row,) = answer(model, utf8, [Q], examples, CEVAL, length)
        assert (row.shots, row.dropped, row.cut) == (shots, 3 - shots, False), "the letter itself is not read"
    alone = len(utf8(letter_prompt(CEVAL, Q, [])))
    assert answer(model, utf8, [Q], examples, CEVAL, alone)[0][5:8] == (0, 3, False)
    assert answer(model, utf8, [Q], examples, CEVAL, alone - 1)[0][5:8] == (0, 3, True)


def test_a_question_longer_than_the_window_keeps_its_end() -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 259})).eval()
    (row,) = answer(model, utf8, [Q], {}, CEVAL, 16)
    prompt = utf8(letter_prompt(CEVAL, Q, []))[-16:]
    logits = model(torch.tensor([prompt]), use_cache=False).logits[0, -1][utf8("ABCD")]
    assert row.shares == pytest.approx(logits.softmax(-1).tolist(), abs=1e-5)
    whole = utf8(text_prompt(CEVAL, Q, []) + Q.gold)[-17:]
    logits = model(torch.tensor([whole[:-1]]), use_cache=False).logits[0, -6:].log_softmax(-1)
    assert row.gold_nats == pytest.approx(-logits.gather(-1, torch.tensor(whole[-6:])[:, None]).sum().item(), abs=1e-4)


def test_any_batch_gives_the_same_answers() -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 259, "max_length": 400})).eval()
    questions = [Q._replace(stem="问" * n, answer="ABCD"[n % 4]) for n in range(1, 7)]
    one = answer(model, utf8, questions, {"法学": [E]}, CEVAL, 400, batch=1)
    assert len({row.shares for row in one}) == 6
    for batch in (2, 6):
        for a, b in zip(one, answer(model, utf8, questions, {"法学": [E]}, CEVAL, 400, batch=batch), strict=True):
            assert a.chosen == b.chosen
            assert a.shares == pytest.approx(b.shares, rel=1e-4)
            assert a.gold_nats == pytest.approx(b.gold_nats, rel=1e-5)


def row(subject: str, right: bool, nats: float = 1.0, dropped: int = 0) -> Answer:
    return Answer(subject, "p", "A", "A" if right else "B", (0.25,) * 4, 5, dropped, False, nats, 2)


def test_accuracy_is_the_mean_over_subjects_not_over_questions() -> None:
    rows = [row("law", True, 2 * math.log(2))] * 3 + [row("law", False, 2 * math.log(2))] + [row("art", False, 6 * math.log(2), 1)] * 2
    summary = summarise(rows)
    assert summary["accuracy"]["mean"] == pytest.approx((0.75 + 0) / 2)
    assert summary["gold_bits_per_byte"]["mean"] == pytest.approx((1 + 3) / 2)
    assert (summary["questions"], summary["with_fewer_shots"], summary["cut"]) == (6, 2, 0)
    assert summary["subjects"]["law"] == {"questions": 4, "accuracy": 0.75, "gold_bits_per_byte": pytest.approx(1.0)}
    low, high = summary["accuracy"]["interval"]
    assert 0 <= low < 0.375 < high <= 0.5
