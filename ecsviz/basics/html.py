"""The one place where HTML is made: escaped elements with inline styles, nothing raw.

A notebook's own output is trusted: HTML in it runs. So there is no way in for markup that comes
from data. Children are elements or text, and text is escaped; tags, attributes and styles come
from the tables below, never from a caller's value.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final, TypeAlias
from uuid import UUID

from ecsviz.basics.text import singular

MAX_TEXT: Final = 2_000
"""How many characters of one text are shown: a screenful. What is cut is said."""
MAX_ATTRIBUTE: Final = 300
"""How many characters of a text stand in an attribute: a tooltip, or what is read aloud."""
SHORT: Final = 24
"""Up to how many characters a table's cell is kept on one line: names do not break then."""
WORD: Final = 36
"""The same of one word, such as an id: it would break anywhere."""

TAGS: Final = frozenset(
    {
        "bdi",
        "br",
        "caption",
        "code",
        "details",
        "div",
        "em",
        "h4",
        "img",
        "li",
        "ol",
        "p",
        "small",
        "span",
        "strong",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    }
)
_VOID: Final = frozenset({"br", "img"})


def _themed(declaration: str, variable: str, otherwise: str) -> str:
    """Return a declaration with a variable of JupyterLab's, after the same without it.

    The variables give light and dark. Where a notebook is not trusted JupyterLab drops what has
    one, and the first is left, whose value suits both.
    """
    plain = declaration.format(otherwise)
    return f"{plain};{declaration.format(f'var({variable},{otherwise})')}"


_MUTED = _themed("color:{}", "--jp-ui-font-color2", "#767676")
_CELL = "padding:2px 10px 2px 0;vertical-align:top"
_WRAP = "white-space:pre-wrap;overflow-wrap:break-word;overflow-wrap:anywhere"
_LINE = _themed("border-bottom:1px solid {}", "--jp-border-color2", "#9aa0a6")
_WARNED = _themed("border-left:3px solid {}", "--jp-warn-color1", "#d55e00")
_CODE = _themed("font-family:{}", "--jp-code-font-family", "monospace") + ";font-size:12px"
LOOKS: Final = {
    "block": "font-size:13px;line-height:1.45;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);"
    "color:var(--jp-ui-font-color1,inherit);max-width:100%;overflow-x:auto",
    "table": "border-collapse:collapse;margin:4px 0;border:0",
    "row": f"border:0;{_LINE};background:none",
    "head": f"{_CELL};text-align:left;font-weight:600",
    "head-number": f"{_CELL};text-align:right;font-weight:600",
    "cell": f"{_CELL};text-align:left;{_WRAP}",
    "short": f"{_CELL};text-align:left;white-space:nowrap",
    "number": f"{_CELL};text-align:right;font-variant-numeric:tabular-nums",
    "caption": "text-align:left;font-weight:600;caption-side:top;padding:2px 0",
    "muted": _MUTED,
    "note": f"{_MUTED};margin:2px 0",
    "title": "font-weight:600;margin:2px 0",
    "list": "margin:2px 0;padding-left:40px",
    "items": "margin:0;padding-left:22px",
    "line": f"margin:2px 0;{_WRAP}",
    "warning": f"margin:2px 0;{_WARNED};padding-left:6px",
    "picture": "max-width:100%;height:auto",
    "bubble": "margin:6px 12% 6px 0;padding:2px 10px;border-radius:8px;border:1px solid #9aa0a6",
    "bubble-own": "margin:6px 0 6px 12%;padding:2px 10px;border-radius:8px;"
    "border:1px solid #1976d2",
    "code": f"margin:2px 0;{_CODE}",
    "code-line": f"margin:0;{_CODE};line-height:1.6;padding-left:9px",
    "code-now": f"margin:0;{_CODE};line-height:1.6;padding-left:6px;"
    "border-left:3px solid #1976d2;font-weight:700",
    "lines": f"margin:2px 0;{_CODE};{_WRAP}",
}
"""The styles an element can have, by name. Inline, since notebooks drop style sheets."""

IGNORED_BY_MATHJAX: Final = "mathjax_ignore"
"""The class that keeps MathJax from typesetting what stands between dollar signs."""

_WORDS: Final = {
    "aria-live": {"polite", "off"},
    "role": {"group", "img", "note", "status"},
    "scope": {"col", "row"},
    "dir": {"auto", "ltr"},
}
_TEXTS: Final = frozenset({"alt", "aria-label", "title"})
_NUMBERS: Final = frozenset({"colspan", "height", "rowspan", "start", "width"})
_SWITCHES: Final = frozenset({"open"})
_PICTURE = re.compile(r"data:image/(?:png|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}")

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Child: TypeAlias = "Element | str"
Cell: TypeAlias = "Element | str | int | float | None"


def readable(text: str, limit: int = MAX_TEXT) -> str:
    r"""Return text that every reader can take: cut, and without control characters.

    Parameters
    ----------
    text
        Any text, from anywhere.
    limit
        Characters; `MAX_TEXT` by default.

    Returns
    -------
    str
        Not escaped. Control characters are shown as their pictures, halves of surrogate pairs
        and other non-characters as U+FFFD; line feeds and tabs stay.

    Notes
    -----
    O(limit), however long the text is.

    Examples
    --------
    >>> readable("a\x07b"), readable("x" * 5_000, 10)
    ('a␇b', 'xxxxxxxxxx… (5,000 characters)')
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = text[:limit].replace("\r\n", "\n").replace("\r", "\n")
    shown = _UNSHOWABLE.sub(_picture_of, shown)
    return shown if len(text) <= limit else f"{shown}… ({len(text):,} characters)"


def _picture_of(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class Element:
    """One element: a tag of `TAGS`, checked attributes, escaped children.

    Made by `element`. ``str()`` gives its HTML; in a notebook it shows itself.
    """

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], children: tuple[Child, ...]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children = children

    def __str__(self) -> str:
        parts: list[str] = []
        _write(self, parts)
        return "".join(parts)

    def __repr__(self) -> str:
        return f"<Element {self.tag}: {len(self.children)} children>"

    def _repr_html_(self) -> str:
        return str(self)


def _write(item: Element, parts: list[str]) -> None:
    # Recursive over what our own code nests, which is a handful of levels; never over data.
    attributes = "".join(f' {name}="{escape(text)}"' for name, text in item.attributes.items())
    parts.append(f"<{item.tag}{attributes}>")
    for child in item.children:
        if isinstance(child, Element):
            _write(child, parts)
        else:
            parts.append(escape(child))
    if item.tag not in _VOID:
        parts.append(f"</{item.tag}>")


def element(tag: str, *children: Child, look: str | None = None, **attributes: Any) -> Element:
    """Return an element.

    Parameters
    ----------
    tag
        One of `TAGS`.
    *children
        Elements, or texts: those are cut to `MAX_TEXT` characters and escaped.
    look
        A name of `LOOKS`, for the inline style.
    **attributes
        ``alt``, ``title``, ``aria_label``, ``aria_live``, ``role``, ``scope``, ``dir``,
        ``colspan``, ``rowspan``, ``start``, ``width``, ``height``, ``open``. None leaves one out.

    Raises
    ------
    ValueError
        If the tag, the look, an attribute or its value is not in the tables of this module.
    TypeError
        If a child is neither text nor an element.

    Notes
    -----
    These errors are programming errors of a caller, so they are not `EcsvizError`.

    Examples
    --------
    >>> str(element("p", "1 < 2", element("strong", "&")))
    '<p>1 &lt; 2<strong>&amp;</strong></p>'
    """
    if tag not in TAGS:
        raise ValueError(f"the tag {tag!r} is not one of {', '.join(sorted(TAGS))}")
    if tag in _VOID and children:
        raise ValueError(f"<{tag}> takes no children")
    checked: dict[str, str] = {}
    if look is not None:
        if look not in LOOKS:
            raise ValueError(f"the look {look!r} is not one of {', '.join(sorted(LOOKS))}")
        checked["style"] = LOOKS[look]
    for key, value in attributes.items():
        name = key.replace("_", "-")
        if value is not None and value is not False:
            checked[name] = _attribute(name, value)
    return Element(tag, checked, tuple(_child(child) for child in children))


def _child(child: object) -> Child:
    if isinstance(child, Element):
        return child
    if isinstance(child, str):
        # The very text: a subclass of str (markup of another library) may escape otherwise.
        return readable(str.__str__(child))
    raise TypeError(f"a child is an element or text, not {type(child).__name__}")


def _attribute(name: str, value: object) -> str:
    if name in _TEXTS and isinstance(value, str):
        return readable(str.__str__(value), MAX_ATTRIBUTE)
    if name in _NUMBERS and isinstance(value, int):
        return str(int(value))
    if name in _SWITCHES and value is True:
        return name
    if isinstance(value, str) and value in _WORDS.get(name, ()):
        return value
    raise ValueError(f"{name}={str(value)[:40]!r} is no attribute that this module knows")


def block(*children: Child, mark: UUID | None = None) -> Element:
    """Return what an output consists of at its top: one font, no typesetting of formulas.

    Parameters
    ----------
    *children
        What stands in it, below each other.
    mark
        By what a script of the page finds it, as the class ``ecsviz-`` and 32 digits.

    Examples
    --------
    >>> 'class="mathjax_ignore"' in str(block("$x$"))
    True
    """
    made = element("div", *children, look="block")
    classes = [IGNORED_BY_MATHJAX] if mark is None else [IGNORED_BY_MATHJAX, f"ecsviz-{mark.hex}"]
    made.attributes["class"] = " ".join(classes)
    return made


def picture(data: bytes, alt: str, *, kind: str = "png") -> Element:
    """Return an image that carries its own data.

    Parameters
    ----------
    data
        The file.
    alt
        What the picture shows, for those who do not see it.
    kind
        ``"png"``, or ``"svg"``: as an image, an SVG runs no scripts and loads nothing.
    """
    media = {"png": "image/png", "svg": "image/svg+xml"}[kind]
    source = f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
    if not _PICTURE.fullmatch(source):
        raise ValueError("an image needs data")
    made = element("img", look="picture", alt=alt)
    made.attributes["src"] = source
    return made


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    caption: str | None = None,
    note: str | None = None,
) -> Element:
    """Return a table.

    Parameters
    ----------
    headers
        One text a column.
    rows
        Cells: texts, elements, numbers (with thousands separators, to the right), or None.
    caption
        What the table shows; above it.
    note
        What it leaves out, such as "showing 10 of 37"; below it.

    Returns
    -------
    Element
        A `block`; ``str()`` gives the HTML.

    Examples
    --------
    >>> html = str(table(["type", "entities"], [["<b>", 1200]], note="showing 1 of 3"))
    >>> "&lt;b&gt;" in html, "1,200" in html, "<b>" in html
    (True, True, False)
    """
    listed = [list(row) for row in rows]
    numeric = [
        bool(listed) and all(_is_number(row[at]) for row in listed if at < len(row))
        for at in range(len(headers))
    ]
    head = [
        element("th", header, look="head-number" if number else "head", scope="col")
        for header, number in zip(headers, numeric, strict=True)
    ]
    body = [element("tr", *(_cell(cell) for cell in row), look="row") for row in listed]
    parts: list[Child] = [] if caption is None else [element("caption", caption, look="caption")]
    parts += [element("thead", element("tr", *head, look="row")), element("tbody", *body)]
    result: list[Child] = [element("table", *parts, look="table")]
    if note is not None:
        result.append(element("p", note, look="note"))
    return block(*result)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _cell(cell: Cell) -> Element:
    if cell is None:
        return element("td", element("span", "–", look="muted"), look="cell")
    if isinstance(cell, bool):
        return element("td", "yes" if cell else "no", look="cell")
    if isinstance(cell, (int, float)):
        return element("td", f"{cell:,}", look="number")
    if isinstance(cell, Element):
        return element("td", cell, look="cell")
    # Every text stands for itself: its direction must not reach over to its neighbours.
    short = len(cell) <= (SHORT if " " in cell else WORD) and cell.isprintable()
    return element("td", cell, look="short" if short else "cell", dir="auto")


def whole_text(text: str, look: str) -> Element:
    """Return a paragraph with all of a text, however long; lines stay lines.

    Parameters
    ----------
    text
        From anywhere.
    look
        A name of `LOOKS`.

    Examples
    --------
    >>> str(whole_text("€" * 3_000, "line")).count("€")
    3000
    """
    clean = readable(text, max(len(text), 1))
    pieces = (clean[at : at + MAX_TEXT] for at in range(0, len(clean), MAX_TEXT))
    return element("p", *pieces, look=look, dir="auto")


def shown_of(shown: int, total: int, what: str) -> str:
    """Return "showing k of N".

    Parameters
    ----------
    shown, total
        Counts.
    what
        The plural of what is counted.

    Examples
    --------
    >>> shown_of(10, 1234, "entities"), shown_of(1, 1, "entities"), shown_of(0, 0, "entities")
    ('showing 10 of 1,234 entities', 'showing 1 of 1 entity', 'no entities')
    """
    of = singular(what) if total == 1 else what
    return f"showing {shown:,} of {total:,} {of}" if total else f"no {what}"


_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    " style-src 'unsafe-inline'; img-src data:\">"
    '<meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="{scheme}"><title>{title}</title>'
    "<style>body{{margin:24px;max-width:1200px;{colors}}}</style>"
    "</head><body>{body}</body></html>\n"
)


_LIVE_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    " script-src 'sha256-{checksum}'; style-src 'unsafe-inline'; img-src data: blob:;"
    " base-uri 'none'; form-action 'none'\">"
    '<meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title>'
    "<style>:root{{color-scheme:light dark}}body{{margin:12px}}{style}</style></head>"
    '<body><div id="{at}"></div>'
    '<script type="application/json" id="ecsviz-state">{data}</script>'
    '<script type="module">{script}</script></body></html>\n'
)


def live_page(title: str, *, script: str, style: str, data: str, at: str) -> str:
    r"""Return a whole document in which one script of ours runs, and none of anybody else.

    Parameters
    ----------
    title
        What the window says.
    script, style
        Ours, as they were built.
    data
        JSON, of texts of anybody.
    at
        The id of the element that the script fills.

    Returns
    -------
    str
        Its content security policy knows the script by its checksum, and lets nothing be loaded
        or sent.

    Examples
    --------
    >>> made = live_page("a", script="1", style="", data='{"a": "</script><b>"}', at="here")
    >>> "<b>" in made, r'{"a": "\u003c/script\u003e\u003cb\u003e"}' in made
    (False, True)
    """
    # A page ends a script at its end tag, whatever stands around that; JSON has no such need.
    text = data.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})
    shown = escape(readable(str.__str__(title), MAX_ATTRIBUTE).replace("\n", " "))
    if "</script" in script.lower() or "<!--" in script or "</style" in style.lower():
        raise ValueError("this script cannot stand in a page: it holds the end of a tag")
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _LIVE_PAGE.format(
        title=shown, style=style, data=text, script=script, checksum=checksum, at=escape(at)
    )


_LIGHT: Final = ("light", "color:#1b1f24;background:#fff")
_BOTH: Final = ("light dark", "color:CanvasText;background:Canvas")
"""What a page says of its colours: those of the browser's own theme where it has no picture."""


def page(title: str, *children: Child, dark: bool = False) -> str:
    """Return a whole document, to be kept as a file and opened without us.

    Parameters
    ----------
    title
        What the window says.
    *children
        What stands in it, below each other.
    dark
        Whether it is dark for those who have a dark browser; pictures are drawn on white.

    Returns
    -------
    str
        Its content security policy lets a browser run no script and load nothing, whatever the
        document holds: pictures carry their data.

    Examples
    --------
    >>> made = page("a < b", element("p", "1 < 2"))
    >>> "<title>a &lt; b</title>" in made, "default-src 'none'" in made
    (True, True)
    """
    shown = escape(readable(str.__str__(title), MAX_ATTRIBUTE).replace("\n", " "))
    scheme, colors = _BOTH if dark else _LIGHT
    return _PAGE.format(title=shown, scheme=scheme, colors=colors, body=str(block(*children)))
