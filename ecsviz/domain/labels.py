"""Short names for people: what stands beside a node in pictures, tables and widgets."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.domain.plain_objects import object_state
from ecsviz.domain.walk import node_name

DEFAULT_LIMIT = 24
"""How wide a label may be, in columns: what fits beside a node of a picture."""
NAMES = ("name", "title", "label", "subject")
"""Fields that say what an entity is called, the first that holds a text wins."""
TEXTS = ("content", "text", "body")
"""Fields that hold what somebody said; shown after the ``role`` where there is one."""

# What most texts consist of: Latin letters, punctuation and line ends; every character takes one
# column, and none has to go. To know this of a text at once saves nine tenths of a label's time.
_NARROW = re.compile("[\t\n\r -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027]*")
BREAKS = re.compile(r"(?<=\s)|(?<=[-_/.:,;|·])(?=[^\s\d])")
"""Where a label may go on in its next line."""

_SCALARS = (int, float, Decimal, date, time, timedelta, enum.Enum)


def label_of(node: Any, limit: int = DEFAULT_LIMIT, *, with_type: bool = True) -> str:
    """Return a short label of a node.

    Parameters
    ----------
    node
        An entity or another object with fields, a class, or a name.
    limit
        How wide the label may be, in columns (a Chinese character takes two); 24 by default.
    with_type
        Whether the class's name stands first; a picture says it by colour and shape.

    Returns
    -------
    str
        One line without control characters. An entity's ``name`` or ``title``, or its role and
        what it says, or its first short value; its class alone if it has none of these.

    Notes
    -----
    Only fields are read: properties are never evaluated. O(fields + limit), however long the
    texts are.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> label_of(thread), label_of(thread.say("user", "What is a cycle?"), with_type=False)
    ('ChatThread Cycles', 'user: What is a cycle?')
    >>> label_of(ev.ChatThread), label_of("orders")
    ('ChatThread', 'orders')
    """
    kind = node_name(node)
    if is_entity_class(type(node)):
        state: Mapping[str, Any] | None = node.__dict__
    else:
        state = object_state(node)
        if state is None:
            state = getattr(node, "label_state", None)
    text = _own_text(state, limit) if state else ""
    if not text:
        return clean_text(kind, limit)
    if not with_type:
        return clean_text(text, limit)
    return clean_text(f"{kind} {text}", limit)


def _own_text(state: Mapping[str, Any], limit: int) -> str:
    for name in NAMES:
        text = _shown(state.get(name), limit)
        if text:
            return text
    role = _shown(state.get("role"), limit)
    for name in TEXTS:
        text = _shown(state.get(name), limit)
        if text:
            return f"{role}: {text}" if role else text
    own = [(name, value) for name, value in state.items() if name not in OWN_FIELDS]
    for name, value in own:
        text = "" if name == "id" or name.endswith("_id") else _shown(value, limit)
        if text:
            return text
    for name, value in own:
        if isinstance(value, _SCALARS) and not isinstance(value, bool):
            return clean_text(f"{name}={getattr(value, 'value', value)}", limit)
    return ""


def _shown(value: Any, limit: int) -> str:
    return clean_text(value, limit) if isinstance(value, str) else ""


def clean_text(text: str, limit: int = DEFAULT_LIMIT) -> str:
    r"""Return a text as one line that is safe to draw, cut to a width.

    Parameters
    ----------
    text
        Any text: what it holds of line ends, control characters, marks that turn the direction
        of writing, lone surrogates and heaps of accents does not come through.
    limit
        How wide it may be, in columns.

    Returns
    -------
    str
        Cut at the end, or in front for dotted names, whose last part tells most; ``…`` marks
        the cut.

    Examples
    --------
    >>> clean_text("two\nlines"), clean_text("a" * 100, 5), clean_text("java.util.concurrent", 12)
    ('two lines', 'aaaa…', '…concurrent')
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        # Most labels: every character is one column, and none has to go.
        return " ".join(text.split())
    dotted = _is_dotted(text, limit)
    part = text[-8 * limit - 64 :] if dotted else text[: 8 * limit + 64]
    shown = _one_line(part)
    if text_width(shown) <= limit and len(part) == len(text):
        return shown
    if dotted:
        return "…" + _fitting(shown[::-1], limit - 1)[::-1].lstrip(".")
    return _fitting(shown, limit - 1).rstrip() + "…" if shown else ""


def _is_dotted(text: str, limit: int) -> bool:
    return len(text) <= 20 * limit and "." in text and not any(c.isspace() for c in text)


def _one_line(text: str) -> str:
    if _NARROW.fullmatch(text):
        return " ".join(text.split())
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif category[0] == "C":
            continue  # control, format (direction of writing), surrogate, private, unassigned
        elif category[0] == "M":
            marks += 1
            if marks <= 2 and kept:
                kept.append(character)
            continue
        else:
            kept.append(character)
        marks = 0
    return " ".join("".join(kept).split())


def _fitting(text: str, limit: int) -> str:
    if _NARROW.fullmatch(text):
        return text[:limit]
    width = 0
    for place, character in enumerate(text):
        width += _column(character)
        if width > limit:
            return text[:place]
    return text


def widest(columns: int) -> int:
    """Return how wide a line may be where a label would else lose its last letters.

    Examples
    --------
    >>> widest(24)
    28
    """
    return columns + columns // 6


def columns_for(width: int) -> int:
    """Return the fewest columns that may be so wide where a label would else lose letters.

    Examples
    --------
    >>> columns_for(28), widest(24), widest(23)
    (24, 28, 26)
    """
    return width - width // 7


def in_lines(text: str, columns: int = DEFAULT_LIMIT) -> tuple[str, ...]:
    """Return a label in one line or two, broken between words where that is possible.

    Parameters
    ----------
    text
        One line, such as `label_of` gives.
    columns
        How wide a line may be, in columns; 24 by default; see `widest`.

    Returns
    -------
    tuple of str
        The lines, nearly as wide as each other where all fits. What does not fit is cut, with
        ``…``; a text of up to 24 characters never is, however wide they are: rather a word is
        broken.

    Notes
    -----
    O(length of the text).

    Examples
    --------
    >>> in_lines("On the theory of games of strategy")
    ('On the theory of', 'games of strategy')
    >>> in_lines("On the theory of parlour games and of economic behaviour")
    ('On the theory of parlour', 'games and of economic b…')
    >>> in_lines("On the theory of sets and its many applications")
    ('On the theory of sets', 'and its many applications')
    >>> in_lines("java.util.concurrent.atomic", 12)
    ('java.util.', '…rent.atomic')
    """
    whole = text_width(text)
    if whole <= columns:
        return (text,)
    ends = [found.start() for found in BREAKS.finditer(text)]
    pairs = [(text[:end].rstrip(), text[end:]) for end in ends]
    best = min(pairs, key=lambda pair: max(map(text_width, pair)), default=(text,))
    if max(map(text_width, best)) <= widest(columns):
        return best
    heads = [pair for pair in pairs if text_width(pair[0]) <= columns]
    if heads and len(text) > DEFAULT_LIMIT and 2 * text_width(heads[-1][0]) >= columns:
        first, rest = heads[-1]
    else:
        end = len(_fitting(text, max(min(columns, (whole + 1) // 2), 1)))
        end += columns < whole - text_width(text[:end]) <= columns + 2
        first, rest = text[:end].rstrip(), text[end:].lstrip()
    return first, rest if len(text) <= DEFAULT_LIMIT else clean_text(rest, columns)


def text_width(text: str) -> int:
    """Return how wide a text is, in columns.

    Examples
    --------
    >>> text_width("abc"), text_width("漢字")
    (3, 4)
    """
    return len(text) if _NARROW.fullmatch(text) else sum(map(_column, text))


def _column(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
