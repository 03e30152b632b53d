"""Graphs of networkx → entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ecsviz.basics.result_frames import objects
from ecsviz.domain.entity_class import derives_from, is_entity_class
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.errors import ImportFormatError, short_repr
from ecsviz.frames.from_frames import from_frames
from ecsviz.frames.input_rows import class_in_row, classes_by_name
from ecsviz.frames.to_frames import CLASS
from ecsviz.graph.dependency_graph import EntityDependencyGraph

if TYPE_CHECKING:
    import networkx as nx

_DERIVED = frozenset({"path", "deferred", "label", "in_cycle"})
"""What our own exports say of an edge besides: it follows from the rest."""


def from_networkx(
    G: nx.DiGraph[Any],  # noqa: N803 - what networkx calls a graph
    classes: Any = None,
    *,
    field: str | None = None,
    validate: bool = True,
    ignore: Iterable[str] = (),
) -> list[Any]:
    """Make the entities that a graph of networkx describes.

    Parameters
    ----------
    G
        Directed; an edge leads from the holder to the held. Attributes of nodes are fields;
        ``class`` (or ``type``) names the class. Edges may have ``field``, ``position`` and
        ``key``, as in the references of `to_frames`.
    classes
        As in `from_frames`; one class is the class of all nodes that name none.
    field
        The holder's field of the edges that name none. By default the only one that can hold
        the target.
    validate
        As in `from_frames`.
    ignore
        Attributes of nodes and edges that are passed over. All others must be known.

    Returns
    -------
    list
        The entities, in the order of the nodes. Where every node carries its entity, as in
        ``graph.to_networkx()``, these very entities.

    Raises
    ------
    ImportFormatError
        If the graph is not directed, or a node or edge does not fit; the message names it.
    UnknownTypeError, BrokenReferenceError, DuplicateIdError, InvalidIdError
        As in `from_frames`.

    Notes
    -----
    A node's ``ecs_id`` is its attribute of that name, or the node itself if it is a UUID, or is
    made from the node and its class, the same in every run. Lists are in the order of the edges.
    O(nodes + edges).

    Examples
    --------
    >>> import ecsviz as ev, networkx as nx
    >>> G = nx.DiGraph([("a", "b"), ("b", "a")])
    >>> nx.set_node_attributes(G, {"a": "Ann", "b": "Bob"}, "name")
    >>> ann, bob = ev.from_networkx(G, ev.samples.Node)
    >>> ann.links[0] is bob, bob.links[0].name
    (True, 'Ann')
    """
    import pandas as pd

    if not G.is_directed():
        raise ImportFormatError(
            "The graph is not directed, so nobody knows who holds whom. Give G.to_directed() for"
            " both directions, or make a networkx.DiGraph.",
            frame="edges",
        )
    data = dict(G.nodes(data=True))
    if data and all(is_entity_class(type(attrs.get("entity"))) for attrs in data.values()):
        return _own_entities(G, [attrs["entity"] for attrs in data.values()])
    passed = frozenset(ignore)
    names = dict.fromkeys(name for attrs in data.values() for name in attrs if name not in passed)
    columns = {n: objects([attrs.get(n) for attrs in data.values()]) for n in names}
    if CLASS not in columns and "type" in columns:
        columns[CLASS] = columns.pop("type")
    keys = list(data)
    if "ecs_id" not in columns:
        columns["id"] = objects(keys)
    nodes = pd.DataFrame(columns, index=pd.RangeIndex(len(keys)))
    table, only = classes_by_name(classes)
    kinds = columns.get(CLASS, [None] * len(keys))
    if only is not None and CLASS in columns:
        nodes[CLASS] = [only.__name__ if kind is None else kind for kind in kinds]
    held = {
        key: only if only is not None and kind is None else class_in_row(kind, table, row)
        for row, (key, kind) in enumerate(zip(keys, kinds, strict=True))
    }
    ids = dict(zip(keys, columns.get("ecs_id", columns.get("id", ())), strict=True))
    edges = _edges(G, held, ids, field, passed)
    return from_frames(nodes, edges, classes, validate=validate)


def _edges(
    G: nx.DiGraph[Any],  # noqa: N803 - what networkx calls a graph
    classes: dict[Any, Any],
    ids: dict[Any, Any],
    field: str | None,
    ignore: frozenset[str],
) -> Any:
    import pandas as pd

    rows = []
    known = {"field", "position", "key", *_DERIVED, *ignore}
    for source, target, data in G.edges(data=True):
        for name in data:
            if name not in known:
                raise _wrong(
                    source,
                    target,
                    f"has an attribute {short_repr(name)}, for which a reference has no place."
                    " Make the edge an entity, or pass it over with ignore=[…]",
                )
        chosen = data.get("field") or field
        if chosen is None:
            chosen = _only_field(source, target, classes[source], classes[target])
        rows.append((ids[source], chosen, data.get("position"), data.get("key"), ids[target]))
    columns = zip(*rows, strict=True) if rows else [()] * 5
    names = ("source", "field", "position", "key", "target")
    made = {n: objects(list(column)) for n, column in zip(names, columns, strict=True)}
    if all(value is None for value in made["position"]):
        del made["position"]
    return pd.DataFrame(made, index=pd.RangeIndex(len(rows)))


def _only_field(source: Any, target: Any, holder: Any, held: Any) -> str:
    """Return the name of the only field of a class that can hold another."""
    fields = [f for f in class_plan(holder).fields if f.shape != Shape.OPAQUE]
    fit = [f for f in fields if _takes(f, held)]
    if len(fit) == 1:
        return fit[0].name
    names = ", ".join(repr(f.name) for f in fit[:5])
    what = f"{holder.__name__} can hold a {held.__name__} in {names or 'no field'}"
    raise _wrong(source, target, f"names no field, and {what}. Give it an attribute 'field'")


def _takes(field: FieldPlan, held: Any) -> bool:
    return any(derives_from(held, cls) for cls in field.targets)


def _wrong(source: Any, target: Any, why: str) -> ImportFormatError:
    place = f"The edge {short_repr(source, 40)} -> {short_repr(target, 40)}"
    return ImportFormatError(f"{place} {why}.", frame="edges", source=source, target=target)


def _own_entities(G: Any, entities: list[Any]) -> list[Any]:  # noqa: N803 - networkx' name
    """Return the entities of our own export, if the graph still says what they hold."""
    graph = EntityDependencyGraph(entities)
    there = Counter((u, v, d.get("path")) for u, v, d in G.edges(data=True))
    here = Counter((r.source.ecs_id, r.target.ecs_id, r.path) for r in graph.references)
    if there != here or len(graph) != len(G):
        (change,) = list((there - here) + (here - there))[:1] or [("", "", "other nodes")]
        raise ImportFormatError(
            f"The nodes carry entities, and the graph does not say what these hold"
            f" ({short_repr(change[2])}). Change the entities, or drop the attribute"
            " 'entity' and give fields.",
            frame="edges",
        )
    return entities
