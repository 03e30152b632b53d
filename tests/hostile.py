"""Texts that would do harm if they were markup, and how the tests look for harm."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from ecsviz.basics import html as html_room

HOSTILE: Final = (
    # scripts
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<SCRIPT SRC=//example.org/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)",
    # handlers and addresses
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=alert(1) `",
    "<a href='javascript:alert(1)'>x</a>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x>",
    "<form action=//example.org><input type=submit></form>",
    "<meta http-equiv=refresh content='0;url=//example.org'>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<style>*{background:url(//example.org/x)}</style>",
    "</td></tr></table><h1>out</h1>",
    "</p></div></pre></code>",
    "<!-- --><![CDATA[ x ]]><?xml?><!DOCTYPE html>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    # SVG and mathematics
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "$5 and $6",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\\(\\unicode{x41}\\) \\[x\\] \\begin{align}x\\end{align}",
    # Mermaid
    'a"] --> b["c',
    "end",
    "graph TD\n    x --> y",
    "%%{init: {'securityLevel': 'loose'}}%%",
    'click n0 href "javascript:alert(1)"',
    "style n0 fill:#f00;",
    "classDef default fill:#f00,stroke:#0f0;",
    "#quot;#lt;script#gt;#35;",
    "\ufb02\u00b0\u00b060\u00b6\u00dfscript\ufb02\u00b0\u00b062\u00b6\u00df",
    '"`**bold**`"',
    "1. list - item * star _em_ fa:fa-car",
    "n0:::x --- n1 |label| ((x)) {y} [/z/]",
    # DOT
    'x"]; n0 -> n1 [URL="javascript:alert(1)"',
    "<<b>html</b>>",
    "n0:port:ne",
    "\\N \\G \\L \\l \\r \\n",
    "ends with a backslash\\",
    "\\",
    '\\"',
    "{a|<p>b}",
    # lines, controls, directions, lengths
    "two\nlines\r\nand\ttabs\x0b\x0c",
    "\u2028line\u2029paragraph\x85",
    "nul\x00 bell\x07 esc\x1b[31mred del\x7f c1\x9b",
    "lone \ud800 and \udfff surrogates",
    "non\ufffe\uffffcharacters\ufdd0",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f \u061c",
    "\ufeffbom and zero\u200bwidth",
    "\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627",
    "e\u0301 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "",
    "   ",
    "x" * 100_000,
    "<b>" * 33_334,
    "\x00" * 100_000,
)


NAMES: Final = frozenset(
    {
        *("alt", "aria-label", "aria-live", "colspan", "dir", "height", "open", "role"),
        *("rowspan", "scope", "start", "title", "width"),
    }
)
"""The attributes that neither load nor run anything, whatever they hold."""


class _Shape(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.odd: list[str] = []
        self.values: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        self.odd.append(decl)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)


def _parsed(html: str) -> _Shape:
    parser = _Shape()
    parser.feed(html)
    parser.close()
    assert parser.odd == [], "comments, declarations or instructions"
    return parser


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return every tag with the names of its attributes, as a browser would find them."""
    return _parsed(html).tags


def texts(html: str) -> str:
    """Return the text of some HTML."""
    return "".join(_parsed(html).texts)


def assert_harmless(html: str) -> None:
    """Fail if HTML holds anything that could run, load or submit, or cannot be sent."""
    html.encode("utf-8")  # a kernel sends UTF-8
    seen = _parsed(html)
    assert {tag.removeprefix("/") for tag, _ in seen.tags} <= html_room.TAGS
    for name, value in seen.values:
        if name == "style":
            assert value in html_room.LOOKS.values()
        elif name == "class":
            assert re.fullmatch("mathjax_ignore( ecsviz-[0-9a-f]{32})?", value)
        elif name == "src":
            assert value.startswith("data:image/png;base64,")
        else:
            assert name in NAMES


def as_note(text: str) -> str:
    """Return a text as the note of a revision, which takes neither NUL nor half characters."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
