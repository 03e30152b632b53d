"""Text for people and for files: one line, nothing that acts, singular and plural."""

from __future__ import annotations

import re
from typing import Final

_TWO_ENDS: Final = re.compile(r"…\.(?=\s|$)")

MAX_LABEL: Final = 80
"""Characters of a label: what still reads as one."""

# What a file of text must not hold, or what would change how it reads: control characters, line
# and paragraph separators, halves of surrogate pairs, non-characters, and the marks that turn the
# direction of writing.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe\U0001ffff]"
)


def plain(text: str, limit: int = MAX_LABEL) -> str:
    r"""Return one line of text without control characters.

    Parameters
    ----------
    text
        Any text.
    limit
        Characters, `MAX_LABEL` by default; what is longer ends in ``…``.

    Examples
    --------
    >>> plain("a\n b\x07\u202e"), plain("x" * 10, limit=4)
    ('a b', 'xxx…')
    """
    if len(text) <= limit and text.isprintable():
        return text.strip()
    # Twice the limit is enough to cut from, and keeps a huge text from being worked through.
    line = " ".join(_UNWANTED.sub("", text[: 2 * limit]).split())
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def plain_lines(text: str) -> list[str]:
    r"""Return the lines of a text, without control characters but tabs.

    Examples
    --------
    >>> plain_lines("a\r\nb\x1b[31m\u202e\n\tc")
    ['a', 'b[31m', '\tc']
    """
    return (text if text.isprintable() else _UNWANTED.sub("", text)).splitlines()


def plural(count: int, word: str) -> str:
    """Return a word as it stands beside a count.

    Examples
    --------
    >>> plural(1, "node"), plural(0, "node"), plural(2, "class"), plural(2, "entity")
    ('node', 'nodes', 'classes', 'entities')
    """
    if count == 1:
        return word
    if word.endswith(("s", "ch")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("ity") else f"{word}s"


def singular(words: str) -> str:
    """Return words that begin with a plural as they stand beside one.

    Examples
    --------
    >>> singular("entities"), singular("classes found"), singular("nodes that match")
    ('entity', 'class found', 'node that matches')
    """
    head, _, rest = words.partition(" ")
    if head.endswith("ies"):
        head = f"{head[:-3]}y"
    elif head.endswith(("sses", "ches", "shes", "xes")):
        head = head[:-2]
    else:
        head = head.removesuffix("s")
    return f"{head} {rest}".strip().replace("that match", "that matches")


def one_end(text: str) -> str:
    """Return a text in which no sentence ends with a full stop behind "…".

    Examples
    --------
    >>> one_end("Ready are those without: user: each…. Next")
    'Ready are those without: user: each… Next'
    """
    return _TWO_ENDS.sub("…", text)


def counted(count: int, word: str) -> str:
    """Return a count with its word.

    Examples
    --------
    >>> counted(1, "node"), counted(1200, "node")
    ('1 node', '1,200 nodes')
    """
    return f"{count:,} {plural(count, word)}"


def sql_name(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it.

    Examples
    --------
    >>> print(sql_name('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """Return a text as SQL takes it, whatever is in it.

    Examples
    --------
    >>> sql_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
