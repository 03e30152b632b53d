"""What one can read of HTML, as some exports write their texts."""

from __future__ import annotations

import html
import re
from typing import Final

_LINES: Final = frozenset(
    {
        *("p", "div", "br", "li", "ul", "ol", "tr", "table", "pre", "blockquote", "hr", "section"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "article", "header", "footer", "dd", "dt", "title"),
    }
)
"""Elements that begin a line."""

_UNSEEN: Final = frozenset({"script", "style", "template"})

_TAG: Final = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][\w-]*)(?P<about>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>"
    r"|<[!?][^<>]*>"
)
"""A tag; an attribute may hold what ends one. No tag holds the beginning of another, so that a text
of many beginnings takes no longer than it is long."""

_ALT: Final = re.compile(r"""\balt=(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)

_HUGE: Final = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
"""Numbers of characters that there are not; Python refuses those of too many digits."""


def unescaped(text: str) -> str:
    """Return a text with its references to characters as the characters.

    Examples
    --------
    >>> unescaped("a &lt; b &amp; c"), unescaped("&#" + "9" * 9_000 + ";")
    ('a < b & c', '\ufffd')
    """
    return html.unescape(_HUGE.sub("\ufffd", text))


def html_text(text: str) -> str:
    r"""Return what one can read of HTML: blocks as lines, without tags and scripts.

    Parameters
    ----------
    text
        A document or a part of one; any text is, and what is no tag is read as it stands.

    Notes
    -----
    O(length), whatever stands there.

    Examples
    --------
    >>> html_text("<p>Wind-blown <b>silt</b> &amp; clay.</p><ul><li>here<li>there</ul>")
    'Wind-blown silt & clay.\n- here\n- there'
    """
    pieces: list[str] = []
    at, pre, comments = 0, 0, True
    while (begin := text.find("<", at)) >= 0:
        if begin > at:
            pieces.append(_words(text[at:begin], pre))
        if comments and text.startswith("<!--", begin):
            end = text.find("-->", begin + 4)
            comments = end >= 0  # where one does not end, none behind it does
            at = end + 3 if comments else begin + 4
            continue
        found = _TAG.match(text, begin)
        if found is None:
            pieces.append("<")
            at = begin + 1
            continue
        at, name = found.end(), (found["name"] or "").lower()
        if found["end"]:
            pieces += ["\n"] if name in _LINES and name != "li" else []
            pre -= name == "pre" and pre > 0
        elif name in _UNSEEN:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(text, at)
            at = len(text) if closing is None else closing.start()
        else:
            pieces += _shown(name, found["about"] or "")
            pre += name == "pre"
    pieces.append(_words(text[at:], pre))
    lines = [line.rstrip() for line in "".join(pieces).split("\n")]
    read = "\n".join(line[1:] if line[:1] == " " and line[1:2] != " " else line for line in lines)
    return re.sub(r"\n{2,}", "\n", read).strip("\n")


def _words(text: str, pre: int) -> str:
    return unescaped(text if pre else re.sub(r"\s+", " ", text))


def _shown(name: str, about: str) -> list[str]:
    if name in _LINES:
        return ["\n- " if name == "li" else "\n"]
    if name == "img":
        found = _ALT.search(about)
        alt = next(filter(None, found.groups()), "") if found else ""
        return [f"[image: {unescaped(alt)}]" if alt else "[image]"]
    return [" "] if name in ("td", "th") else []
