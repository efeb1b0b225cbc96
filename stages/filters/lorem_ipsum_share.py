"""Share of the first 4,096 bytes in placeholder text: words of lorem ipsum, 此处填写, 在这里输入, 占位文字 and their like.

Source: C4 drops a page that holds "lorem ipsum" once, so also those that speak of it. At most .02: documentation that mentions
placeholders stays below .003. Pages with a placeholder are short, hence the window, which keeps books cheap. Texts of nothing but
lorem ipsum are no English (language `other`); Chinese filler of mixed-up characters is left to `distinct_word_share`.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from stages.filters import Scores, Signals, share
from stages.text.word_list import WordList, listed_words, word_list

COLUMNS = (pa.field("lorem_ipsum_share", pa.float32()),)

WINDOW_BYTES = 4096
PLACEHOLDERS = (  # none starts like common words: that is what would cost time
    "lorem", "ipsum", "dolor sit amet", "adipiscing", "eiusmod", "ullamco", "aliquip", "cillum", "fugiat", "occaecat", "cupidatat",
    "voluptate velit", "duis aute", "excepteur",
    "此处填写", "此处输入", "此处添加", "此处为正文", "此处为内容", "在此输入", "在此填写", "在此处输入", "在此处填写", "在此处添加",
    "请输入内容", "请输入文字", "请输入标题", "请填写内容", "单击此处", "单击添加", "点击添加", "点击输入", "占位文字", "占位文本",
    "占位内容", "示例文字", "示例文本", "测试文字", "填充文字", "内容待补充",
)  # fmt: skip


def score(signals: Signals) -> Scores:
    """Share of the bytes."""
    text = signals.batch.text
    covered = listed_words(text, _placeholders(), WINDOW_BYTES).num_bytes
    return {"lorem_ipsum_share": share(covered, np.minimum(text.lengths(), WINDOW_BYTES))}


@lru_cache(maxsize=1)
def _placeholders() -> WordList:
    return word_list(PLACEHOLDERS)
