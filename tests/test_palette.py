"""Marks are seen on light and dark ground, and told apart by eyes that lack a kind of cones."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import ecsviz as ev
from ecsviz.draw import diff, lineage, style
from ecsviz.draw.palette import ON_DARK, PALETTE
from ecsviz.graph import walkthrough
from ecsviz.widgets.graph.looks import communities_of, legend_of
from tests.test_maps import packages

GROUNDS = {False: ("#FFFFFF", "#F7F7F7"), True: ("#111111", "#1E1E1E", "#2A2A2A")}
"""Those of JupyterLab, Notebook and marimo, and of matplotlib's styles."""
SEEN = 3.0
"""What the Web Content Accessibility Guidelines (1.4.11) ask of graphics."""
APART, STATES = 12.0, 9.0
"""How far colours are from each other, of names and of what has a mark of its own as well, in CIE
L*a*b*; of two that touch, 2.3 can just be told."""
# What the cones let through in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
EYES = {
    "all cones": np.eye(3),
    "no long ones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle ones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no short ones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(color: Any) -> np.ndarray:
    value = np.asarray(style.rgb(color))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: Any, other: Any) -> float:
    low, high = sorted(linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return float((high + 0.05) / (low + 0.05))


def lab(color: Any, eyes: str) -> np.ndarray:
    seen = np.clip(np.array(EYES[eyes]) @ linear(color), 0, 1)
    to_xyz = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]]
    share = np.array(to_xyz) @ seen / np.sum(to_xyz, axis=1)
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colors: list[Any], eyes: str) -> tuple[float, Any, Any]:
    found = [lab(color, eyes) for color in colors]
    pairs = itertools.combinations(range(len(colors)), 2)
    return min((float(np.linalg.norm(found[a] - found[b])), colors[a], colors[b]) for a, b in pairs)


def palette(dark: bool) -> list[Any]:
    """Return all colours of names, and that of cycles."""
    return [*(ON_DARK if dark else PALETTE), style.CYCLE_ON_DARK if dark else style.CYCLE]


def states(of: dict[str, Any], dark: bool) -> list[Any]:
    """Return colours that always stand for the same."""
    colors = [color if isinstance(color, str) else color[0] for color in of.values()]
    return [style.on_ground(color, dark) for color in colors]


STATES_OF = {
    "differences": diff.STATES,
    "references": style.REFERENCES,
    "lineage": lineage.EVENTS,
    "steps": {k: getattr(walkthrough, k) for k in ("WAITING", "READY", "NOW", "DONE", "HELD")},
}


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)
    assert lab("#FFFFFF", "all cones") == pytest.approx([100, 0, 0], abs=0.05)
    assert lab("#FF0000", "all cones") == pytest.approx([53.2, 80.1, 67.2], abs=0.2)
    # The two that everybody knows: with all cones far apart, without the middle ones not.
    green, red = "#4E9A06", "#B85C00"
    assert nearest([green, red], "all cones")[0] > 4 * nearest([green, red], "no middle ones")[0]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_marks_are_seen_on_their_ground(dark: bool) -> None:
    graph = ev.EntityDependencyGraph(ev.sample("chain", n=60))
    entries = [
        entry for by in ("type", "name", "generation") for entry in legend_of(graph, by).entries
    ]
    shown = {
        "names": palette(dark),
        "the rest": [style.OTHER],
        "legends": [entry["dark" if dark else "light"] for entry in entries],
        **{name: states(of, dark) for name, of in STATES_OF.items()},
    }
    assert len(shown["legends"]) > 40, "among them a ramp of numbers"
    for ground in GROUNDS[dark]:
        theme = style.theme_of(ground)
        shown |= {"lines": [theme.line, theme.cycle], "all of one kind": [style.main_color(theme)]}
        faint = {
            (name, style.hex_of(style.rgb(color))): round(contrast(color, ground), 2)
            for name, colors in shown.items()
            for color in colors
            if contrast(color, ground) < SEEN
        }
        assert faint == {}, ground


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_are_told_apart(eyes: str, dark: bool) -> None:
    assert nearest(palette(dark), eyes)[0] >= APART
    for name, of in STATES_OF.items():
        cycle = style.CYCLE_ON_DARK if dark else style.CYCLE
        assert nearest([*states(of, dark), cycle], eyes)[0] >= STATES, name


def test_a_colour_is_of_one_hue_on_both_grounds() -> None:
    for light, dark in zip(PALETTE, ON_DARK, strict=True):
        a, b = (lab(color, "all cones")[1:] for color in (light, dark))
        angle = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
        assert angle < 45, (light, dark)


@pytest.mark.parametrize("eyes", EYES)
def test_neighbours_on_a_map_are_told_apart(eyes: str) -> None:
    graph = packages(400)
    for look in ("light", "dark"):
        *colors, rest = (entry[look] for entry in communities_of(graph).entries)
        assert len(set(colors)) >= 6
        assert rest not in colors, "small ones have no title, and share a grey"
        assert nearest(sorted(set(colors)), eyes)[0] >= APART
