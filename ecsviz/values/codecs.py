"""One field's annotation → its codec: text, number, time, or JSON that pydantic reads back."""

from __future__ import annotations

import collections.abc
import enum
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    FutureDate,
    FutureDatetime,
    JsonValue,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    PydanticSchemaGenerationError,
    PydanticUserError,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import override

from ecsviz.domain.annotations import hints_of
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.equality import identical, state_of
from ecsviz.domain.fields import strip, union_members
from ecsviz.domain.scalars import SCALARS, NoneType, NotPlainError
from ecsviz.domain.validating import around_entities
from ecsviz.errors import StoredDataInvalidError, ValueNotStorableError
from ecsviz.values.column_codecs import (
    BoolCodec,
    Codec,
    ConvertedCodec,
    DatetimeCodec,
    DecimalCodec,
    Exact,
    FloatCodec,
    IntCodec,
    NoCodec,
    Noted,
    PlainCodec,
    Refused,
    TextCodec,
    TimeCodec,
    TimedeltaCodec,
)
from ecsviz.values.tagged_json import (
    MAX_JSON_DEPTH,
    PLAIN_CONTAINERS,
    PLAIN_TYPES,
    UNREADABLE,
    from_json,
    is_as_json,
    json_text,
    read_json,
    to_json,
)
from ecsviz.values.unfit import invalid

__all__ = [
    "BoolCodec",
    "Codec",
    "DatetimeCodec",
    "FloatCodec",
    "IntCodec",
    "JsonCodec",
    "NoCodec",
    "Refused",
    "TextCodec",
    "codec_for",
    "decoded",
    "from_json",
    "json_text",
    "not_readable",
    "not_storable",
    "reason",
    "scalar_types",
    "to_json",
    "to_plain",
]


class AdaptedCodec(Codec):
    """Values of a class that pydantic writes as one text: URLs, e-mail addresses, custom types."""

    def __init__(self, annotation: Any, adapter: TypeAdapter[Any]) -> None:
        super().__init__("TEXT")
        self.inner = TextCodec()
        self.json = JsonCodec(annotation, adapter)

    @override
    def encode(self, values: list[Any]) -> tuple[list[Any], Exact]:
        return self.inner.encode(self.order(values))

    @override
    def order(self, values: list[Any]) -> list[Any]:
        texts: list[str | None] = []
        for row, value in enumerate(values):
            text = None if value is None else from_json(self.json.plain(value, row))
            if not isinstance(text, (str, NoneType)):
                raise Refused(row, value, "is not written as a text by pydantic")
            texts.append(text)
        return texts

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return self.inner.unsure(column, noted)

    @override
    def check(self, values: list[Any]) -> None:
        self.encode(values)

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        texts = self.inner.decode(stored)
        return [None if v is None else self.json.value(v, row) for row, v in enumerate(texts)]

    @override
    def restore(self, data: Any) -> Any:
        return self.json.value(self.inner.restore(data), 0)


class JsonCodec(Codec):
    """Everything else, as JSON that keeps Python's types.

    With an annotation that names classes (models, dataclasses, enums inside containers, custom
    types), pydantic turns the plain data back into them. What it does not give back exactly is
    refused when it is saved.
    """

    def __init__(self, annotation: Any, adapter: TypeAdapter[Any] | None = None) -> None:
        super().__init__("JSON")
        self.annotation = annotation
        if adapter is None and not _is_plain(annotation):
            adapter = make_adapter(annotation)
        self.adapter = adapter

    @override
    def encode(self, values: list[Any]) -> tuple[list[Any], Exact]:
        found: list[str | None] = []
        for start in range(0, len(values), _LOOKED_AT):
            some = values[start : start + _LOOKED_AT]
            if self.adapter is None and {*map(type, some)} <= _LISTED and is_as_json(some):
                found += [None if v is None else json_text(v) for v in some]
            else:
                found += [
                    None if v is None else self.write(v, n) for n, v in enumerate(some, start)
                ]
        return found, {}

    @override
    def check(self, values: list[Any]) -> None:
        self.encode(values)

    def write(
        self,
        value: Any,
        row: int = 0,
        refer: Callable[[Any], Any] | None = None,
        resolve: Callable[[Any], Any] | None = None,
    ) -> str:
        """Return one value as JSON text.

        Parameters
        ----------
        value, row
            The value, and its number for the error.
        refer
            As in `to_json`.
        resolve
            As in `from_json`; with `refer` alone, it is not tried whether the value comes back.
        """
        if self.adapter is None and refer is None and is_as_json(value):
            return json_text(value)
        data = self.plain(value, row, refer, resolve)
        # Some drivers parse JSON: what they hand back as a text must be JSON still to be parsed,
        # and what they hand back as None must be NULL.
        return json_text({"$str": data} if type(data) in (str, NoneType) else data)

    def plain(
        self,
        value: Any,
        row: int = 0,
        refer: Callable[[Any], Any] | None = None,
        resolve: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return one value as data for JSON, of which it was tried that it comes back."""
        why = ""
        # The serializers of the annotation would write entities out, so they get none to see.
        for dump in (to_plain,) if refer is not None else (to_plain, *self._dumps):
            try:
                data = to_json(value if self.adapter is None else dump(value), refer)
                json_text(data)
                if self.adapter is None or (refer is not None and resolve is None):
                    return data
                again = self._validate(from_json(data, resolve), **_BY_NAME)
            except Exception as err:  # noqa: BLE001 - a validator of the user's may raise anything
                why = why or reason(err)
                if self.adapter is None:
                    break
                continue
            if identical(again, value):
                return data
            why = why or f"pydantic gives it back as another {type(again).__name__}"
        raise Refused(row, value, f"is of type {type(value).__name__} and cannot be stored: {why}")

    @cached_property
    def _validate(self) -> Callable[..., Any]:
        # Entities are there already, perhaps not all of their values: their turn comes by itself.
        assert self.adapter is not None
        return around_entities(self.adapter)

    @property
    def _dumps(self) -> list[Callable[[Any], Any]]:
        """What the annotation's own serializers make of a value: for JSON, and with NaN in it."""
        if self.adapter is None:
            return []
        dump = partial(self.adapter.dump_python, round_trip=True, warnings=False)
        return [partial(dump, mode="json"), partial(dump, mode="python")]

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        return [None if v is None else self.read(v, row) for row, v in enumerate(stored)]

    def read(self, stored: Any, row: int = 0, resolve: Callable[[Any], Any] | None = None) -> Any:
        """Return the value of one JSON text (or of its parsed data)."""
        try:
            data = read_json(stored) if isinstance(stored, str) else stored
            if isinstance(data, dict) and len(data) == 1 and "$str" in data:
                data = data["$str"]
            plain = from_json(data, resolve)
        except UNREADABLE:
            raise Refused(row, stored, "is no JSON of a value") from None
        return self.value(plain, row)

    def value(self, plain: Any, row: int) -> Any:
        """Return the value that plain data stand for."""
        if self.adapter is None:
            return plain
        try:
            return self._validate(plain, **_BY_NAME)
        except Exception as err:
            why = f"is not readable as its field's type ({reason(err)})"
            raise Refused(row, plain, why) from err


_LISTED = {dict, list, NoneType}

_LOOKED_AT = 500
"""Values that are looked at together: a few of functions in C for all of them."""

_BY_NAME: dict[str, Any] = {"by_alias": False, "by_name": True}


def reason(err: Exception, skip: int = 0) -> str:
    """Return what an error says, without the values that it may quote.

    Of the place inside the value, `skip` steps are left out.
    """
    if isinstance(err, ValidationError):
        first = err.errors(include_input=False, include_url=False, include_context=False)[0]
        place = "".join(f"[{step!r}]" for step in first["loc"][skip:])
        return f"pydantic says {first['type']}{' at ' + place if place else ''}"
    if isinstance(err, RecursionError):
        return "it nests too deep, or holds itself"
    if isinstance(err, NotPlainError):
        return str(err)
    return type(err).__name__


def to_plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one kind of value after another
    """Turn models, dataclasses, enums and custom types inside a value into plain data."""
    kind = type(value)
    if kind in PLAIN_TYPES or is_entity_class(kind):
        return value
    if depth > MAX_JSON_DEPTH:
        raise NotPlainError(f"it nests more than {MAX_JSON_DEPTH} deep, or holds itself")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, BaseModel):
        return _model_to_plain(value, depth)
    if hasattr(kind, "__dataclass_fields__"):
        names = kind.__dataclass_fields__
        return {name: to_plain(getattr(value, name), depth + 1) for name in names}
    if isinstance(value, Mapping):
        return {to_plain(k, depth + 1): to_plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(to_plain(part, depth + 1) for part in value)
    if isinstance(value, (set, frozenset)):
        parts = [to_plain(part, depth + 1) for part in value]
        try:
            return frozenset(parts)
        except TypeError:  # models become dictionaries, which no set takes
            return parts
    if isinstance(value, (list, collections.deque)):
        parts = [to_plain(part, depth + 1) for part in value]
        most = getattr(value, "maxlen", None)  # a deque without one is a list to pydantic
        return parts if most is None else collections.deque(parts, most)
    return TypeAdapter(kind).dump_python(value, mode="json")


def _model_to_plain(model: BaseModel, depth: int) -> Any:
    if isinstance(model, RootModel):
        return to_plain(model.root, depth + 1)
    # By name, and not what cached properties have left in __dict__.
    return {name: to_plain(part, depth + 1) for name, part in state_of(model).items()}


def make_adapter(annotation: Any) -> TypeAdapter[Any]:
    """Return pydantic's adapter of an annotation.

    Raises
    ------
    NoCodec
        If pydantic has none.
    """
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError) as err:
        raise NoCodec(
            "pydantic knows no way to check or write it; a PlainValidator and a PlainSerializer"
            " in Annotated[…] tell it one"
        ) from err


def scalar_types(annotation: Any) -> frozenset[type] | None:
    """Return the types of an annotation's values; None if one may hold several values.

    Examples
    --------
    >>> sorted(kind.__name__ for kind in scalar_types(int | str | None))
    ['NoneType', 'int', 'str']
    >>> scalar_types(int | list[int]) is None
    True
    """
    found: set[type] = set()
    for member in map(_unwrapped, union_members(annotation)):
        if typing.get_origin(member) is typing.Literal:
            found |= {type(value) for value in typing.get_args(member)}
        elif member in PLAIN_TYPES or (isinstance(member, type) and issubclass(member, enum.Enum)):
            found.add(member)
        else:
            return None
    return frozenset(found)


def _is_plain(annotation: Any) -> bool:
    """Tell whether `to_json` alone keeps all values of an annotation."""
    seen: set[int] = set()
    todo = [annotation]
    while todo:
        annotation = todo.pop()
        if annotation is JsonValue:  # before it is taken apart, since it names itself
            continue
        for item in union_members(annotation):
            if id(item) in seen or item is Ellipsis:
                continue
            seen.add(id(item))
            if item in PLAIN_TYPES or item in PLAIN_CONTAINERS or item in (Any, object):
                continue
            origin, args = typing.get_origin(item), typing.get_args(item)
            if origin is typing.Literal:
                if all(type(value) in PLAIN_TYPES for value in args):
                    continue
                return False
            if origin not in PLAIN_CONTAINERS:
                return False
            todo.extend(args)
    return True


# -- the codec of an annotation --------------------------------------------------------------

_BY_TYPE: dict[Any, Callable[[], Codec]] = {
    str: TextCodec,
    bool: BoolCodec,
    int: IntCodec,
    float: FloatCodec,
    Decimal: DecimalCodec,
    bytes: lambda: Codec("BLOB", bytes),
    datetime: DatetimeCodec,
    date: lambda: PlainCodec("DATE", date),
    time: TimeCodec,
    timedelta: TimedeltaCodec,
    UUID: lambda: PlainCodec("CHAR(32)", UUID),
}


def codec_for(annotation: Any, metadata: Sequence[Any] = ()) -> tuple[Codec, bool]:
    """Return the codec of a field's annotation, and whether the field may be None.

    Parameters
    ----------
    annotation
        What the field may hold.
    metadata
        What stood with it in ``Annotated``: looked at where the class alone says too little.

    Raises
    ------
    NoCodec
        If values of the annotation cannot be stored.

    Examples
    --------
    >>> codec, nullable = codec_for(int | None)
    >>> type(codec).__name__, nullable
    ('IntCodec', True)
    """
    members = [_unwrapped(member) for member in union_members(annotation)]
    kinds = [member for member in members if member is not NoneType]
    nullable = len(kinds) < len(members) or annotation in (Any, object)
    _refuse(kinds)
    try:
        single = _single_codec(kinds[0]) if len(kinds) == 1 else None
        return single or JsonCodec(annotation), nullable
    except NoCodec:  # of the bare class; validators and serializers may stand with it
        described = Annotated[(annotation, *metadata)] if metadata else annotation
        return JsonCodec(described), nullable


def _refuse(kinds: list[Any]) -> None:
    """Raise if one of some annotations is, or has inside, what must not or cannot be stored."""
    todo, seen = list(kinds), set()
    while todo:
        kind = _unwrapped(strip(todo.pop()))
        origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin in _NO_VALUES:
            raise NoCodec("it is no value that outlives the process")
        if origin is typing.Literal or not (args or isinstance(kind, type)) or kind in seen:
            continue
        seen.add(kind)
        if isinstance(origin, type) and issubclass(origin, (SecretStr, SecretBytes, Secret)):
            raise NoCodec(
                "it is a secret, and a database would show it; annotate it as str if that may be"
            )
        todo += args
        if isinstance(origin, type) and issubclass(origin, BaseModel):
            todo += [info.annotation for info in origin.model_fields.values()]
        elif hasattr(origin, "__dataclass_fields__"):
            todo += hints_of(origin).values()


_NO_VALUES: frozenset[Any] = frozenset(
    {
        type,
        collections.abc.Callable,
        collections.abc.Iterator,
        collections.abc.Generator,
        collections.abc.Iterable,
    }
)


def _unwrapped(annotation: Any) -> Any:
    while hasattr(annotation, "__supertype__"):  # typing.NewType
        annotation = strip(annotation.__supertype__)
    return _CONSTRAINED.get(annotation, annotation) if isinstance(annotation, type) else annotation


_CONSTRAINED: dict[type, type] = {
    AwareDatetime: datetime,
    NaiveDatetime: datetime,
    PastDatetime: datetime,
    FutureDatetime: datetime,
    PastDate: date,
    FutureDate: date,
}
"""Names that pydantic gives to values of other types, on conditions."""


def _single_codec(kind: Any) -> Codec | None:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]()
    if typing.get_origin(kind) is typing.Literal:
        types = {type(value) for value in typing.get_args(kind)}
        only = types.pop() if len(types) == 1 else None
        if only is not None and issubclass(only, enum.Enum):
            return _enum_codec(only)
        return _BY_TYPE[only]() if only in (str, int) else None
    if not isinstance(kind, type) or typing.get_origin(kind) is not None:
        return None
    if issubclass(kind, enum.Enum):
        return _enum_codec(kind)
    if kind in SCALARS:
        row = SCALARS[kind]
        return ConvertedCodec(TextCodec(), (kind,), row.write, row.read)
    if kind in _PATHS:
        return ConvertedCodec(TextCodec(), (_PATHS[kind],), str, kind)
    return _text_codec(kind)


_PATHS: dict[Any, type] = {
    kind: type(kind("a"))
    for kind in (pathlib.Path, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)
}
"""What paths are called, and of which type they are on this system."""


def _enum_codec(kind: type[enum.Enum]) -> Codec:
    """Store an enum by value where all values are texts or all integers, else by name."""
    types = {type(member.value) for member in kind}
    if types == {int} or issubclass(kind, enum.Flag):
        return ConvertedCodec(IntCodec(), (kind,), lambda member: member.value, kind)
    if types == {str}:
        return ConvertedCodec(TextCodec(), (kind,), lambda member: member.value, kind)
    return ConvertedCodec(TextCodec(), (kind,), lambda member: member.name, kind.__getitem__)


def _text_codec(kind: type) -> Codec | None:
    """Return a codec for a class that pydantic writes as one text, if it is one."""
    if kind in PLAIN_CONTAINERS or issubclass(kind, BaseModel) or _is_plain(kind):
        return None
    adapter = make_adapter(kind)
    try:
        schema = adapter.json_schema(mode="serialization")
    except PydanticUserError:
        return None
    return AdaptedCodec(kind, adapter) if schema.get("type") == "string" else None


# -- errors ----------------------------------------------------------------------------------


def not_storable(refused: Refused, place: str, **facts: Any) -> ValueNotStorableError:
    """Return the error for a value that does not fit its field."""
    return ValueNotStorableError(
        f"{place} {refused.why}. Assign a value of the field's type, or change the annotation.",
        place=place,
        type=type(refused.value),
        **facts,
    )


def decoded(
    codec: Codec,
    stored: list[Any],
    place: tuple[str, str],
    rows: Sequence[Any],
    exact: Exact | None = None,
) -> list[Any]:
    """Return the values of a column.

    Parameters
    ----------
    codec
        The codec of the field.
    stored, exact
        What the column holds, and what it could not hold.
    place, rows
        The names of the table and the column, and the key of each row.

    Raises
    ------
    StoredDataInvalidError
        For the first value that does not fit its field.
    """
    try:
        return codec.values(stored, exact or {})
    except Refused as refused:
        raise not_readable(refused, *place, rows[refused.row]) from refused.__cause__


def not_readable(refused: Refused, table: str, column: str, row: Any) -> StoredDataInvalidError:
    """Return the error for a stored value that does not fit its field."""
    cause = "It was changed outside ecsviz, or the class has changed"
    return invalid(table, column, row, refused.why, cause)
