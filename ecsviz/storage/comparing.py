"""What every storage with a past can do: going back, comparing states, catching up, merging."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from ecsviz.basics.arguments import flag
from ecsviz.basics.views import view
from ecsviz.domain.diff import GraphDiff, diff
from ecsviz.domain.entity import Entity
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import walk
from ecsviz.errors import (
    EntityNotFoundError,
    InvalidArgumentError,
    InverseMismatchError,
    short_repr,
)
from ecsviz.graph.arrays import as_roots
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.as_of import AsOf, said_as
from ecsviz.storage.cells import store_html
from ecsviz.storage.checks import check_note
from ecsviz.storage.looking import Inside
from ecsviz.storage.protocol import E_, as_id
from ecsviz.storage.saved import met, tell
from ecsviz.storage.together import Transaction

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class VersionedStorage:
    """The methods that are the same for every storage with a past.

    Attributes
    ----------
    inside
        For the rooms of ecsviz: no promise.
    """

    inside: Inside

    if TYPE_CHECKING:

        def get(self, ecs_id: Any, *, as_of: AsOf = None) -> Any:
            """Return an entity, now or as it was."""

        def get_many(
            self, ecs_ids: Iterable[Any], *, hops: int | None = None, as_of: AsOf = None
        ) -> list[Any]:
            """Return entities, now or as they were."""

        def find(self, cls: type[E_], *, hops: int | None = None, **fields: Any) -> list[E_]:
            """Return the entities of a class whose fields have some values."""

        def history(self, ecs_id: UUID | str | Entity) -> pd.DataFrame:
            """Return the versions of an entity."""

        def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
            """Return a family."""

        def close(self) -> None:
            """Give back what was opened."""

    def __enter__(self) -> Self:
        self.inside.check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return store_html(type(self).__name__, self.inside.contents)

    @view
    def explore(self) -> Any:
        """Return a live widget that shows what is stored: classes, revisions, tables, graphs.

        Returns
        -------
        StoreExplorer
            A widget; its trait ``selected``, the ``ecs_id`` of the chosen entity, works in both
            directions.

        Notes
        -----
        A page of one table is read at a time; the store searches, sorts and cuts.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.sample("thread"))
        >>> store.explore()
        StoreExplorer(InMemoryEntityStorage(19 entities): 19 entities of 2 classes)
        """
        raise NotImplementedError

    @view
    def side_by_side(self, entity: Any) -> Any:
        """Return a live widget: objects as a graph, and beside them their rows and keys.

        Parameters
        ----------
        entity
            An entity that is stored, or its ``ecs_id``.

        Returns
        -------
        SideBySide
            A widget: a click on an object marks its rows and the keys that lead to it, a click on
            a row or a key its object. Its trait ``selected``, the ``ecs_id`` of the chosen entity,
            works in both directions; ``frame()`` has the cells as a DataFrame.

        Raises
        ------
        EntityNotFoundError
            If it is not stored.
        UnknownTypeError
            If its class, or one of those that it holds, is not defined here.

        Notes
        -----
        What the entity holds and what holds it, up to 60 and 30. A storage in memory has no
        tables: the rows are those that a database would have.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> store.side_by_side(store.register(thread))
        SideBySide(ChatThread Cycles: 2 entities, 2 rows of 2 tables)
        """
        raise NotImplementedError

    def transaction(self, note: str | None = None) -> Transaction:
        """Make several calls one revision, all or nothing: ``with store.transaction():``.

        Parameters
        ----------
        note
            What the revision is about. The notes of `register` and `revert` inside are added to it.

        Returns
        -------
        Transaction
            For a ``with`` statement. At its end, what `register`, `delete` and `revert` have done
            inside is one revision; there is none where nothing has changed. An exception takes all
            of it back, and live objects have the versions that they had; what their fields hold
            is yours.

        Raises
        ------
        TransactionError
            If `migrate`, `prune`, `adopt_changes`, `index_text`, `drop_text_index` or `close` is
            called inside, something is read with ``lazy=True``, or something is called from
            another thread or task that the block has started; if the block is left in another
            thread, or the connection was lost. Nothing is saved then.
        StorageBusyError
            If another thread, or another process, writes for longer than the timeout.

        Notes
        -----
        An entity counts once: registered several times, it has one new version and one row in its
        history; added and deleted again, it has never been. What was written and ends as it began
        has a new version all the same; and of two copies that were read or registered inside, one
        is stale once the other is registered. A call that raises takes back what it did itself; the
        block may go on. So it is with a block inside the block, which joins it.

        What is read inside is what was written inside. Others read the state before, or wait where
        all share one connection; who writes waits. A transaction belongs to its thread: in
        asynchronous code, the function with the whole block is given to ``asyncio.to_thread``.
        Sessions of `session_factory` do not join it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread, draft = ev.ChatThread(title="a"), ev.ChatThread(title="draft")
        >>> _ = store.register(draft)
        >>> with store.transaction(note="tidied up"):
        ...     _ = store.register(thread)
        ...     thread.title = "b"
        ...     _ = store.register(thread)
        ...     store.delete(draft)
        >>> store.revisions()[["note", "added", "changed", "deleted"]].values.tolist()[1:]
        [['tidied up', 1, 0, 1]]
        >>> try:
        ...     with store.transaction():
        ...         thread.title = "c"
        ...         _ = store.register(thread)
        ...         raise KeyError("something else")
        ... except KeyError:
        ...     thread.version, store.get(thread.ecs_id).title, len(store.revisions())
        (1, 'b', 2)
        """
        check_note(note)
        return Transaction(self.inside, note)

    def revert(
        self,
        ecs_id: UUID | str | Entity,
        *,
        to: AsOf,
        note: str | None = None,
        delete_added: bool = False,
    ) -> Any:
        """Bring an entity, and all that it led to, back to an old state, as a new revision.

        Parameters
        ----------
        ecs_id
            An entity or its id; it may have been deleted since.
        to
            A revision or an aware time.
        note
            What this revision is about; by default it says where it goes back to.
        delete_added
            Whether what was not stored then, is in its lists now and cannot be without a holder
            (a message needs its thread) is deleted in the same revision, with what is in the
            lists of that. By default that is refused.

        Returns
        -------
        Entity
            The graph as it was then, with new versions. What was added to its lists since is
            not in them any more; where it can be without a holder, it stays stored.

        Raises
        ------
        EntityNotFoundError
            If it was not stored then.
        InverseMismatchError
            If something in its lists now would be left without the holder that it requires.
        BrokenReferenceError
            If something that stays refers to what would be deleted.
        StaleVersionError
            If another process writes at the same time.

        Notes
        -----
        Nothing is lost: the states in between stay in the history. Where all is as it was,
        there is no new revision. O(entities of the old state).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> thread.title = "b"
        >>> _ = store.register(thread)
        >>> old = store.revert(thread, to=1)
        >>> old.title, old.version, store.get(thread.ecs_id, as_of=2).title
        ('a', 3, 'b')
        >>> message = old.say("user", "hello")  # a message cannot be without its thread
        >>> _ = store.register(old)
        >>> len(store.revert(old, to=3, delete_added=True).messages)
        0
        >>> store.has_entity(message.ecs_id), len(store.get(old.ecs_id, as_of=4).messages)
        (False, 1)
        """
        self.inside.check_writable()
        wanted, delete_added = as_id(ecs_id), flag(delete_added, "delete_added")
        if to is None:
            raise InvalidArgumentError(
                "to is None. Give the revision or the time to go back to; store.history(ecs_id)"
                " lists them.",
                value=to,
            )
        with self.inside.one_state():
            with said_as("to"):
                old = self.get(wanted, as_of=to)
            found = walk([old])
            stored = self.inside.stored_versions(found.ids)
        for entity in found.entities:
            entity.__dict__["version"] = stored.get(entity.ecs_id, 0)
        try:
            note = f"back to {to}" if note is None else note
            self.inside.save(found, note, to if delete_added else None)
            tell(self.inside, met(found))
        except InverseMismatchError as err:
            if not err.facts.get("left_behind"):
                raise
            try:
                self.get(err.facts["ecs_id"], as_of=to)
                hint = " It was elsewhere then: revert(child, to=…) takes it back there."
            except EntityNotFoundError:
                if delete_added:
                    raise err from None
                hint = " revert(…, delete_added=True) deletes what was not there yet."
            raise InverseMismatchError(err.message + hint, **err.facts) from None
        return old

    def diff(self, a: Any, b: Any = None) -> GraphDiff:
        """Return what differs between two states.

        Parameters
        ----------
        a, b
            The state before and the state after. Each is a revision, an aware time, None for
            the present, or live entities. Two revisions are compared whole; with live entities,
            only what these and their stored states lead to is. Live entities alone are compared
            with what is stored of them.

        Returns
        -------
        GraphDiff
            Empty if nothing differs.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> thread.title = "b"
        >>> [(d.what, d.field) for d in store.diff(thread)]  # what registering it would change
        [('edited', 'title')]
        >>> _ = store.register(thread)
        >>> [(d.field, d.before, d.after) for d in store.diff(1, 2)]
        [('title', 'a', 'b')]
        """
        if b is None and _is_live(a):
            a, b = None, a
        live = [side for side in (a, b) if _is_live(side)]
        ids = [
            entity.ecs_id
            for side in live
            for entity in walk(as_roots(side)).entities
            if not is_placeholder(entity)
        ]
        sides = []
        with self.inside.one_state():
            for name, side in (("a", a), ("b", b)):
                with said_as(name):
                    among = ids if live else None
                    sides.append(as_roots(side) if _is_live(side) else _state(self, side, among))
        return diff(*sides)

    def lineage_graph(self, lineage_id: UUID | str | Entity) -> EntityDependencyGraph:
        """Return the family of an entity as a graph: forks refer to what they were forked from.

        Parameters
        ----------
        lineage_id
            The id of the family, or an entity of it.

        Returns
        -------
        EntityDependencyGraph
            Its nodes are the stored entities of the family; ``to_networkx()`` and ``draw()``
            show it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> first = store.register(ev.ChatThread(title="a"))
        >>> second = store.register(first.fork())
        >>> store.lineage_graph(first)
        EntityDependencyGraph(2 nodes, 1 references, no cycle)
        """
        known: Any = lineage_id
        with self.inside.one_state():
            if is_entity_class(type(known)):
                if is_placeholder(known):  # which does not know it, and is not loaded for this
                    known = self.get_many([known.ecs_id], hops=0)[0]
                known = known.lineage_id
            family = self.get_lineage_entities(as_id(known))
        place = {entity.ecs_id: n for n, entity in enumerate(family)}
        edges = [
            (n, place[entity.parent_id])
            for n, entity in enumerate(family)
            if entity.parent_id in place
        ]
        return EntityDependencyGraph.from_parts(
            family,
            [entity.ecs_id for entity in family],
            [type(entity).__name__ for entity in family],
            [source for source, _ in edges],
            [target for _, target in edges],
            ["parent_id"] * len(edges),
        )

    @view
    def draw_lineage(
        self, lineage_id: UUID | str | Entity, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw the family of an entity: versions along lines, forks below what they come from.

        Parameters
        ----------
        lineage_id
            The id of the family, or an entity of it.
        ax
            Where to draw. None makes a figure.
        **options
            ``title`` and ``legend``: those of ``ecsviz.draw.draw_lineage``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> first = store.register(ev.ChatThread(title="a"))
        >>> second = store.register(first.fork())
        >>> store.draw_lineage(second).get_title(loc="left")
        '2 entities, 2 versions, 1 fork'
        """
        raise NotImplementedError


def _state(store: VersionedStorage, as_of: AsOf, among: Iterable[UUID] | None) -> list[Any]:
    """Return everything that is, or was, stored; or what of some ids."""
    there = set(store.inside.every_id(as_of))
    # By id, so that what differs comes in the same order whatever the storage.
    wanted = sorted(there) if among is None else dict.fromkeys(among)
    return store.get_many([i for i in wanted if i in there], as_of=as_of)


def _is_live(side: Any) -> bool:
    """Tell whether something is entities, not a revision or a time."""
    return not (side is None or isinstance(side, datetime) or hasattr(side, "__index__"))


def storage_of(value: Any, name: str = "store") -> VersionedStorage:
    """Return a storage.

    Raises
    ------
    InvalidArgumentError
        If it is none.
    """
    if isinstance(value, VersionedStorage):
        return value
    raise InvalidArgumentError(
        f"{name} is {short_repr(value)}. Give a SQLAlchemyEntityStorage or an"
        " InMemoryEntityStorage.",
        value=value,
    )
