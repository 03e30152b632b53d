"""What entities, graphs, stores and plans look like as the output of a cell: small and calm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ecsviz import html
from ecsviz.changes import CHANGE_HEADINGS, Migration
from ecsviz.diff import DIFF_COLUMNS, GraphDiff
from ecsviz.errors import EcsvizError, short_repr
from ecsviz.fields import OWN_FIELDS
from ecsviz.html import Cell, Child, block, element, readable, shown_of
from ecsviz.identity import is_entity_class
from ecsviz.labels import label_of
from ecsviz.plan import HEADINGS, SavePlan
from ecsviz.protocol import Contents
from ecsviz.state import is_placeholder

if TYPE_CHECKING:
    from ecsviz.cycles import Cycle, CycleList
    from ecsviz.graph import EntityDependencyGraph
    from ecsviz.importers import ChatImport

MAX_TYPES: Final = 10
"""How many types are listed, the most frequent first."""
MAX_CYCLES: Final = 5
"""How many cycles a graph shows."""
MAX_LISTED: Final = 20
"""How many cycles a list of cycles shows, as many as its text."""
MAX_STEPS: Final = 30
"""How many steps a save plan shows."""
MAX_FIELDS: Final = 40
"""How many fields of an entity are shown."""
MAX_ITEMS: Final = 5
"""How many items of a field's list."""
MAX_VALUE: Final = 300
"""How many characters of a text."""
MAX_THREADS: Final = 12
"""How many threads and problems of an import are listed."""
SEARCHED: Final = 50_000
"""Up to how many references inside components a graph's cycles are looked for: a cell's output
must not be what one waits for."""


def graph_html(graph: EntityDependencyGraph) -> str:
    """Return what a graph consists of, as HTML.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    str
        Counts, types, generations, cyclic components, and the first cycles.

    Notes
    -----
    O(nodes + references), once for the order and once for counting types. The search for cycles
    is bounded in time and not begun above `SEARCHED` references.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> shown = graph_html(ev.EntityDependencyGraph(thread))
    >>> "ChatMessage" in shown, "messages[0]" in shown
    (True, True)
    """
    return str(graph_element(graph))


def graph_element(graph: EntityDependencyGraph) -> html.Element:
    """Return `graph_html` as an element, to stand among others."""
    parts, order = graph._parts, graph._order
    nodes, references = len(parts.nodes), len(parts.sources)
    generations = int(order.generation.max()) + 1 if nodes else 0
    components, deferred = int(order.cyclic.sum()), int(order.deferred.sum())
    children: list[Child] = [
        element(
            "p",
            element("strong", "EntityDependencyGraph"),
            f": {nodes:,} {_plural(nodes, 'node')}, {references:,}"
            f" {_plural(references, 'reference')}, {generations:,}"
            f" {_plural(generations, 'generation')}",
            look="line",
        )
    ]
    if nodes:
        counts = Counter(parts.types)
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_TYPES]
        note = shown_of(len(listed), len(counts), "types") if len(counts) > MAX_TYPES else None
        children.append(html.table(["type", "nodes"], listed, note=note))
    if not components:
        children.append(element("p", "No cycle.", look="line"))
        return block(*children)
    inside = int(order.in_cycle.sum())
    told = (
        f"{components:,} cyclic {_plural(components, 'component')} with {inside:,}"
        f" {_plural(inside, 'reference')}, of which {deferred:,}"
        f" {'is' if deferred == 1 else 'are'} deferred."
    )
    children.append(element("p", told, look="line"))
    if inside <= SEARCHED:
        cycles = graph.get_cycles(limit=MAX_CYCLES, seconds=0.5)
        children.append(_cycles_list(cycles))
        if not cycles.complete:
            note = f"the first {len(cycles)}, shortest first; get_cycles() lists more"
            children.append(element("p", note, look="note"))
    else:
        children.append(element("p", "get_cycles() lists them.", look="note"))
    return block(*children)


def cycles_html(cycles: CycleList | list[Cycle]) -> str:
    """Return a list of cycles as HTML.

    Parameters
    ----------
    cycles
        What ``graph.get_cycles()`` gave.

    Returns
    -------
    str
        The first `MAX_LISTED`, and how many there are.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> "1 cycle" in cycles_html(ev.EntityDependencyGraph(thread).get_cycles())
    True
    """
    shown = cycles[:MAX_LISTED]
    reason = getattr(cycles, "reason", "")
    count = f"{len(cycles):,} {_plural(len(cycles), 'cycle')}" if cycles else "No cycle"
    more = f" listed, shortest first; there are more: {reason}" if reason else ""
    children: list[Child] = [element("p", element("strong", count), f"{more}.", look="line")]
    if shown:
        children.append(_cycles_list(shown))
    if len(shown) < len(cycles):
        children.append(element("p", shown_of(len(shown), len(cycles), "cycles"), look="note"))
    return str(block(*children))


def _cycles_list(cycles: list[Cycle]) -> html.Element:
    items = (element("li", repr(cycle), look="code") for cycle in cycles)
    return element("ol", *items, look="list")


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def plan_html(plan: SavePlan) -> str:
    """Return a save plan as a small table.

    Parameters
    ----------
    plan
        A plan, of `explain`.

    Examples
    --------
    >>> import ecsviz as ev
    >>> text = plan_html(ev.SQLAlchemyEntityStorage(":memory:").explain(ev.ChatThread()))
    >>> "INSERT INTO chat_threads" in text
    True
    """
    rows = [
        (number, step.what, step.table, step.rows or None, step.statement)
        for number, step in enumerate(plan.steps[:MAX_STEPS], 1)
    ]
    note = shown_of(len(rows), len(plan.steps), "steps") if len(rows) < len(plan.steps) else None
    caption = f"Save plan: {plan.summary()}"
    steps = html.table(HEADINGS, rows, caption=caption, note=note)
    if not rows:
        steps = element("p", caption, look="line")
    return str(block(steps, *(element("p", line, look="note") for line in plan.notes())))


def migration_html(migration: Migration) -> str:
    """Return a migration as a small table.

    Parameters
    ----------
    migration
        What `migrate` gave.

    Examples
    --------
    >>> from ecsviz.changes import Change, Migration
    >>> text = migration_html(Migration([Change("Page", "number", "added", "", "BIGINT")]))
    >>> "not applied" in text, "number" in text
    (True, True)
    """
    rows = migration.rows()[:MAX_STEPS]
    every = len(migration.rows())
    note = shown_of(len(rows), every, "changes") if len(rows) < every else None
    caption = f"Migration: {migration.summary()}"
    if not rows:
        return str(block(element("p", caption, look="line")))
    return str(block(html.table(CHANGE_HEADINGS, rows, caption=caption, note=note)))


def diff_html(found: GraphDiff) -> str:
    """Return what differs between two states as a small table.

    Parameters
    ----------
    found
        What `diff` gave.

    Examples
    --------
    >>> import ecsviz as ev
    >>> "added" in diff_html(ev.diff([], [ev.ChatThread(title="Cycles")]))
    True
    """
    return str(diff_element(found))


def diff_element(found: GraphDiff) -> html.Element:
    """Return `diff_html` as an element, to stand among others."""
    caption = f"GraphDiff: {found.summary()}"
    rows = [
        (what, kind, f"…{str(ecs_id)[-6:]}", name, before, after)
        for what, kind, ecs_id, name, before, after in (
            item.row() for item in found.differences[:MAX_STEPS]
        )
    ]
    if not rows:
        return block(element("p", caption, look="line"))
    note = shown_of(len(rows), len(found), "differences") if len(rows) < len(found) else None
    return block(html.table(DIFF_COLUMNS, rows, caption=caption, note=note))


# -- entities --------------------------------------------------------------------------------


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


# -- stores and imports ----------------------------------------------------------------------


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
        f" {found.revisions:,} {_plural(found.revisions, 'revision')}",
        look="line",
    )
    children: list[Child] = [head]
    if found.last is not None:
        at, note = found.last
        when = f"last change {at:%Y-%m-%d %H:%M} UTC" + (f": {note}" if note else "")
        children.append(element("p", when, look="note"))
    listed = sorted(found.types, key=lambda item: (-item[2], item[0]))[:MAX_STEPS]
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


def import_html(found: ChatImport) -> str:
    """Return the threads of an import, and what could not be placed, as small tables.

    Parameters
    ----------
    found
        What ``ev.read_chat`` gave.

    Examples
    --------
    >>> import ecsviz as ev
    >>> shown = import_html(ev.read_chat(ev.samples.sample_file("export")))
    >>> "2 threads" in shown
    True
    """
    rows = [
        (
            thread.title or "(no title)",
            len(thread.messages),
            len(thread.leaves()),
            f"{thread.created_at:%Y-%m-%d}" if thread.created_at else None,
        )
        for thread in found[:MAX_THREADS]
    ]
    more = len(rows) < len(found)
    children: list[Child] = [element("p", repr(found).strip("<>"), look="title")]
    if rows:
        note = shown_of(len(rows), len(found), "threads") if more else None
        children.append(html.table(("thread", "messages", "branches", "begun"), rows, note=note))
    if found.problems:
        listed = [
            (problem.thread, problem.node, problem.what, problem.why)
            for problem in found.problems[:MAX_THREADS]
        ]
        some = len(listed) < len(found.problems)
        note = shown_of(len(listed), len(found.problems), "problems") if some else None
        headings = ("thread", "message", "what could not be placed", "why")
        children.append(html.table(headings, listed, note=note))
    return str(block(*children))
