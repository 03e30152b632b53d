"""Colours and marks: safe for colour-blind eyes, on light and on dark ground."""

from __future__ import annotations

import math
import numbers
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.domain.labels import clean_text
from ecsviz.draw.palette import (
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    ON_DARK,
    PALETTE,
    RED,
    VIOLET,
    slots_of,
)
from ecsviz.layout.grid import Floats

WHITE: Final = "#FFFFFF"
CYCLE: Final = "#D55E00"
CYCLE_ON_DARK: Final = "#F28C4B"
OTHER: Final = GREY
SHOWN: Final = 6
"""So many values have colours of their own; the rarer ones share one."""
STEPS: Final = 48
"""How many colours a scale of numbers has."""

REFERENCES: Final = {
    "new reference": GREEN,
    "removed reference": RED,
    "moved here": VIOLET,
    "reordered": BLUE,
}
"""What becomes of references between two states; those that are removed are crossed out too."""

_ON_DARK: Final = dict(zip(PALETTE, ON_DARK, strict=True))

Color = tuple[float, float, float]
_HEX: Final = re.compile("#[0-9A-Fa-f]{6}")


def rgb(color: Any) -> Color:
    """Return red, green and blue from 0 to 1."""
    if isinstance(color, str) and _HEX.fullmatch(color):  # ours all are: no need of matplotlib
        return tuple(byte / 255 for byte in bytes.fromhex(color[1:]))  # type: ignore[return-value]  # three bytes
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return red, green, blue


def hex_of(color: Color) -> str:
    """Return a colour as a page writes it.

    Examples
    --------
    >>> hex_of((1.0, 0.5, 0.0))
    '#ff8000'
    """
    return f"#{bytes(round(255 * part) for part in color).hex()}"


def mix(one: Any, other: Any, share: float) -> Color:
    """Return a colour between two: `share` of the first."""
    a, b = rgb(one), rgb(other)
    return tuple(share * x + (1 - share) * y for x, y in zip(a, b, strict=True))  # type: ignore[return-value]  # three in, three out


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of everything that is no node."""

    dark: bool
    ground: Color
    text: Color
    muted: Color
    line: Color
    cycle: Color


def theme_of(ground: Any) -> Theme:
    """Return the colours for a background."""
    red, green, blue = rgb(ground)
    dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45
    text = rgb("#ECEFF1" if dark else "#1B1F24")
    return Theme(
        dark,
        (red, green, blue),
        text,
        mix(text, ground, 0.62),
        mix(text, ground, 0.5),
        rgb(CYCLE_ON_DARK if dark else CYCLE),
    )


def main_color(theme: Theme) -> Color:
    """Return the colour of what is of one kind."""
    return on_ground(PALETTE[0], theme.dark)


@dataclass(frozen=True, slots=True)
class Category:
    """One entry of the legend: a value, its colour and its mark."""

    name: str
    color: Color
    marker: str


class Ramp(list[Category]):
    """Colours of numbers, from the least to the greatest: a legend has a bar of them.

    Attributes
    ----------
    low, high
        What the first and the last colour stand for.
    measure
        What the numbers are; empty if there is no word for it.

    Notes
    -----
    Behind the colours of numbers stands a grey one with a name, where some have no number.
    """

    def __init__(self, kinds: Sequence[Category], low: float, high: float) -> None:
        super().__init__(kinds)
        self.low, self.high = low, high
        self.measure = ""

    @property
    def bar(self) -> list[Category]:
        """The colours of numbers alone."""
        return [kind for kind in self if not kind.name]


def categories(
    values: Sequence[Any], *, none: str = "none", dark: bool = False
) -> tuple[Ints, list[Category]]:
    """Give every value a colour and a mark.

    Parameters
    ----------
    values
        One per node: types, roles, anything.
    none
        What stands for None in the legend.
    dark
        Whether the ground is dark: then colours are lighter.

    Returns
    -------
    codes : ndarray
        Shape (values,): the category of each.
    list of Category
        Up to six values in the order of their names, whose colours are those of the whole session
        (``palette.slots_of``); what is rarer is one more, called "other". Numbers are coloured
        by their size; many different ones are a `Ramp`.
    """
    keys = [none if value is None else str(getattr(value, "value", value)) for value in values]
    counts = Counter(keys)
    finite = [is_number(value) and math.isfinite(value) for value in values]
    numbers_only = any(finite) and all(is_number(value) or value is None for value in values)
    if numbers_only and len(counts) > SHOWN:
        return _scale(values, finite, none, dark)
    numbers_only = numbers_only and all(finite)
    # Enums and numbers have an order of their own, which their text may not keep.
    common = sorted(counts, key=lambda key: (-counts[key], key))[:SHOWN]
    if numbers_only:
        by_key = dict(zip(keys, values, strict=True))
        common.sort(key=lambda key: float(by_key[key]))
        looks = list(zip(_ramp(len(common), dark), MARKERS, strict=False))
    else:
        common.sort()
        looks = [
            (on_ground(PALETTE[color], dark), MARKERS[mark]) for color, mark in slots_of(common)
        ]
    result = [
        Category(clean_text(key, 32) or "(empty)", color, marker)
        for key, (color, marker) in zip(common, looks, strict=True)
    ]
    number = {key: code for code, key in enumerate(common)}
    rest = len(counts) - len(common)
    if rest:
        result.append(Category(f"other ({rest:,})", rgb(OTHER), MARKERS[-1]))
    return np.array([number.get(key, len(common)) for key in keys], dtype=np.int64), result


def fixed_categories(
    values: Sequence[Any], fixed: Mapping[str, tuple[str, str]], *, dark: bool = False
) -> tuple[Ints, list[Category]]:
    """Give every value the colour and the mark that it always has.

    Parameters
    ----------
    values
        One per node, each a key of `fixed`.
    fixed
        Value → colour and mark, in the order of the legend.
    dark
        Whether the ground is dark.

    Returns
    -------
    codes : ndarray
        Shape (values,): the category of each.
    list of Category
        Those that occur.
    """
    there = set(values)
    shown = [name for name in fixed if name in there]
    number = {name: n for n, name in enumerate(shown)}
    kinds = [Category(name, on_ground(fixed[name][0], dark), fixed[name][1]) for name in shown]
    return np.array([number[value] for value in values], dtype=np.int64), kinds


def on_ground(color: str, dark: bool) -> Color:
    """Return a colour of light ground as it is on dark or on light ground."""
    if dark and color in _ON_DARK:
        return rgb(_ON_DARK[color])
    return mix(color, WHITE, 0.78) if dark else rgb(color)


def is_number(value: Any) -> bool:
    """Tell whether a value has a place on a scale."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _ramp(count: int, dark: bool) -> list[Color]:
    """Return colours for small to great numbers, the great ones farthest from the ground."""
    from matplotlib import colormaps

    ends = (0.46, 0.98) if dark else (0.57, 0.04)
    found = colormaps["viridis"](np.linspace(*ends, max(count, 1)))
    return [(float(r), float(g), float(b)) for r, g, b, _ in found[:count]]


def _scale(
    values: Sequence[Any], finite: list[bool], none: str, dark: bool
) -> tuple[Ints, list[Category]]:
    """Colour numbers by their size, and what is no finite number grey."""
    there = np.array(finite)
    numeric = np.zeros(len(values))
    numeric[there] = [float(value) for value, fits in zip(values, finite, strict=True) if fits]
    low, high = float(numeric[there].min()), float(numeric[there].max())
    share = (numeric / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)  # halves: of all there are
    codes = np.clip((share * STEPS).astype(np.int64), 0, STEPS - 1)
    kinds = [Category("", color, MARKERS[0]) for color in _ramp(STEPS, dark)]
    if not there.all():
        codes[~there] = len(kinds)
        kinds.append(Category(clean_text(none, 32), rgb(OTHER), MARKERS[0]))
    return codes, Ramp(kinds, low, high)


def with_alpha(colors: Any, alpha: Any) -> Floats:
    """Return colours with transparency, shape (n, 4): as many as there are of either, if not one.

    Examples
    --------
    >>> with_alpha(["red"], np.zeros(3)).shape, with_alpha(["red"], np.zeros(0)).shape
    ((3, 4), (0, 4))
    """
    from matplotlib.colors import to_rgba_array

    n = len(alpha) if np.ndim(alpha) else len(colors)
    result = np.broadcast_to(to_rgba_array(colors), (n, 4)).copy()
    result[:, 3] = alpha
    return result
