"""Converting: what a field holds that has another type now, through a function of the user's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, core_schema
from sqlalchemy.engine import Connection
from typing_extensions import override

from ecsviz.domain.annotations import concrete
from ecsviz.domain.columns import NOTHING, ColumnRule
from ecsviz.domain.fields import class_plan, complete_fields
from ecsviz.domain.scalars import microseconds
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, history_name
from ecsviz.storage.relational.schema.mapping import StoredType
from ecsviz.storage.relational.schema.seals import digest
from ecsviz.storage.relational.upkeep.class_changes import Declared, take_apart
from ecsviz.storage.sql.column_types import column_type
from ecsviz.storage.sql.driver_values import exact_by_field, read_exact
from ecsviz.storage.sql.statements import columns_of, update_rows
from ecsviz.values.codecs import Codec, Refused, codec_for, reason
from ecsviz.values.column_codecs import IntCodec
from ecsviz.values.field_codecs import check_declared, codec_of, describe, opaque_names
from ecsviz.values.tagged_json import json_text

Place = tuple[str, str]
"""A type and a field of it."""

Types = MappingOf[str, tuple[StoredType, type]]

MARKS = "converted"
"""The key in ``ecs_store`` of which fields were converted, and to what."""


class _Integers(IntCodec):
    """Integers; a duration too long for its column stands beside it, the others as integers."""

    @override
    def restore(self, data: Any) -> Any:
        value = super().restore(data)
        return microseconds(value) if type(value) is timedelta else value


_HELD = (str, bool, int, float, Decimal, bytes, datetime, date, time, UUID, Any)
# What a column holds, by its SQL type: all that a store knows of a class that is gone.
_READERS: dict[str, Codec] = {
    codec.sql_name: codec for codec in (*(codec_for(kind)[0] for kind in _HELD), _Integers())
}


class Conversion:
    """The values of one field, in the present and in the past: read, converted, to be written.

    Parameters
    ----------
    conn, schema
        Where they are.
    stored, old
        The type as the store has it, and what it calls the field.
    cls, name
        The class as it is now, and what it calls the field.
    function
        From a stored value to one of the field's type.

    Attributes
    ----------
    count
        How many values the function was asked for.
    refused
        Why they cannot be converted; empty if they can.
    changes
        Whether anything comes out otherwise than it was stored.

    Notes
    -----
    None is not asked for where the field may be None; elsewhere the function says what takes its
    place. What it returns is checked like an argument of the class, validators of the field
    included; those of the whole entity are not run. One query per table; O(rows).
    """

    def __init__(
        self,
        conn: Connection,
        schema: str | None,
        stored: StoredType,
        old: str,
        cls: type,
        name: str,
        function: Callable[[Any], Any],
    ) -> None:
        self.conn, self.schema = conn, schema
        self.stored, self.old = stored, old
        self.cls, self.name, self.function = cls, name, function
        self.codec, self.optional = codec_of(cls, name)
        self.said = class_plan(cls).columns.get(name, NOTHING)
        self.changes = not same_sql(stored, old, cls, name)
        self.encoded: list[Any] = []
        self.exact: dict[int, Any] = {}
        self.count = 0
        self.refused = ""
        # The rows of both tables in one batch: those of the present come first.
        self.ids: list[UUID] = []
        self.keys: list[tuple[int, int]] = []
        self.present = 0
        try:
            values = self._read(stored.table)
            values += self._read(history_name(stored.table))
        except Refused as refused:
            self.refused = f"the value of {self._row(refused.row)} {refused.why}; correct the row"
            return
        self._convert(values)

    # -- reading -----------------------------------------------------------------------------

    def _read(self, table: str) -> list[Any]:
        """Return what the column of a table holds, in Python's types."""
        reader = _READERS[take_apart(self.stored.fields[self.old], {"column": ""}).targets[0]]
        source = sa.table(
            table,
            sa.column("id", sa.BigInteger()),
            sa.column(REVISION, sa.Integer()),
            sa.column("ecs_id", sa.Uuid()),
            sa.column("ecs_exact", sa.Text()),
            schema=self.schema,
        )
        held = sa.column(self.stored.layout[self.old]["column"], column_type(reader))
        query = sa.select(
            source.c.id, source.c[REVISION], source.c.ecs_id, source.c.ecs_exact, held
        ).order_by(source.c.id, source.c[REVISION])
        ids, revisions, ecs_ids, texts, column = columns_of(self.conn, query.select_from(source))
        before = len(self.ids)
        if table == self.stored.table:
            self.present = len(ecs_ids)
        self.ids += ecs_ids
        self.keys += zip(ids, revisions, strict=True)
        exact = exact_by_field(table, ids, texts).get(self.old, {})
        try:
            return reader.values(column, exact)
        except Refused as refused:
            raise Refused(before + refused.row, refused.value, refused.why) from refused

    # -- converting --------------------------------------------------------------------------

    def _convert(self, values: list[Any]) -> None:
        before = None if self.changes else _encoded(_READERS[self._sql()], values)
        results = list(values)
        failed: dict[int, str] = {}
        for row, value in enumerate(values):
            if value is None and self.optional:
                continue
            self.count += 1
            try:
                results[row] = self.function(value)
            except Exception as err:  # noqa: BLE001 - it is the user's, and may raise anything
                failed[row] = f"the function raises {type(err).__name__}"
        failed = failed or self._validate(results) or self._encode(results)
        if failed:
            first = min(failed)
            plural = "value" if len(values) == 1 else "values"
            self.refused = (
                f"{len(failed)} of {len(values)} stored {plural} cannot be converted, first that"
                f" of {self._row(first)}: {failed[first]}; let the function return a value of the"
                " field's type"
            )
        elif before != (self.encoded, self.exact):
            self.changes = True

    def _sql(self) -> str:
        return self.codec.sql_name

    def _row(self, row: int) -> str:
        place = "" if row < self.present else f", as of revision {self.keys[row][1]}"
        return f"{self.ids[row]}{place}"

    def _validate(self, results: list[Any]) -> dict[int, str]:
        """Let pydantic check and convert results; return which rows it refuses, and why."""
        validator = field_validator(self.cls, self.name)
        try:
            checked = validator.validate_python([{self.name: value} for value in results])
        except Exception:  # noqa: BLE001 - a validator of the user's may raise anything
            return _failing(lambda v: validator.validate_python([{self.name: v}]), results)
        results[:] = [item[self.name] for item in checked]
        return {}

    def _encode(self, results: list[Any]) -> dict[int, str]:
        """Make the column; return which rows have no place in it, and why."""
        try:
            if not self.optional:
                _no_none(results)
            self.encoded, self.exact = self.codec.encode(results)
            check_declared(self.said, self.codec, results, self.exact)
        except Refused:
            return _failing(self._encode_one, results)
        return {}

    def _encode_one(self, value: Any) -> None:
        if not self.optional:
            _no_none([value])
        check_declared(self.said, self.codec, [value], self.codec.encode([value])[1])

    # -- writing -----------------------------------------------------------------------------

    def write(self, conn: Connection, table: sa.Table, column: str, *, past: bool) -> None:
        """Write the column of a table, and what stands beside it.

        Notes
        -----
        At most two statements, and one query. What stood beside the old column is gone already.
        """
        rows = range(self.present, len(self.keys)) if past else range(self.present)
        keys = [self.keys[row] if past else self.keys[row][:1] for row in rows]
        values = self.encoded[rows.start : rows.stop]
        pairs = zip(values, keys, strict=True)
        update_rows(conn, table, [table.c[column]], [(value, *key) for value, key in pairs])
        exact = {keys[row - rows.start]: data for row, data in self.exact.items() if row in rows}
        if not exact:
            return
        query = sa.select(table.c.ecs_exact, *table.primary_key.columns)
        beside = {tuple(key): text for text, *key in zip(*columns_of(conn, query), strict=True)}
        written = []
        for key, data in exact.items():
            there = read_exact(table.name, key, beside[key])
            written.append((json_text({**there, self.name: data}), *key))
        update_rows(conn, table, [table.c.ecs_exact], written)


def _encoded(codec: Codec, values: list[Any]) -> Any:
    try:
        return codec.encode(values)
    except Refused:
        return None


def _no_none(values: list[Any]) -> None:
    for row, value in enumerate(values):
        if value is None:
            raise Refused(row, value, "is None, but the field is not optional")


def _failing(check: Callable[[Any], Any], values: list[Any]) -> dict[int, str]:
    """Return which values do not pass, and why; once it is known that some do not."""
    failed = {}
    for row, value in enumerate(values):
        try:
            check(value)
        except Refused as refused:
            failed[row] = f"what the function returns {refused.why}"
        except Exception as err:  # noqa: BLE001 - a validator of the user's may raise anything
            failed[row] = f"what the function returns does not fit ({reason(err, skip=2)})"
    return failed


def field_validator(cls: type, name: str) -> SchemaValidator:
    """Return what checks a list of ``{name: value}`` as a class checks this field.

    Notes
    -----
    The field's part of the class's own schema, with its validators and the class's settings.
    """
    complete_fields(cls)
    schema: Any = cls.__pydantic_core_schema__  # type: ignore[attr-defined]  # an entity class
    definitions: list[Any] = []
    config: Any = None
    while schema["type"] != "model-fields":
        if schema["type"] == "definitions":
            definitions = schema["definitions"]
        elif schema["type"] == "model":
            config = schema.get("config")
        if schema["type"] == "definition-ref":
            ref = schema["schema_ref"]
            schema = next(found for found in definitions if found.get("ref") == ref)
        else:
            schema = schema["schema"]
    # By its name alone: an alias is what a file may call it.
    field = core_schema.typed_dict_field(schema["fields"][name]["schema"])
    one = core_schema.typed_dict_schema({name: field}, config=config)
    every: Any = core_schema.list_schema(one)
    if definitions:
        every = core_schema.definitions_schema(every, definitions)
    return SchemaValidator(every)


# -- what a user asks for --------------------------------------------------------------------


def resolve(
    convert: MappingOf[str, Callable[[Any], Any]], declared: Declared, types: Types
) -> dict[Place, Callable[[Any], Any]]:
    """Return the functions by stored type and present field.

    Parameters
    ----------
    convert
        With fields as ``"Class.field"``; a base class stands for all its subclasses.
    declared
        What was renamed.
    types
        What is migrated: type name → what is stored, and its class.

    Raises
    ------
    InvalidArgumentError
        If there is no such class or field, or its values cannot be converted.
    """
    result: dict[Place, Callable[[Any], Any]] = {}
    for text, function in convert.items():
        if not callable(function):
            raise InvalidArgumentError(
                f"convert gives {short_repr(text)} a {type(function).__name__}, which cannot be"
                " called. Give a function from the stored value to the new one.",
                field=text,
            )
        for place in _places(str(text), declared, types):
            if place in result:
                raise InvalidArgumentError(
                    f"convert names {'.'.join(place)} twice: by a base class as well. Name each"
                    " class that is meant, once.",
                    field=text,
                )
            _check(str(text), place, declared, types)
            result[place] = function
    return result


def _places(text: str, declared: Declared, types: Types) -> list[Place]:
    of, _, name = text.rpartition(".")
    kinds = [
        type_name
        for type_name, (_, cls) in types.items()
        if type_name == of or any(base.__name__ == of for base in cls.__mro__)
    ]
    found = [(kind, name) for kind in kinds if name in describe(types[kind][1])]
    if found:
        return found
    names = [f"{kind}.{field}" for kind, (_, cls) in types.items() for field in describe(cls)]
    now = [declared.rename[kind, name] for kind in kinds if (kind, name) in declared.rename]
    hint = f" It is called {now[0]!r} now." if now else did_you_mean(text, names)
    raise InvalidArgumentError(
        f"convert names {short_repr(text)}, but no class that is stored has such a field.{hint}"
        " Write 'Class.field'.",
        field=text,
    )


def _check(text: str, place: Place, declared: Declared, types: Types) -> None:
    """Raise if the values of a field cannot be converted."""
    kind, name = place
    stored, cls = types[kind]
    if stored.by_hand:
        why = (
            f"{cls.__name__} is kept in a table of your own (models=), which migrate leaves alone."
            " Convert the values there."
        )
    elif (old := declared.before(kind, name)) not in stored.fields:
        why = (
            f"nothing is stored of it yet. Give it a default; or say in rename={{'{kind}.…':"
            f" {name!r}}} what it was called."
        )
    elif "column" not in stored.layout.get(old, {}) or name not in value_names(cls):
        why = (
            "it holds entities, or has held them, and a function of values cannot make or take"
            " those. Give the new field another name, register what you want in it, and drop the"
            " old one later."
        )
    else:
        return
    raise InvalidArgumentError(f"{text} cannot be converted: {why}", field=text)


def value_names(cls: type) -> Iterable[str]:
    """Return the names of the fields that hold values."""
    return {*class_plan(cls).values, *opaque_names(cls)}


def same_sql(stored: StoredType, old: str, cls: type, name: str) -> bool:
    """Tell whether a column stays as it is, so that nothing shows if its values were converted."""
    before = take_apart(stored.fields[old], {"column": ""}).targets[0]
    return before == codec_of(cls, name)[0].sql_name


# -- what has been converted -----------------------------------------------------------------


def mark_of(cls: type, name: str) -> str:
    """Return a text that tells the type of a field from others, in later processes as well."""
    info = complete_fields(cls)[name]
    annotation = concrete(info.annotation, cls)
    # What is declared of a column says nothing of the type.
    metadata = [item for item in info.metadata if not isinstance(item, ColumnRule)]
    if metadata:
        annotation = Annotated[(annotation, *metadata)]
    try:
        schema: Any = TypeAdapter(annotation).json_schema()
    except Exception:  # noqa: BLE001 - types without a JSON schema are told by their names
        schema = None
    said = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(annotation))
    return digest((said, json.dumps(schema, sort_keys=True, default=repr))).hex()


class Marks:
    """Which fields of a store were converted, and to what type.

    Notes
    -----
    Where a column stays as it is (minutes → a duration: both are integers), nothing else would
    show that it has been done, and a cell run twice would convert what was converted.
    """

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn, self.table = conn, catalog.store
        self.before: dict[str, dict[str, str]] = catalog.object_setting(conn, MARKS)

    def check(self, stored: StoredType, old: str, cls: type, name: str) -> None:
        """Raise if a field was converted to its present type already."""
        mark = self.before.get(stored.name, {}).get(old)
        if mark is not None and same_sql(stored, old, cls, name) and mark == mark_of(cls, name):
            raise unchanged(f"{stored.name}.{name}", "its values have been converted to it before")

    def write(self, declared: Declared, done: Iterable[Conversion]) -> None:
        """Note what was converted, renamed and dropped."""
        after: dict[str, dict[str, str]] = {}
        for kind, marks in self.before.items():
            kept = {n: mark for n, mark in marks.items() if (kind, n) not in declared.drop}
            after[kind] = {declared.now(kind, n): mark for n, mark in kept.items()}
        for one in done:
            after.setdefault(one.stored.name, {})[one.name] = mark_of(one.cls, one.name)
        if after != self.before:
            self.conn.execute(sa.delete(self.table).where(self.table.c.key == MARKS))
            self.conn.execute(sa.insert(self.table).values(key=MARKS, value=json.dumps(after)))


def unchanged(text: str, why: str) -> InvalidArgumentError:
    """Return the error for a field that has the type of its values."""
    return InvalidArgumentError(
        f"The type of {text} has not changed: {why}. Take it out of convert=; to change values"
        " alone, assign them and register the entities.",
        field=text,
    )
