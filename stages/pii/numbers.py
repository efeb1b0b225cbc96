"""Numbers of persons: phones, Chinese identity cards, bank cards, passports. Form, check digits, and the words around them.

| kind | form | certain by |
|---|---|---|
| phone | mainland mobiles, land lines with area code, +country numbers, North American ones in brackets or after a word for phone | the numbering plans of the `phonenumbers` library |
| id_card | 18 digits (the last may be X), also in groups of 6, 8 and 4; 15 of the old cards after 身份证 | province, date of birth, check digit (GB 11643-1999) |
| bank_card | 13-19 digits, bare or in groups | issuer's prefix, length, Luhn's check digit; 13 and 14 digits only after a word for card |
| passport | Chinese passports: E or G and 8 characters; DE, SE or PE and 7 digits | a word for passport before it |

A number next to letters, after a decimal point, before the @ of an address or in a longer number is none of these; as the value of `name=` an identity number, or what the
name says (`mobile=`, `card=`). One after a word for orders, parcels or books (订单, 单号, ISBN, tracking …) is left alone unless a word for
phone, card or passport stands nearer: one in ten long numbers satisfies Luhn by chance.
"""  # noqa: E501 - a table

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache

import phonenumbers

from stages.pii import Found
from stages.pii.words import words

BEFORE, AFTER = 28, 10
"""Characters of context that are read."""

_PHONE_WORDS = words(
    "手机|电话|热线|致电|联系|传真|微信|短信|来电|拨打",
    "(?:tel|[a-z]*(?:phone|mobile)|cell|fax|contact)(?:no|num|number|s)?|telefon[aeo]?|cellular|whatsapp|sms|callback|"
    "(?:call|contact|dial|fax|phone)(?:s|es|d|l?ed|l?ing)?",
)
_CARD_WORDS = words(
    "卡号|银行卡|信用卡|借记卡|储蓄卡|账号|帐号|账户|帐户",
    r"(?:(?:bank|credit|debit|pay)?card|visa|mastercard|account)(?:holder|no|num|number|s)?|pan(?==)",
)
_IDENTITY_WORDS = re.compile(r"身份证|证件号|身份号码|公民身份|ID card|identity", re.I)
_PASSPORT_WORDS = re.compile(r"护照(?:编号)?|passport", re.I)
_OTHER_WORDS = words(
    "(?:订单|单号|编号|流水|序列号|序号|文号|批号|条码|货号|快递|运单|版本|学号|工号|案号|登记号|许可证|注册号|专利|书号|刊号|时间戳)"
    "(?!员|人|小哥|师傅|客服|经理|主管|专员|代理|公司|网点|驿站|部|商|线|权)",  # 快递员, 订单客服: somebody
    r"(?:isbn|issn|doi|(?:back|pre|work)?order(?!\s+to\b)|tracking|invoice|serial|ticket|version|patent|sku|part no|model|uuid|hash|"
    r"timestamp|case no|receipt|registration)(?:code|id|no|num|number|s|es)?",
)
_PHONE_NAME = re.compile(r"tel|phone|mobile|cell|call|fax|whatsapp|sms|dial|contact", re.I)
_CARD_NAME = re.compile(r"card|visa|account|\bpan=", re.I)
"""Names such as `usermobile=` run words together."""

_MOBILE = re.compile(r"(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:\d{8}|-\d{4}-\d{4}| \d{4} \d{4}|-\d{8}| \d{8})")
_TOLL_FREE = re.compile(r"18(?:00|33|44|55|66|77|88)")
"""1-800 and the like without hyphens look like Chinese mobiles."""
_HAN = re.compile(r"[\u4e00-\u9fff]")
_UNITS = re.compile(r"\s*(?:bytes?|字节|[kmgt]i?b\b|[nmu]?s\b|[美港日欧韩]?元|英镑|股(?![东份市票])|人|次|个|件|吨)", re.I)
_LAND_LINE = re.compile(r"(?:(?:\+|00)86[- ]?\(?0?\d{2,3}\)?|\(0\d{2,3}\)|0\d{2,3})[- ]? ?[2-9]\d{2,3}[- ]?\d{4}")
_INTERNATIONAL = re.compile(r"\+\(?[1-9][\d\-. ()]{6,19}\d")
_NORTH_AMERICAN = re.compile(r"(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}")
_CARD = re.compile(r"\d{13,19}|\d{4}([- ])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|3[47]\d{2}([- ])\d{6}\2\d{5}")
_ID_18 = re.compile(r"\d{17}[\dXx]|\d{6}([- ])\d{8}\1\d{3}[\dXx]")
_ID_15 = re.compile(r"\d{15}")
_PASSPORT = re.compile(r"(?:E[A-HJ-NP-Z]|[DPS]E|[EG]\d)\d{7}")

_NAME = re.compile(r"[A-Za-z]\w*=$", re.ASCII)
_ALTERNATIVE = re.compile(r"(?<![\w/.=\-])[+(]?\d[\d\-() ]{8,}/$", re.ASCII)
"""A number, and with a slash another one: 0571-87654321/87654322."""

_PROVINCES = frozenset(
    map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83))
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def numbers(window: str, start: int, end: int) -> Iterator[Found]:
    """What stands in the group of digits `window[start:end]`; each character belongs to one number at most."""
    before, after = window[max(0, start - BEFORE) : start], window[end : end + AFTER]
    if _PASSPORT_WORDS.search(before) and not _other(before, _PASSPORT_WORDS):
        yield from _passports(window, start, end)
    taken = start
    for match in re.finditer(r"[+(\d]", window[start:end]):
        at = start + match.start()
        if at < taken or not _begins(window, at):
            continue
        for find in _finders(window, at):
            found = find(window, at, before, after)  # no word stands among digits: with them a long row would take quadratic time
            if found is not None:
                yield found
                taken = found.end
                break


def _finders(window: str, at: int) -> tuple[Callable[[str, int, str, str], Found | None], ...]:
    """What a number at `at` may be; as the value of `name=` identity numbers, and what the name says."""
    of_phones = (_mobile, _land_line, _international, _north_american)
    name = _NAME.search(window, max(0, at - BEFORE), at)
    if name is None or window[at] == "+":
        return (_identity, _mobile, _card, *of_phones[1:])
    if _PHONE_NAME.search(name[0]):
        return of_phones
    return (_identity, _card) if _CARD_NAME.search(name[0]) else (_identity,)


def _begins(window: str, at: int) -> bool:
    """Whether no number or word goes on here."""
    previous = window[at - 1] if at else " "
    if previous in "=/":
        return window[at] == "+" or (_NAME if previous == "=" else _ALTERNATIVE).search(window, max(0, at - BEFORE), at) is not None
    return not (previous.isascii() and (previous.isalnum() or previous in "._#&%~+"))


def _ends(window: str, at: int) -> bool:
    """Whether no number or word goes on here."""
    following = window[at : at + 2]
    return not (following[:1].isascii() and following[:1].isalnum()) and not re.match(r"[.%_@][\dA-Za-z]", following)


def _other(before: str, own_words: re.Pattern[str]) -> bool:
    """Whether the nearest word before it names something else than `own_words`."""
    other = [m.end() for m in _OTHER_WORDS.finditer(before)]
    own = [m.end() for m in own_words.finditer(before)]
    return bool(other) and max(other) > max(own, default=-1)


def _identity(window: str, at: int, before: str, after: str) -> Found | None:
    match = _ID_18.match(window, at)
    if match and _ends(window, match.end()) and is_identity_number(re.sub("[- ]", "", match[0])):
        return Found("id_card", at, match.end())
    match = _ID_15.match(window, at)
    if not match or not _ends(window, match.end()) or not _IDENTITY_WORDS.search(before) or match[0][:2] not in _PROVINCES:
        return None
    born = (1900 + int(match[0][6:8]), int(match[0][8:10]), int(match[0][10:12]))
    return Found("id_card", at, match.end()) if _is_date(*born) else None


def is_identity_number(digits: str) -> bool:
    """Whether 18 characters are a number of GB 11643-1999: province, date of birth and check digit.

    >>> is_identity_number("11010519491231002X")
    True
    """
    if digits[:2] not in _PROVINCES or not _is_date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14])):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, digits, strict=False))
    return "10X98765432"[total % 11] == digits[17].upper()


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1900 <= date(year, month, day).year <= 2030
    except ValueError:
        return False


def _mobile(window: str, at: int, before: str, after: str) -> Found | None:
    match = _MOBILE.match(window, at)
    if not match or not _ends(window, match.end()) or _other(before, _PHONE_WORDS) or not _is_valid(match[0], "CN"):
        return None
    toll_free = _TOLL_FREE.match(match[0]) and not _HAN.search(before + after)
    return None if toll_free or _UNITS.match(after) else Found("phone", at, match.end())


def _land_line(window: str, at: int, before: str, after: str) -> Found | None:
    match = _LAND_LINE.match(window, at)
    if not match or not _ends(window, match.end()) or _other(before, _PHONE_WORDS) or not _is_valid(match[0], "CN"):
        return None
    written = re.match(r"\(0|0\d{2,3}[-)]|\+|00", match[0]) is not None
    return Found("phone", at, match.end()) if written or _PHONE_WORDS.search(before) else None


def _international(window: str, at: int, before: str, after: str) -> Found | None:
    match = _INTERNATIONAL.match(window, at)
    if match is None or _other(before, _PHONE_WORDS):
        return None
    number = match[0]
    while True:  # the longest beginning that is a number
        if _ends(window, at + len(number)) and _is_valid(number, None):
            return Found("phone", at, at + len(number))
        shorter = re.match(r"(.*\d)[-. ()]+\d+$", number)
        if shorter is None:
            return None
        number = shorter[1]


def _north_american(window: str, at: int, before: str, after: str) -> Found | None:
    match = _NORTH_AMERICAN.match(window, at)
    if not match or not _ends(window, match.end()) or _other(before, _PHONE_WORDS) or not _is_valid(match[0], "US"):
        return None
    return Found("phone", at, match.end()) if "(" in match[0] or _PHONE_WORDS.search(before) else None


@lru_cache(maxsize=4096)
def _is_valid(number: str, region: str | None) -> bool:
    """Whether a numbering plan has it; service and toll-free numbers belong to no person."""
    if number.startswith("00"):
        number = "+" + number[2:]
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    kinds = phonenumbers.PhoneNumberType
    of_persons = (kinds.MOBILE, kinds.FIXED_LINE, kinds.FIXED_LINE_OR_MOBILE, kinds.PERSONAL_NUMBER, kinds.VOIP, kinds.PAGER)
    return phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) in of_persons


def _card(window: str, at: int, before: str, after: str) -> Found | None:
    match = _CARD.match(window, at)
    if not match or not _ends(window, match.end()) or _other(before, _CARD_WORDS):
        return None
    digits = re.sub(r"\D", "", match[0])
    if not _is_issued(digits) or not luhn(digits):
        return None
    named = _CARD_WORDS.search(before) is not None
    return Found("bank_card", at, match.end()) if named or len(digits) >= 15 else None


def _is_issued(digits: str) -> bool:
    """Whether an issuer gives out numbers of this prefix and length (ISO/IEC 7812)."""
    two, four, length = int(digits[:2]), int(digits[:4]), len(digits)
    return (
        (two == 62 and 16 <= length <= 19)  # UnionPay
        or (digits[0] == "4" and length in (13, 16, 19))  # Visa
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and length == 16)  # Mastercard
        or (two in (34, 37) and length == 15)  # American Express
        or ((four == 6011 or two == 65) and length == 16)  # Discover
        or (3528 <= four <= 3589 and length == 16)  # JCB
        or (two in (30, 36, 38) and length == 14)  # Diners Club
        or (four == 9558 and length == 19)  # ICBC before UnionPay
    )


def luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's check digit of the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _passports(window: str, start: int, end: int) -> Iterator[Found]:
    at = max(0, start - 2)
    for match in _PASSPORT.finditer(window, at, end):
        previous = window[match.start() - 1 : match.start()]
        if _ends(window, match.end()) and not (previous.isascii() and previous.isalnum()):
            yield Found("passport", match.start(), match.end())
