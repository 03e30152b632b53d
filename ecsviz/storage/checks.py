"""Where what is given and what is stored do not go together: the checks of every storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

from ecsviz import errors
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import Walk
from ecsviz.errors import (
    BrokenReferenceError,
    DuplicateIdError,
    InvalidArgumentError,
    InvalidIdError,
    InverseMismatchError,
    LineageError,
    NotLoadedError,
    StaleVersionError,
    ValueNotStorableError,
    short_repr,
)

LAST_VERSION = 2**31 - 1
"""No version is as high: the columns of all databases have to hold it and the next one."""


def check_own_fields(found: Walk) -> None:
    """Raise if the own fields of an entity hold what is no id or no version.

    Raises
    ------
    InvalidIdError, ValueNotStorableError
        Naming the place.

    Notes
    -----
    pydantic does not check what is assigned, unless a class asks for it.
    """
    for position, entity in enumerate(found.entities):
        state = entity.__dict__
        if is_placeholder(entity):
            continue
        for name, allowed in (("lineage_id", (UUID,)), ("parent_id", (UUID, type(None)))):
            value = state.get(name)
            if type(value) not in allowed or name not in state:
                raise InvalidIdError(
                    f"{found.place(position)}.{name} is {short_repr(value)}, not a UUID."
                    " Leave it as it was made.",
                    value=value,
                )
        version = state.get("version")
        if type(version) is not int or not 0 <= version < LAST_VERSION:
            raise ValueNotStorableError(
                f"{found.place(position)}.version is {short_repr(version)}, not a whole number that"
                " a version can be."
                " The storage counts versions; leave it as it was made.",
                place=f"{found.place(position)}.version",
                ecs_id=found.ids[position],
                field="version",
            )


def check_note(note: Any) -> None:
    r"""Raise if a revision's note is no text that every database can hold.

    Raises
    ------
    InvalidArgumentError
        If it is no text, or holds NUL or half of a character.

    Examples
    --------
    >>> check_note("a better title")
    >>> check_note("a\0b")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: The note 'a\x00b' holds NUL at 1. Leave that out.
    """
    if note is None:
        return
    if not isinstance(note, str):
        raise InvalidArgumentError(
            f"The note is {short_repr(note)}, no text. Give a str, or leave it out.", value=note
        )
    for place, character in enumerate(note):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            what = "NUL" if character == "\0" else "half of a character"
            raise InvalidArgumentError(
                f"The note {short_repr(note)} holds {what} at {place}. Leave that out.", value=note
            )


def check_lineage(entity: Any, stored: UUID) -> None:
    """Raise if an entity is stored as one of another family.

    Raises
    ------
    LineageError
        Naming both families.
    """
    if entity.lineage_id != stored:
        raise LineageError(
            f"{type(entity).__name__} {entity.ecs_id} is of the lineage {entity.lineage_id},"
            f" but is stored as one of {stored}. An entity keeps its lineage for life:"
            " fork() it instead.",
            ecs_id=entity.ecs_id,
            lineage_id=entity.lineage_id,
            stored=stored,
        )


class SideEffects:
    """Which versions a storage's own changes have raised of entities that were no part of them.

    A save of one end of a pair changes the other end too: the list that a message leaves, the
    message that a list has lost. A live object of that other end is behind then, though nobody
    else has written.

    Notes
    -----
    Per entity the last unbroken run of such versions: what anybody else writes breaks it. In a
    transaction of several calls, where that has the same version, `forget` does. The oldest are
    forgotten beyond `MOST`, and are stale then.

    Examples
    --------
    >>> from uuid import UUID
    >>> effects, one = SideEffects(), UUID(int=1)
    >>> effects.note({one: (3, 4)})
    >>> effects.note({one: (4, 5)})
    >>> effects.explain(one, 3, 5), effects.explain(one, 2, 5), effects.explain(one, 3, 6)
    (True, False, False)
    """

    MOST = 100_000

    def __init__(self) -> None:
        self._raised: dict[UUID, tuple[int, int]] = {}
        self._past: list[tuple[UUID, tuple[int, int] | None]] | None = None

    def copy(self) -> SideEffects:
        """Return the same, for a transaction that may be taken back, or a part of it: `back`."""
        made = SideEffects()
        made._raised, made._past = dict(self._raised), []
        return made

    def mark(self) -> int:
        """Return the point at which a copy is."""
        return len(self._past or ())

    def back(self, mark: int) -> None:
        """Let a copy go back to a point."""
        while self._past and len(self._past) > mark:
            ecs_id, was = self._past.pop()
            self._raised.pop(ecs_id, None)
            if was is not None:
                self._raised[ecs_id] = was

    def take(self, other: SideEffects) -> None:
        """Become what a copy has become."""
        self._raised = other._raised

    def note(self, raised: Mapping[UUID, tuple[int, int]]) -> None:
        """Note versions before and after, once they are stored for good."""
        for ecs_id, (before, after) in raised.items():
            first, last = self._pop(ecs_id) or (before, before)
            self._raised[ecs_id] = (first if last == before else before, after)
        if (over := len(self._raised) - self.MOST) > 0:
            self.forget(list(islice(self._raised, over)))

    def forget(self, ids: Iterable[UUID]) -> None:
        """Forget what is said of some entities: somebody has written them."""
        for ecs_id in self._raised.keys() & ids if self._raised else ():
            self._pop(ecs_id)

    def _pop(self, ecs_id: UUID) -> tuple[int, int] | None:
        was = self._raised.pop(ecs_id, None)
        if self._past is not None:
            self._past.append((ecs_id, was))
        return was

    def explain(self, ecs_id: UUID, version: int, stored: int) -> bool:
        """Tell whether nothing else leads from a version to the stored one."""
        first, last = self._raised.get(ecs_id, (0, 0))
        return first <= version < last == stored


def check_version(entity: Any, stored: int, effects: SideEffects) -> None:
    """Raise if the store has moved on since an entity was read.

    Parameters
    ----------
    entity
        The live one.
    stored
        The version of the stored one.
    effects
        What the storage has changed by itself. It does not count here: whether the live object
        goes together with it is seen by what it says.

    Raises
    ------
    StaleVersionError
        Naming both versions.

    Notes
    -----
    Version 0 says that the entity was never read: it was made anew with a known id, as by an
    importer that reads a file once more. It takes the place of what is stored.
    """
    if entity.version in (0, stored):
        return
    if not effects.explain(entity.ecs_id, entity.version, stored):
        raise StaleVersionError(
            f"{type(entity).__name__} {entity.ecs_id} was read at version {entity.version}, but"
            f" the store holds version {stored}. Nothing was saved. store.diff(entity) shows what"
            " differs; store.merge(entity) brings both together, store.refresh(entity) takes over"
            " what is stored.",
            ecs_id=entity.ecs_id,
            version=entity.version,
            stored_version=stored,
        )


def was_deleted(entity: Any, version: int, revision: int) -> StaleVersionError:
    """Return the error for an entity that was read, and then deleted by someone."""
    return StaleVersionError(
        f"{type(entity).__name__} {entity.ecs_id} was deleted in revision {revision} (at version"
        f" {version}); this one was read at version {entity.version}. Nothing was saved."
        " Take it out of the graph, or fork() it.",
        ecs_id=entity.ecs_id,
        version=entity.version,
        stored_version=None,
        revision=revision,
    )


def left_behind(place: str, back: str, ecs_id: UUID) -> InverseMismatchError:
    """Return the error for what a list has lost and that cannot be without it.

    Parameters
    ----------
    place, back
        The list, and the required back-reference: ``Class.field``.
    ecs_id
        Of the entity that was in the list.
    """
    kind, holder = back.partition(".")[0], place.partition(".")[0]
    return InverseMismatchError(
        f"{place} does not hold the {kind} {ecs_id} any more, but the stored {back} still is that"
        f" {holder}, and is required. Nothing was saved. Set its .{back.partition('.')[2]} to"
        f" another, append it there, and register it, alone or with this {holder}"
        f" (store.register([child, holder])); or store.delete(child) first.",
        places=(place, back),
        ecs_id=ecs_id,
        left_behind=True,
    )


def not_there(found: Walk, position: int) -> BrokenReferenceError:
    """Return the error for what is held and not saved with its holder, and is not stored either."""
    entity = found.entities[position]
    kind, where = type(entity).__name__, found.place(position)
    text = (
        f"{where} only stands for the {kind} {entity.ecs_id}, which is not stored here (any more)."
        " Nothing was saved. Take it out, or register the whole entity."
        if is_placeholder(entity)
        else f"{where} is a {kind} ({entity.ecs_id}) that is not stored here. Nothing was saved."
        " Give it as well, or leave out hops=0, which saves all that an entity leads to."
    )
    return BrokenReferenceError(text, ecs_id=entity.ecs_id, type_name=kind)


def check_in_list(found: Walk, position: int, field: str, holder: Any, listed: str) -> None:
    """Raise if an entity that is saved alone is not in the list of whom it names as its holder.

    Raises
    ------
    InverseMismatchError
        Naming both places.
    """
    members = holder.__dict__.get(listed) or ()
    me = found.entities[position]
    if not any(member is me for member in reversed(members)):
        kind, of = type(me).__name__, type(holder).__name__
        raise InverseMismatchError(
            f"{kind}.{field} is a {of} whose .{listed} does not hold that {kind}. Append it to"
            f" .{listed}, or set {kind}.{field} to another or to None.",
            places=(f"{of}.{listed}", f"{kind}.{field}"),
        )


def left_out_is_listed(found: Walk, holder: str, position: int) -> NotLoadedError:
    """Return the error for a list and a back-reference of which only one side was read."""
    entity = found.entities[position]
    return NotLoadedError(
        f"{holder} cannot be saved: the {type(entity).__name__} {entity.ecs_id} was left out when"
        " its neighbourhood was read, and it would have to change too. Nothing was saved. Get"
        " both, and change both sides.",
        ecs_id=entity.ecs_id,
        type_name=type(entity).__name__,
    )


def id_taken(found: Walk, ecs_id: UUID, type_name: str, where: str) -> DuplicateIdError:
    """Return the error for an id under which the store has an entity of another type."""
    here = found.place(found.ids.index(ecs_id))
    return DuplicateIdError(
        f"{here} has the ecs_id {ecs_id}, under which the store holds a {type_name} ({where})."
        " Leave the id out to get a new one.",
        ecs_id=ecs_id,
        places=(here, where),
    )


def still_held(holders: list[str]) -> BrokenReferenceError:
    """Return the error for what cannot be deleted, since some places still refer to it."""
    shown = ", ".join(holders[:5]) + (", …" if len(holders) > 5 else "")
    return BrokenReferenceError(
        f"Nothing was deleted, since something still refers to it: {shown}."
        " Take these references out and register, or delete the holders as well.",
        holders=holders,
    )


def whole_only(where: Any) -> InvalidArgumentError:
    """Return the error for a partial reading through models that read whole entities."""
    return InvalidArgumentError(
        f"{where} keeps this in hand-written models, whose to_entity() reads it whole. Leave hops,"
        " only and lazy out."
    )


def present_only(where: Any) -> InvalidArgumentError:
    """Return the error for a look at the past of models that keep none."""
    return InvalidArgumentError(
        f"{where} keeps some of this in hand-written models, which have no history: it can"
        " neither be read as it was (as_of=) nor brought back (revert)."
    )


def differences(stored: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return in what a class differs from what is stored of it, a line per field."""
    return [
        f"  {name}: stored {stored.get(name, '(nothing)')!r}, class {now.get(name, '(nothing)')!r}"
        for name in dict.fromkeys([*stored, *now])
        if stored.get(name) != now.get(name)
    ]


def outdated(
    cls: type, lines: list[str], where: str, way_out: str, **facts: Any
) -> errors.SchemaOutdatedError:
    """Return the error for a class that is not as it was stored."""
    return errors.SchemaOutdatedError(
        f"The class {cls.__name__} and its {where} differ:\n"
        + "\n".join(lines[:10])
        + f"\n{way_out}",
        cls=cls,
        differences=lines,
        **facts,
    )
