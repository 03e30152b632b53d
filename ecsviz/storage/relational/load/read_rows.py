"""What a load has read, to be remembered by the store once it is whole."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any

from ecsviz.basics.once import remembering
from ecsviz.domain.validating import has_post_init
from ecsviz.storage.relational.load.loaded_rows import Loaded
from ecsviz.storage.remembered import (
    NewestRevision,
    Remembered,
    held_in,
    remember,
    remember_rows,
    take,
)


class ReadRows:
    """The rows of one load, as the values of entities.

    Parameters
    ----------
    newest
        The newest revision that the load has found; None where nothing is to be remembered.
    """

    def __init__(self, newest: NewestRevision | None) -> None:
        self.newest = newest
        self._noted: list[tuple[Loaded, list[tuple[Any, ...]], list[Any]]] = []

    def note(
        self, loaded: Loaded, rows: list[tuple[Any, ...]], values: MappingOf[str, list[Any]]
    ) -> None:
        """Note what entities of one class were filled with, as rows and by field as columns."""
        if self.newest is not None and rows:
            held = held_in((values[name] for name in loaded.known.changing), len(rows))
            self._noted.append((loaded, rows, held))

    def remember(self, remembered: Remembered) -> None:
        """Remember it, but for what was completed or looked over since: that is taken anew."""
        if self.newest is None:
            return
        with remembering:
            era = remembered.begin(self.newest)
            for loaded, rows, held in self._noted:
                known, nested = loaded.known, any(c.skeleton for c in loaded.known.collections)
                era.fields[known.cls] = known.changing
                if nested or has_post_init(known.cls):
                    remember(take(loaded.entities, known.changing), era.newest)
                else:
                    remember_rows(loaded.entities, rows, held, era.newest)
