"""The picture of a schema: tables or classes with their columns, keys and crow's feet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.basics.text import counted, plural
from ecsviz.draw import frame
from ecsviz.draw.nodes import RISE, rounded_boxes
from ecsviz.draw.options import title_and_legend
from ecsviz.draw.palette import PALETTE
from ecsviz.draw.style import mix, rgb, theme_of
from ecsviz.draw.tables import Box, DrawnColumn, DrawnLink, DrawnSchema, schema_of
from ecsviz.draw.text import Writer
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.layout.cards import CardEnds, Cards, lay_cards, may_fit
from ecsviz.layout.grid import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD: Final = 10.0
TEXT: Final = 9.0
"""The sizes of names of tables and of columns, in points."""
HEAD_HEIGHT: Final = 0.23
ROW: Final = 0.152
"""The heights of a table's head and of a column, in inches."""
PAD: Final = 0.08
SMALLEST: Final = 9.0
"""What would be smaller, in points, is left out: columns first, then tables."""
FEWEST: Final = 30
"""So many tables are drawn in any case."""
MAX_COLUMNS: Final = 18
"""How many columns of one table are shown, the keys first among them."""
NAME_COLUMNS: Final = 26
GROUND: Final = 0.09
"""How far the shaded ground of a cyclic component reaches beyond its tables."""
FOOT: Final = 0.12
"""How long a crow's foot is."""

DETAILS: Final = ("all", "names", "keys", "none")
"""What is shown of tables: all columns, the same without types, the keys among them, or none. The
first that fits."""


@dataclass(frozen=True, slots=True)
class _Card:
    """One table as it is drawn: its name, and rows of mark, name and kind.

    `places` says in which row a column stands, `marks` how wide the marks are.
    """

    name: str
    rows: tuple[tuple[str, str, str], ...]
    places: dict[str, int]
    marks: float
    width: float

    @property
    def height(self) -> float:
        return HEAD_HEIGHT + (ROW * len(self.rows) + 0.06 if self.rows else 0.0)

    def below(self, columns: tuple[str, ...]) -> float:
        """Return how far below the top a line to some columns ends."""
        rows = [self.places[name] for name in columns if name in self.places]
        if rows:
            return HEAD_HEIGHT + 0.03 + (sum(rows) / len(rows) + 0.5) * ROW
        if columns and self.rows and self.places and self.rows[-1][1].startswith("…"):
            return HEAD_HEIGHT + 0.03 + (len(self.rows) - 0.5) * ROW
        return HEAD_HEIGHT / 2


@dataclass(frozen=True, slots=True, eq=False)
class _SchemaPlan:
    graph: EntityDependencyGraph
    cards: list[_Card]
    layout: Cards
    sizes: Floats
    scale: float
    note: str


def draw_schema(
    what: Any, ax: Axes | None = None, *, title: str | None = None, legend: bool = True
) -> Axes:
    """Draw tables or entity classes with their columns, keys and crow's feet.

    Parameters
    ----------
    what
        A store; what ``read_database`` returns; a SQLAlchemy ``MetaData``, also a reflected one,
        or anything that has one as ``metadata``; tables or declarative classes; entity classes,
        with all that their fields lead to.
    ax
        Where to draw. None makes a figure of the size that the schema needs.
    title
        A line above the counts.
    legend
        Whether to explain marks and lines.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"tables"``, ``"heads"``,
        ``"references"``, ``"cycle references"``, ``"crow's feet"``, ``"optional"``,
        ``"cyclic components"``.

    Raises
    ------
    DrawingOptionError
        If there is nothing in `what` that can be drawn so, or `title` is no text.

    Notes
    -----
    Tables stand in columns, those that keys lead to mostly on the right of those that have them. A
    line joins the column that refers with the one that is referred to. A crow's foot is at the side
    of the many, a bar at the side of the one, a ring where there may be none. Texts have 9 points:
    where there is no room, types are left out, then all columns but the keys, then these, and of
    very many tables those with the fewest keys; a note says so. O(tables + columns + keys) after
    the layout, which tries a bounded number of places.

    Examples
    --------
    >>> import ecsviz as ev
    >>> ax = draw_schema(ev.ChatThread)
    >>> ax.get_title(loc="left")
    '2 classes, 2 references, 1 cyclic component'
    """
    title, legend = title_and_legend(title, legend)
    schema = schema_of(what)
    writer = Writer()
    theme = theme_of(frame.ground_of(ax))
    room = frame.room_for(ax)
    head = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    counts = _counts(schema)
    schema, plan = _readable(schema, writer, room, fill=ax is not None)
    left, bottom, right, top = plan.layout.bounds
    entries = _legend(plan, theme, writer) if legend and schema.links else []
    needed = (right - left + 2 * frame.MARGIN) * plan.scale if ax is None else None
    note = _note(schema, plan)
    around = frame.surround(writer, head, counts, entries, note, room=room[0], needed=needed)
    height = max((top - bottom + 2 * frame.MARGIN) * plan.scale + around.strip, 1.2)
    canvas = around.canvas(ax, theme, writer, plan.layout.bounds, height)
    _draw(canvas, schema, plan)
    around.draw(canvas)
    return canvas.ax


def _counts(schema: DrawnSchema) -> str:
    box, link = schema.nouns
    boxes, links = len(schema.boxes), len(schema.links)
    cyclic = int(_graph(schema).ordering.cyclic.sum())
    cycles = counted(cyclic, "cyclic component") if cyclic else "no cycle"
    return ", ".join((counted(boxes, box), counted(links, link), cycles))


def _note(schema: DrawnSchema, plan: _SchemaPlan) -> str:
    lines = "A crow's foot is the side of the many, a bar of the one; a ring: there may be none."
    said = lines if schema.links else ""
    if any(kind.endswith("?") for card in plan.cards for _, _, kind in card.rows):
        said += " With a ? it may be empty."
    return " ".join(filter(None, (said.strip(), plan.note, schema.note)))


# -- where everything stands -----------------------------------------------------------------


def _readable(
    schema: DrawnSchema, writer: Writer, room: tuple[float, float], *, fill: bool
) -> tuple[DrawnSchema, _SchemaPlan]:
    """Lay out all tables, or, if their names could not be read, as many as can."""
    shown, plan = schema, _fitting(schema, writer, room, fill=fill)
    while HEAD * plan.scale < SMALLEST and len(shown.boxes) > FEWEST:
        share = min(0.9, (HEAD * plan.scale / SMALLEST) ** 2)
        shown = _busiest(schema, max(FEWEST, int(share * len(shown.boxes))))
        plan = _fitting(shown, writer, room, fill=fill)
    return shown, plan


def _busiest(schema: DrawnSchema, count: int) -> DrawnSchema:
    """Return the tables with the most links, and the links between them."""
    links = Counter(end for link in schema.links for end in {link.source, link.target})
    kept = sorted(sorted(range(len(schema.boxes)), key=lambda n: -links[n])[:count])
    place = {number: at for at, number in enumerate(kept)}
    (box, link), total = schema.nouns, len(schema.boxes)
    note = f"Shown are, of {counted(total, box)}, the {count:,} with the most {link}s."
    return DrawnSchema(
        tuple(schema.boxes[number] for number in kept),
        tuple(
            replace(link, source=place[link.source], target=place[link.target])
            for link in schema.links
            if link.source in place and link.target in place
        ),
        schema.nouns,
        " ".join(filter(None, (note, schema.note))),
    )


def _fitting(
    schema: DrawnSchema, writer: Writer, room: tuple[float, float], *, fill: bool
) -> _SchemaPlan:
    """Lay out with all columns, else without types, else with the keys, else without any."""
    graph = _graph(schema)
    page = max(room[0] - 2 * frame.MARGIN, 0.5), max(room[1] - 2 * frame.MARGIN - 0.72, 0.5)
    plan = None
    generation = graph.ordering.generation
    rank = generation.max(initial=0) - generation
    for detail in DETAILS:
        cards = [_card(box, writer, detail) for box in schema.boxes]
        sizes = np.array([(card.width, card.height) for card in cards]).reshape(-1, 2)
        if detail != DETAILS[-1] and not may_fit(sizes, page):
            continue
        layout = lay_cards(sizes, _card_ends(schema, cards, graph), rank, page, fill=fill)
        left, bottom, right, top = layout.bounds
        scale = min(1.0, page[0] / max(right - left, 0.1), page[1] / max(top - bottom, 0.1))
        plan = _SchemaPlan(graph, cards, layout, sizes, scale, _left_out(schema, detail))
        if TEXT * scale >= SMALLEST:
            break
    assert plan is not None
    return plan


def _card_ends(schema: DrawnSchema, cards: list[_Card], graph: EntityDependencyGraph) -> CardEnds:
    parts, links = graph.arrays, schema.links
    return CardEnds(
        parts.sources,
        parts.targets,
        np.array([cards[link.source].below(link.source_columns) for link in links]),
        np.array([cards[link.target].below(link.target_columns) for link in links]),
    )


def _graph(schema: DrawnSchema) -> EntityDependencyGraph:
    names = [box.name for box in schema.boxes]
    kinds = [
        COLLECTION if link.many_targets else NULLABLE if link.optional else REQUIRED
        for link in schema.links
    ]
    return EntityDependencyGraph.from_parts(
        names,
        names,
        [schema.nouns[0]] * len(names),
        [link.source for link in schema.links],
        [link.target for link in schema.links],
        [link.name for link in schema.links],
        kinds=kinds,
    )


def _card(box: Box, writer: Writer, detail: str) -> _Card:
    shown: list[DrawnColumn] = list(box.columns)
    if detail == "keys":
        shown = [column for column in shown if column.mark]
    elif detail == "none":
        shown = []
    if len(shown) > MAX_COLUMNS:
        keys = [column for column in shown if column.mark][:MAX_COLUMNS]
        rest = [column for column in shown if not column.mark]
        kept = {id(column) for column in keys + rest[: MAX_COLUMNS - len(keys)]}
        shown = [column for column in shown if id(column) in kept]
    rows = [
        (
            column.mark,
            writer.clean(column.name, NAME_COLUMNS),
            _kind(column, writer) if detail == "all" else "",
        )
        for column in shown
    ]
    left_out = len(box.columns) - len(shown)
    if left_out and detail != "none":
        rows.append(("", f"… {left_out:,} more", ""))
    name = writer.clean(box.name, NAME_COLUMNS + 6)
    width = 1.12 * writer.width(name, HEAD) + 3 * PAD
    marks = max((writer.width(row[0], TEXT) + PAD for row in rows if row[0]), default=0.0)
    if rows:
        names = max(writer.width(row[1], TEXT) for row in rows)
        kinds = max(writer.width(row[2], TEXT) + PAD if row[2] else 0.0 for row in rows)
        width = max(width, marks + names + kinds + 2.5 * PAD)
    places = {column.name: number for number, column in enumerate(shown)}
    return _Card(name, tuple(rows), places, marks, width)


def _kind(column: DrawnColumn, writer: Writer) -> str:
    return writer.clean(column.kind, 20) + ("?" if column.optional and column.kind else "")


def _left_out(schema: DrawnSchema, detail: str) -> str:
    if detail == "none":
        return "There is no room for columns."
    if detail == "keys":
        return "There is no room for all columns: only keys are shown."
    if detail == "names":
        return "There is no room for types."
    hidden = any(len(box.columns) > MAX_COLUMNS for box in schema.boxes)
    return f"Of large {plural(2, schema.nouns[0])}, {MAX_COLUMNS} columns are shown." * hidden


# -- drawing ---------------------------------------------------------------------------------


def _draw(canvas: frame.Canvas, schema: DrawnSchema, plan: _SchemaPlan) -> None:
    if not schema.boxes:
        canvas.ax.text(
            0.5, 0.5, "nothing to draw: there are no tables", transform=canvas.ax.transAxes,
            ha="center", va="center", size=HEAD + 1, color=canvas.theme.muted, gid="note",
            **canvas.writer.options(),
        )  # fmt: skip
        return
    _draw_ground(canvas, plan)
    if schema.links:
        _draw_links(canvas, schema, plan)
    _draw_cards(canvas, plan)


def _draw_ground(canvas: frame.Canvas, plan: _SchemaPlan) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    ordering, theme = plan.graph.ordering, canvas.theme
    outlines = rounded_boxes(_centres(plan), plan.sizes + 2 * GROUND, 0.1)
    outlines = np.concatenate((outlines, outlines[:, :1]), axis=1)
    grounds = [
        Path.make_compound_path(*map(Path, outlines[ordering.component == number]))
        for number in np.flatnonzero(ordering.cyclic).tolist()
    ]
    if grounds:
        canvas.ax.add_collection(
            PathCollection(
                grounds,
                facecolors=[(*theme.cycle, 0.13 if theme.dark else 0.08)],
                edgecolors=[(*theme.cycle, 0.4)],
                linewidths=0.8 * canvas.scale,
                zorder=0.5,
                gid="cyclic components",
            ),
            autolim=False,
        )


def _centres(plan: _SchemaPlan) -> Floats:
    half = plan.sizes / 2
    return np.column_stack((plan.layout.left + half[:, 0], plan.layout.top - half[:, 1]))


def _draw_links(canvas: frame.Canvas, schema: DrawnSchema, plan: _SchemaPlan) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    theme, lines = canvas.theme, plan.layout.lines
    in_cycle = plan.graph.ordering.in_cycle
    colors = np.where(in_cycle[:, None], np.array(theme.cycle), np.array(theme.line))
    width = np.clip(canvas.scale, 0.5, 1.0)
    for name, mask in (("references", ~in_cycle), ("cycle references", in_cycle)):
        here = np.flatnonzero(mask).tolist()
        if here:
            canvas.ax.add_collection(
                LineCollection(
                    [lines[k] for k in here],
                    colors=colors[here],
                    linewidths=1.1 * width,
                    zorder=1.0,
                    gid=name,
                ),
                autolim=False,
            )
    strokes: list[Floats] = []
    rings: list[Floats] = []
    stroke_of: list[int] = []
    ring_of: list[int] = []
    for k, link in enumerate(schema.links):
        for end, many, none in _ends(link):
            drawn, ring = _foot(lines[k] if end == 0 else lines[k][::-1], many=many, none=none)
            strokes += drawn
            stroke_of += [k] * len(drawn)
            rings += [] if ring is None else [ring]
            ring_of += [] if ring is None else [k]
    canvas.ax.add_collection(
        LineCollection(
            strokes, colors=colors[stroke_of], linewidths=1.1 * width, zorder=1.5, gid="crow's feet"
        ),
        autolim=False,
    )
    if rings:
        canvas.ax.add_collection(
            PolyCollection(
                rings,
                facecolors=[theme.ground],
                edgecolors=colors[ring_of],
                linewidths=1.0 * width,
                zorder=1.6,
                gid="optional",
            ),
            autolim=False,
        )


def _ends(link: DrawnLink) -> tuple[tuple[int, bool, bool], tuple[int, bool, bool]]:
    """Return per end of a link whether it is of the many, and whether there may be none."""
    # Nothing says that a row must be referred to.
    return (0, link.many_sources, True), (1, link.many_targets, link.optional or link.many_targets)


def _foot(line: Floats, *, many: bool, none: bool) -> tuple[list[Floats], Floats | None]:
    """Return the strokes and the ring at the beginning of a line."""
    start = line[0]
    away = np.hypot(*(line - start).T) >= FOOT
    step = (line[np.flatnonzero(away)[0]] if away.any() else line[-1]) - start
    along = step / (float(np.hypot(*step)) or 1.0)
    side = np.array([-along[1], along[0]])
    if many:
        tip = start + FOOT * along
        strokes = [np.array([start + 0.055 * side * k, tip]) for k in (-1, 1)]
        reach = FOOT
    else:
        bar = start + 0.08 * along
        strokes = [np.array([bar - 0.055 * side, bar + 0.055 * side])]
        reach = 0.08
    if not none:
        if many:
            bar = start + (reach + 0.045) * along
            strokes.append(np.array([bar - 0.055 * side, bar + 0.055 * side]))
        return strokes, None
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = 0.038 * np.column_stack((np.cos(angle), np.sin(angle)))
    return strokes, start + (reach + 0.045) * along + circle


def _draw_cards(canvas: frame.Canvas, plan: _SchemaPlan) -> None:
    from matplotlib.collections import PolyCollection

    theme, scale = canvas.theme, canvas.scale
    color = rgb(PALETTE[0]) if not theme.dark else mix(PALETTE[0], "white", 0.6)
    centre, sizes = _centres(plan), plan.sizes
    top = centre[:, 1] + sizes[:, 1] / 2
    head_centre = np.column_stack((centre[:, 0], top - HEAD_HEIGHT / 2))
    head_sizes = np.column_stack((sizes[:, 0], np.full(len(sizes), HEAD_HEIGHT)))
    tint = 0.34 if theme.dark else 0.18
    for name, outlines, face, zorder in (
        ("tables", rounded_boxes(centre, sizes, 0.05), mix(color, theme.ground, 0.05), 3.0),
        (
            "heads",
            rounded_boxes(head_centre, head_sizes, 0.05),
            mix(color, theme.ground, tint),
            3.1,
        ),
    ):
        canvas.ax.add_collection(
            PolyCollection(
                list(outlines),
                facecolors=[face],
                edgecolors=[color],
                linewidths=0.9 * scale,
                zorder=zorder,
                gid=name,
            ),
            autolim=False,
        )
    for card, (x, _), (wide, _), high in zip(
        plan.cards, centre.tolist(), sizes.tolist(), top.tolist(), strict=True
    ):
        _write_card(canvas, card, x - wide / 2, x + wide / 2, high)


def _write_card(canvas: frame.Canvas, card: _Card, left: float, right: float, top: float) -> None:
    theme, scale, options = canvas.theme, canvas.scale, canvas.writer.options()

    def write(x: float, y: float, text: str, size: float, **how: Any) -> None:
        how = {"color": theme.text, "ha": "left", **how}
        canvas.ax.text(
            x, y - RISE, text, size=size * scale, va="baseline", zorder=3.4, clip_on=True,
            **how, **options,
        )  # fmt: skip

    # The bold font may lack what the plain one has.
    weight = "bold" if card.name.isascii() else "normal"
    write(left + PAD, top - HEAD_HEIGHT / 2, card.name, HEAD, weight=weight, gid="label")
    for number, (mark, name, kind) in enumerate(card.rows):
        y = top - HEAD_HEIGHT - 0.03 - (number + 0.5) * ROW
        if mark:
            write(left + PAD, y, mark, TEXT, color=theme.muted, gid="key")
        more = name.startswith("…") and not kind and not mark
        color = theme.muted if more else theme.text
        write(left + PAD + card.marks, y, name, TEXT, color=color, gid="column")
        if kind:
            write(right - PAD, y, kind, TEXT, color=theme.muted, ha="right", gid="kind")


def _legend(plan: _SchemaPlan, theme: Any, writer: Writer) -> list[frame.Entry]:
    in_cycle = plan.graph.ordering.in_cycle
    some = bool(in_cycle.any())
    lines = bool(some and (~in_cycle).any())
    return frame.legend_entries([], theme, writer, lines=lines, in_cycle=some, ground=some)
