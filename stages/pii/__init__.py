"""Personal data and secrets: e-mail and IP addresses, phone, identity, card and passport numbers, API keys and private keys.

A kernel scans the bytes once for the few places where one could stand (`anchors`); there, and only there, each kind is decided by its form,
its check digits and the words around it (`numbers`, `addresses`, `secrets`). Precision matters as much as recall: a masked order number or
version is a hole in a good text. docs/pii.md has both, by kind, on a set of hard cases, and what is masked in real text.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of personal data: its setting and column name, and what stands in its place."""

    name: str
    mask: str


KINDS = (
    Kind("email", "<EMAIL>"),
    Kind("ip", "<IP>"),
    Kind("phone", "<PHONE>"),
    Kind("id_card", "<ID_CARD>"),
    Kind("bank_card", "<BANK_CARD>"),
    Kind("passport", "<PASSPORT>"),
    Kind("api_key", "<API_KEY>"),
    Kind("private_key", "<PRIVATE_KEY>"),
)
NAMES = tuple(kind.name for kind in KINDS)


class Found(NamedTuple):
    """One piece of personal data: characters `start` to `end` of the window it was looked for in."""

    kind: str
    start: int
    end: int
