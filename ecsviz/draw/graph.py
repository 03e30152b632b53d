"""The picture of a dependency graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.arguments import count_or_none, flag
from ecsviz.basics.order import Bools
from ecsviz.basics.progress import step, steps
from ecsviz.basics.text import counted
from ecsviz.draw import frame
from ecsviz.draw.chosen import chosen_part
from ecsviz.draw.guides import draw_guides
from ecsviz.draw.labels import LENGTH, READ
from ecsviz.draw.maps import draw_map
from ecsviz.draw.nodes import draw_boxes, draw_hulls, draw_marks
from ecsviz.draw.options import checked_option, flag_or_none, title_and_legend
from ecsviz.draw.picture import GroupBy, Picture, counts_besides, make_picture
from ecsviz.draw.plan import FONT, Plan, make_plan
from ecsviz.draw.references import draw_edge_labels, draw_references
from ecsviz.draw.style import Ramp, categories, fixed_categories, theme_of
from ecsviz.draw.text import Writer
from ecsviz.graph.views import checked_graph
from ecsviz.layout.choices import How
from ecsviz.layout.paired import Paired, one_line_a_pair
from ecsviz.layout.placed import HUB

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ecsviz.graph.dependency_graph import EntityDependencyGraph

MAX_NODES: Final = 600
"""Above so many nodes a graph is drawn in groups: more marks are a texture, not a picture."""
MAX_EDGE_LABELS: Final = 60
"""With more references, the names of fields would hide the picture."""
MANY_ALIKE: Final = 5
"""A field's name is not written where more references of it start, or end, at one node."""


def draw_graph(  # noqa: PLR0913 - the options of a picture
    graph: EntityDependencyGraph,
    ax: Axes | None = None,
    *,
    color_by: str | Callable[[Any], Any] = "type",
    label: str | bool | Callable[[Any], Any] | None = None,
    label_length: int | None = LENGTH,
    figsize: tuple[float, float] | None = None,
    highlight: Any = None,
    max_nodes: int | None = MAX_NODES,
    group_by: GroupBy | str | type | None = None,
    layout: How | None = None,
    hide: Iterable[str | type] | None = None,
    fields: Iterable[str] | None = None,
    title: str | None = None,
    legend: bool = True,
    edge_labels: bool | None = None,
    pairs: bool = True,
    progress: bool | None = None,
) -> Axes:
    """Draw a dependency graph in rows: dependents above, what they depend on below.

    Parameters
    ----------
    graph
        What to draw: entities, classes, tables, or any graph made by ``from_parts``.
    ax
        Where to draw. None makes a figure of the size that the graph needs.
    figsize
        Width and height of the figure in inches, instead of what the graph needs.
    color_by
        ``"type"``, ``"component"``, ``"generation"``, ``"degree"`` (how many references join a
        node, where no field is called so), a field's name, or a function of a node. The colour
        comes with the shape of a mark, so that it need not be told by colour alone.
    label
        A field's name, or a function of a node. None takes its name, title or first text;
        False leaves labels out.
    label_length
        How long a name may be, in characters: what is longer than a line takes two, and ends with
        "…" after so many. 48 by default. Of names that are longer and begin alike, the part in
        which they differ is shown. None shows all, up to 240.
    highlight
        Entities, ids, or cycles of ``get_cycles()``: all else is faded.
    max_nodes
        How many nodes are drawn one by one, but for a map; larger graphs are drawn in groups, and
        a note says so. 600 by default: more are a texture. None draws any number in rows.
    group_by
        ``"component"``, ``"type"``, ``"thread"`` or the name of a type (all nodes are put to the
        nearest one of it) draws groups whatever the size; ``"auto"`` chooses.
    layout
        ``"layered"``, ``"tree"``, ``"radial"``, ``"force"``, ``"circle"`` or ``"timeline"`` (by the
        first time among the fields). None chooses: rows; where more than 160 hang together that
        are no tree, a map by forces, in communities that are called after their members.
    hide
        Names of types, or classes, whose nodes are not drawn, and names of fields, whose
        references are not: ``hide=["thread"]``.
    fields
        The names of the fields whose references are drawn; all by default.
    title
        A line above the figures, which are always there.
    legend
        Whether to explain colours and lines.
    edge_labels
        Whether references carry the names of their fields. None: where there is room.
    pairs
        False draws a list and its members' back-references as one quiet line with two heads, and
        what is left stands as it would without them: a chat is a tree, a company a hierarchy,
        and what is a cycle besides stands out. Pairs to which a longer way along others leads
        have no line; a note says how many.
    progress
        Whether a bar shows the steps; None shows it where it takes longer than a second.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"nodes"``, ``"marks"``,
        ``"references"``, ``"cycle references"``, ``"deferred references"``,
        ``"cyclic components"``.

    Raises
    ------
    EntityNotFoundError
        If something to highlight is not in the graph.
    DrawingOptionError
        If `color_by`, `label` or `group_by` names what is not there, or another option is
        nothing of its kind; if a function that was given raises, with its error as the cause.

    Notes
    -----
    A cyclic component stands on shaded ground, its references in orange; those that the save
    plan writes last are dashed. Where references are a mass, those that say no more than a
    longer way along others are faint, and a note says so. A few artists whatever the size:
    O(nodes + references) after the layout, for which see ``ecsviz.layout.layout_graph``.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> ax = draw_graph(ev.EntityDependencyGraph(thread))
    >>> ax.get_title(loc="left")
    '2 entities, 2 references, 1 cyclic component'
    """
    with steps("drawing", flag_or_none(progress, "progress")):
        step("grouping")
        picture = picture_of(
            checked_option(checked_graph, graph, "graph"),
            pairs=checked_option(flag, pairs, "pairs"),
            color_by=color_by,
            label=label,
            label_length=label_length,
            highlight=highlight,
            max_nodes=max_nodes,
            group_by=group_by,
            layout=layout,
            hide=hide,
            fields=fields,
        )
        named = color_by if isinstance(color_by, str) else ""
        ax = frame.sized_axes(ax, figsize)
        return draw_picture(
            picture, ax, named=named, title=title, legend=legend, edge_labels=edge_labels
        )


def picture_of(
    graph: EntityDependencyGraph,
    *,
    pairs: bool = True,
    label_length: int | None = LENGTH,
    hide: Any = None,
    fields: Any = None,
    **options: Any,
) -> Picture:
    """Decide what is shown of a graph; the other options are those of ``make_picture``."""
    if hide is not None or fields is not None:
        graph = chosen_part(graph, hide, fields)
    most = checked_option(count_or_none, label_length, "label_length")
    length = READ if most is None else max(most, 2)
    if pairs:
        return replace(make_picture(graph, **options), label_length=length)
    one_line = one_line_a_pair(graph)
    what = "lines, one a pair," if one_line.both.any() else "references"
    made = make_picture(one_line.graph, what=what, **options)
    picture = replace(made, label_length=length)
    return _with_pairs(picture, graph, one_line)


def _with_pairs(picture: Picture, graph: EntityDependencyGraph, one_line: Paired) -> Picture:
    """Return a picture whose title and note say what the pairs are that it does not show."""
    note = picture.note
    if one_line.left_out:
        note += f" {counted(one_line.left_out, 'pair')} without a line: others lead there too."
    both = None if picture.grouped else one_line.both
    counts = counts_besides(graph, one_line.graph)
    return replace(picture, counts=counts, note=note.strip(), both=both)


def draw_picture(
    picture: Picture,
    ax: Axes | frame.FreeRoom | None,
    *,
    named: str = "",
    title: str | None = None,
    legend: bool = True,
    edge_labels: bool | None = None,
    fixed: Mapping[str, tuple[str, str]] | None = None,
) -> Axes:
    """Draw a picture that is made.

    What its colours stand for is `named`; `fixed` are those of values that have a meaning.
    """
    title, legend = title_and_legend(title, legend)
    edge_labels = flag_or_none(edge_labels, "edge_labels")
    writer = Writer()
    theme = theme_of(frame.ground_of(ax))
    codes, kinds = (
        categories(picture.values, none=f"no {named}" if named else "none", dark=theme.dark)
        if fixed is None
        else fixed_categories(picture.values, fixed, dark=theme.dark)
    )
    if isinstance(kinds, Ramp):
        kinds.measure = named
    title = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    if picture.mapped:
        return draw_map(picture, codes, kinds, writer, theme, ax, title=title, legend=legend)
    plan = make_plan(
        picture,
        codes,
        kinds,
        writer,
        theme,
        room=frame.room_for(ax),
        fixed=ax is not None and not isinstance(ax, frame.FreeRoom),
        title=title,
        legend=legend,
    )
    step("lines and marks")
    canvas = plan.around.canvas(ax, theme, writer, plan.bounds, plan.height)
    all_named = False
    if len(plan.labels):
        all_named = _draw_parts(canvas, picture, plan, edge_labels)
    else:
        _say_empty(canvas)
    (plan.named if all_named else plan.around).draw(canvas)
    return canvas.ax


def _say_empty(canvas: frame.Canvas) -> None:
    canvas.ax.text(
        0.5,
        0.55,
        "nothing to draw: the graph is empty",
        transform=canvas.ax.transAxes,
        ha="center",
        va="center",
        size=FONT + 1,
        color=canvas.theme.muted,
        gid="note",
        **canvas.writer.options(),
    )


def _draw_parts(
    canvas: frame.Canvas, picture: Picture, plan: Plan, edge_labels: bool | None
) -> bool:
    """Draw all, and tell whether all nodes have their names."""
    if plan.layout.rings or plan.layout.moments is not None:
        draw_guides(canvas, plan.layout)
    draw_hulls(canvas, picture, plan)
    draw_references(canvas, picture, plan)
    if not plan.labelled:
        return draw_marks(canvas, picture, plan)
    draw_boxes(canvas, picture, plan)
    shape = plan.layout.shape
    if _names_references(len(shape), canvas.scale, edge_labels):
        shown = (shape != HUB) & ~_repeated(picture)
        if picture.lit_references is not None:
            shown &= picture.lit_references
        draw_edge_labels(canvas, picture, plan, shown)
    return True


def _names_references(count: int, scale: float, asked: bool | None) -> bool:
    if asked is None:
        return count <= MAX_EDGE_LABELS and scale >= 0.75
    return asked and count <= 10 * MAX_EDGE_LABELS


def _repeated(picture: Picture) -> Bools:
    """Tell which names say nothing: those of a field that leads to, or from, many the same way."""
    parts = picture.graph.arrays
    sources, targets = parts.sources.tolist(), parts.targets.tolist()
    fields = [parts.place_of(number)[0] for number in range(len(sources))]
    here = Counter(zip(sources, fields, strict=True))
    there = Counter(zip(targets, fields, strict=True))
    many = [
        max(here[source, field], there[target, field]) > MANY_ALIKE
        for source, target, field in zip(sources, targets, fields, strict=True)
    ]
    return np.array(many, dtype=bool)
