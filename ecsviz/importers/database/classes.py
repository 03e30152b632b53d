"""Entity classes made on the fly: one a table, a field a column, a reference a foreign key."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, ForwardRef

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from ecsviz.domain.entity import Entity
from ecsviz.domain.fields import reference
from ecsviz.importers.database.graphs import is_required
from ecsviz.importers.database.names import class_names, field_names, reference_name
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema
from ecsviz.importers.database.values import Fit


class DatabaseEntity(Entity):
    """The base of all classes that are made from a database's tables."""

    model_config = ConfigDict(protected_namespaces=())


_STANDS_FOR = "_table_{}"
"""How a class is named in annotations until it is made: as no field is, or that would be taken."""


class _Held:
    """What a reference takes: an instance of the class, without pydantic going into the class.

    Of classes that lead to each other, pydantic would write each one's schema into all others'.
    """

    def __repr__(self) -> str:
        return "held"  # a part of the fingerprint

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        kinds = [kind for kind in typing.get_args(source) or (source,) if kind is not type(None)]
        held = core_schema.is_instance_schema(kinds[0])
        optional = type(None) in typing.get_args(source)
        return core_schema.nullable_schema(held) if optional else held


@dataclass(frozen=True, slots=True)
class Made:
    """The classes of one database.

    Attributes
    ----------
    classes
        Table → class.
    fields
        Table → column → field.
    references
        Foreign key → field.
    """

    classes: Mapping[str, Any]
    fields: Mapping[str, dict[str, str]]
    references: Mapping[ForeignKey, str]


def name_fields(schema: ForeignSchema) -> tuple[dict[str, dict[str, str]], dict[ForeignKey, str]]:
    """Return table → column → field, and foreign key → field."""
    fields = {name: field_names(table) for name, table in schema.tables.items()}
    references: dict[ForeignKey, str] = {}
    taken = {name: list(columns.values()) for name, columns in fields.items()}
    for key in schema.sound_keys:
        if key not in references:  # one that is declared twice is one reference
            references[key] = reference_name(key, taken[key.table])
            taken[key.table].append(references[key])
    return fields, references


def make_classes(
    stem: str, schema: ForeignSchema, fits: Mapping[str, list[Fit]], dangling: Iterable[ForeignKey]
) -> Made:
    """Return an entity class for every table.

    Parameters
    ----------
    stem
        A short name of the database: part of the module that the classes say they are from.
    schema
        What the database consists of.
    fits
        Table → how the values of each column are given.
    dangling
        The keys that have values to which there is no row: their references may be None.

    Notes
    -----
    The same tables give the same classes, field by field: a store that holds their entities
    takes those of another reading. Other tables of the same names give other classes.
    """
    fields, references = name_fields(schema)
    names = class_names(schema.tables)
    open_keys = set(dangling)
    described: dict[str, dict[str, Any]] = {}
    for name, table in schema.tables.items():
        described[name] = {
            fields[name][column.name]: _value_field(column.name, fit)
            for column, fit in zip(table.columns, fits[name], strict=True)
        }
    for key, field in references.items():
        may_be_none = key in open_keys or not is_required(schema, key)
        target = list(schema.tables).index(key.target)
        described[key.table][field] = _reference_field(_STANDS_FOR.format(target), may_be_none)
    module = f"ecsviz.databases.{stem}_{_fingerprint(names, described)}"
    made: dict[str, Any] = {}
    for name, definitions in described.items():
        made[name] = create_model(
            names[name],
            __base__=DatabaseEntity,
            __module__=module,
            __doc__=f"A row of the table {name!r}.",
            **definitions,
        )
    namespace = {_STANDS_FOR.format(number): cls for number, cls in enumerate(made.values())}
    for cls in made.values():
        cls.model_rebuild(force=True, _types_namespace=namespace)
    return Made(MappingProxyType(made), MappingProxyType(fields), MappingProxyType(references))


def _value_field(column: str, fit: Fit) -> tuple[Any, Any]:
    if fit.nullable:
        return fit.annotation, Field(default=None, title=column)
    return fit.annotation, Field(title=column)


def _reference_field(target: str, may_be_none: bool) -> tuple[Any, Any]:
    held = ForwardRef(target)
    if may_be_none:
        return Annotated[typing.Optional[held], _Held()], reference(inverse=None, default=None)  # noqa: UP045 - a forward reference takes no |
    return Annotated[held, _Held()], reference(inverse=None)


def _fingerprint(names: Mapping[str, str], described: Mapping[str, dict[str, Any]]) -> str:
    """Return a short text that two databases share if their classes are the same."""
    told = sorted(
        (names[table], field, str(annotation))
        for table, definitions in described.items()
        for field, (annotation, _) in definitions.items()
    )
    return hashlib.blake2b(repr(told).encode(errors="replace"), digest_size=4).hexdigest()
