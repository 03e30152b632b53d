"""What a field's annotation declares of its column: unique, indexed, of a bounded length."""

from __future__ import annotations

import contextlib
import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from ecsviz.basics.arguments import natural_number
from ecsviz.domain.annotations import aliased, has_fields
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import InvalidArgumentError, UnknownOptionError, did_you_mean, short_repr

LONGEST = 10_485_760
"""The most characters that PostgreSQL lets a column be declared with."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What ``column`` was told about a field."""

    unique: bool = False
    index: bool = False
    max_length: int | None = None

    @property
    def is_limit(self) -> bool:
        """Whether some values cannot stand there."""
        return self.unique or self.max_length is not None

    @property
    def said(self) -> str:
        """What is declared, as text; empty for nothing.

        Examples
        --------
        >>> ColumnRule(unique=True, max_length=20).said, ColumnRule().said
        ('unique, max_length=20', '')
        """
        length = "" if self.max_length is None else f"max_length={self.max_length}"
        parts = ("unique" * self.unique, "index" * (self.index and not self.unique), length)
        return ", ".join(filter(None, parts))


NOTHING = ColumnRule()


def column(
    *, unique: bool = False, index: bool = False, max_length: int | None = None, **options: Any
) -> Any:
    """Declare a field's column: that its values are unique, indexed, or of a bounded length.

    Parameters
    ----------
    unique
        Whether no two entities of the class may have the same value, those of its subclasses that
        are defined here included. Several may have None. Whoever breaks it gets a UniqueValueError
        that names both.
    index
        Whether the column has an index, so that what is asked for by its values is found quickly.
        A unique one has. (What holds an entity always has.)
    max_length
        How many characters a text may have: pydantic checks it, saving does, and in the tables the
        column is a ``VARCHAR``.
    **options
        Whatever ``pydantic.Field`` takes: ``default``, ``description``, ``min_length``, …

    Returns
    -------
    FieldInfo
        To stand in ``Annotated[…]``, or where ``pydantic.Field(...)`` stands.

    Raises
    ------
    InvalidArgumentError
        If a value is none that the option can have.
    UnknownOptionError
        If there is no such option.

    Notes
    -----
    Texts, whole numbers, dates, times, UUIDs, enums, truths and bytes can be unique. Texts are the
    same if all their characters are, case included; times at one instant. Values of which a column
    holds no exact copy (a text with NUL or half of a character, an integer beyond 64 bits) are
    refused there. On the entities of a class that is stored already, `migrate` makes the
    constraint, or tells which of them stand in its way. Of a class with a hand-written model, that
    model's table says what is unique.

    Examples
    --------
    >>> import ecsviz as ev
    >>> from typing import Annotated
    >>> class Team(ev.Entity):
    ...     slug: Annotated[str, ev.column(unique=True, max_length=20)]
    ...     city: Annotated[str | None, ev.column(index=True)] = None
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> ulm = store.register(Team(slug="ulm"))
    >>> try:
    ...     store.register(Team(slug="ulm"))
    ... except ev.errors.UniqueValueError as err:
    ...     err.field, err.value, err.other == ulm.ecs_id
    ('Team.slug', 'ulm', True)
    """
    for name, value in (("unique", unique), ("index", index)):
        if type(value) is not bool:
            raise InvalidArgumentError(
                f"{name} is {short_repr(value)}. Give True or False.", argument=name, value=value
            )
    length = None if max_length is None else natural_number(max_length)
    if max_length is not None and (not length or length > LONGEST):
        raise InvalidArgumentError(
            f"max_length is {short_repr(max_length)}. Give a whole number of characters from 1 to"
            f" {LONGEST:,}, or leave it out.",
            argument="max_length",
            value=max_length,
        )
    check_options("column", ("unique", "index", "max_length"), options)
    if length is not None:
        options["max_length"] = length
    info = typing.cast(FieldInfo, Field(**options))
    info.metadata.append(ColumnRule(unique, index, length))
    return info


def check_options(what: str, own: Iterable[str], options: Iterable[str]) -> None:
    """Raise for an option that a function of ours does not have, nor ``pydantic.Field``.

    Raises
    ------
    UnknownOptionError
        Naming what was meant.
    """
    known = [*own, *(name for name in inspect.signature(Field).parameters if name != "extra")]
    for name in options:
        if name not in known:
            raise UnknownOptionError(
                f"{what}() has no option {short_repr(name)}.{did_you_mean(name, known)}",
                option=name,
            )


def column_of(info: FieldInfo) -> tuple[ColumnRule, bool]:
    """Return what is declared of a field, and whether some of it stands inside of its values.

    Examples
    --------
    >>> from pydantic import create_model
    >>> code = Annotated[str, column(unique=True)]
    >>> made = create_model("M", a=code | None, b=list[code])
    >>> column_of(made.model_fields["a"])[0].unique, column_of(made.model_fields["b"])
    (True, (ColumnRule(unique=False, index=False, max_length=None), True))
    """
    own, inside = _declared(info.metadata), False
    for found, is_inside in _columns_in(info.annotation):
        inside |= is_inside
        own += [] if is_inside else [found]
    lengths = [each.max_length for each in own if each.max_length is not None]
    return ColumnRule(
        any(each.unique for each in own),
        any(each.index for each in own),
        min(lengths, default=None),
    ), inside


def _declared(metadata: Iterable[Any]) -> list[ColumnRule]:
    found = [item for item in metadata if isinstance(item, ColumnRule)]
    for item in metadata:
        if isinstance(item, FieldInfo):
            found += _declared(item.metadata)
        elif item is column:
            raise InvalidArgumentError(
                "ev.column stands in Annotated[…] without brackets. Write ev.column(unique=True)."
            )
    return found


def _columns_in(annotation: Any) -> Iterator[tuple[ColumnRule, bool]]:
    """Yield what is declared in an annotation, and whether of parts of the values."""
    todo: list[tuple[Any, bool]] = [(annotation, False)]
    aliases: set[int] = set()
    while todo:
        item, inside = todo.pop()
        origin, args = typing.get_origin(item), typing.get_args(item)
        if origin is Annotated:
            yield from ((found, inside) for found in _declared(item.__metadata__))
            todo.append((args[0], inside))
        elif type(item).__name__ == "TypeAliasType":
            if id(item) not in aliases:  # it may name itself
                aliases.add(id(item))
                todo.append((aliased(item), inside))
        elif origin in (typing.Union, types.UnionType):
            todo += [(arg, inside) for arg in args]
        elif origin is not typing.Literal:
            todo += [(arg, True) for arg in args]
            kind = item if origin is None else origin
            if isinstance(kind, type) and id(kind) not in aliases:
                aliases.add(id(kind))
                todo += [(hint, True) for hint in _fields_of(kind)]


def _fields_of(kind: type) -> list[Any]:
    """Return the annotations of a plain model, dataclass or their like, with what they declare."""
    if is_entity_class(kind):
        return []
    infos: dict[str, FieldInfo] | None = getattr(kind, "__pydantic_fields__", None)
    if infos is not None:
        return [Annotated[info.annotation, None, *info.metadata] for info in infos.values()]
    if has_fields(kind):
        with contextlib.suppress(Exception):  # of names that only a function knows
            return [*typing.get_type_hints(kind, include_extras=True).values()]
    return []
