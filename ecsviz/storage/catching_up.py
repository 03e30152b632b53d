"""Catching up with what others have stored: taking it over, merging it, choosing in a conflict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ecsviz.basics.views import view
from ecsviz.domain.objects import is_placeholder, not_loaded
from ecsviz.domain.post_init import run_post_init
from ecsviz.domain.walk import walk
from ecsviz.storage.arriving import fit_in_place
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.looking import Inside
from ecsviz.storage.merging import Conflict, Merge, chooser, merge_of
from ecsviz.storage.protocol import as_registered


class CatchingUp:
    """What a storage does where several have changed the same.

    Attributes
    ----------
    inside
        For the rooms of ecsviz: no promise.
    """

    inside: Inside

    if TYPE_CHECKING:

        def get_many(
            self, ecs_ids: Iterable[Any], *, hops: int | None = None, as_of: AsOf = None
        ) -> list[Any]:
            """Return several entities."""

    def refresh(self, entity: Any) -> Any:
        """Bring a live graph up to date with the store, in place.

        Parameters
        ----------
        entity
            An entity that is stored, or an iterable of them.

        Returns
        -------
        Entity
            The same object. Entities that it led to stay the objects that they were and take on
            their stored state; what was changed and not registered is gone. What was made by an
            earlier definition of its class is an instance of the newest one afterwards.

        Raises
        ------
        EntityNotFoundError
            If it is not stored (any more).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> other = store.get(thread.ecs_id)  # as in another notebook
        >>> message = other.say("user", "hello")
        >>> _ = store.register(other)
        >>> store.refresh(thread).messages[0].content, thread.version
        ('hello', 2)
        """
        given, roots = as_registered(entity)
        live = {e.ecs_id: e for e in walk(roots).entities}
        Merge.take_over(live, walk(self.get_many([root.ecs_id for root in roots])).entities)
        anew = walk(roots).entities
        run_post_init(anew, set(map(type, anew)))
        self.inside.watch(anew)
        return given

    def merge(self, entity: Any, *, base: AsOf = None, choose: Any = None) -> Any:
        """Bring what others have stored into a live graph with changes of its own.

        Parameters
        ----------
        entity
            An entity that was read, and changed since; or an iterable of them.
        base
            The revision at which it was read; by default the one that its versions tell.
        choose
            What is taken where both sides have changed the same field to different values:
            ``"mine"``, ``"theirs"``, or a function of a `Conflict` that returns one of its
            ``choices``. By default that is an error.

        Returns
        -------
        Entity
            The same object, ready to be registered: what only one side has changed is as that
            side has it. Of a lazy reading, what is not loaded is as the store has it now.

        Raises
        ------
        MergeConflictError
            If both sides have changed the same field and nobody chooses, or one has changed what
            the other has deleted. Its ``conflicts`` lists all; nothing has changed then.
        EntityNotFoundError
            If it is not stored (any more).
        NotLoadedError
            If it was left out when its neighbourhood was read, and only stands for it.
        InvalidArgumentError
            If ``choose`` gives what is no choice.

        Notes
        -----
        Three-way and by field: a list that both sides have changed is a conflict, since nobody
        can tell which order is meant. Sets and dictionaries are merged by member. What was imported
        and not registered yet is fitted as `register` does it. O(entities). `resolve` shows
        conflicts side by side, with buttons. What a chosen list leaves out is stored still:
        `register` tells if it cannot be without its holder, and `delete` deletes it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> other = store.get(thread.ecs_id)
        >>> other.title, other.source = "Theirs", "theirs"
        >>> _ = store.register(other)
        >>> thread.title = "Mine"
        >>> [(each.field, each.mine, each.theirs) for each in store.conflicts(thread)]
        [('title', 'Mine', 'Theirs')]
        >>> _ = store.register(store.merge(thread, choose="mine"))
        >>> thread.title, thread.source, thread.version
        ('Mine', 'theirs', 3)
        """
        given, roots = as_registered(entity)
        choose = chooser(choose)
        made = _merging(self, roots, base)
        if made is not None:
            mine = list(made.mine.values())
            unread = [entity for entity in mine if is_placeholder(entity)]
            made.run(choose)
            run_post_init(unread, set(map(type, unread)), alone=True)
            self.inside.watch(mine)
        return given

    def conflicts(self, entity: Any, *, base: AsOf = None) -> list[Conflict]:
        """Return the fields that were changed both here and in the store, to different values.

        Parameters
        ----------
        entity, base
            As of `merge`, which would raise an error because of them.

        Returns
        -------
        list of Conflict
            Each with ``base``, ``mine`` and ``theirs``; see the example of `merge`.

        Raises
        ------
        EntityNotFoundError, NotLoadedError, InvalidArgumentError
            As of `merge`.
        """
        made = _merging(self, as_registered(entity)[1], base)
        if made is None:
            return []
        made.look()
        return made.conflicts

    @view
    def resolve(self, entity: Any, *, base: AsOf = None) -> Any:
        """Return a widget: what was changed both here and in the store, side by side, to choose.

        Parameters
        ----------
        entity, base
            As of `merge`.

        Returns
        -------
        ConflictsExplorer
            A row for each conflict, with buttons for the sides; its button “Merge” does what
            ``store.merge(entity, choose=…)`` does. What comes of it is saved by `register`.

        Raises
        ------
        EntityNotFoundError, NotLoadedError, InvalidArgumentError
            As of `merge`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> other = store.get(thread.ecs_id)
        >>> other.title, thread.title = "theirs", "mine"
        >>> _ = store.register(other)
        >>> shown = store.resolve(thread)
        >>> shown
        ConflictsExplorer(1 conflict, 0 chosen)
        >>> shown.choose(0, "theirs")
        >>> shown.merge().title
        'theirs'
        """
        raise NotImplementedError


def _merging(store: CatchingUp, roots: list[Any], base: AsOf) -> Merge | None:
    """Return what merges live entities; None where there are none."""
    roots = fit_in_place(store, roots)
    for root in roots:
        if is_placeholder(root):
            raise not_loaded(root, "version")
    return merge_of(store, roots, base) if roots else None
