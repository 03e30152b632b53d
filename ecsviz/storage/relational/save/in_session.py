"""What a session's transaction has saved, of which live objects are told at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from ecsviz.storage.checks import SideEffects
from ecsviz.storage.relational.save.list_positions import ListChanges


class Saved(Protocol):
    """A save, as this room needs it."""

    lists: ListChanges

    def versions(self) -> Iterable[tuple[Any, int]]:
        """Return the entities and the versions that they have now."""

    def written(self) -> Iterable[UUID]:
        """Return the ids of what was written."""


class InSession:
    """The saves of a session's transaction that was not carried out yet.

    Parameters
    ----------
    saves
        Those saves, in order.
    effects
        What the storage had changed by itself before.
    """

    def __init__(self, saves: Sequence[Saved], effects: SideEffects) -> None:
        self.saves, self.effects = saves, effects

    def knows(self, entity: Any, stored: int) -> bool:
        """Tell whether an object will have been told the stored version at the transaction's end.

        Notes
        -----
        The object, not its id: another copy of the entity has to be read anew.
        """
        told, effects = self._told
        version = told.get(id(entity), entity.version)
        return version == stored or effects.explain(entity.ecs_id, version, stored)

    @cached_property
    def _told(self) -> tuple[dict[int, int], SideEffects]:
        told: dict[int, int] = {}
        effects = self.effects.copy()
        for save in self.saves:
            effects.forget(save.written())
            effects.note(save.lists.raised)
            told.update((id(entity), version) for entity, version in save.versions())
        return told, effects
