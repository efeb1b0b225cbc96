"""Words beside a number that say what it is."""

import re

_BEGINS = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
_ENDS = r"(?:(?![A-Za-z])|(?<=[a-z])(?=[A-Z]))"


def words(han: str, latin: str) -> re.Pattern[str]:
    """Either anywhere, or as a word and as part of a name: orderNo, order_no. Never within another word, as in border.

    >>> [words("订单", "order").search(text) is not None for text in ("我的订单号", "Order:", "orderNo", "BORDER")]
    [True, True, True, False]
    """
    return re.compile(rf"{han}|{_BEGINS}(?i:{latin}){_ENDS}")
