"""What a character is: its class, and the few characters and words that rules count. Tables for kernels, built once per process.

Fourteen classes partition all characters, so that their counts add up to `num_chars`. A byte that is not part of valid UTF-8 is one
character of class `REPLACEMENT`: damaged text is counted, never refused, and no kernel reads outside its document.
"""

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stages.text.kernel import kernel

HAN, KANA, HANGUL, LATIN, LETTER, DIGIT, SPACE, ASCII_PUNCTUATION, PUNCTUATION, SYMBOL = range(10)
EMOJI, PRIVATE, REPLACEMENT, CONTROL = range(10, 14)
"""Class numbers. Han and kana come first (each character is a word), then what makes up words with its neighbours, then the rest.

`LETTER` holds other letters and all combining marks, `DIGIT` all numerals, `PUNCTUATION` what Unicode calls so beyond ASCII and the
full-width forms of ASCII signs, `CONTROL` also format characters, variation selectors and unassigned code points.
"""

GOPHER_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's English stop words (Rae et al. 2021, A1.1)."""

ENGLISH_WORDS = (
    *GOPHER_WORDS, "is", "are", "was", "were", "for", "this", "it", "not", "you", "from", "by", "as", "what", "how", "or", "at",
)  # fmt: skip
"""Short frequent words, Gopher's among them: their share of all words tells English from other languages in Latin letters."""

CHINESE_STOP_CHARACTERS = (
    "的", "了", "是", "在", "不", "和", "有", "我", "这這", "人", "他", "也", "就", "到", "说說", "上", "为為爲", "与與", "以",
    "其", "之", "而", "者", "于於", "所",
)  # fmt: skip
"""Function characters of modern Chinese, and of the classical language (以其之而者于所); forms of one character count as one."""

SIMPLIFIED_ONLY = (
    "国为个时来会无这应条关风对务业经两开进动数将过与实气门机内长则处规设见点间产说儿从员黄军们问阳东调区还学体现书统头热记运强计单证议万权请归资没联网总阴结药级红构"
    "满项别钱标参华难组么节报题义马声视称闻认汤护种装备虚习户录断领责张准电变属带传谁飞边导语际连举许决转伤远细样论监给场梦创确选执续双质办营类审乐况轻该图济职离"
    "战达楼环费专罗龙协态试线车话织输亲检负载补坚饮约随乌刘绿让众旧显却县独兴农击诸错树诉临终汉兰识验号宫陈优观写极岁银医预师争卫欢乡愿软积围维财队络惊测"
    "适编码杀残养画损胜杨乱减销劳评诗库寻亚状恶稳谓宝虽险届严换犹尔势荣误湿担尘访绝肠园觉简吴响孙礼获盖桥货赵妇继译齐帘怀盘爱紧额晓饭违泪贵税谢横纳凤丝寿渐铁鱼顺层"
)
TRADITIONAL_ONLY = (
    "國為個時來會無這應條關風對務業經兩開進動數將過與實氣門機內長則處規設見點間產說兒從員黃軍們問陽東調區還學體現書統頭熱記運強計單證議萬權請歸資沒聯網總陰結藥級紅構"
    "滿項別錢標參華難組麼節報題義馬聲視稱聞認湯護種裝備虛習戶錄斷領責張準電變屬帶傳誰飛邊導語際連舉許決轉傷遠細樣論監給場夢創確選執續雙質辦營類審樂況輕該圖濟職離"
    "戰達樓環費專羅龍協態試線車話織輸親檢負載補堅飲約隨烏劉綠讓眾舊顯卻縣獨興農擊諸錯樹訴臨終漢蘭識驗號宮陳優觀寫極歲銀醫預師爭衛歡鄉願軟積圍維財隊絡驚測"
    "適編碼殺殘養畫損勝楊亂減銷勞評詩庫尋亞狀惡穩謂寶雖險屆嚴換猶爾勢榮誤濕擔塵訪絕腸園覺簡吳響孫禮獲蓋橋貨趙婦繼譯齊簾懷盤愛緊額曉飯違淚貴稅謝橫納鳳絲壽漸鐵魚順層"
)
"""The characters that most often tell the two scripts apart, from OpenCC's tables ordered by frequency in 20 M characters of text.

Pairs that share a form in one of the scripts (后 里 云 干 面 …), and those whose simplified form is usual in Taiwan or Hong Kong
too (群 峰 吃 …), are left out.
"""

JOINERS = (0x27, 0x2D, 0x2019)
"""' - ’: may join two halves of a word."""

HAN_STOP_BITS = 0x1F
HAN_SIMPLIFIED = 0x20
HAN_TRADITIONAL = 0x40
HAN_FIRST, HAN_END = 0x4E00, 0xA000
_TABLE_END = 0x20000
WORD_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
LONGEST_ENGLISH_WORD = max(map(len, ENGLISH_WORDS))
_ENGLISH_MULTIPLIER = np.uint64(0x56E27EB562EDDF5D)
_ENGLISH_SHIFT = np.uint64(56)


@lru_cache(maxsize=1)
def character_classes() -> npt.NDArray[np.uint8]:
    """Class of each code point below U+20000, (131072,)."""
    return np.fromiter((_class(code) for code in range(_TABLE_END)), np.uint8, _TABLE_END)


@lru_cache(maxsize=1)
def han_marks() -> npt.NDArray[np.uint8]:
    """For U+4E00..U+9FFF: number of the stop character (from 1) | `HAN_SIMPLIFIED` | `HAN_TRADITIONAL`."""
    marks = np.zeros(HAN_END - HAN_FIRST, np.uint8)
    for number, forms in enumerate(CHINESE_STOP_CHARACTERS, 1):
        for form in forms:
            marks[ord(form) - HAN_FIRST] |= number
    for simplified, traditional in zip(SIMPLIFIED_ONLY, TRADITIONAL_ONLY, strict=True):
        if simplified != traditional:
            marks[ord(simplified) - HAN_FIRST] |= HAN_SIMPLIFIED
            marks[ord(traditional) - HAN_FIRST] |= HAN_TRADITIONAL
    return marks


@lru_cache(maxsize=1)
def english_words() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """`ENGLISH_WORDS` as a table of packed words, (256,), and the number of each from 1, (256,), for `english_word`.

    A packed word is its lower-case ASCII bytes, first byte lowest. The multiplier was searched for so that no two share a slot.
    """
    keys, numbers = np.zeros(256, np.uint64), np.zeros(256, np.uint8)
    for number, word in enumerate(ENGLISH_WORDS, 1):
        packed = int.from_bytes(word.encode(), "little")
        slot = (packed * int(_ENGLISH_MULTIPLIER) & (1 << 64) - 1) >> int(_ENGLISH_SHIFT)
        assert numbers[slot] == 0, f"'{word}' shares its slot: search another multiplier"
        keys[slot], numbers[slot] = packed, number
    return keys, numbers


@kernel
def english_word(packed, words, word_numbers):  # type: ignore[no-untyped-def]
    """Number of a packed word from 1, 0 for one that is not listed; the tables are `english_words()`."""
    slot = np.int64(packed * _ENGLISH_MULTIPLIER >> _ENGLISH_SHIFT)
    return np.int64(word_numbers[slot]) if words[slot] == packed else np.int64(0)


_HAN = (
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
)
_KANA = (
    (0x3041, 0x3096),
    (0x3099, 0x309A),
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0xFF66, 0xFF9F),
)
_HANGUL = ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xFFA0, 0xFFDC))
_LATIN = ((0x41, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA722, 0xA7FF), (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFF21, 0xFF5A))
_EMOJI = (
    (0x231A, 0x231B),
    (0x23E9, 0x23FA),
    (0x2600, 0x27BF),
    (0x2B05, 0x2B07),
    (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B55),
    (0x1F000, 0x1FAFF),
)


def _class(code: int) -> int:
    category = unicodedata.category(chr(code))
    if category == "Co":
        return PRIVATE
    if code == 0xFFFD:
        return REPLACEMENT
    if category[0] == "Z" or 0x09 <= code <= 0x0D or code == 0x85:
        return SPACE
    if category[0] == "C" or 0xFE00 <= code <= 0xFE0F:
        return CONTROL
    if _within(code, _HAN):
        return HAN
    if category[0] in "LM":
        for kind, ranges in ((KANA, _KANA), (HANGUL, _HANGUL), (LATIN, _LATIN)):
            if _within(code, ranges):
                return kind
        return LETTER
    if _within(code, _EMOJI):
        return EMOJI
    if category[0] == "N":
        return DIGIT
    if code < 0x80:
        return ASCII_PUNCTUATION
    return PUNCTUATION if category[0] == "P" or 0xFF01 <= code <= 0xFF5E else SYMBOL


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


@kernel
def decode(data, at, end):  # type: ignore[no-untyped-def]
    """The code point at `data[at]`, at < end, and its bytes; -1 and 1 if no valid sequence starts there and ends by `end`."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xC2 or first > 0xF4:
        return np.int64(-1), 1
    if at + 1 >= end:
        return np.int64(-1), 1
    second = np.int64(data[at + 1])
    if second & 0xC0 != 0x80:
        return np.int64(-1), 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | second & 0x3F, 2
    if at + 2 >= end:
        return np.int64(-1), 1
    third = np.int64(data[at + 2])
    if third & 0xC0 != 0x80:
        return np.int64(-1), 1
    if first < 0xF0:
        code = (first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
        if code < 0x800 or 0xD800 <= code < 0xE000:
            return np.int64(-1), 1
        return code, 3
    if at + 3 >= end:
        return np.int64(-1), 1
    fourth = np.int64(data[at + 3])
    code = (first & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | fourth & 0x3F
    if fourth & 0xC0 != 0x80 or code < 0x10000 or code > 0x10FFFF:
        return np.int64(-1), 1
    return code, 4


@kernel
def decode_last(data, start, end):  # type: ignore[no-untyped-def]
    """The code point that ends at `end`, start < end, and its bytes; -1 and 1 if no valid sequence from `start` on ends there."""
    at = end - 1
    while at > start and end - at < 4 and data[at] & 0xC0 == 0x80:
        at -= 1
    code, width = decode(data, at, end)
    if at + width != end:
        return np.int64(-1), 1
    return code, width


@kernel
def class_of(code, classes):  # type: ignore[no-untyped-def]
    """Class of a code point as `decode` gives it; `classes` is `character_classes()`."""
    if code < 0:
        return np.int64(REPLACEMENT)
    if code < _TABLE_END:
        return np.int64(classes[code])
    if code < 0x323B0:
        return np.int64(HAN)
    return np.int64(PRIVATE) if code >= 0xF0000 else np.int64(CONTROL)
