"""What graphs and cycles look like as the output of a notebook's cell: small and calm."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ecsviz import html
from ecsviz.changes import CHANGE_HEADINGS, Migration
from ecsviz.diff import DIFF_COLUMNS, GraphDiff
from ecsviz.html import Child, block, element, shown_of
from ecsviz.plan import HEADINGS, SavePlan

if TYPE_CHECKING:
    from ecsviz.cycles import Cycle, CycleList
    from ecsviz.graph import EntityDependencyGraph

MAX_TYPES: Final = 10
"""How many types are listed, the most frequent first."""
MAX_CYCLES: Final = 5
"""How many cycles a graph shows."""
MAX_LISTED: Final = 20
"""How many cycles a list of cycles shows, as many as its text."""
MAX_STEPS: Final = 30
"""How many steps a save plan shows."""
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
    steps = html.table(HEADINGS, rows, caption=f"Save plan: {plan.summary()}", note=note)
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
    rows = [change.row() for change in migration.changes[:MAX_STEPS]]
    every = len(migration.changes)
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
    caption = f"GraphDiff: {found.summary()}"
    rows = [
        (what, kind, f"…{str(ecs_id)[-6:]}", name, before, after)
        for what, kind, ecs_id, name, before, after in (
            item.row() for item in found.differences[:MAX_STEPS]
        )
    ]
    if not rows:
        return str(block(element("p", caption, look="line")))
    note = shown_of(len(rows), len(found), "differences") if len(rows) < len(found) else None
    return str(block(html.table(DIFF_COLUMNS, rows, caption=caption, note=note)))
