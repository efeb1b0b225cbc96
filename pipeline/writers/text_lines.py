r"""Baichuan-7B's training layout: UTF-8 text files, one document per line, in a multiple of the number of ranks.

Its loader gives rank r the files i with i % world_size == r and takes each line for a document, so a newline inside a document would
cut it in two. Newlines are escaped reversibly: `\` becomes `\\`, a newline `\n` (two characters), a carriage return `\r`.
`unescape_line` is the inverse.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
_UNESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def escape_line(text: str) -> str:
    r"""A text on one line.

    >>> escape_line("床前明月光\n疑是地上霜")
    '床前明月光\\n疑是地上霜'
    """
    return text.translate(_ESCAPES)


def unescape_line(line: str) -> str:
    r"""The text that `escape_line` was given.

    >>> unescape_line(escape_line("a\\n\nb")) == "a\\n\nb"
    True
    """
    return re.sub(r"\\[\\nr]", lambda match: _UNESCAPES[match.group()], line)


@contextmanager
def text_lines(file: BinaryIO) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that appends one document to `file`."""

    def append(document: dict[str, Any]) -> None:
        file.write(escape_line(document["text"]).encode() + b"\n")

    yield append
