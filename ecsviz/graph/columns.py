"""What is told of every node of a graph, a row for each column.

Frames, exports and the explorer read this table. A new column is a new row.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from ecsviz.basics.order import Ints, Order
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.labels import label_of
from ecsviz.domain.plain_objects import is_plain_class, values_of
from ecsviz.graph.arrays import Parts

LABEL = 40
"""How wide a label may be, in columns: pandas shows 50 of a text."""

F = TypeVar("F", bound=Callable[..., Any])


class Column(NamedTuple):
    """One column of ``nodes_frame``.

    Attributes
    ----------
    name, dtype
        As pandas has them: ``object``, ``category``, ``str``, ``Int64``, ``int64`` or ``bool``.
    says
        What it tells, for the documentation.
    values
        Returns a value per node, in the order of the nodes.
    exported
        Whether it stands in the files of ``ecsviz.export``, too.
    fact
        How the explorer says a value of the node that is selected; None if it does not.
    """

    name: str
    dtype: str
    says: str
    values: Callable[[Parts, Order], Any]
    exported: bool = False
    fact: str | None = None


def _places(parts: Parts, order: Order) -> Ints:
    """Return the place of every node in the topological order, from 0."""
    result: Ints = np.empty(len(parts.nodes), dtype=np.int64)
    result[order.sequence] = np.arange(len(parts.nodes))
    return result


def _ends(ends: Ints, parts: Parts) -> Ints:
    return np.bincount(ends, minlength=len(parts.nodes)).astype(np.int64)


def _version(node: Any) -> int | None:
    if is_entity_class(type(node)):
        version = node.__dict__.get("version")
    elif isinstance(node, (str, type)):
        return None
    elif is_plain_class(type(node)):
        version = values_of(node).get("version")
    else:
        version = getattr(node, "version", None)
    return version if isinstance(version, int) else None


NODE_COLUMNS: Final[Sequence[Column]] = (
    Column(
        "ecs_id",
        "object",
        "the entity's UUID; a class's or table's name.",
        lambda parts, _: parts.ids,
    ),
    Column(
        "type",
        "category",
        "the name of the entity's class.",
        lambda parts, _: parts.types,
    ),
    Column(
        "label",
        "str",
        "a short text for people, without the type; not unique.",
        lambda parts, _: [label_of(node, LABEL, with_type=False) for node in parts.nodes],
    ),
    Column(
        "version",
        "Int64",
        "0 = never stored; NA where there are no versions.",
        lambda parts, _: list(map(_version, parts.nodes)),
    ),
    Column(
        "order",
        "int64",
        "the place in the topological order, 0 = saved first.",
        _places,
        exported=True,
    ),
    Column(
        "generation",
        "int64",
        "0 = depends on nothing outside its own component.",
        lambda _, order: order.generation,
        exported=True,
        fact="generation {:,}",
    ),
    Column(
        "component",
        "int64",
        "its strongly connected component, in topological order.",
        lambda _, order: order.component,
    ),
    Column(
        "in_cycle",
        "bool",
        "whether that component is cyclic.",
        lambda _, order: order.cyclic[order.component],
        exported=True,
    ),
    Column(
        "dependencies",
        "int64",
        "how many references go out. Two references to one entity count twice, as they are two"
        " rows of ``references_frame()``.",
        lambda parts, _: _ends(parts.sources, parts),
    ),
    Column(
        "dependents",
        "int64",
        "how many references come in, counted likewise.",
        lambda parts, _: _ends(parts.targets, parts),
    ),
)

EXPORTED: Final = tuple(column for column in NODE_COLUMNS if column.exported)
"""The columns that stand in the files of ``ecsviz.export``, beside label, type and id."""


def documented(columns: Iterable[Column]) -> Callable[[F], F]:
    """Return a decorator that puts columns in the place of ``{columns}`` in a docstring."""

    def put(function: F) -> F:
        before, found, after = (function.__doc__ or "").partition("{columns}")
        indent = before.rpartition("\n")[2]
        lines = [f"- ``{each.name}`` ({each.dtype}): {each.says}" for each in columns]
        wrapped = (textwrap.fill(line, 88, subsequent_indent=f"{indent}  ") for line in lines)
        function.__doc__ = before + f"\n{indent}".join(wrapped) + after if found else before
        return function

    return put
