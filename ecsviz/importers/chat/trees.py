"""The order of a tree that a file tells by parents, by children, or by both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ecsviz.errors import short_repr
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread
from ecsviz.importers.chat.json_text import free_name

Tell = Callable[[str | None, str, str], None]
"""Called with a node's id, what could not be placed, and why."""


@dataclass(slots=True)
class Node:
    """A message, its id in the source, and the id of what it answers."""

    id: str | None
    parent: str | None
    message: DraftMessage


def arrange(
    ids: Sequence[str],
    parents: Mapping[str, str],
    children: Mapping[str, Sequence[str]],
    tell: Tell,
) -> list[tuple[str, str | None]]:
    """Return each node and its parent: parents before children, siblings in source order.

    Parameters
    ----------
    ids
        The nodes, each once, in the order of the source.
    parents
        What a node says about its parent. Where it says nothing, `children` decides.
    children
        What a node says about its children: which, and in what order.
    tell
        Told about parents and children that are not there, that disagree, or that form a cycle.
        Such a node is kept: under the parent that it names, or else as a root.

    Notes
    -----
    O(nodes and links). Of a cycle, the node that comes first in `ids` becomes a root.

    Examples
    --------
    >>> arrange(["a", "b", "c"], {"b": "c", "c": "a"}, {}, print)
    [('a', None), ('c', 'a'), ('b', 'c')]
    >>> arrange(["a", "b"], {"a": "b", "b": "a"}, {}, print)
    a parent 'b' closes a cycle of parents; the message is kept as a root
    [('a', None), ('b', 'a')]
    """
    found = _as_told(ids, parents, children)
    if found is not None:
        return found
    parent = _parents(ids, parents, children, tell)
    for node in _cycle_starts(ids, parent):
        tell(
            node,
            f"parent {short_repr(parent.pop(node))}",
            "closes a cycle of parents; the message is kept as a root",
        )
    kids: dict[str, dict[str, None]] = {node: {} for node in ids}
    for node in ids:  # as listed by the parent...
        for kid in children.get(node, ()):
            if parent.get(kid) == node:
                kids[node][kid] = None
    for node in ids:  # ... then as they come
        if node in parent:
            kids[parent[node]][node] = None
    order: list[tuple[str, str | None]] = []
    todo = [node for node in reversed(ids) if node not in parent]
    while todo:
        node = todo.pop()
        order.append((node, parent.get(node)))
        todo.extend(reversed(kids[node]))
    return order


def _as_told(
    ids: Sequence[str], parents: Mapping[str, str], children: Mapping[str, Sequence[str]]
) -> list[tuple[str, str | None]] | None:
    """Return the order where parents and children agree on all, as they nearly always do."""
    order: list[tuple[str, str | None]] = []
    todo = [node for node in reversed(ids) if node not in parents]
    while todo:
        node = todo.pop()
        order.append((node, parents.get(node)))
        kids = children.get(node, ())
        if len(kids) > 1:
            if len(set(kids)) < len(kids):
                return None
            kids = kids[::-1]
        for kid in kids:
            if parents.get(kid) != node:
                return None
            todo.append(kid)
    return order if len(order) == len(ids) else None


def _parents(
    ids: Sequence[str],
    parents: Mapping[str, str],
    children: Mapping[str, Sequence[str]],
    tell: Tell,
) -> dict[str, str]:
    known = set(ids)
    claims: dict[str, list[str]] = {}
    for node in ids:
        for kid in children.get(node, ()):
            if kid in known:
                claims.setdefault(kid, []).append(node)
            else:
                tell(node, f"child {short_repr(kid)}", "not in the file")
    found: dict[str, str] = {}
    for node in ids:
        given, claimed = parents.get(node), claims.get(node, [])
        if given in known:
            found[node] = given
        elif claimed:
            found[node] = claimed[0]
        if given is not None and given not in known:
            instead = "under the message that lists it" if claimed else "as a root"
            tell(node, f"parent {short_repr(given)}", f"not in the file; kept {instead}")
        for other in claimed:
            if other != found[node]:
                why = f"is kept under its parent {short_repr(found[node])}"
                tell(other, f"child {short_repr(node)}", why)
        if claimed.count(found.get(node, "")) > 1:
            tell(found[node], f"child {short_repr(node)}", "listed more than once; kept once")
    return found


def _cycle_starts(ids: Sequence[str], parent: Mapping[str, str]) -> list[str]:
    """Return one node of each cycle, the first in `ids`."""
    position = {node: number for number, node in enumerate(ids)}
    walk_of: dict[str, int] = {}
    starts: list[str] = []
    for walk, start in enumerate(ids):
        node: str | None = start
        while node is not None and node not in walk_of:
            walk_of[node] = walk
            node = parent.get(node)
        if node is not None and walk_of[node] == walk:
            cycle = [node]
            while (step := parent[cycle[-1]]) != node:
                cycle.append(step)
            starts.append(min(cycle, key=position.__getitem__))
    return starts


def grow(draft: DraftThread, nodes: Sequence[Node], parent_key: str = "parent") -> None:
    """Append messages to a draft, with the links that their parents' ids tell.

    Parameters
    ----------
    draft
        The thread.
    nodes
        The messages in the order of the source; it is kept where every parent comes before its
        answers, else they stand as `arrange` has them.
    parent_key
        Under which name a parent that could not be placed is kept in the metadata.

    Notes
    -----
    A message whose id was used before is kept; its answers are linked to the first.

    Examples
    --------
    >>> from ecsviz.importers.chat.drafts import DraftMessage
    >>> draft = DraftThread()
    >>> grow(
    ...     draft,
    ...     [
    ...         Node("a", None, DraftMessage(role="user", id="a")),
    ...         Node("b", "a", DraftMessage(role="assistant", id="b")),
    ...     ],
    ... )
    >>> [(message.id, message.parent) for message in draft.messages]
    [('a', None), ('b', 0)]
    """
    by_key: dict[str, Node] = {}
    used: dict[str, int] = {}
    for node in nodes:
        by_key[free_name(by_key, node.id or f"#{len(by_key) + 1}", used)] = node
    parents = {key: node.parent for key, node in by_key.items() if node.parent is not None}
    told: list[tuple[str | None, str, str]] = []
    order = arrange(list(by_key), parents, {}, lambda *problem: told.append(problem))
    for key, what, why in told:
        if key is not None:
            node = by_key[key]
            draft.tell(node.id, what, why)
            rest = node.message.metadata
            rest[free_name(rest, parent_key)] = node.parent
    above = dict(order)
    place = {key: number for number, key in enumerate(by_key)}
    if all(up is None or place[up] < place[key] for key, up in order):
        order = [(key, above[key]) for key in by_key]
    start = len(draft.messages)
    at: dict[str, int] = {}
    for number, (key, up) in enumerate(order, start):
        at[key] = number
        message = by_key[key].message
        message.parent = None if up is None else at[up]
        draft.messages.append(message)
