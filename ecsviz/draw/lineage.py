"""The picture of a family: each entity a line of its versions, forks leave that of their parent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.text import counted
from ecsviz.domain.labels import label_of
from ecsviz.draw import frame
from ecsviz.draw.nodes import RISE
from ecsviz.draw.options import checked_option, title_and_legend
from ecsviz.draw.palette import BLUE, BROWN, GREEN, GREY, RED
from ecsviz.draw.style import fixed_categories, theme_of, with_alpha
from ecsviz.draw.text import Writer
from ecsviz.layout.lanes import depth_first
from ecsviz.storage.comparing import storage_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_MEMBERS: Final = 40
"""Of larger families the first so many are drawn, and a note says so."""
LANE: Final = 0.30
STEP: Final = 0.55
"""From one member to the next, and from one revision to the next, in inches."""
LEAST_STEP: Final = 0.16
MARK: Final = 0.14
TEXT: Final = 8.8
SMALL: Final = 7.4
COLUMNS: Final = 40

EVENTS: Final = {
    "added": (GREEN, "P"),
    "forked": (BLUE, "o"),
    "changed": (BROWN, "D"),
    "deleted": (RED, "X"),
    "not stored": (GREY, "s"),
}
"""What happened to an entity in a revision; the marks tell it without colour."""


@dataclass(frozen=True, slots=True)
class _Event:
    member: int
    version: int
    revision: int
    what: str
    at: str


@dataclass(frozen=True, slots=True, eq=False)
class _Family:
    """A family in plain data, parents before their forks."""

    members: list[Any]
    parents: list[int]
    events: list[_Event]
    total: int


def draw_family(
    store: Any,
    lineage_id: Any,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the family of an entity: `draw_lineage` as the method of a store."""
    return draw_lineage(store, lineage_id, ax, title=title, legend=legend)


def draw_lineage(
    store: Any,
    lineage: Any,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the family of an entity: versions along a line, forks below what they come from.

    Parameters
    ----------
    store
        A storage.
    lineage
        An entity of the family, or the family's ``lineage_id``.
    ax
        Where to draw. None makes a figure.
    title
        A line above the counts.
    legend
        Whether to explain colours and marks.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"marks"``, ``"lives"`` (a line per
        entity), ``"leads"`` (from there to its name) or ``"forks"`` (from a parent to its fork).

    Raises
    ------
    DrawingOptionError
        If `store` is no storage, or `title` no text.

    Notes
    -----
    From left to right stand the revisions of the store that changed one of the family, numbered
    at the foot with their dates (UTC). Of large families the first 40 are drawn. One look into
    the store's history per entity that is drawn.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> first = store.register(ev.ChatThread(title="a"))
    >>> second = store.register(first.fork())
    >>> draw_lineage(store, first).get_title(loc="left")
    '2 entities, 2 versions, 1 fork'
    """
    title, legend = title_and_legend(title, legend)
    family = _read(checked_option(storage_of, store, "store"), lineage)
    writer = Writer()
    theme = theme_of(frame.ground_of(ax))
    room = frame.room_for(ax)
    head = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    plan = _plan(family, writer, room)
    codes, kinds = fixed_categories(
        [event.what for event in family.events], EVENTS, dark=theme.dark
    )
    entries = frame.legend_entries(kinds, theme, writer) if legend else []
    left, bottom, right, top = plan.bounds
    hidden = family.total - len(family.members)
    note = f"Showing {len(family.members):,} of {family.total:,} entities." if hidden else ""
    needed = right - left + 2 * frame.MARGIN if ax is None else None
    around = frame.surround(
        writer, head, _counts(family), entries, note, room=room[0], needed=needed
    )
    height = max(top - bottom + 2 * frame.MARGIN + around.strip, 1.0)
    canvas = around.canvas(ax, theme, writer, plan.bounds, height)
    _draw_lines(canvas, family, plan)
    _draw_marks(canvas, plan, codes, kinds)
    _write(canvas, plan)
    around.draw(canvas)
    return canvas.ax


def _read(store: Any, lineage: Any) -> _Family:
    with store.inside.one_state():
        parts = store.lineage_graph(lineage).arrays
        parents = [-1] * len(parts.nodes)
        for source, target in zip(parts.sources.tolist(), parts.targets.tolist(), strict=True):
            parents[source] = target
        order = depth_first(parents)[:MAX_MEMBERS]
        members = [parts.nodes[node] for node in order]
        histories = [store.history(member.ecs_id) for member in members]
    place = {node: number for number, node in enumerate(order)}
    forks = [place.get(parents[node], -1) for node in order]
    events = []
    for number, (member, history) in enumerate(zip(members, histories, strict=True)):
        columns = [history[name].tolist() for name in ("version", "revision", "what", "at")]
        for version, revision, what, at in zip(*columns, strict=True):
            first = what == "added" and member.parent_id is not None
            told = "forked" if first else what
            events.append(_Event(number, version, revision, told, f"{at:%Y-%m-%d %H:%M}"))
    return _Family(members, forks, events, len(parts.nodes))


def _counts(family: _Family) -> str:
    n, versions = family.total, sum(event.what != "deleted" for event in family.events)
    forks = sum(parent >= 0 for parent in family.parents)
    return ", ".join((counted(n, "entity"), counted(versions, "version"), counted(forks, "fork")))


@dataclass(frozen=True, slots=True, eq=False)
class _LineagePlan:
    centre: Any
    x_of: Mapping[int, float]
    names: list[tuple[float, float, str]]
    ticks: list[tuple[float, float, str]]
    bounds: tuple[float, float, float, float]


def _plan(family: _Family, writer: Writer, room: tuple[float, float]) -> _LineagePlan:
    revisions = sorted({event.revision for event in family.events})
    labels = [writer.clean(label_of(member, COLUMNS), COLUMNS) for member in family.members]
    versions = [member.version for member in family.members]
    names = [f"{label}  (v{version})" for label, version in zip(labels, versions, strict=True)]
    wide = max((writer.width(name, TEXT) for name in names), default=0.0)
    free = room[0] - 2 * frame.MARGIN - wide - 0.4
    step = float(np.clip(free / max(len(revisions), 1), LEAST_STEP, STEP))
    x_of = {revision: step * number for number, revision in enumerate(revisions)}
    centre = np.array(
        [(x_of[event.revision], -LANE * event.member) for event in family.events]
    ).reshape(-1, 2)
    # In a column of their own: beside the last version, forks would run through them.
    beside = step * max(len(revisions) - 1, 0) + 0.24
    placed = [(beside, -LANE * number, name) for number, name in enumerate(names)]
    right = max((x + writer.width(name, TEXT) for x, _, name in placed), default=1.0)
    foot = -LANE * (len(names) - 0.5) - 0.12
    every = max(1, -(-len(revisions) // max(1, int(step * len(revisions) / 0.5))))
    at = {event.revision: event.at for event in family.events}
    ticks = [(x_of[r], foot - 0.06, f"{r:,}") for r in revisions[::every]]
    ticks += _dates([(x_of[r], at[r]) for r in revisions], foot - 0.22)
    return _LineagePlan(centre, x_of, placed, ticks, (-0.3, foot - 0.32, right + 0.1, 0.5 * LANE))


def _dates(moments: list[tuple[float, str]], y: float) -> list[tuple[float, float, str]]:
    """Name the days below the revisions, each where it begins and there is room."""
    named: list[tuple[float, float, str]] = []
    day = ""
    for x, at in moments:
        new = at[:10]
        if new != day and (not named or x - named[-1][0] > 0.8):
            named.append((x, y, new))
            day = new
    return named


def _draw_lines(canvas: frame.Canvas, family: _Family, plan: _LineagePlan) -> None:
    from matplotlib.collections import LineCollection

    theme = canvas.theme
    lives, forks, leads = [], [], []
    right = plan.names[0][0] - 0.08 if plan.names else 0.0
    for number, parent in enumerate(family.parents):
        own = [k for k, event in enumerate(family.events) if event.member == number]
        if not own:
            continue
        first, last = plan.centre[own[0]], plan.centre[own[-1]]
        lives.append(np.array([first, last]))
        leads.append(np.array([last, (right, last[1])]))
        if parent >= 0:
            forks.append(np.array([(first[0], -LANE * parent), first]))
    for name, lines, style, strength in (
        ("leads", leads, "solid", 0.3),
        ("lives", lives, "solid", 1.0),
        ("forks", forks, (0, (3.2, 1.8)), 1.0),
    ):
        if lines:
            canvas.ax.add_collection(
                LineCollection(
                    lines,
                    colors=with_alpha([theme.line], strength),
                    linewidths=(1.5 if name == "lives" else 1.1) * canvas.scale,
                    linestyles=[style],
                    zorder=1,
                    gid=name,
                ),
                autolim=False,
            )


def _draw_marks(canvas: frame.Canvas, plan: _LineagePlan, codes: Any, kinds: list[Any]) -> None:
    size = max(MARK * canvas.scale * 72, 1.5) ** 2
    for code, kind in enumerate(kinds):
        here = np.flatnonzero(codes == code)
        canvas.ax.scatter(
            plan.centre[here, 0],
            plan.centre[here, 1],
            s=size * (1.25 if kind.marker in "DPX" else 1.0),
            marker=kind.marker,
            c=with_alpha([kind.color], np.ones(len(here))),
            edgecolors=[(*canvas.theme.ground, 0.9)],
            linewidths=0.5,
            zorder=3,
            gid="marks",
        )


def _write(canvas: frame.Canvas, plan: _LineagePlan) -> None:
    theme, options = canvas.theme, canvas.writer.options()
    for x, y, text in plan.names:
        canvas.ax.text(
            x, y - RISE, text, size=TEXT * canvas.scale, color=theme.text, va="baseline",
            ha="left", zorder=3.4, clip_on=True, gid="label", **options,
        )  # fmt: skip
    for x, y, text in plan.ticks:
        canvas.ax.text(
            x, y - RISE, text, size=SMALL * canvas.scale, color=theme.muted, va="baseline",
            ha="center", zorder=3.4, clip_on=True, gid="tick", **options,
        )  # fmt: skip
