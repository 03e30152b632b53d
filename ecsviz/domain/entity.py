"""Entity: identity, equality, repr, dump, copy, fork."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from ecsviz.domain import objects as state
from ecsviz.domain import serializing as dumps
from ecsviz.domain.cells import entity_html
from ecsviz.domain.entity_class import EntityMeta, is_entity_class
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.domain.walk import walk
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError, short_repr

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid6 import uuid7


def _new_id() -> UUID:
    # RFC 9562 version 7: ids made later sort later, which keeps inserts at an index's end.
    return UUID(int=uuid7().int)


def _own_family(data: dict[str, Any]) -> UUID:
    # A new entity founds its own family. Without an id, validation has failed already.
    return data.get("ecs_id") or _new_id()


class Entity(BaseModel, metaclass=EntityMeta):
    """A pydantic model with an identity, which may hold other entities directly.

    Attributes
    ----------
    ecs_id
        Which entity: a UUID (version 7 when made here), stable for its whole life.
    lineage_id
        Which family; the entity's own id unless it was forked.
    parent_id
        The ``ecs_id`` that this one was forked from.
    version
        Which state: 0 = never stored, then 1, 2, 3, …

    Notes
    -----
    Equality and hash go by ``ecs_id``. ``repr``, ``copy``, ``deepcopy``, ``pickle``,
    ``model_dump`` and ``model_dump_json`` take cyclic graphs and chains of any length.

    A storage keeps every field under the field's name, whatever its alias, those with
    ``exclude=True`` too (which is about dumps). It does not keep private attributes: they begin
    anew, and ``model_post_init``, which may set them, runs when an entity is read, too, as soon as
    all that it leads to is there. (What it does to fields is undone then: reading is no edit. A
    constructor of your own does not run.) Nor does it keep
    computed fields, properties and cached properties, which are never evaluated. A
    ``SecretStr`` is refused, since a database would show it: annotate it as ``str`` if that may
    be. So are ``extra="allow"`` and what does not outlive the process (``Callable``, ``type``).

    Examples
    --------
    >>> import ecsviz as ev
    >>> class Node(ev.Entity):
    ...     name: str
    ...     next: "Node | None" = None
    >>> node = Node(name="a")
    >>> node.next = node
    >>> copied = __import__("copy").deepcopy(node)
    >>> copied.next is copied, copied is node, copied == node
    (True, False, True)
    """

    model_config = ConfigDict(revalidate_instances="never")

    # What a store remembers of an entity, see `ecsviz.storage.remembered`, and from where it was
    # read, see `ecsviz.storage.arriving`: no copy, dump or pickle takes it along. And
    # `__weakref__`, which a subclass gets unasked, this class with slots not.
    __slots__ = (
        "__ecs_held__",
        "__ecs_mark__",
        "__ecs_origin__",
        "__ecs_walk__",
        "__ecs_was__",
        "__weakref__",
    )

    ecs_id: UUID = Field(default_factory=_new_id, frozen=True)
    lineage_id: UUID = Field(default_factory=_own_family)
    parent_id: UUID | None = None
    version: int = Field(default=0, ge=0)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name in OWN_FIELDS:
            if _replaced(cls, name):
                raise UnsupportedFieldError(
                    f"{cls.__name__}.{name} would replace a field that every entity has."
                    f" Name yours otherwise; with alias={name!r} it is still read and written"
                    f" as {name!r}.",
                    cls=cls,
                    field=name,
                )
        if cls.model_config.get("revalidate_instances", "never") != "never":
            raise UnsupportedFieldError(
                f"{cls.__name__} sets revalidate_instances, which copies every entity that is"
                " held and so breaks sharing and cycles. Leave it out.",
                cls=cls,
                field=None,
            )

    # -- identity ----------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not is_entity_class(type(other)):
            return NotImplemented
        return bool(self.__dict__.get("ecs_id") == other.__dict__.get("ecs_id"))

    def __hash__(self) -> int:
        return hash(self.__dict__.get("ecs_id"))

    def fork(self, *, deep: bool = False, only: Iterable[Any] | None = None) -> Self:
        """Return a new entity of the same family in the present state of this one.

        Parameters
        ----------
        deep
            Whether everything that it leads to is forked with it.
        only
            Classes, with their subclasses, and entities: of what it leads to, these are forked
            with it, and nothing else is.

        Returns
        -------
        Entity
            With a new ``ecs_id``, version 0, the same ``lineage_id``, and this entity's id as
            its ``parent_id``; so has everything that is forked with it. Forks hold the forks of
            what is forked and the same entities otherwise; containers are copied.

        Raises
        ------
        NotLoadedError
            If something to be forked is a placeholder.
        NotAnEntityError
            If `only` holds something else.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Note(ev.Entity):
        ...     text: str
        >>> note = Note(text="a")
        >>> other = note.fork()
        >>> other == note, other.lineage_id == note.lineage_id, other.parent_id == note.ecs_id
        (False, True, True)
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> branch = thread.fork(deep=True)
        >>> branch.messages[0].thread is branch, branch.messages[0] == message
        (True, False)
        """
        chosen: list[Any] = [self]
        together = deep or only is not None
        if together:
            kinds, entities = _named(only)
            chosen += [
                part
                for part in walk([self], strict=False).entities
                if part is not self
                and (only is None or isinstance(part, kinds) or part in entities)
            ]
        for part in chosen:
            if state.is_placeholder(part):
                raise state.not_loaded(part, "lineage_id")
        new = {id(part): (part, _new_id()) for part in chosen}
        forked: Self = state.fork_copy(self, new, together=together)
        return forked

    if not TYPE_CHECKING:  # or every misspelt attribute would pass the type checker

        def __getattr__(self, name: str) -> Any:
            """Load a placeholder that is lazy; say what is not here, and what is kept nowhere."""
            cls = type(self)
            if state.is_placeholder(self) and (
                name in cls.model_fields or name in cls.__private_attributes__
            ):
                state.touch(self, name)
                return getattr(self, name)
            try:
                return super().__getattr__(name)
            except AttributeError as err:
                if name in self.__dict__:  # another thread has loaded it just now
                    return self.__dict__[name]
                if name not in cls.__private_attributes__:
                    raise
                raise state.not_set(self, name) from err

        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute; a placeholder is loaded before, or refuses."""
            if "version" not in self.__dict__ and state.is_placeholder(self):
                state.touch(self, name)
            super().__setattr__(name, value)

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were set; of an entity that was read, all of them."""
        return state.own_fields_set(self)

    def __delattr__(self, name: str) -> None:
        if state.is_placeholder(self):
            state.touch(self, name)
        super().__delattr__(name)
        # What is set again stands in another place of the state, by which stores go.
        for slot in ("__ecs_mark__", "__ecs_was__"):
            Entity.__dict__[slot].__set__(self, None)

    # -- text --------------------------------------------------------------------------------

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        if state.is_placeholder(self):
            yield "ecs_id", _Text(_tail(self))
            yield None, _Text("not loaded")
            return
        values = self.__dict__
        for name, info in type(self).model_fields.items():
            if info.repr and name in values and name not in OWN_FIELDS:
                yield name, _Shown(values[name])
        for name, value in (self.__pydantic_extra__ or {}).items():
            yield name, _Shown(value)
        yield "ecs_id", _Text(_tail(self))
        yield "version", values.get("version")

    def __repr__(self) -> str:
        # Inside the repr of another entity, whatever container asks for it, only a name: a repr
        # never goes on from entity to entity.
        if getattr(_showing, "on", False):
            return _short(self)
        _showing.on = True
        try:
            parts = (
                repr(value) if name is None else f"{name}={value!r}"
                for name, value in self.__repr_args__()
            )
            return f"{type(self).__name__}({', '.join(parts)})"
        finally:
            _showing.on = False

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return entity_html(self)

    def __rich_repr__(self) -> Iterator[Any]:
        yield from self.__repr_args__()

    # -- copy, pickle ------------------------------------------------------------------------

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, as pydantic does; to update a placeholder, it is loaded before.

        Parameters
        ----------
        update
            What the copy has instead; it is not validated.
        deep
            Whether everything that it leads to is copied, too.

        Raises
        ------
        NotLoadedError
            If something is to be updated in a placeholder that does not load.
        """
        if update:
            self._touch("model_copy")
        return super().model_copy(update=update, deep=deep)

    if not TYPE_CHECKING:  # deprecated by pydantic, and so it stays

        def copy(self, **options: Any) -> Self:
            """Return a copy, as pydantic's older method does."""
            self._touch("copy")
            return super().copy(**options)

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # as pydantic's
        self._touch("__iter__")
        return super().__iter__()

    def _touch(self, name: str) -> None:
        """Load a placeholder of which everything is asked; raise NotLoadedError if it does not."""
        if state.is_placeholder(self):
            state.touch(self, name)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return state.deep_copy(self, {} if memo is None else memo)  # type: ignore[no-any-return]  # a copy of a Self is a Self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return state.reduce_entity(self)

    # -- dump, load --------------------------------------------------------------------------

    @field_serializer("ecs_id")
    def _ecs_id_of_loaded(self, ecs_id: UUID) -> UUID:
        """Refuse a placeholder where pydantic dumps it by itself, as in a plain model."""
        if "version" not in self.__dict__ and state.is_placeholder(self):
            raise state.not_loaded(self, "version")
        return ecs_id

    def model_dump(
        self, *, mode: str = "python", include: Any = None, exclude: Any = None, **options: Any
    ) -> dict[str, Any]:
        """Return this entity and all it leads to as nested plain data, each entity once.

        Parameters
        ----------
        mode
            ``"python"`` keeps Python's types, ``"json"`` turns all into what JSON has.
        include, exclude
            Names of this entity's own fields.
        **options
            As in pydantic: ``by_alias``, ``exclude_none``, ``exclude_unset``, …

        Returns
        -------
        dict
            An entity that was written before is ``{"$ref": ecs_id}``; ``$type`` names the class
            where the field does not say it. `model_validate` gives the same graph back.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Node(ev.Entity):
        ...     next: "Node | None" = None
        >>> node = Node()
        >>> node.next = node
        >>> node.model_dump()["next"] == {"$ref": node.ecs_id}
        True
        """
        found: dict[str, Any] = dumps.dump(
            self, mode=str(mode), include=include, exclude=exclude, options=options
        )
        return found

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        ensure_ascii: bool = False,
        include: Any = None,
        exclude: Any = None,
        **options: Any,
    ) -> str:
        """Return `model_dump` as JSON text.

        Parameters
        ----------
        indent
            Spaces a level; None writes one line.
        ensure_ascii
            Whether to escape what is not ASCII; False by default, as in pydantic.
        include, exclude, **options
            As in `model_dump`.
        """
        data = dumps.dump(self, mode="json", include=include, exclude=exclude, options=options)
        return dumps.dump_json(data, indent=indent, ensure_ascii=ensure_ascii)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the entity that `obj` describes.

        Parameters
        ----------
        obj
            A dump of `model_dump`, or whatever pydantic takes.
        **options
            As in pydantic: ``strict``, ``context``, …

        Raises
        ------
        BrokenReferenceError, DuplicateIdError, UnknownTypeError, InvalidIdError
            If the dump contradicts itself or names a class that is not defined.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Node(ev.Entity):
        ...     next: "Node | None" = None
        >>> node = Node()
        >>> node.next = node
        >>> again = Node.model_validate(node.model_dump())
        >>> again.next is again
        True
        """
        if dumps.is_dump(cls, obj):
            return dumps.Loader(options).load(cls, obj)  # type: ignore[no-any-return]  # an instance of cls
        return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Return the entity that a JSON text describes; see `model_validate`."""
        data = dumps.parse_json(json_data)
        if dumps.is_dump(cls, data):
            return dumps.Loader(options).load(cls, data)  # type: ignore[no-any-return]  # an instance of cls
        return super().model_validate_json(json_data, **options)


def _replaced(cls: type[Entity], name: str) -> bool:
    """Tell whether a class or a mixin of it defines one of the own fields anew."""
    now, own = cls.model_fields[name], Entity.model_fields[name]
    same = (now.annotation, now.default, now.default_factory) == (
        own.annotation,
        own.default,
        own.default_factory,
    )
    return not same or any(
        name in getattr(base, "__pydantic_fields__", ())
        for base in cls.__mro__
        if not is_entity_class(base)
    )


class _Text(str):
    """A text that shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Shown:
    """A field's value as an entity's repr shows it: short, and never going on to others."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return _show(self.value)


_showing = threading.local()


def _tail(entity: Any) -> str:
    """Return the end of an entity's id: its beginning is the time, which many share."""
    return "…" + str(entity.__dict__.get("ecs_id"))[-6:]


def _short(entity: Any) -> str:
    return f"<{type(entity).__name__} {_tail(entity)}>"


_BRACKETS = {"list": ("[", "]"), "tuple": ("(", ")"), "set": ("{", "}"), "dict": ("{", "}")}


def _show(value: Any, depth: int = 0) -> str:
    kind = type(value)
    if is_entity_class(kind):
        return _short(value)
    if isinstance(value, BaseModel):
        return f"<{kind.__name__}>"
    if not isinstance(value, (list, tuple, set, frozenset, dict, deque)) or not value:
        return short_repr(value, 60)
    if depth:
        return f"<{kind.__name__} of {len(value)}>"
    if isinstance(value, dict):
        parts = [f"{short_repr(key, 40)}: {_show(value[key], 1)}" for key in islice(value, 3)]
    else:
        parts = [_show(part, 1) for part in islice(value, 3)]
    if len(value) > 3:
        parts.append(f"… {len(value) - 3} more")
    inside = ", ".join(parts)
    if kind.__name__ in _BRACKETS:
        left, right = _BRACKETS[kind.__name__]
        return f"{left}{inside}{right}"
    return f"{kind.__name__}({inside})"


def _named(only: Iterable[Any] | None) -> tuple[tuple[type, ...], set[Any]]:
    """Return the classes and the entities among what is named."""
    named = [] if only is None else list(only)
    for item in named:
        if not is_entity_class(item) and not is_entity_class(type(item)):
            raise NotAnEntityError(
                f"only holds {short_repr(item)}. Name entity classes and entities.", value=item
            )
    kinds = tuple(item for item in named if isinstance(item, type))
    return kinds, {item for item in named if not isinstance(item, type)}
