"""Tables and classes as Mermaid's entity-relationship diagrams."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.arguments import file_path
from ecsviz.basics.files import returned_or_written
from ecsviz.basics.text import plain
from ecsviz.draw.tables import DrawnColumn, DrawnLink, schema_of

_ODD: Final = re.compile(r"[^A-Za-z0-9_]+")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAID: Final = re.compile(r'["\\%`;<>{}#\n]')
"""What cannot stand in quotes there, or is looked at even then."""


def to_er_diagram(what: Any, path: str | Path | None = None) -> str | Path:
    r"""Return, or write, tables or entity classes as a Mermaid ``erDiagram``.

    Parameters
    ----------
    what
        As of ``ecsviz.draw.draw_schema``: a store; what ``read_database`` returns; a SQLAlchemy
        ``MetaData``; tables or declarative classes; entity classes, with all that they lead to.
    path
        Where to write. None returns the text.

    Returns
    -------
    str or Path
        A box a table, named ``t0``, ``t1`` … with its real name as the label, and a line a foreign
        key or reference. Columns have ``PK``, ``FK`` and ``UK``. On the side of the table that has
        the key stands ``}o`` where several rows may lead to one, ``|o`` where the key is unique;
        on the other side ``||`` where the key is required, ``o|`` where it may be empty.

    Raises
    ------
    DrawingOptionError
        If there is nothing in `what` that can be drawn so.
    InvalidArgumentError
        If `path` is none.
    FileNotWrittenError
        If nothing can be written there.

    Notes
    -----
    Mermaid takes letters, digits and ``_`` in names of columns and types: another character is
    written as ``_``, and the real name stands behind it as a comment. In comments and labels marks
    that Mermaid reads itself are left out. O(tables + columns + keys).

    Examples
    --------
    >>> import ecsviz as ev
    >>> lines = str(to_er_diagram(ev.ChatThread)).splitlines()
    >>> print(*lines[:4], *lines[-2:], sep="\n")
    erDiagram
        t0["ChatThread"] {
            UUID ecs_id PK
            str title
        t1 }o--|| t0 : "thread ⇄ messages"
        t1 }o--o| t1 : "parent ⇄ replies"
    """
    file = None if path is None else file_path(path)
    schema = schema_of(what)
    lines = ["erDiagram"]
    for number, box in enumerate(schema.boxes):
        lines.append(f'    t{number}["{_quoted(box.name) or " "}"] {{')
        lines += [f"        {_column(column)}" for column in box.columns]
        lines.append("    }")
    lines += [f"    {_line(link)}" for link in schema.links]
    return returned_or_written("\n".join([*lines, ""]), file)


def _quoted(text: str) -> str:
    return _UNSAID.sub("", plain(text)).strip()


def _column(column: DrawnColumn) -> str:
    kind, name = _word(column.kind or "any"), _word(column.name)
    keys = [_KEYS[mark] for mark in column.mark.split() if mark in _KEYS]
    told = [column.name] if name != column.name else []
    told += [column.kind] if column.kind and kind != column.kind else []
    told += ["may be empty"] if column.optional else []
    comment = _quoted(", ".join(told))
    said = f"{kind} {name} {', '.join(keys)}".rstrip()
    return f'{said} "{comment}"' if comment else said


_KEYS: Final = {"PK": "PK", "FK": "FK", "UQ": "UK", "id": "PK", "→": "FK"}
"""What Mermaid calls the marks of columns."""


def _word(text: str) -> str:
    """Return a name as Mermaid takes it: never empty, never beginning with a digit."""
    word = _ODD.sub("_", text).strip("_") if not _WORD.fullmatch(text) else text
    return word if _WORD.fullmatch(word) else f"_{word}"


def _line(link: DrawnLink) -> str:
    near = "}o" if link.many_sources else "|o"
    far = ("o{" if link.optional else "|{") if link.many_targets else "||"
    if link.optional and not link.many_targets:
        far = "o|"
    return f't{link.source} {near}--{far} t{link.target} : "{_quoted(link.name) or " "}"'
