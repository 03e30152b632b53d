"""What one can read of HTML, as some exports write their texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_LINES: Final = frozenset(
    {
        *("p", "div", "br", "li", "ul", "ol", "tr", "table", "pre", "blockquote", "hr", "section"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "article", "header", "footer", "dd", "dt", "title"),
    }
)
"""Elements that begin a line."""

_UNSEEN: Final = frozenset({"script", "style", "template"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LINES:
            self.pieces.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        elif tag == "img":
            alt = next((value for name, value in attrs if name == "alt"), None)
            self.pieces.append(f"[image: {alt}]" if alt else "[image]")
        self._pre += tag == "pre"
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag in _LINES and tag != "li":
            self.pieces.append("\n")
        self._pre -= tag == "pre" and self._pre > 0
        self._unseen -= tag in _UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data if self._pre else re.sub(r"\s+", " ", data))


def html_text(html: str) -> str:
    r"""Return what one can read of HTML: blocks as lines, without tags and scripts.

    Parameters
    ----------
    html
        A document or a part of one; any text is, and what is broken is read as browsers do.

    Examples
    --------
    >>> html_text("<p>Wind-blown <b>silt</b> &amp; clay.</p><ul><li>here<li>there</ul>")
    'Wind-blown silt & clay.\n- here\n- there'
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [line.rstrip() for line in "".join(reader.pieces).split("\n")]
    text = "\n".join(line[1:] if line[:1] == " " and line[1:2] != " " else line for line in lines)
    return re.sub(r"\n{2,}", "\n", text).strip("\n")
