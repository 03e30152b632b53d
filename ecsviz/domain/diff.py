"""Two states of a graph side by side: what was added, removed, edited, moved and reordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.html import block, element, shown_of, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.views import ToHtml, view
from ecsviz.domain.entity_class import is_entity_class, same_type
from ecsviz.domain.equality import by_id, identical, of_any
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.domain.isomorphic import roots_of
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.paths import format_path
from ecsviz.domain.walk import Walk, walk
from ecsviz.errors import short_repr

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

DIFF_COLUMNS = ("what", "type", "ecs_id", "field", "before", "after")
MAX_LINES = 20
"""How many differences the text of a diff lists."""
MAX_ROWS = 30
"""How many its table lists."""
SAID = 4
"""How many members of a list both name."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two states.

    Attributes
    ----------
    what
        ``added`` and ``removed`` (an entity), ``edited`` (a field's value), ``re-referenced`` (a
        field holds another entity), ``linked`` and ``unlinked`` (an entity that is in both states
        came into a collection, or left it), ``moved`` (it left one place and came to another),
        ``reordered`` (a list holds the same in another order), ``retyped`` (another class).
    type_name, ecs_id
        Which entity differs; of something linked, unlinked or moved: what is held.
    field
        The field; empty for whole entities.
    before, after
        Both values; for references the entities held, for ``moved``, ``linked`` and ``unlinked``
        the places as text.
    """

    what: str
    type_name: str
    ecs_id: UUID
    field: str = ""
    before: Any = None
    after: Any = None

    def row(self) -> tuple[str, str, UUID, str, str, str]:
        """Return the difference under `DIFF_COLUMNS`, values as short texts."""
        whole = self.what in ("added", "removed")
        if whole or self.what in ("linked", "unlinked", "moved"):  # both are places
            before, after = self.before or "", self.after or ""
        elif self.what == "reordered" and self.before[:SAID] == self.after[:SAID]:
            pairs = enumerate(zip(self.before, self.after, strict=False))
            first = next((place for place, (old, new) in pairs if old != new), 0)
            before, after = (
                f"from place {first + 1:,} on {_said(held[first:])}"
                for held in (self.before, self.after)
            )
        else:
            before, after = _said(self.before), _said(self.after)
        return (self.what, self.type_name, self.ecs_id, self.field, before, after)

    def __str__(self) -> str:
        name = f"{self.type_name} …{str(self.ecs_id)[-6:]}"
        _, _, _, of, before, after = self.row()
        if self.what in ("added", "removed"):
            place = after or before
            return f"{self.what}: {name}{f' in {place}' if place else ''}"
        if self.what in ("linked", "unlinked"):
            return f"{self.what}: {name}, {'in' if after else 'from'} {after or before}"
        return f"{self.what}: {name}{f'.{of}' if of else ''}: {before} → {after}"


@dataclass(slots=True)
class GraphDiff(ToHtml):
    """What differs between two states of a graph.

    Attributes
    ----------
    differences
        All of them: removed, added, then entity by entity in the order of the second state.
    before, after
        The walks of both states.
    left_out
        How many entities were not loaded in one of them, and so are not compared.

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> before = copy.deepcopy(thread)
    >>> thread.title, message.content = "Rings", "Hello"
    >>> ev.diff(before, thread).counts()
    {'edited': 2}
    """

    differences: list[Difference] = field(default_factory=list)
    before: Walk = field(default_factory=lambda: walk([]), repr=False, compare=False)
    after: Walk = field(default_factory=lambda: walk([]), repr=False, compare=False)
    left_out: int = field(default=0, compare=False)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.differences)

    def __len__(self) -> int:
        return len(self.differences)

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.differences)

    def of(self, what: str) -> list[Difference]:
        """Return the differences of one kind."""
        return [item for item in self.differences if item.what == what]

    def counts(self) -> dict[str, int]:
        """Return how many there are of each kind."""
        return dict(Counter(item.what for item in self.differences))

    def summary(self) -> str:
        """Return one sentence."""
        found = ", ".join(f"{count:,} {what}" for what, count in self.counts().items())
        found = found or "nothing differs"
        return f"{found} ({self.left_out:,} not loaded)" if self.left_out else found

    def to_frame(self) -> pd.DataFrame:
        """Return the differences as a DataFrame.

        Returns
        -------
        DataFrame
            A row per difference: ``what`` and ``type`` (str), ``ecs_id`` (UUID objects),
            ``field`` (str), ``before`` and ``after`` (the values themselves; entities stand for
            references).
        """
        rows = [(d.what, d.type_name, d.ecs_id, d.field, d.before, d.after) for d in self]
        texts = dict.fromkeys(("what", "type", "field"), "str")
        return typed_frame(rows, {**dict.fromkeys(DIFF_COLUMNS, object), **texts})

    @view
    def draw(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw both states in one picture: added green, removed red, changed brown.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            As of `ecsviz.draw.draw_diff`.

        Examples
        --------
        >>> import copy, ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> before = copy.deepcopy(thread)
        >>> message = thread.say("user", "hello")
        >>> ax = ev.diff(before, thread).draw()
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"GraphDiff: {self.summary()}"]
        lines += [f"  {item}" for item in self.differences[:MAX_LINES]]
        if len(self.differences) > MAX_LINES:
            lines.append(f"  … {len(self.differences) - MAX_LINES:,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        caption = f"GraphDiff: {self.summary()}"
        rows = [
            (what, kind, f"…{str(ecs_id)[-6:]}", name, before, after)
            for what, kind, ecs_id, name, before, after in (
                item.row() for item in self.differences[:MAX_ROWS]
            )
        ]
        if not rows:
            return str(block(element("p", caption, look="line")))
        note = shown_of(len(rows), len(self), "differences") if len(rows) < len(self) else None
        return str(block(table(DIFF_COLUMNS, rows, caption=caption, note=note)))


def diff(a: Any, b: Any) -> GraphDiff:
    """Return what differs between two states of a graph.

    Parameters
    ----------
    a, b
        An entity, or an iterable of them: the state before and the state after. Entities of one
        ``ecs_id`` are one entity in two states; versions are not compared, and nor are the fields
        of placeholders, which were left out when a part was read, and what only these lead to.

    Returns
    -------
    GraphDiff
        Empty if nothing differs.

    Raises
    ------
    NotAnEntityError
        If `a` or `b` holds something else.

    Notes
    -----
    Where a list and a back-reference say the same, a change is told once, of the list. O(entities
    + references + values).

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> for text in ("one", "two"):
    ...     _ = thread.say("user", text)
    >>> before = copy.deepcopy(thread)
    >>> thread.messages.reverse()
    >>> thread.title = "Rings"
    >>> [(d.what, d.field) for d in ev.diff(before, thread)]
    [('edited', 'title'), ('reordered', 'messages')]
    """
    with collector_paused():
        one, two = _State(a), _State(b)
        left_out = len(one.left_out() | two.left_out())
        return GraphDiff(_Comparison(one, two).run(), one.walk, two.walk, left_out)


class _State:
    """One state: its entities by id, and what each field of theirs holds, in order."""

    def __init__(self, given: Any) -> None:
        self.roots, _ = roots_of(given)
        self.walk: Walk = walk(self.roots)
        entities = self.walk.entities
        self.entities: dict[UUID, Any] = {entity.ecs_id: entity for entity in entities}
        ids = [entity.ecs_id for entity in entities]
        self.held: dict[tuple[UUID, str], list[tuple[Any, UUID]]] = {}
        self.first: dict[UUID, tuple[UUID, str, Any]] = {}
        fields = [plan.name for plan in self.walk.fields]
        rows = zip(
            self.walk.sources, self.walk.targets, self.walk.slots, self.walk.keys, strict=True
        )
        for source, target, slot, key in rows:
            name = fields[slot]
            self.held.setdefault((ids[source], name), []).append((key, ids[target]))
            self.first.setdefault(ids[target], (ids[source], name, key))

    def left_out(self) -> set[UUID]:
        """Return the placeholders: what they lead to is not known here."""
        return {entity.ecs_id for entity in self.walk.entities if is_placeholder(entity)}

    def beyond(self, left_out: set[UUID]) -> set[UUID]:
        """Return what only entities that the other state left out lead to."""
        if not left_out:
            return set()
        ids, out = self.walk.ids, dict[UUID, list[UUID]]()
        for source, target in zip(self.walk.sources, self.walk.targets, strict=True):
            if ids[source] not in left_out:
                out.setdefault(ids[source], []).append(ids[target])
        found = {root.ecs_id for root in self.roots}
        queue = list(found)
        for ecs_id in queue:
            for other in out.get(ecs_id, ()):
                if other not in found:
                    found.add(other)
                    queue.append(other)
        return set(ids) - found

    def place(self, ecs_id: UUID) -> str | None:
        """Return where an entity is held first, as text."""
        found = self.first.get(ecs_id)
        return None if found is None else self.place_of(*found)

    def place_of(self, source: UUID, name: str, key: Any) -> str:
        kind = type(self.entities[source]).__name__
        return f"{kind} …{str(source)[-6:]}.{format_path(name, key)}"


@dataclass(slots=True)
class _Link:
    """A place in a collection that only one of the two states has."""

    source: UUID
    plan: FieldPlan
    key: Any
    target: UUID


class _Comparison:
    """One comparison of two states."""

    def __init__(self, before: _State, after: _State) -> None:
        self.before = before
        self.after = after
        self.result: list[Difference] = []
        self.gone: list[_Link] = []
        self.new: list[_Link] = []
        self.references: list[tuple[FieldPlan, Difference]] = []
        self.told: set[tuple[UUID, str]] = set()  # members whose back-reference is told already

    def run(self) -> list[Difference]:
        before, after = self.before.entities, self.after.entities
        unknown = self.before.beyond(self.after.left_out())
        for ecs_id, entity in before.items():
            if ecs_id not in after and ecs_id not in unknown:
                place = self.before.place(ecs_id)
                self._tell("removed", entity, before=place)
        unknown = self.after.beyond(self.before.left_out())
        for ecs_id, entity in after.items():
            if ecs_id not in before and ecs_id not in unknown:
                self._tell("added", entity, after=self.after.place(ecs_id))
        for ecs_id, entity in after.items():
            if ecs_id in before:
                self._compare(before[ecs_id], entity)
        self._tell_links()
        # Last, when it is known which back-references a list has told of.
        for plan, item in self.references:
            if (item.ecs_id, plan.name) not in self.told:
                self.result.append(item)
        return self.result

    def _tell(
        self, what: str, entity: Any, name: str = "", before: Any = None, after: Any = None
    ) -> None:
        kind = type(entity).__name__
        self.result.append(Difference(what, kind, entity.ecs_id, name, before, after))

    # -- one entity --------------------------------------------------------------------------

    def _compare(self, old: Any, new: Any) -> None:
        if not same_type(type(old), type(new)):
            self._tell("retyped", new, "", type(old).__name__, type(new).__name__)
            return
        if is_placeholder(old) or is_placeholder(new):
            return  # what was left out when a part was read is not known here
        plan = class_plan(type(new))
        one, two = old.__dict__, new.__dict__
        for name in ("lineage_id", "parent_id", *plan.values):
            x, y = one.get(name), two.get(name)
            if x is not y and not identical(x, y, by_id):
                self._tell("edited", new, name, x, y)
        for item in plan.fields:
            if item.shape == Shape.SINGLE:
                self._compare_single(item, old, new)
            else:
                self._compare_several(item, old, new)

    def _compare_single(self, plan: FieldPlan, old: Any, new: Any) -> None:
        x, y = old.__dict__.get(plan.name), new.__dict__.get(plan.name)
        if (None if x is None else x.ecs_id) != (None if y is None else y.ecs_id):
            kind = type(new).__name__
            item = Difference("re-referenced", kind, new.ecs_id, plan.name, x, y)
            self.references.append((plan, item))

    def _compare_several(self, plan: FieldPlan, old: Any, new: Any) -> None:
        key = (new.ecs_id, plan.name)
        before, after = self.before.held.get(key, []), self.after.held.get(key, [])
        nested = plan.shape in (Shape.NESTED, Shape.OPAQUE)
        x, y = old.__dict__.get(plan.name), new.__dict__.get(plan.name)
        if before == after:
            if (nested or type(x) is not type(y)) and not identical(x, y, by_id):
                self._tell("edited", new, plan.name, x, y)
            return
        keyed = plan.shape not in (Shape.LIST, Shape.SET)
        gone, came = _unmatched(before, after, keyed), _unmatched(after, before, keyed)
        self.gone += [_Link(new.ecs_id, plan, key, target) for key, target in gone]
        self.new += [_Link(new.ecs_id, plan, key, target) for key, target in came]
        # What stands around the entities, or the order of keys, may have changed too.
        same = identical(x, y, of_any) if nested else bool(gone or came)
        if plan.shape != Shape.LIST and not same and not identical(x, y, by_id):
            self._tell("edited", new, plan.name, x, y)
        if plan.shape == Shape.LIST:
            left, right = {id(x) for x in gone}, {id(x) for x in came}
            stayed = [x for x in before if id(x) not in left]
            now = [x for x in after if id(x) not in right]
            if [target for _, target in stayed] != [target for _, target in now]:
                self._tell("reordered", new, plan.name, _order(stayed), _order(now))

    # -- what came into collections and left them --------------------------------------------

    def _tell_links(self) -> None:
        """Tell of entities that are in both states; of others, that they came says enough."""
        left: dict[tuple[UUID, str], list[_Link]] = {}
        for link in self.gone:
            self._mark(link)
            if link.target in self.after.entities:
                left.setdefault((link.target, link.plan.name), []).append(link)
        for link in self.new:
            self._mark(link)
            if link.target not in self.before.entities:
                continue
            came = self.after.place_of(link.source, link.plan.name, link.key)
            entity = self.after.entities[link.target]
            olds = left.get((link.target, link.plan.name))
            if olds:
                old = olds.pop(0)
                place = self.before.place_of(old.source, old.plan.name, old.key)
                self._tell("moved", entity, link.plan.name, place, came)
            else:
                self._tell("linked", entity, link.plan.name, None, came)
        for links in left.values():
            for link in links:
                place = self.before.place_of(link.source, link.plan.name, link.key)
                entity = self.after.entities[link.target]
                self._tell("unlinked", entity, link.plan.name, place, None)

    def _mark(self, link: _Link) -> None:
        back = inverse_of(link.plan)
        if back is not None:
            self.told.add((link.target, back.name))


# -- small parts -----------------------------------------------------------------------------


def _unmatched(
    ours: list[tuple[Any, UUID]], theirs: list[tuple[Any, UUID]], keyed: bool
) -> list[tuple[Any, UUID]]:
    """Return what we hold and they do not, each as often as it is too many."""
    rest = Counter(x if keyed else x[1] for x in theirs)
    result = []
    for item in ours:
        said = item if keyed else item[1]
        if rest[said] > 0:
            rest[said] -= 1
        else:
            result.append(item)
    return result


def _order(held: Iterable[tuple[Any, UUID]]) -> list[UUID]:
    return [target for _, target in held]


def _said(value: Any) -> str:
    """Return a value as short text; entities by class and id."""
    if is_entity_class(type(value)):
        return f"{type(value).__name__} …{str(value.ecs_id)[-6:]}"
    if isinstance(value, list) and value and isinstance(value[0], UUID):
        shown = ", ".join(f"…{str(item)[-6:]}" for item in value[:SAID])
        return f"[{shown}{', …' if len(value) > SAID else ''}]"
    return short_repr(value)
