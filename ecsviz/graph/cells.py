"""What a notebook shows of a graph and of its cycles: counts, types, the first cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ecsviz.basics import html
from ecsviz.basics.html import Child, block, element, shown_of
from ecsviz.basics.text import counted

MAX_TYPES: Final = 10
"""How many types are listed, the most frequent first."""
MAX_CYCLES: Final = 5
"""How many cycles a graph shows."""
MAX_LISTED: Final = 20
"""How many cycles a list of cycles shows, as many as its text."""
SEARCHED: Final = 50_000
"""Up to how many references inside components a graph's cycles are looked for: a cell's output
must not be what one waits for."""


def graph_html(graph: Any) -> str:
    """Return what a graph consists of, as HTML.

    Parameters
    ----------
    graph
        One of entities, classes or tables.

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
    >>> graph = ev.EntityDependencyGraph(thread)
    >>> shown = graph_html(graph)
    >>> "ChatMessage" in shown, "No cycle besides 1 pair" in shown
    (True, True)
    """
    return str(graph_element(graph))


def graph_element(graph: Any) -> html.Element:
    """Return `graph_html` as an element, to stand among others."""
    arrays, ordering, plain = graph.arrays, graph.ordering, graph.without_pairs
    pairs = len(graph.pairs)
    nodes, references = len(arrays.nodes), len(arrays.sources)
    generations = int(ordering.generation.max()) + 1 if nodes else 0
    components, deferred = int(plain.ordering.cyclic.sum()), int(ordering.deferred.sum())
    children: list[Child] = [
        element(
            "p",
            element("strong", "EntityDependencyGraph"),
            f": {counted(nodes, 'node')}, {counted(references, 'reference')},"
            f" {counted(generations, 'generation')}",
            look="line",
        )
    ]
    if nodes:
        counts = Counter(arrays.types)
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_TYPES]
        note = shown_of(len(listed), len(counts), "types") if len(counts) > MAX_TYPES else None
        children.append(html.table(["type", "nodes"], listed, note=note))
    if not components:
        children.append(element("p", _besides("No cycle", pairs), look="line"))
        return block(*children)
    inside = int(plain.ordering.in_cycle.sum())
    told = f"{counted(components, 'cyclic component')} with {counted(inside, 'reference')}"
    if pairs:
        told = _besides(told, pairs)
    else:
        told += f", of which {deferred:,} {'is' if deferred == 1 else 'are'} deferred."
    children.append(element("p", told, look="line"))
    if inside <= SEARCHED:
        cycles = plain.get_cycles(limit=MAX_CYCLES, seconds=0.5)
        children.append(_cycles_list(cycles))
        if not cycles.complete:
            note = f"the first {len(cycles)}, shortest first; get_cycles() lists more"
            children.append(element("p", note, look="note"))
    else:
        children.append(element("p", "get_cycles() lists them.", look="note"))
    return block(*children)


def _besides(told: str, pairs: int) -> str:
    if not pairs:
        return f"{told}."
    said = "a list and a back-reference" if pairs == 1 else "lists and back-references"
    return f"{told} besides {counted(pairs, 'pair')} of {said}."


def cycles_html(cycles: Sequence[Any]) -> str:
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
    count = counted(len(cycles), "cycle") if cycles else "No cycle"
    more = f" listed, shortest first; there are more: {reason}" if reason else ""
    children: list[Child] = [element("p", element("strong", count), f"{more}.", look="line")]
    if shown:
        children.append(_cycles_list(shown))
    if len(shown) < len(cycles):
        children.append(element("p", shown_of(len(shown), len(cycles), "cycles"), look="note"))
    return str(block(*children))


def _cycles_list(cycles: Sequence[Any]) -> html.Element:
    items = (element("li", cycle.named(), look="code") for cycle in cycles)
    return element("ol", *items, look="list")
