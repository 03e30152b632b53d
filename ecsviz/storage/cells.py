"""What a notebook shows of a store: where it is, and how much it holds of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ecsviz.basics import html
from ecsviz.basics.html import Cell, Child, block, element, shown_of
from ecsviz.basics.text import plural
from ecsviz.errors import EcsvizError
from ecsviz.storage.looking import Contents

MAX_LISTED: Final = 30
"""How many types are listed."""


def store_html(kind: str, contents: Callable[[], Contents]) -> str:
    """Return what a store holds as a small table.

    Parameters
    ----------
    kind
        The name of its class.
    contents
        Gives what it holds; an error of ours is shown as a line, never raised: a notebook
        swallows exceptions in what a cell shows.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.ChatThread(title="Cycles"))
    >>> "chat_threads" in store._repr_html_()
    True
    """
    try:
        found = contents()
    except EcsvizError as error:
        head = element("p", element("strong", kind), look="line")
        return str(block(head, element("p", str(error), look="warning")))
    entities = sum(count for _, _, count in found.types)
    head = element(
        "p",
        element("strong", kind),
        f" {found.where}: {entities:,} {'entity' if entities == 1 else 'entities'},"
        f" {found.revisions:,} {plural(found.revisions, 'revision')}",
        look="line",
    )
    children: list[Child] = [head]
    if found.last is not None:
        at, note = found.last
        when = f"last change {at:%Y-%m-%d %H:%M} UTC" + (f": {note}" if note else "")
        children.append(element("p", when, look="note"))
    listed = sorted(found.types, key=lambda item: (-item[2], item[0]))[:MAX_LISTED]
    if listed:
        more = len(listed) < len(found.types)
        note_ = shown_of(len(listed), len(found.types), "types") if more else None
        if all(table is None for _, table, _ in listed):
            rows: list[tuple[Cell, ...]] = [(name, count) for name, _, count in listed]
            children.append(html.table(("type", "entities"), rows, note=note_))
        else:
            children.append(html.table(("type", "table", "entities"), listed, note=note_))
    else:
        children.append(element("p", "Nothing is stored yet.", look="line"))
    return str(block(*children))
