"""The nodes and references of a graph as plain rows, for writers of other formats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.labels import label_of

if TYPE_CHECKING:
    from ecsviz.graph import EntityDependencyGraph

MAX_LABEL: Final = 80
"""Characters of a label: what still reads as one."""

# What a file of text must not hold, or what would change how it reads: control characters, line
# and paragraph separators, halves of surrogate pairs, non-characters, and the marks that turn the
# direction of writing.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe\U0001ffff]"
)


def plain(text: str, limit: int = MAX_LABEL) -> str:
    r"""Return one line of text without control characters.

    Parameters
    ----------
    text
        Any text.
    limit
        Characters, `MAX_LABEL` by default; what is longer ends in ``…``.

    Examples
    --------
    >>> plain("a\n b\x07\u202e"), plain("x" * 10, limit=4)
    ('a b', 'xxx…')
    """
    if len(text) <= limit and text.isprintable():
        return text.strip()
    # Twice the limit is enough to cut from, and keeps a huge text from being worked through.
    line = " ".join(_UNWANTED.sub("", text[: 2 * limit]).split())
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def node_rows(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    """Return a row per node: id, label, type, ecs_id, order, generation, in_cycle."""
    parts, order = graph._parts, graph._order
    position = np.empty(len(parts.nodes), dtype=np.int64)
    position[order.sequence] = np.arange(len(parts.nodes))
    return [
        {
            "id": f"n{number}",
            "label": plain(label_of(node, MAX_LABEL)),
            "type": plain(kind),
            "ecs_id": plain(str(node_id)),
            "order": place,
            "generation": generation,
            "in_cycle": in_cycle,
        }
        for number, (node, kind, node_id, place, generation, in_cycle) in enumerate(
            zip(
                parts.nodes,
                parts.types,
                parts.ids,
                position.tolist(),
                order.generation.tolist(),
                order.cyclic[order.component].tolist(),
                strict=True,
            )
        )
    ]


def edge_rows(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    """Return a row per reference: id, source, target, label, field, deferred, in_cycle."""
    parts, order = graph._parts, graph._order
    result = []
    ends = zip(parts.sources.tolist(), parts.targets.tolist(), strict=True)
    deferred, in_cycle = order.deferred.tolist(), order.in_cycle.tolist()
    for number, (source, target) in enumerate(ends):
        field, path = parts.place_of(number)
        result.append(
            {
                "id": f"e{number}",
                "source": f"n{source}",
                "target": f"n{target}",
                "label": plain(path),
                "field": plain(field),
                "deferred": deferred[number],
                "in_cycle": in_cycle[number],
            }
        )
    return result
