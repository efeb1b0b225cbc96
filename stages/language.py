"""Which language a document is written in: zh-hans, zh-hant, en, mixed, other or none, from counts of its profile alone.

The corpus needs to know which rules and which models apply, not the name of each language, so no model is loaded and the pass
costs nothing beyond the profile. Scripts are weighed by bytes (a Han character 3, a Latin letter 1), since a text and its
translation have about as many bytes in Chinese as in English. Latin text is English if enough of its words are among
`ENGLISH_WORDS`; a short text may have none of them and is taken for English if it is plain ASCII. Chinese with kana is Japanese,
so `other`. Simplified or traditional is decided by the characters that exist in one of the scripts only (`SIMPLIFIED_ONLY`,
`TRADITIONAL_ONLY`), simplified on a tie.

Rejected: fastText's language model (130 MB, 17 to 38 MB/s a core). Measured on the Declaration of Human Rights, a document a
language: of 384 that are neither English nor Chinese, 2 are taken for English (Scots, Nigerian Pidgin); English and both scripts
of Chinese are found. Short texts are weaker: of its single lines in other languages 1.3 % pass for English, but of those of up
to six words 57 %.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.text.profile import Profile

LANGUAGES = ("none", "zh-hans", "zh-hant", "en", "mixed", "other")
"""Values of the `lang` column that we decide; sources may give any code."""

MIN_SCRIPT_SHARE = 0.75
"""A script must hold this share of the bytes of letters to be the text's own; Han and Latin together, with less each, are mixed."""
MIN_KANA_SHARE = 0.05
"""Kana among kana and Han characters from which on a text is Japanese. Chinese quotes a の now and then."""
MIN_ENGLISH_WORD_SHARE = 0.10
"""`ENGLISH_WORDS` among words with a letter; running English has .2 to .35, lists and headlines less, other languages below .09."""
FEW_WORDS = 6
"""With so many words or fewer, a text in plain ASCII may be English without any of `ENGLISH_WORDS`."""


def identify(profile: Profile, num_bytes: npt.NDArray[np.int64]) -> pa.Array:
    """Language of each document, a string array of `LANGUAGES`; `none` for a document without letters. `num_bytes` is (n,)."""
    p = profile
    chinese_bytes = 3 * p.han
    letter_bytes = chinese_bytes + 3 * (p.kana + p.hangul) + p.latin + 2 * p.other_letters
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
            (p.latin >= enough) & english,
            p.latin >= enough,
            chinese_bytes + p.latin >= enough,
        ],
        [LANGUAGES.index(name) for name in ("none", "other", "zh-hant", "zh-hans", "en", "other", "mixed")],
        LANGUAGES.index("other"),
    )
    return pa.array(LANGUAGES, pa.string()).take(pa.array(decided))
