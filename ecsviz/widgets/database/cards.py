"""The tables of a database as cards, and lines between columns: where each stands, in pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ecsviz.basics.text import counted, plain
from ecsviz.domain.labels import text_width
from ecsviz.draw.tables import Box, DrawnColumn, DrawnSchema
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.layout.cards import CardEnds, lay_cards
from ecsviz.widgets.store.explorer import NAME

MOST: Final = 120
"""How many tables are shown: those with the most keys."""
MOST_COLUMNS: Final = 18
"""How many columns of a table are shown, the keys first."""
PAGE: Final = (1_060.0, 900.0)
"""What is filled before a page is scrolled, in pixels."""
_INCH: Final = 96.0
"""The layout counts in inches."""
_HEAD: Final = 30.0
_ROW: Final = 20.0
_BELOW: Final = 6.0
_LETTER: Final = 7.3
"""How wide a letter is, of any font; what is wider is cut off."""
_MARK: Final = 17.0
_ROOM: Final = 34.0


def cards_of(
    schema: DrawnSchema, graph: EntityDependencyGraph, counts: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """Return the cards of tables and the lines of their keys, as the page takes them.

    Parameters
    ----------
    schema
        The tables.
    graph
        The same as a graph, each by its name.
    counts
        Table → its number in the list of the page, and how many rows it has.
    """
    busy = Counter(end for link in schema.links for end in (link.source, link.target))
    kept = sorted(sorted(range(len(schema.boxes)), key=lambda n: -busy[n])[:MOST])
    place = {number: at for at, number in enumerate(kept)}
    links = [link for link in schema.links if link.source in place and link.target in place]
    boxes = [schema.boxes[number] for number in kept]
    shown = [_columns(box) for box in boxes]
    rows = [{column.name: n for n, column in enumerate(columns)} for columns in shown]
    ordering = graph.ordering
    node = {str(name): n for n, name in enumerate(graph.arrays.nodes)}
    component = {box.name: int(ordering.component[node[box.name]]) for box in boxes}
    generation = np.array([ordering.generation[node[box.name]] for box in boxes], dtype=np.int64)
    layout = lay_cards(
        np.array([_size(box, columns) for box, columns in zip(boxes, shown, strict=True)]) / _INCH
        if boxes
        else np.zeros((0, 2)),
        CardEnds(
            np.array([place[link.source] for link in links], dtype=np.int64),
            np.array([place[link.target] for link in links], dtype=np.int64),
            np.array([_below(rows[place[k.source]], k.source_columns) for k in links]),
            np.array([_below(rows[place[k.target]], k.target_columns) for k in links]),
        ),
        generation.max(initial=0) - generation,
        (PAGE[0] / _INCH, PAGE[1] / _INCH),
    )
    left, bottom, right, top = layout.bounds
    leads: dict[tuple[int, str], int] = {}
    for link in links:
        for name in link.source_columns:
            leads.setdefault((place[link.source], name), place[link.target])
    return {
        "width": _pixels(right - left),
        "height": _pixels(top - bottom),
        "boxes": [
            {
                "n": counts[box.name][0],
                "name": plain(box.name, 60),
                "listed": plain(box.name, NAME),
                "table": box.name,
                "rows": counts[box.name][1],
                "cyclic": bool(ordering.cyclic[component[box.name]]),
                "x": _pixels(layout.left[at] - left),
                "y": _pixels(top - layout.top[at]),
                "width": _size(box, columns)[0],
                "marks": _marks(columns),
                "columns": [
                    {
                        "mark": column.mark,
                        "name": plain(column.name, 60),
                        "kind": plain(column.kind, 24) + "?" * column.optional,
                        "leads": leads.get((at, column.name)),
                    }
                    for column in columns
                ],
                "more": len(box.columns) - len(columns),
            }
            for at, (box, columns) in enumerate(zip(boxes, shown, strict=True))
        ],
        "lines": [
            {
                "source": place[link.source],
                "target": place[link.target],
                "many": link.many_sources,
                "cyclic": component[schema.boxes[link.source].name]
                == component[schema.boxes[link.target].name],
                "points": [[_pixels(x - left), _pixels(top - y)] for x, y in line.tolist()],
            }
            for link, line in zip(links, layout.lines, strict=True)
        ],
        "said": _said(schema, len(boxes), ordering),
    }


def _said(schema: DrawnSchema, shown: int, ordering: Any) -> str:
    cyclic = int(ordering.cyclic.sum())
    cycles = counted(cyclic, "cyclic component") if cyclic else "no cycle"
    told = f"{counted(len(schema.boxes), 'table')}, {counted(len(schema.links), 'key')}, {cycles}."
    if shown < len(schema.boxes):
        told += f" Shown are the {shown} with the most keys."
    return f"{told} A key leads to its table; choose a table to see its rows. {schema.note}".strip()


def _columns(box: Box) -> list[DrawnColumn]:
    keys = [column for column in box.columns if column.mark][:MOST_COLUMNS]
    rest = [column for column in box.columns if not column.mark]
    kept = {id(column) for column in keys + rest[: MOST_COLUMNS - len(keys)]}
    return [column for column in box.columns if id(column) in kept]


def _size(box: Box, columns: list[DrawnColumn]) -> tuple[float, float]:
    names = max((text_width(column.name) for column in columns), default=0)
    kinds = max((text_width(column.kind[:24]) + 1 for column in columns), default=0)
    wide = max(text_width(box.name) + 8, names + kinds) * _LETTER + _ROOM
    count = len(columns) + (len(box.columns) > len(columns))
    return float(round(min(wide + _marks(columns), 420.0))), _HEAD + _ROW * count + _BELOW


def _marks(columns: list[DrawnColumn]) -> float:
    return max((len(column.mark.split()) for column in columns), default=0) * _MARK


def _below(rows: Mapping[str, int], columns: tuple[str, ...]) -> float:
    """Return how far below the top of a card a line to some columns ends."""
    found = [rows[name] for name in columns if name in rows]
    if not found:
        return _HEAD / 2 / _INCH
    return (_HEAD + _ROW * (sum(found) / len(found) + 0.5)) / _INCH


def _pixels(inches: float) -> float:
    return round(float(inches) * _INCH, 1)
