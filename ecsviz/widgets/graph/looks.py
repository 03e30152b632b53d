"""How the explorer's elements look: colours and sizes by what a reader chooses, and the legend."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from ecsviz.basics.arguments import text_or_none
from ecsviz.basics.order import Ints
from ecsviz.basics.text import plain
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.domain.plain_objects import values_of
from ecsviz.draw.palette import MARKERS, PALETTE
from ecsviz.draw.picture import BUILT_IN, values_by
from ecsviz.draw.style import OTHER, Category, Ramp, categories, hex_of, is_number, on_ground
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.layout import DrawingOptionError
from ecsviz.layout.grid import Floats
from ecsviz.layout.maps import colors_of, map_of
from ecsviz.widgets.graph.scene import Scene

SHAPES: Final = dict(
    zip(MARKERS, ("circle", "square", "up", "diamond", "down", "plus", "cross"), strict=True)
)
FIELDS: Final = 60
"""So many fields are offered to colour by."""
LOOKED_AT: Final = 20
"""Of so many nodes of a type it is looked what their fields hold."""
HUBS_TOLD: Final = "size: degree"
HUB_POWER: Final = 0.35
GROWN: Final = (0.55, 1.9)
"""How many times as large as usual marks are, and by what hubs are larger: see ``grown`` in
``js/graph/scene.js``, and ``draw.maps``."""
LONGEST: Final = 80
"""Longer texts are no kinds of anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """Colours and marks by the type of nodes, or by something else, as in their picture.

    Attributes
    ----------
    codes
        Shape (nodes,): the entry of every node.
    entries
        Per entry its name, mark, colours on light and on dark ground, and number of nodes.
        Those of a scale of numbers, and of communities, have no name.
    told
        What the entries without names stand for.
    bar
        Whether they are a scale.
    """

    codes: Ints
    entries: list[dict[str, Any]]
    told: str = ""
    bar: bool = False

    @property
    def look(self) -> dict[str, Any]:
        """What a page is told of it."""
        return {"legend": self.entries, "told": self.told, "bar": self.bar}


def legend_of(graph: EntityDependencyGraph, color_by: str = "type") -> Legend:
    """Return the colours and marks of a graph's nodes: those of its picture.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("thread"))
    >>> [entry["name"] for entry in legend_of(graph, "role").entries]
    ['assistant', 'no role', 'user']
    """
    values = graph.arrays.types if color_by == "type" else values_by(graph, color_by)
    none = "none" if color_by in BUILT_IN else f"no {color_by}"
    codes, light = categories(values, none=none)
    _, dark = categories(values, none=none, dark=True)
    told = ""
    if isinstance(light, Ramp):
        told = f"{plain(color_by, 32)}: {light.low:,.6g} to {light.high:,.6g}"
    return Legend(codes, _entries(light, dark, codes), told, bool(told))


def communities_of(graph: EntityDependencyGraph) -> Legend:
    """Return the colours of a map's communities, whose titles stand on it."""
    found = map_of(graph)
    count = len(found.titles)
    colors = [*(PALETTE[k] for k in colors_of(found, len(PALETTE)).tolist()), OTHER]
    light, dark = (
        [Category("", on_ground(color, ground), MARKERS[0]) for color in colors]
        for ground in (False, True)
    )
    codes = np.minimum(found.community, count)
    largest = f"{count} largest " if int(found.community.max(initial=-1)) >= count else f"{count} "
    told = f"{largest}communities have colours"
    if count > len(PALETTE):
        told += f", {len(PALETTE)} in all"
    return Legend(codes, _entries(light, dark, codes), told)


def _entries(light: list[Category], dark: list[Category], codes: Ints) -> list[dict[str, Any]]:
    counts = np.bincount(codes, minlength=len(light)).tolist()
    return [
        {
            "name": kind.name,
            "shape": SHAPES[kind.marker],
            "light": hex_of(kind.color),
            "dark": hex_of(other.color),
            "count": count,
        }
        for kind, other, count in zip(light, dark, counts, strict=True)
    ]


def shares_of(graph: EntityDependencyGraph, size_by: str) -> tuple[Floats, str]:
    """Return how large each node is, from 0 to 1 and NaN for none, and what that stands for.

    Raises
    ------
    InvalidArgumentError
        If no node has a number there.

    Examples
    --------
    >>> import ecsviz as ev
    >>> shares, told = shares_of(ev.EntityDependencyGraph(ev.sample("chain", n=3)), "degree")
    >>> shares.tolist(), told
    ([0.0, 1.0, 0.0], 'size: degree, 1 to 2')
    """
    numbers = np.array(
        [
            float(value) if is_number(value) and math.isfinite(value) else math.nan
            for value in values_by(graph, size_by, "size_by")
        ]
    )
    there = np.isfinite(numbers)
    if not there.any():
        raise InvalidArgumentError(
            f"size_by={short_repr(size_by)} gives no numbers. Give 'degree', 'generation' or a"
            " field that holds numbers, or None.",
            value=size_by,
        )
    low, high = float(numbers[there].min()), float(numbers[there].max())
    told = f"size: {plain(size_by, 32)}, {low:,.6g} to {high:,.6g}"
    if high == low:
        return np.where(there, 0.5, math.nan), told
    return (numbers / 2 - low / 2) / (high / 2 - low / 2), told  # halves: of all there are


class Looks:
    """What a reader has chosen to colour and to size by, of one graph.

    Parameters
    ----------
    graph
        Of any size.
    steps
        Shape (nodes,): the place of each in the order.
    """

    def __init__(self, graph: EntityDependencyGraph, steps: Ints) -> None:
        self.graph, self._steps = graph, steps
        self._colours = "type", legend_of(graph)
        self._shares: tuple[str | None, Floats, str] = None, np.zeros(0), ""

    def legend(self, color_by: str) -> Legend:
        """Return the legend of what is coloured by, made once in a row."""
        if self._colours[0] != color_by:
            self._colours = color_by, legend_of(self.graph, color_by)
        return self._colours[1]

    def sizes(self, size_by: str | None) -> tuple[Floats, str]:
        """Return how large nodes are, and what that stands for; nothing where they are alike."""
        if self._shares[0] != size_by:
            found = (np.zeros(0), "") if size_by is None else shares_of(self.graph, size_by)
            self._shares = size_by, *found
        return self._shares[1:]

    def check(self, option: str, by: object) -> None:
        """Raise an error if nothing can be coloured, or sized, by this."""
        try:
            if option == "size_by":
                self.sizes(text_or_none(by, option))
            elif isinstance(by, str):
                self.legend(by)
            else:
                raise InvalidArgumentError(
                    f"color_by is {short_repr(by)}. Give a field's name, or 'type'.", value=by
                )
        except DrawingOptionError as err:
            raise InvalidArgumentError(str(err), value=by) from None

    def knows(self, option: str, by: str | None) -> bool:
        """Tell whether something can be coloured, or sized, by this."""
        try:
            self.check(option, by)
        except InvalidArgumentError:
            return False
        return True

    def traits(self, scene: Scene, color_by: str, size_by: str | None) -> dict[str, Any]:
        """Return what a page has to know to show a scene so."""
        legend = self._shown(color_by, titled=bool(scene.titles))
        shares, told = self.sizes(size_by)
        sizes = _sizes(scene, shares) if size_by is not None else b""
        if size_by is None and scene.titles:
            sizes, told = self._hubs(), HUBS_TOLD
        return {
            "_look": legend.look | {"size": told, "types": color_by == "type" and not legend.told},
            "_codes": self._codes(scene, legend.codes, leading=color_by == "type"),
            "_sizes": sizes,
        }

    def _hubs(self) -> bytes:
        """Return per node of a map how large it is: hubs are larger, about as in its picture."""
        degree = map_of(self.graph).degree
        times = (degree / max(float(np.median(degree)), 1.0)) ** HUB_POWER
        least, most = GROWN
        return _bytes(((np.clip(times, 0.9, most) - least) / (most - least)) ** 2)

    def _shown(self, color_by: str, *, titled: bool) -> Legend:
        legend = self.legend(color_by)
        if titled and color_by == "type" and len(legend.entries) == 1:
            return communities_of(self.graph)  # as its picture has them
        return legend

    def baked(
        self, titled: Mapping[str, bool], color_by: str, size_by: str | None
    ) -> dict[str, Any]:
        """Return how every node looks by all that one can choose, for a page without Python.

        Parameters
        ----------
        titled
            View → whether communities have titles there.
        color_by, size_by
            What is chosen at first.
        """
        choices = self.choices()
        colours: dict[str, Any] = {}
        for name in dict.fromkeys([*choices["colours"], color_by]):
            for view, with_titles in titled.items():
                legend = self._shown(name, titled=with_titles)
                codes = legend.codes.astype("u1").tobytes()
                colours[f"{name} {view}"] = {"look": legend.look, "codes": codes}
        sizes = {}
        for name in dict.fromkeys([*choices["sizes"], *([] if size_by is None else [size_by])]):
            shares, told = self.sizes(name)
            sizes[name] = {"size": told, "sizes": _bytes(np.nan_to_num(shares))}
        for view in (view for view, with_titles in titled.items() if with_titles):
            sizes[f"null {view}"] = {"size": HUBS_TOLD, "sizes": self._hubs()}
        return {"colours": colours, "sizes": sizes}

    def _codes(self, scene: Scene, codes: Ints, *, leading: bool) -> bytes:
        """Return per element the entry of its first member, or that which most of them have."""
        shown = np.flatnonzero(scene.of_node >= 0)
        result = np.zeros(len(scene), dtype=np.int64)
        if leading or len(shown) == len(scene):
            shown = shown[np.argsort(-self._steps[shown], kind="stable")]
            result[scene.of_node[shown]] = codes[shown]  # the first, which comes last, stays
        else:
            most = int(codes.max(initial=0)) + 1
            keys = scene.of_node[shown] * most + codes[shown]
            table = np.bincount(keys, minlength=len(scene) * most)
            result = table.reshape(len(scene), most).argmax(axis=1)
        return result.astype("u1").tobytes()

    def choices(self) -> dict[str, list[str]]:
        """Return what one can colour and size by: words, and the fields that tell something."""
        known, numeric = _fields(self.graph)
        return {
            "colours": [*BUILT_IN, *(name for name in known if name not in BUILT_IN)][:FIELDS],
            "sizes": ["degree", "generation", *(name for name in numeric if name not in BUILT_IN)],
        }


def _sizes(scene: Scene, shares: Floats) -> bytes:
    """Return per element how large it is: as its members are in the middle."""
    there = np.flatnonzero((scene.of_node >= 0) & np.isfinite(shares))
    element = scene.of_node[there]
    total = np.bincount(element, shares[there], minlength=len(scene))
    mean = total / np.maximum(np.bincount(element, minlength=len(scene)), 1)
    return _bytes(mean)


def _bytes(shares: Floats) -> bytes:
    return np.round(255 * shares).astype("u1").tobytes()


def _fields(graph: EntityDependencyGraph) -> tuple[list[str], list[str]]:
    """Return the fields that hold one value each, and those of them that hold numbers."""
    parts = graph.arrays
    seen: dict[str, int] = {}
    known: dict[str, None] = {}
    numeric: dict[str, None] = {}
    for node, kind in zip(parts.nodes, parts.types, strict=True):
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > LOOKED_AT:
            continue
        for name, value in values_of(node).items():
            if name in OWN_FIELDS or name.startswith("_") or not _is_one(value):
                continue
            known[name] = None
            if is_number(value) or isinstance(value, Decimal):
                numeric[name] = None
    return list(known), list(numeric)


def _is_one(value: Any) -> bool:
    if isinstance(value, (str, enum.Enum)):
        return not isinstance(value, str) or len(value) <= LONGEST
    return not (value is None or hasattr(value, "__iter__") or hasattr(value, "__dict__"))
