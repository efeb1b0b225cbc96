r"""Few-shot multiple choice by likelihood, in the protocols of C-Eval and MMLU; and gold-answer bits per byte.

    rows = answer(model, encode, questions, examples, PROTOCOLS["ceval"], length=4096)

Prompt: header, examples of the same subject with their answers, the question, its cue; an empty line between questions. The answer is the
letter with the highest logit behind the prompt. Examples are dropped, the last first, until prompt and letter fit the window; a question
that does not fit alone loses its start. C-Eval: `{q}\nA. …\nB. …\nC. …\nD. …\n答案：`, then the letter; MMLU: the same with `Answer:`,
a space, the letter.

**The token trap.** The id of a letter is the last of *prompt + letter*: alone, `A` is another piece where a tokenizer puts a space before
each text. So the four sequences are made whole. What they share is what the model reads, and if that leaves one id each, the highest logit
wins; if a tokenizer merges a letter with what stands before it, the letter's likelihood is that of all ids behind the shared ones.

**Gold-answer bits per byte.** Accuracy of a model under a billion parameters is a coin's (DataDecide, arXiv 2504.11393); what it pays for
the right answer's text is not. So the same question is put without options, `{q}\n答案：` or `{q}\nAnswer: `, its examples too, and the
text of the right option is scored: nats over its bytes.

Departures from Baichuan's published scripts: those put one line break between examples, shuffle C-Eval's, and look letters up without the
prompt.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import InputError
from model.evaluate import DRAWS, Encode, bootstrap, interval
from model.likelihood import LanguageModel, Window, last_log_probabilities, target_nats

LETTERS = "ABCD"
SHOTS = 5


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a question becomes text."""

    header: str
    """With a place for the subject."""
    cue: str
    """Behind the options."""
    space: str
    """Between cue and answer."""


PROTOCOLS = {
    "ceval": Protocol(header="以下是中国关于{subject}考试的单项选择题，请选出其中的正确答案。\n", cue="答案：", space=""),
    "mmlu": Protocol(header="The following are multiple choice questions (with answers) about {subject}.\n\n", cue="Answer:", space=" "),
}


class Question(NamedTuple):
    """A question with four options of which one is right."""

    subject: str
    """As the header calls it."""
    place: str
    """Where it stands, for rows and messages."""
    stem: str
    options: tuple[str, str, str, str]
    answer: str
    """The letter of the right option."""

    @property
    def gold(self) -> str:
        """The text of the right option."""
        return self.options[LETTERS.index(self.answer)]


class Answer(NamedTuple):
    """What a model made of a question."""

    subject: str
    place: str
    answer: str
    chosen: str
    shares: tuple[float, ...]
    """Probabilities of the four letters, among these four."""
    shots: int
    """Examples in the prompt."""
    dropped: int
    """Examples that did not fit."""
    cut: bool
    """Whether the question alone was longer than the window, so that its start is missing."""
    gold_nats: float
    gold_bytes: int


def letter_prompt(protocol: Protocol, question: Question, examples: Sequence[Question]) -> str:
    """The text behind which a letter is asked for."""
    return _prompt(protocol, question, examples, lambda q: f"{q.stem}\n{_options(q)}", lambda q: q.answer)


def text_prompt(protocol: Protocol, question: Question, examples: Sequence[Question]) -> str:
    """The text behind which the text of the right option is scored: no options."""
    return _prompt(protocol, question, examples, lambda q: q.stem, lambda q: q.gold)


def _prompt(protocol: Protocol, question: Question, examples: Sequence[Question], body: Any, answer: Any) -> str:
    shown = [f"{body(q)}\n{protocol.cue}{protocol.space}{answer(q)}\n\n" for q in examples]
    return protocol.header.format(subject=question.subject) + "".join(shown) + f"{body(question)}\n{protocol.cue}"


def _options(question: Question) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=True))


def answer(
    model: LanguageModel,
    encode: Encode,
    questions: Sequence[Question],
    examples: Mapping[str, Sequence[Question]],
    protocol: Protocol,
    length: int,
    batch: int = 8,
    begin_id: int | None = None,
) -> list[Answer]:
    """An answer for each question, in order; `examples` by subject. Raises `InputError` if a tokenizer does not tell the letters apart."""
    begin = [] if begin_id is None else [begin_id]
    asked, golds = [], []
    for question in questions:
        shown = examples.get(question.subject, ())
        asked.append(_asked(encode, protocol, question, shown, length, begin))
        golds.append(_scored(encode, protocol, question, shown, length, begin))
    chances = _chances(model, asked, batch)
    answers = []
    for question, prompt, chance, cost in zip(questions, asked, chances, target_nats(model, golds, batch), strict=True):
        shares = np.exp(chance - chance.max())
        row = Answer(
            subject=question.subject,
            place=question.place,
            answer=question.answer,
            chosen=LETTERS[int(chance.argmax())],
            shares=tuple((shares / shares.sum()).tolist()),
            shots=prompt.shots,
            dropped=len(examples.get(question.subject, ())) - prompt.shots,
            cut=prompt.cut,
            gold_nats=float(cost.sum()),
            gold_bytes=len(question.gold.encode()),
        )
        answers.append(row)
    return answers


class _Asked(NamedTuple):
    shared: list[int]
    """Ids that the model reads for all four letters."""
    letters: list[list[int]]
    """What follows for each."""
    shots: int
    cut: bool


def _asked(encode: Encode, protocol: Protocol, question: Question, examples: Sequence[Question], length: int, begin: list[int]) -> _Asked:
    for shots in range(len(examples), -1, -1):
        prompt = letter_prompt(protocol, question, examples[:shots]) + protocol.space
        sequences = [begin + list(encode(prompt + letter)) for letter in LETTERS]
        longest = max(map(len, sequences)) - 1
        if longest <= length:
            break
    left_out = max(0, longest - length)
    differs = (place for place in range(longest + 1) if len({tuple(ids[place : place + 1]) for ids in sequences}) > 1)
    num_shared = next(differs, longest + 1)
    letters = [ids[num_shared:] for ids in sequences]
    if len(set(map(tuple, letters))) < len(letters) or not all(letters):
        raise InputError(f"{question.place}: this tokenizer does not tell A, B, C and D apart: behind the prompt they are {letters}")
    return _Asked(sequences[0][left_out:num_shared], letters, shots, left_out > 0)


def _chances(model: LanguageModel, asked: Sequence[_Asked], batch: int) -> list[npt.NDArray[np.float64]]:
    """Log probabilities of the four letters behind each prompt."""
    plain = [row for row, prompt in enumerate(asked) if max(map(len, prompt.letters)) == 1]
    ids = [[letter[0] for letter in asked[row].letters] for row in plain]
    found = dict(zip(plain, last_log_probabilities(model, [asked[row].shared for row in plain], ids, batch), strict=True))
    merged = [row for row in range(len(asked)) if row not in found]
    windows = [Window([*asked[row].shared, *letter], len(asked[row].shared)) for row in merged for letter in asked[row].letters]
    costs = [-values.sum() for values in target_nats(model, windows, batch)]
    found |= {row: np.array(costs[4 * place : 4 * place + 4]) for place, row in enumerate(merged)}
    return [found[row] for row in range(len(asked))]


def _scored(encode: Encode, protocol: Protocol, question: Question, examples: Sequence[Question], length: int, begin: list[int]) -> Window:
    """The right option behind its question. Where its first characters merge with the prompt's last, scoring begins with the merged id."""
    for shots in range(len(examples), -1, -1):
        prompt = text_prompt(protocol, question, examples[:shots])
        whole, alone = list(encode(prompt + protocol.space + question.gold)), list(encode(prompt))
        if len(begin) + len(whole) <= length + 1 or not shots:
            break
    first = next((place for place, (a, b) in enumerate(zip(whole, alone, strict=False)) if a != b), min(len(whole), len(alone)))
    ids, first = begin + whole, first + len(begin)
    left_out = max(0, len(ids) - length - 1)
    return Window(ids[left_out:], max(1, first - left_out))


def summarise(answers: Sequence[Answer], draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Accuracy and gold-answer bits per byte: the mean over subjects, with intervals over questions within them, and each subject's own."""
    subjects: dict[str, list[Answer]] = {}
    for row in answers:
        subjects.setdefault(row.subject, []).append(row)
    found: dict[str, dict[str, Any]] = {}
    drawn: dict[str, list[npt.NDArray[np.float64]]] = {"accuracy": [], "gold_bits_per_byte": []}
    for subject, rows in sorted(subjects.items()):
        key = zlib.crc32(subject.encode())
        right, ones = np.array([row.chosen == row.answer for row in rows], np.float64), np.ones(len(rows))
        bits = np.array([row.gold_nats / math.log(2) for row in rows])
        num_bytes = np.array([row.gold_bytes for row in rows], np.float64)
        drawn["accuracy"].append(bootstrap(right, ones, draws, [seed, key]))
        drawn["gold_bits_per_byte"].append(bootstrap(bits, num_bytes, draws, [seed, key]))
        found[subject] = {
            "questions": len(rows),
            "accuracy": float(right.mean()),
            "gold_bits_per_byte": float(bits.sum() / num_bytes.sum()),
        }
    macro = {
        name: {
            "mean": sum(figures[name] for figures in found.values()) / len(found),
            "interval": interval(np.mean(by_subject, axis=0)),
        }
        for name, by_subject in drawn.items()
    }
    counts = {
        "questions": len(answers),
        "with_fewer_shots": sum(row.dropped > 0 for row in answers),
        "cut": sum(row.cut for row in answers),
    }
    return counts | macro | {"subjects": found}
