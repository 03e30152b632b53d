"""The picture of a large graph: points in communities with titles, hubs by name, cycles on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.progress import step
from ecsviz.domain.labels import in_lines
from ecsviz.draw import frame
from ecsviz.draw.nodes import overlaps
from ecsviz.draw.palette import PALETTE
from ecsviz.draw.picture import Picture
from ecsviz.draw.style import OTHER, Category, Ramp, Theme, mix, on_ground, with_alpha
from ecsviz.draw.text import Writer
from ecsviz.layout.grid import Floats
from ecsviz.layout.maps import (
    Map,
    bands_of,
    colors_of,
    in_bands,
    map_of,
    middles_of,
    shares_of,
)
from ecsviz.layout.overview import noun_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ecsviz.basics.order import Bools, Ints

TITLE: Final = 9.5
HUB: Final = 7.5
"""The sizes of titles and of names of hubs, in points."""
HUB_ROOM: Final = 0.08
"""Half of the room that the mark of such a hub takes, in inches."""
HUBS: Final = 40
"""So many hubs are named, where there is room."""
LINES: Final = 20_000
"""Of so many references at the most lines are drawn, evenly taken."""
CYCLES: Final = 3_000
WIDEST: Final = 9.0
"""How wide the widest band between communities is, in points."""
LOOP: Final = 0.09
"""How large the loop of a reference to itself is, in inches; at the most half of what is between
neighbours."""
FEW, MANY = 200, 1_000
"""So many references in cycles are of full strength; of more than the second, lines are thin."""
INK: Final = 1_500
"""How many lines may be of full strength."""
SHAPE: Final = (11.0, 8.4)
"""How large a map of many nodes is, in inches."""


def draw_map(
    picture: Picture,
    codes: Ints,
    kinds: list[Category],
    writer: Writer,
    theme: Theme,
    ax: Axes | frame.FreeRoom | None,
    *,
    title: str,
    legend: bool,
) -> Axes:
    """Draw the map of a picture's graph.

    Parameters
    ----------
    picture, codes, kinds
        What is shown, and the colours; where all are of one, communities have colours.
    writer, theme, ax, title, legend
        As of ``draw_picture``.
    """
    step("layout")
    found = map_of(picture.graph)
    ends = picture.graph.arrays.sources, picture.graph.arrays.targets
    bands = bands_of(found, *ends)
    if picture.lit is not None:  # who looks for lines sees lines
        bands = bands[:0]
    by_community = len(kinds) < 2
    if by_community:
        codes = np.minimum(found.community, len(found.titles))
        kinds = [
            Category("", on_ground(PALETTE[k], theme.dark), "o")
            for k in colors_of(found, len(PALETTE)).tolist()
        ] + [Category("", on_ground(OTHER, theme.dark), "o")]
    entries = _entries(picture, kinds, theme, writer) if legend else []
    ramp = kinds if legend and isinstance(kinds, Ramp) else None
    room = frame.room_for(ax)
    places = found.places
    low, high = places.min(axis=0), places.max(axis=0)
    wide, tall = np.maximum(high - low, 1e-6).tolist()
    free = ax is None or isinstance(ax, frame.FreeRoom)
    most = min(SHAPE[1], room[1]) - 0.6
    needed = min(SHAPE[0], most * wide / tall + 0.6)
    around = frame.surround(
        writer,
        title,
        picture.counts,
        entries,
        _note(picture, found, bands, by_community),
        room=room[0],
        needed=needed if free else None,
        ramp=ramp,
        tall=None if free else room[1],
    )
    # As large as the page: what counts is what is near what.
    scale = min((around.width - 0.6) / wide, most / tall)
    places = (places - (low + high) / 2) * scale
    half = around.width / 2 - 0.2, tall * scale / 2 + 0.3
    bounds = -half[0], -half[1], half[0], half[1]
    step("lines and marks")
    canvas = around.canvas(ax, theme, writer, bounds, 2 * half[1] + around.strip)
    colors = np.array([kind.color for kind in kinds])
    _draw_bands(canvas, found, bands, places)
    _draw_lines(canvas, picture, places, colors, codes, in_bands(found, bands, *ends))
    _draw_loops(canvas, picture, places)
    _draw_points(canvas, picture, places, colors, codes, found.degree)
    _write(canvas, picture, found, places, colors if by_community else None)
    around.draw(canvas)
    return canvas.ax


def _note(picture: Picture, found: Map, bands: Ints, by_community: bool) -> str:
    n, lines = len(picture.graph), len(picture.lines)
    note = f"Each of {n:,} {noun_of(picture.graph, n)} is a point; what is joined stands together."
    if by_community and found.titles:
        count = len(found.titles)
        more = int(found.community.max()) + 1 > count
        which = f"The {count} largest" if more else f"{count}"
        alike = f", {len(PALETTE)} in all" if count > len(PALETTE) else ""
        note += f" {which} communities have colours{alike}."
    if lines > LINES:
        what = "references" if picture.both is None else "references and pairs"
        note += f" Lines are drawn of {LINES:,} of {lines:,} {what}."
    if len(bands):
        note += f" Bands stand for up to {bands[0, 2]:,} lines between communities."
    return f"{note} {picture.note}".strip()


def _entries(
    picture: Picture, kinds: list[Category], theme: Theme, writer: Writer
) -> list[frame.Entry]:
    own = [kind for kind in kinds if kind.name]  # communities have theirs on the map
    return frame.legend_entries(
        own, theme, writer, lines=True, in_cycle=bool(picture.in_cycle.any())
    )


def _draw_bands(canvas: frame.Canvas, found: Map, bands: Ints, places: Floats) -> None:
    """Draw bands between communities, each as wide as it stands for references."""
    from matplotlib.collections import LineCollection

    if not len(bands):
        return
    middles = middles_of(found, places)
    share = shares_of(bands)
    canvas.ax.add_collection(
        LineCollection(
            list(np.stack((middles[bands[:, 0]], middles[bands[:, 1]]), axis=1)),
            colors=with_alpha([canvas.theme.line], 0.12 + 0.25 * share),
            linewidths=np.maximum(WIDEST * share, 0.6),
            capstyle="round",
            zorder=0.8,
            gid="bands",
        ),
        autolim=False,
    )


def _draw_lines(
    canvas: frame.Canvas,
    picture: Picture,
    places: Floats,
    colors: Floats,
    codes: Ints,
    counted: Bools,
) -> None:
    from matplotlib.collections import LineCollection

    parts, theme = picture.graph.arrays, canvas.theme
    plain = np.flatnonzero(~picture.in_cycle & (parts.sources != parts.targets) & ~counted)
    if len(plain) > LINES:
        plain = plain[np.linspace(0, len(plain) - 1, LINES).astype(np.int64)]
    cycles = np.flatnonzero(picture.in_cycle & (parts.sources != parts.targets))
    if len(cycles) > CYCLES:
        cycles = cycles[np.linspace(0, len(cycles) - 1, CYCLES).astype(np.int64)]
    for name, here in (("references", plain), ("cycle references", cycles)):
        if not len(here):
            continue
        a, b = parts.sources[here], parts.targets[here]
        ends = np.stack((places[a], places[b]), axis=1)
        length = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
        if name == "references":
            strength = np.clip(INK / len(here), 0.08, 0.6)
            usual = float(np.median(length))
            alpha = strength * np.clip(usual / np.maximum(length, 1e-9), 0.12, 1.0)
            same = (codes[a] == codes[b])[:, None]
            ink = np.where(same, colors[codes[a]], np.array(theme.line))
            look = with_alpha(ink, alpha)
        else:
            # Many are no mass: what is long, and leads to other communities, is faint.
            strength = np.full(len(here), np.clip(MANY / len(here), 0.35, 0.9))
            usual = float(np.median(length))
            fading = np.clip(usual / np.maximum(length, 1e-9), 0.12, 1.0)
            look = with_alpha([theme.cycle], strength * (1.0 if len(here) <= FEW else fading))
        if picture.lit_references is not None:
            look[:, 3] = np.where(picture.lit_references[here], 1.0, 0.15 * look[:, 3])
        canvas.ax.add_collection(
            LineCollection(
                list(ends),
                colors=look,
                linewidths=0.7 if name == "references" or len(here) > MANY else 1.3,
                zorder=1.0 if name == "references" else 1.3,
                gid=name,
            ),
            autolim=False,
        )


def _draw_loops(canvas: frame.Canvas, picture: Picture, places: Floats) -> None:
    """Draw references of nodes to themselves as small loops on their right."""
    from matplotlib.collections import LineCollection

    parts = picture.graph.arrays
    itself = parts.sources == parts.targets
    nodes = np.unique(parts.sources[itself])
    if not len(nodes):
        return
    area = float(np.prod(np.ptp(places, axis=0))) / len(places)
    size = min(LOOP / canvas.scale, 0.5 * float(np.sqrt(area)))
    angle = np.linspace(0, 2 * np.pi, 20)
    loop = size / 2 * np.column_stack((1.0 - np.cos(angle), np.sin(angle)))
    strength = np.full(len(nodes), 0.9)
    if picture.lit is not None:
        strength = np.where(picture.lit[nodes], 1.0, 0.15)
    canvas.ax.add_collection(
        LineCollection(
            list(places[nodes][:, None, :] + loop),
            colors=with_alpha([canvas.theme.cycle], strength),
            linewidths=0.9,
            zorder=1.6,
            gid="self references",
        ),
        autolim=False,
    )


def _draw_points(
    canvas: frame.Canvas,
    picture: Picture,
    places: Floats,
    colors: Floats,
    codes: Ints,
    degree: Ints,
) -> None:
    n = len(places)
    area = float(np.prod(np.ptp(places, axis=0))) * canvas.scale**2
    least = float(np.clip(0.35 * np.sqrt(area / n) * 72, 1.0, 7.0))
    usual = max(float(np.median(degree)), 1.0)
    size = least * np.clip((degree / usual) ** 0.35, 0.9, 3.2)
    cyclic = picture.graph.ordering.cyclic[picture.graph.ordering.component]
    strength = np.ones(n) if picture.lit is None else np.where(picture.lit, 1.0, 0.15)
    order = np.argsort(degree, kind="stable")  # hubs on top
    canvas.ax.scatter(
        places[order, 0],
        places[order, 1],
        s=size[order] ** 2,
        c=with_alpha(colors[codes[order]], strength[order]),
        edgecolors=[canvas.theme.ground],
        linewidths=0.4 if least > 2 else 0.0,  # one for all: of each its own takes a second
        zorder=2,
        gid="marks",
    )
    here = order[cyclic[order]]
    rims: Any = with_alpha([canvas.theme.cycle], strength[here])
    canvas.ax.scatter(
        places[here, 0],
        places[here, 1],
        s=size[here] ** 2,
        facecolors="none",
        edgecolors=rims,
        linewidths=1.1,
        zorder=2.05,
        gid="rims",
    )


def _write(
    canvas: frame.Canvas, picture: Picture, found: Map, places: Floats, colors: Floats | None
) -> None:
    """Write titles of communities, then names of hubs, each where nothing is written yet."""
    if not any(picture.labels[:1]):
        return
    taken = np.zeros((0, 4))
    left, right = canvas.ax.get_xlim()
    edge = [[-np.inf, -np.inf, left, np.inf], [right, -np.inf, np.inf, np.inf]]
    taken = np.vstack((taken, edge))
    lit = picture.lit
    if lit is None:
        hubs, room = places[found.leaders], HUB_ROOM / canvas.scale
        taken = np.vstack((taken, np.hstack((hubs - room, hubs + room))))  # no title hides them
        middles = middles_of(found, places)
        for number, title in enumerate(found.titles):
            lines = in_lines(canvas.writer.clean(title, 48))
            own = places[found.massed & (found.community == number)]
            color = canvas.theme.text
            if colors is not None:
                color = mix(tuple(colors[number]), canvas.theme.text, 0.45)
            taken = _written(canvas, lines, middles[number], own, TITLE, color, taken)
    order = np.argsort(-found.degree, kind="stable")
    if lit is not None:
        order = order[lit[order]]
    told = set(found.leaders.tolist()) if lit is None else set()
    for node in order[:HUBS].tolist():
        if node not in told:
            name = canvas.writer.clean(picture.labels[node].split("\n")[0], 24)
            at = places[node] + np.array((0.0, 0.11 / canvas.scale))
            taken = _written(canvas, (name,), at, None, HUB, canvas.theme.text, taken)


def _written(
    canvas: frame.Canvas,
    lines: tuple[str, ...],
    at: Floats,
    own: Floats | None,
    size: float,
    color: Any,
    taken: Floats,
) -> Floats:
    """Write some lines where there is room: at a place or, of many points, above or below them."""
    from matplotlib.patheffects import withStroke

    wide = max(canvas.writer.width(line, size) for line in lines) * 1.08 / canvas.scale
    tall = 1.25 * size * len(lines) / 72 / canvas.scale
    tries = [at]
    if own is not None:
        tries += [at + np.array((0.0, k * tall)) for k in (0.7, -0.7, 1.1, -1.1, 1.6, -1.6)]
        spread = np.quantile(own[:, 1], (0.1, 0.9))
        tries += [np.array((at[0], spread[1])), np.array((at[0], spread[0]))]
    for x, y in tries:
        box = np.array((x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2))
        if overlaps(box, taken):
            continue
        canvas.ax.text(
            float(x),
            float(y),
            "\n".join(lines),
            size=size,
            color=color,
            weight="bold" if own is not None else "normal",
            ha="center",
            va="center",
            zorder=4,
            clip_on=True,
            path_effects=[withStroke(linewidth=2.6, foreground=(*canvas.theme.ground, 0.85))],
            gid="title" if own is not None else "label",
            **canvas.writer.options(),
        )
        return np.vstack((taken, box))
    return taken
