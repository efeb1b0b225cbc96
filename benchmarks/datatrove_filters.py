"""datatrove's heuristic rules, document by document; runs in datatrove's own environment, started by `heuristics_vs_datatrove.py`.

    python benchmarks/datatrove_filters.py DOCUMENTS RESULTS LANGUAGE

DOCUMENTS is JSON lines with `id` and `text`. RESULTS gets a line for each: all rules that fail, as shipped (`failing`) and in our units
(`failing_in_our_units`): our words, our terminal punctuation, and for FineWeb's rules stripped lines. Documents that RESULTS already holds
are passed over, so a stopped run goes on. A rule is judged by datatrove's own code: its filter with all other rules off.
"""

import json
import math
import sys
from pathlib import Path

import regex
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
from datatrove.utils.text import split_into_parts
from datatrove.utils.word_tokenizers import WordTokenizer

GOPHER_QUALITY = ("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
                  "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words")  # fmt: skip
GOPHER_REPETITION = ("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")
TOP, DUPLICATED = ((2, 0.2), (3, 0.18), (4, 0.16)), ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
FINEWEB_OFF = {"line_punct_thr": 0.0, "short_line_thr": 1.0, "char_duplicates_ratio": 1.0, "new_line_ratio": math.inf}
ONLY_CURLY_BRACKETS = {"remove_citations": False, "filter_no_terminal_punct": False, "min_num_sentences": -1, "min_words_per_line": -1,
                       "max_word_length": -1, "filter_lorem_ipsum": False, "filter_javascript": False, "filter_policy": False}  # fmt: skip
OUR_TERMINALS = tuple(".!?;…。！？；｡．\"')”’」』）》〉】]")
ASCII_LOWER = {upper: upper | 0x20 for upper in range(ord("A"), ord("Z") + 1)}


class OurWords(WordTokenizer):
    """The words of `stages.text.profile`, as a regular expression, folded to lower case in ASCII as our n-grams are."""

    pattern = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}--\p{Han}]+(?:['\u2019-][\p{L}\p{M}\p{N}--\p{Han}]+)*",
                            regex.V1)  # fmt: skip

    def word_tokenize(self, text: str) -> list[str]:
        """Words in order."""
        return self.pattern.findall(text.translate(ASCII_LOWER))

    def sent_tokenize(self, text: str) -> list[str]:
        """Not asked for."""
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Not asked for."""
        raise NotImplementedError


def main() -> None:
    """Judge all documents that are not yet judged."""
    documents, results, language = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    shipped, in_our_units = single_rules(language), single_rules(OurWords(), OUR_TERMINALS)
    done = {json.loads(line)["id"] for line in results.open(encoding="utf-8")} if results.exists() else set()
    with documents.open(encoding="utf-8") as lines, results.open("a", encoding="utf-8", buffering=1) as out:
        for row in map(json.loads, lines):
            if row["id"] not in done:
                out.write(json.dumps(judged(row["id"], row["text"], shipped, in_our_units)) + "\n")


def judged(name: str, text: str, shipped: list[BaseFilter], in_our_units: list[BaseFilter]) -> dict[str, object]:
    """A line of the results."""
    split_into_parts.cache_clear()
    stripped = "\n".join(part.strip() for part in text.split("\n"))
    ours = ((rule, stripped if isinstance(rule, FineWebQualityFilter) else text) for rule in in_our_units)
    return {
        "id": name,
        "failing": [r for rule in shipped if (r := reason_of(rule, text))],
        "failing_in_our_units": [r for rule, shown in ours if (r := reason_of(rule, shown))],
    }


def reason_of(rule: BaseFilter, text: str) -> str | None:
    """Why a filter drops a text; `None` if it keeps it."""
    kept, reason = get_filter_result(rule.filter(Document(text=text, id="")))
    return None if kept else reason


def single_rules(language: str | WordTokenizer, terminals: tuple[str, ...] | None = None) -> list[BaseFilter]:
    """A filter for each rule with its default threshold, all other rules off, for a language or given words and terminal signs."""
    off = dict.fromkeys(GOPHER_QUALITY)
    quality = [GopherQualityFilter(**{k: v for k, v in off.items() if k != rule}, language=language) for rule in GOPHER_QUALITY]
    off = dict.fromkeys(GOPHER_REPETITION) | {"top_n_grams": (), "dup_n_grams": ()}
    lines = [GopherRepetitionFilter(**{k: v for k, v in off.items() if k != rule}, language=language) for rule in GOPHER_REPETITION]
    top = [GopherRepetitionFilter(**off | {"top_n_grams": (size,)}, language=language) for size in TOP]
    duplicated = [GopherRepetitionFilter(**off | {"dup_n_grams": (size,)}, language=language) for size in DUPLICATED]
    fineweb = [
        FineWebQualityFilter(**{k: v for k, v in FINEWEB_OFF.items() if k != rule}, stop_chars=terminals, language=language)
        for rule in FINEWEB_OFF
    ]
    return [*quality, *lines, *top, *duplicated, *fineweb, C4QualityFilter(**ONLY_CURLY_BRACKETS, language=language)]


if __name__ == "__main__":
    main()
