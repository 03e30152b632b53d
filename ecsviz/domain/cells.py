"""What a notebook shows of an entity, and of a list of them: a small, calm table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, time
from itertools import islice
from typing import Any, Final

from ecsviz.basics import html
from ecsviz.basics.html import Cell, Child, block, element, readable, shown_of
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.domain.labels import label_of
from ecsviz.domain.objects import is_placeholder
from ecsviz.errors import short_repr

MAX_FIELDS: Final = 40
"""How many fields of an entity are shown."""
MAX_ITEMS: Final = 5
"""How many items of a field's list."""
MAX_VALUE: Final = 300
"""How many characters of a text."""
ROWS: Final = 20
"""How many entities of a list are shown: what fits a screen."""
COLUMNS: Final = 12
"""How many of their fields."""
WIDTH: Final = 80
"""How many characters of a text stand in a row of many."""


def entities_html(entities: list[Any]) -> str | None:
    """Return a list of entities as one table; None for any other list.

    Parameters
    ----------
    entities
        A list. The first rows are shown, with the fields of all of their classes; what is not
        loaded is not loaded by being shown.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> "hello" in entities_html([thread, message]), entities_html([1, 2]), entities_html([])
    (True, None, None)
    """
    if not entities or not all(is_entity_class(kind) for kind in set(map(type, entities))):
        return None
    shown = entities[:ROWS]
    fields: dict[str, None] = {}
    kinds: list[Any] = list(dict.fromkeys(map(type, shown)))
    for kind in kinds:
        own = (name for name, info in kind.model_fields.items() if info.repr)
        fields.update(dict.fromkeys(name for name in own if name not in OWN_FIELDS))
    names = list(fields)[:COLUMNS]
    rows: list[tuple[Cell, ...]] = []
    for entity in shown:
        state = entity.__dict__
        values = [_in_row(state[name]) if name in state else "" for name in names]
        rows.append((type(entity).__name__, *values, f"…{str(state.get('ecs_id'))[-6:]}"))
    notes = []
    if len(shown) < len(entities):
        notes.append(shown_of(len(shown), len(entities), "entities"))
    if len(names) < len(fields):
        notes.append(shown_of(len(names), len(fields), "fields"))
    counts = Counter(type(entity).__name__ for entity in entities)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.most_common(MAX_ITEMS))
    head = element("p", element("strong", told), look="line")
    listed = html.table(("type", *names, "ecs_id"), rows, note="; ".join(notes) or None)
    return str(block(head, listed))


def _in_row(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value if value is None else readable(str.__str__(value), WIDTH)
    return str(value) if isinstance(value, (date, time)) else _item(value)


def show_lists() -> None:
    """Have IPython show lists of entities as tables, unless somebody has said how to show lists."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "text/html" in formatters and list not in formatters["text/html"].type_printers:
        formatters["text/html"].for_type(list, entities_html)


def entity_html(entity: Any) -> str:
    """Return an entity's fields as a small table.

    Parameters
    ----------
    entity
        An entity, or a placeholder of one that was not loaded.

    Notes
    -----
    What it holds is named, never shown in turn, and properties are not evaluated. O(fields),
    whatever hangs on it.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> shown = entity_html(message)
    >>> "ChatThread Cycles" in shown, "hello" in shown
    (True, True)
    """
    state = entity.__dict__
    kind, ecs_id = type(entity).__name__, str(state.get("ecs_id"))
    head: list[Child] = [
        element("strong", kind),
        " ",
        element("span", f"…{ecs_id[-6:]}", look="muted", title=f"ecs_id {ecs_id}"),
    ]
    if is_placeholder(entity):
        return str(block(element("p", *head, ": not loaded", look="line")))
    version = state.get("version") or 0
    told = f", version {version:,}" if version else ", not stored yet"
    if state.get("parent_id") is not None:
        told += f", forked from …{str(state['parent_id'])[-6:]}"
    names = [
        name
        for name, info in type(entity).model_fields.items()
        if name not in OWN_FIELDS and info.repr and name in state
    ]
    values = [(name, state[name]) for name in names]
    values += list((getattr(entity, "__pydantic_extra__", None) or {}).items())
    rows = [(str(name), _value(value)) for name, value in values[:MAX_FIELDS]]
    note = shown_of(len(rows), len(values), "fields") if len(rows) < len(values) else None
    children: list[Child] = [element("p", *head, told, look="line")]
    if rows:
        children.append(html.table(("field", "value"), rows, note=note))
    return str(block(*children))


def _value(value: Any) -> Cell:
    """Return a field's value: named if it is an entity, the first few of several."""
    if value is None or isinstance(value, str):
        return value if value is None else readable(str.__str__(value), MAX_VALUE)
    if is_entity_class(type(value)):
        return _named(value)
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return _several(value)
    if isinstance(value, (date, time)):
        return str(value)
    # As text: a year is no sum of money, to be written with a comma.
    return short_repr(value, MAX_VALUE)


def _named(entity: Any) -> str:
    name = type(entity).__name__ if is_placeholder(entity) else label_of(entity, 60)
    return f"{name} …{str(entity.__dict__.get('ecs_id'))[-6:]}"


def _several(values: Any) -> Cell:
    if not values:
        return f"empty {type(values).__name__}"
    items: list[Child] = []
    for item in islice(values, MAX_ITEMS):
        text = _item(item)
        if isinstance(values, Mapping):
            text = f"{short_repr(item, 40)}: {_item(values[item])}"
        items.append(element("li", text))
    ordered = isinstance(values, Sequence)
    tag, start = ("ol", 0) if ordered else ("ul", None)
    listed = element(tag, *items, look="items", start=start)
    if len(values) <= MAX_ITEMS:
        return listed
    return element("div", listed, element("p", f"… {len(values) - MAX_ITEMS:,} more", look="note"))


def _item(item: Any) -> str:
    if is_entity_class(type(item)):
        return _named(item)
    if isinstance(item, (list, tuple, set, frozenset, Mapping)):
        return f"<{type(item).__name__} of {len(item):,}>"
    return short_repr(item, 80)
