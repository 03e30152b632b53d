"""What was changed both here and in the store, side by side, to choose from and merge."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

import traitlets
from ipywidgets import HTML, Button, HBox, Layout, ToggleButtons, VBox

from ecsviz.basics.html import Cell, Child, Element, block, element, shown_of, table
from ecsviz.basics.text import counted
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.equality import by_id, identical
from ecsviz.domain.labels import label_of
from ecsviz.domain.walk import walk
from ecsviz.errors import EcsvizError, InvalidArgumentError, MergeConflictError, short_repr
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.catching_up import CatchingUp
from ecsviz.storage.comparing import storage_of
from ecsviz.storage.merging import MISSING, Conflict
from ecsviz.storage.protocol import as_registered
from ecsviz.widgets.base import LiveWidget, OneBox, close_all

LISTED: Final = 40
"""How many conflicts have buttons of their own; the others go by those for all."""
PARTS: Final = 6
"""How many members of a list are named."""
NAMES: Final = {"mine": "here", "theirs": "in the store", "both": "both"}
"""What buttons call the sides."""


def explore_conflicts(store: Any, entity: Any, *, base: AsOf = None) -> ConflictsExplorer:
    """Return a widget: what was changed both here and in the store, to choose from.

    Parameters
    ----------
    store
        The store.
    entity, base
        As of ``store.merge``.
    """
    known: Any = storage_of(store)
    return ConflictsExplorer(known, entity, base)


class ConflictsPage(LiveWidget):
    """What a page tells of conflicts, that it is alive; and what stands there where it is not.

    Attributes
    ----------
    shown
        The widget that it belongs to.
    """

    bundle: ClassVar[str] = "lesson"
    dark = traitlets.Bool(False).tag(sync=True)

    def __init__(self, shown: ConflictsExplorer, **traits: Any) -> None:
        self.shown = shown
        super().__init__(**traits)

    def __repr__(self) -> str:
        return repr(self.shown)

    def _still(self) -> list[Child]:
        return [self.shown.table()]


class ConflictsExplorer(OneBox):
    """The widget that ``store.resolve(entity)`` returns.

    Attributes
    ----------
    conflicts
        What was changed on both sides: a list of `Conflict`.
    chosen
        A trait: for each of them ``"mine"``, ``"theirs"``, ``"both"`` or None.
    told
        A trait: what was said last.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = store.register(ev.ChatThread(title="a"))
    >>> other = store.get(thread.ecs_id)
    >>> said = other.say("user", "hello"), thread.say("user", "hi")
    >>> _ = store.register(other)
    >>> shown = store.resolve(thread)
    >>> shown.conflicts[0].choices
    ('mine', 'theirs', 'both')
    >>> shown.choose(0, "both")
    >>> [message.content for message in store.register(shown.merge()).messages]
    ['hi', 'hello']
    """

    chosen = traitlets.List(traitlets.Unicode(None, allow_none=True))
    told = traitlets.Unicode()

    def __init__(self, store: CatchingUp, entity: Any, base: AsOf = None) -> None:
        self.store, self.entity, self._base = store, entity, base
        self.conflicts: list[Conflict] = []
        self._labels: dict[UUID, str] = {}
        self._places: dict[tuple[UUID, str], int] = {}
        self._words, self._said, self._rows = HTML(), HTML(), VBox()
        self._bar = HBox(layout=Layout(flex_flow="row wrap"))
        self._page = ConflictsPage(self)
        super().__init__(
            [self._page, self._words, self._rows, self._bar, self._said],
            layout=Layout(width="100%"),
        )
        self.observe(lambda _: self._tell(), "told")
        self.observe(lambda _: self._mark(), "chosen")
        self._look()

    def _look(self) -> None:
        """Ask the store what was changed on both sides."""
        self.conflicts = self.store.conflicts(self.entity, base=self._base)
        self._places = {(each.ecs_id, each.field): n for n, each in enumerate(self.conflicts)}
        wanted = {each.ecs_id for each in self.conflicts}
        live = walk(as_registered(self.entity)[1]).entities
        self._labels = {each.ecs_id: label_of(each, 40) for each in live if each.ecs_id in wanted}
        buttons = []
        for number, conflict in enumerate(self.conflicts[:LISTED]):
            row = [
                HTML(
                    str(self._row(conflict)),
                    layout=Layout(flex="1 1 320px", min_width="0", max_width="640px"),
                )
            ]
            if conflict.choices:
                choice = ToggleButtons(
                    options=[(NAMES[side], side) for side in conflict.choices],
                    value=None,
                    style={"button_width": "auto"},
                )
                choice.observe(lambda change, n=number: self._on_choice(n, change["new"]), "value")
                row.append(choice)
            buttons.append(HBox(row, layout=Layout(flex_flow="row wrap", align_items="center")))
        # What is clicked on a page that shows other conflicts is not meant for these.
        gone = [*self._rows.children, *self._bar.children]
        self._rows.children, self._bar.children = buttons, self._made_bar()
        for each in gone:
            close_all(each)
        self.chosen = [None] * len(self.conflicts)
        self._words.value = str(block(element("p", self._headline(), look="line")))
        self._mark()

    def _made_bar(self) -> list[Button]:
        narrow = Layout(width="auto")
        self._all = {
            side: Button(description=f"all: {NAMES[side]}", layout=narrow)
            for side in ("mine", "theirs")
        }
        self._merge = Button(description="Merge", button_style="primary", layout=narrow)
        for side, button in self._all.items():
            button.on_click(lambda _, side=side: self.choose_all(side))
        self._merge.on_click(lambda _: self._on_merge())
        return [*self._all.values(), self._merge]

    def _headline(self) -> str:
        count = len(self.conflicts)
        if not count:
            return "Nothing was changed both here and in the store: there is nothing to choose."
        was = "was" if count == 1 else "were"
        said = f"{counted(count, 'field')} {was} changed both here and in the store."
        more = f" {shown_of(LISTED, count, 'of them')}." if count > LISTED else ""
        return said + more

    def _row(self, conflict: Conflict) -> Element:
        where = self._labels.get(conflict.ecs_id, conflict.type_name)
        if not conflict.field:
            return block(element("p", where, ": changed here, deleted in the store", look="line"))
        values = [("as it was read", conflict.base), (NAMES["mine"], conflict.mine)]
        values.append((NAMES["theirs"], conflict.theirs))
        rows: list[tuple[Cell, ...]] = [(name, self._shown(value)) for name, value in values]
        return table(("", conflict.field), rows, caption=where)

    def table(self) -> Element:
        """Return the conflicts as a table: what stands where there is no kernel."""
        rows: list[tuple[Cell, ...]] = [
            (
                self._labels.get(each.ecs_id, each.type_name),
                each.field or "deleted in the store",
                *(self._shown(value) for value in (each.base, each.mine, each.theirs)),
            )
            for each in self.conflicts[:LISTED]
        ]
        count = len(self.conflicts)
        note = shown_of(LISTED, count, "conflicts") if count > LISTED else None
        heads = ("entity", "field", "as it was read", NAMES["mine"], NAMES["theirs"])
        return table(heads, rows, caption=self._headline(), note=note)

    def _shown(self, value: Any) -> str:
        if value is MISSING or (isinstance(value, list) and not value):
            return "–"
        if is_entity_class(type(value)):
            return label_of(value, 40)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and all(is_entity_class(type(v)) for v in value):
            named = ", ".join(label_of(part, 40) for part in value[:PARTS])
            more = f" … {len(value) - PARTS:,} more" if len(value) > PARTS else ""
            return f"{len(value):,}: {named}{more}"
        return short_repr(value, 300)

    def choose(self, number: int, side: str) -> None:
        """Choose a side of a conflict.

        Parameters
        ----------
        number
            Its place among the ``conflicts``.
        side
            One of its ``choices``.

        Raises
        ------
        InvalidArgumentError
            If there is no such conflict, or no such choice.
        """
        if type(number) is not int or not 0 <= number < len(self.conflicts):
            raise InvalidArgumentError(
                f"There is no conflict {short_repr(number)}: they count from 0, and there are"
                f" {len(self.conflicts):,}.",
                argument="number",
                value=number,
            )
        self.conflicts[number].taken(side)
        self.told = ""
        self.chosen = [*self.chosen[:number], side, *self.chosen[number + 1 :]]

    def choose_all(self, side: str) -> None:
        """Choose one side of all conflicts that have a choice.

        Parameters
        ----------
        side
            ``"mine"`` or ``"theirs"``.

        Raises
        ------
        InvalidArgumentError
            If it is neither.
        """
        if side not in self._all:
            raise InvalidArgumentError(
                f'{short_repr(side)} is no side of all. Give "mine" or "theirs".',
                argument="side",
                value=side,
            )
        self.told = ""
        self.chosen = [side if side in each.choices else None for each in self.conflicts]

    def merge(self) -> Any:
        """Merge as was chosen, and return the entity, ready to be registered.

        Raises
        ------
        MergeConflictError
            If something is not chosen yet, or others have changed more meanwhile, which is shown
            then. Nothing is changed.
        """
        found = self.store.conflicts(self.entity, base=self._base)
        left = [each for each in found if not self._side_of(each)]
        if left:
            anew = any(self._place(each) is None for each in left)
            if anew:
                self._look()
            since = ", since others have saved meanwhile" if anew else ""
            raise MergeConflictError(
                f"Not chosen yet{since}: {counted(len(left), 'conflict')}, such as {left[0]}."
                " Choose a side of each.",
                conflicts=left,
            )
        done = self.store.merge(self.entity, base=self._base, choose=self._side_of)
        self.conflicts, self.chosen, self._places = [], [], {}
        gone, self._rows.children = self._rows.children, []
        for each in gone:
            close_all(each)
        self._words.value = ""
        self.told = "Merged. Register it to save what came of it."
        return done

    def _place(self, conflict: Conflict) -> int | None:
        """Return where a conflict stands among those that are shown, if it is as it is shown."""
        place = self._places.get((conflict.ecs_id, conflict.field))
        return place if place is not None and _is_same(self.conflicts[place], conflict) else None

    def _side_of(self, conflict: Conflict) -> str:
        """Return the side that was chosen; empty if none was, or it is not as it is shown."""
        place = self._place(conflict)
        return "" if place is None else self.chosen[place] or ""

    def _on_choice(self, number: int, side: str | None) -> None:
        if side is not None and self.chosen[number] != side:
            self.choose(number, side)

    def _on_merge(self) -> None:
        try:
            self.merge()
        except EcsvizError as err:
            self.told = str(err)

    def _mark(self) -> None:
        for row, side in zip(self._rows.children, self.chosen, strict=False):
            if len(row.children) > 1:
                row.children[1].value = side

    def _tell(self) -> None:
        self._said.value = str(block(element("p", self.told, look="line", role="status")))

    def __repr__(self) -> str:
        done = sum(side is not None for side in self.chosen)
        return f"ConflictsExplorer({counted(len(self.conflicts), 'conflict')}, {done:,} chosen)"

    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        self._page.show_within(super()._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(self._page.still())}


def _is_same(one: Conflict, other: Conflict) -> bool:
    sides = (one.mine, other.mine), (one.theirs, other.theirs)
    return all(identical(*values, by_id) for values in sides)
