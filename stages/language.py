"""Which language a document is written in: zh-hans, zh-hant, en, mixed, code, other or none, from counts of its profile.

The corpus needs to know which rules and which models apply, not the name of each language, so no model is loaded and the pass
costs nothing beyond the profile. Program code in Latin letters is `code`, neither English nor another language. Scripts are weighed
by bytes (a Han character 3, a Latin letter 1), since a text and its translation have about as many bytes in Chinese as in English.
Latin text is English if enough of its words are among `ENGLISH_WORDS`; a short text may have none of them and is taken for English if
it is plain ASCII. Chinese with kana is Japanese, so `other`. Simplified or traditional is decided by the characters that exist in one
of the scripts only (`SIMPLIFIED_ONLY`, `TRADITIONAL_ONLY`), simplified on a tie.

Rejected as the default: fastText's language model (130 MB, 17 to 38 MB/s a core); `measure: {lid_model: ...}` asks one, or
lingua, about Latin text, the only kind that scripts leave open. Measured on the Declaration of Human Rights, a document a language: of
384 that are neither English nor Chinese, 2 are taken for English (Scots, Nigerian Pidgin); English and both scripts of Chinese are found.
Short texts are weaker: 3.2 % of its single lines in other languages pass for English. docs/language.md has the tables.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.text.profile import Profile

LANGUAGES = ("none", "zh-hans", "zh-hant", "en", "mixed", "code", "other")
"""Values of the `lang` column that we decide; sources may give any code."""

MIN_SCRIPT_SHARE = 0.75
"""A script must hold this share of the bytes of letters to be the text's own; Han and Latin together, with less each, are mixed."""
MIN_KANA_SHARE = 0.05
"""Kana among kana and Han characters from which on a text is Japanese. Chinese quotes a の now and then."""
MIN_ENGLISH_WORD_SHARE = 0.10
"""`ENGLISH_WORDS` among words with a letter; running English has .2 to .35, lists and headlines less, other languages below .09."""
MIN_CODE_SHARE = 0.6
"""Visible characters on lines of code (`stages.text.code`) from which on Latin text is code; the kind `code` of the rules is the same."""
FEW_WORDS = 3
"""With so many words or fewer, a text in plain ASCII may be English without any of `ENGLISH_WORDS`."""


def identify(profile: Profile, num_bytes: npt.NDArray[np.int64], code_share: npt.NDArray[np.float32]) -> pa.Array:
    """Language of each document, a string array of `LANGUAGES`; `none` for a document without letters. The arrays are (n,)."""
    p = profile
    chinese_bytes = 3 * p.han
    letter_bytes = _letter_bytes(p)
    enough = MIN_SCRIPT_SHARE * letter_bytes
    japanese = p.kana > MIN_KANA_SHARE * (p.kana + p.han)
    latin_words = p.words_with_letter - p.han - p.kana
    english = (p.english_words >= MIN_ENGLISH_WORD_SHARE * latin_words) & (p.english_words > 0)
    english |= (num_bytes == p.num_chars) & (latin_words <= FEW_WORDS)
    traditional = p.traditional_only > p.simplified_only
    decided = np.select(
        [
            letter_bytes == 0,
            japanese,
            (chinese_bytes >= enough) & traditional,
            chinese_bytes >= enough,
            (p.latin >= enough) & (code_share >= np.float32(MIN_CODE_SHARE)),
            (p.latin >= enough) & english,
            p.latin >= enough,
            chinese_bytes + p.latin >= enough,
        ],
        [LANGUAGES.index(name) for name in ("none", "other", "zh-hant", "zh-hans", "code", "en", "other", "mixed")],
        LANGUAGES.index("other"),
    )
    return pa.array(LANGUAGES, pa.string()).take(pa.array(decided))


def is_latin(profile: Profile) -> npt.NDArray[np.bool_]:
    """Which documents are written in Latin letters, so that their script does not tell the language."""
    return (profile.latin > 0) & (profile.latin >= MIN_SCRIPT_SHARE * _letter_bytes(profile))


def _letter_bytes(p: Profile) -> npt.NDArray[np.int64]:
    return 3 * (p.han + p.kana + p.hangul) + p.latin + 2 * p.other_letters
