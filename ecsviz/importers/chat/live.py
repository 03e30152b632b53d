"""A thread as its source says it, in live objects, wherever they were fitted since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ecsviz.importers.chat.identity import chat_id
from ecsviz.importers.chat.said import KEY, Said, Unasked


class MISSING:
    """Stands for what is not there."""


@dataclass(slots=True)
class LiveChat:
    """A thread as a source says it, and what has become of it since it was read.

    Attributes
    ----------
    thread
        The live thread.
    own_id
        Its id as it was read.
    noted
        What the source says, or `said` is made of.
    messages
        The live messages, in the source's order. Some may not be in the thread any more.
    added
        Live messages of the thread that came from a store.
    left
        Of what was given other values than the source's: the digests of these.
    kept
        What the source says where other values were given.
    is_moved
        Whether ids may be others than those that the source gives.
    """

    thread: Any
    own_id: UUID
    noted: Said | Unasked
    messages: list[Any]
    added: list[Any] = field(default_factory=list)
    left: dict[int, dict[str, int]] = field(default_factory=dict)
    kept: dict[int, dict[str, Any]] = field(default_factory=dict)
    is_moved: bool = False

    @classmethod
    def of(cls, thread: Any, known: Mapping[str, list[Any]] | None = None) -> LiveChat:
        """Return a thread that was just read; `known` as of `Unasked.of`."""
        messages = list(thread.messages)
        return cls(thread, thread.ecs_id, Unasked.of(thread, messages, known), messages)

    @property
    def said(self) -> Said:
        """What the source says."""
        noted = self.noted
        if isinstance(noted, Unasked):
            self.noted = noted = noted.said()
        return noted

    def value(self, entity: Any, name: str) -> Any:
        """Return what the source says; or, where that is not known any more, what is there."""
        kept = self.kept.get(id(entity), {})
        return kept[name] if name in kept else value_in(entity, name)

    def id_in(self, thread: UUID, n: int) -> UUID:
        """Return the id of a new message in a thread: its own, or made of it in another thread."""
        own = self.said.ids[n]
        return own if thread == self.own_id else chat_id("", str(thread), str(own))


def value_in(entity: Any, name: str) -> Any:
    """Return what an entity has under a column's name."""
    if name.startswith(KEY):
        metadata = entity.__dict__["metadata"]
        return metadata if name == KEY else metadata.get(name[len(KEY) :], MISSING)
    return entity.__dict__[name]


def put(entity: Any, name: str, value: Any, names: Mapping[str, str]) -> None:
    """Set what stands under a column's name."""
    state = entity.__dict__
    if not name.startswith(KEY):
        state[name] = value
        return
    metadata = dict(state["metadata"])
    if name == KEY:
        metadata.update({k: v for k, v in value.items() if KEY + k not in names})
    elif value is MISSING:
        metadata.pop(name[len(KEY) :], None)
    else:
        metadata[name[len(KEY) :]] = value
    state["metadata"] = metadata
