"""HTML pages as a crawler stores them: an HTTP response with a page of one of the sites, in that site's encoding and layout."""

import html
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from string import Template
from typing import Any

from texts import BLOCKS, Document

_CELL_SEPARATORS = ("\t", " | ", ",", "  ")


def page(
    document: Document, lang: str, site: dict[str, Any], words: dict[str, str], title: str, links: Sequence[str], tag: str
) -> Document:
    """The document with its URL and an HTTP response; `tag` (p, li or tr) says what the lines of the text become."""
    url = f"https://{site['host']}/{sha256(document.text.encode()).hexdigest()[:10]}.html"
    fields = {name: html.escape(word) for name, word in words.items()}
    rendered = Template((BLOCKS / site["template"]).read_text("utf-8")).substitute(
        fields,
        lang=lang,
        charset=site["encoding"],
        site=html.escape(site["name"]),
        title=html.escape(title),
        menu=_items(site["menu"]),
        menu_first=html.escape(site["menu"][0]),
        menu_second=html.escape(site["menu"][1]),
        body=_body(document.text.split("\n"), tag),
        links=_items(links),
        footer="\n".join(f"<p>{html.escape(line)}</p>" for line in site["footer"]),
    )
    body = rendered.encode(site["encoding"], "xmlcharrefreplace")
    return replace(document, url=url, raw=response("200 OK", site["content_type"], body))


def response(status: str, content_type: str, body: bytes) -> bytes:
    """An HTTP response as it went over the wire."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _items(names: Sequence[str]) -> str:
    return "\n".join(f'<li><a href="/{number}/">{html.escape(name)}</a></li>' for number, name in enumerate(names, 1))


def _body(lines: Sequence[str], tag: str) -> str:
    if tag == "li":
        return f"<ul>\n{_items(lines)}\n</ul>"
    if tag == "tr":
        return "<table>\n" + "\n".join(f"<tr>{_cells(line)}</tr>" for line in lines) + "\n</table>"
    return "\n".join(f"<p>{html.escape(line)}</p>" for line in lines)


def _cells(line: str) -> str:
    separator = next((separator for separator in _CELL_SEPARATORS if separator in line), "\t")
    return "".join(f"<td>{html.escape(cell)}</td>" for cell in line.split(separator))
