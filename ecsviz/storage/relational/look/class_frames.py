"""The entities of a class as a DataFrame, without objects: its fields, then whose they are."""

from __future__ import annotations

import enum
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.result_frames import typed_column
from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.fields import (
    OWN_FIELDS,
    FieldPlan,
    Shape,
    class_plan,
    complete_fields,
    union_members,
)
from ecsviz.domain.inverse import inverse_of
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.relational.load.find import find_rows
from ecsviz.storage.relational.load.ids import types_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import check_once
from ecsviz.storage.relational.schema.mapping import ClassMap, ValueColumn
from ecsviz.storage.search import Search
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of, select_by_keys
from ecsviz.values.codecs import (
    BoolCodec,
    Codec,
    DatetimeCodec,
    FloatCodec,
    IntCodec,
    TextCodec,
    decoded,
)
from ecsviz.values.field_codecs import codec_of, opaque_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class _Rows:
    """What was read of one type: per column of the frame its values; of times, as columns hold."""

    name: str
    ids: list[int]
    columns: dict[str, list[Any]] = field(default_factory=dict)
    codecs: dict[str, Codec] = field(default_factory=dict)


class ClassFrame:
    """The entities of a class, and of its subclasses, as one frame.

    Parameters
    ----------
    conn, catalog
        Where, and as of when.
    cls
        The class, whose fields are columns.
    columns
        Which columns, in this order; None for all.

    Attributes
    ----------
    kinds
        Every column that there is, in order: ``value``, ``reference``, ``position``, ``type`` or
        ``own``, and the field (of an own one, the column of the table) that it is of.

    Notes
    -----
    A query with a join per reference for every type that is stored; no objects are made.
    """

    def __init__(
        self, conn: Connection, catalog: Catalog, cls: type, columns: Sequence[str] | None = None
    ) -> None:
        self.conn, self.catalog, self.cls = conn, catalog, newest_definition(cls)
        self.maps = catalog.classes_of(types_of(cls, catalog.mapping))
        self.kinds = self._kinds()
        self.columns = list(self.kinds) if columns is None else self._checked(columns)

    def _kinds(self) -> dict[str, tuple[str, str]]:
        plans = [plan for plan in class_plan(self.cls).fields if plan.shape == Shape.SINGLE]
        values = [*class_plan(self.cls).values, *opaque_names(self.cls)]
        if self.maps:  # hand-written models keep some by themselves
            kept = {value.name for known in self.maps for value in known.values}
            held = {ref.name for known in self.maps for ref in known.singles}
            values = [name for name in values if name in kept]
            plans = [plan for plan in plans if plan.name in held]
        found = {name: ("value", name) for name in values}
        found |= {f"{plan.name}_ecs_id": ("reference", plan.name) for plan in plans}
        listed = [plan for plan in plans if inverse_of(plan) is not None]
        found |= {self._position(plan): ("position", plan.name) for plan in listed}
        if any(known.cls is not self.cls for known in self.maps):
            found["type_" if "type" in found else "type"] = ("type", "")
        own = {name: name if name == "ecs_id" else f"ecs_{name}" for name in OWN_FIELDS}
        return found | {name: ("own", column) for name, column in own.items()}

    def _position(self, plan: FieldPlan) -> str:
        for known in self.maps:
            for ref in known.singles:
                if ref.name == plan.name and ref.position is not None:
                    return ref.position.name
        return f"{plan.option.name or plan.name}_position"

    def _checked(self, columns: Sequence[Any]) -> list[str]:
        for name in columns:
            if name not in self.kinds:
                raise InvalidArgumentError(
                    f"A frame of {self.cls.__name__} has no column {short_repr(name)}."
                    f"{did_you_mean(name, self.kinds)}",
                    argument="columns",
                    value=name,
                )
        return list(dict.fromkeys(columns))

    def read(self, wanted: Search | None = None) -> pd.DataFrame:
        """Return the frame: of all, or of what is wanted."""
        import pandas as pd

        with collector_paused():
            chosen = None if wanted is None else self._chosen(wanted)
            parts = [
                self._read(known, None if chosen is None else chosen.get(known.type_name, []))
                for known in self.maps
            ]
            size = sum(len(part.ids) for part in parts)
            columns = {name: self._column(name, parts) for name in self.columns}
            frame = pd.DataFrame(columns, index=pd.RangeIndex(size))
        if chosen is None or not chosen.ordered:
            return frame
        keys = [(part.name, row_id) for part in parts for row_id in part.ids]
        place = {key: n for n, key in enumerate(keys)}
        return frame.iloc[[place[row] for row in chosen.ordered]].reset_index(drop=True)

    def _chosen(self, wanted: Search) -> _Chosen:
        names = [known.type_name for known in self.maps]
        rows = find_rows(self.conn, self.catalog, names, wanted)
        chosen = _Chosen()
        for name, row_id in rows:
            chosen.setdefault(name, []).append(row_id)
        chosen.ordered = rows if wanted.order_by else []
        return chosen

    # -- reading -----------------------------------------------------------------------------

    def _read(self, known: ClassMap, ids: list[int] | None) -> _Rows:
        """Read the columns of one type, of some rows or of all, in the order of storing."""
        table, named = known.table, [(name, *self.kinds[name]) for name in self.columns]
        values = {value.name: value for value in known.values}
        singles = {ref.name: ref for ref in known.singles}
        query: list[Any] = [table.c.id, table.c.ecs_exact]
        source: Any = table
        places: dict[str, list[int]] = {}
        for name, kind, of in named:
            begin = len(query)
            if kind == "own":
                query.append(table.c[of])
            elif kind == "value" and of in values:
                query.append(values[of].column)
            elif kind == "position" and of in singles:
                query.append(singles[of].position)
            elif kind == "reference" and of in singles:
                for target, key in singles[of].arcs.items():
                    other = self.catalog.mapping.by_type[target].table.alias(f"t{len(query)}")
                    source = source.outerjoin(other, key == other.c.id)
                    query.append(other.c.ecs_id.label(f"k{len(query)}"))
            places[name] = list(range(begin, len(query)))
        select = sa.select(*query).select_from(source).order_by(table.c.id)
        if ids is None:
            read = columns_of(self.conn, select)
        else:
            read = select_by_keys(self.conn, select, table.c.id, ids)
        check_once(table, read[0])
        found = _Rows(known.type_name, read[0])
        exact = exact_by_field(table.name, read[0], read[1])
        for name, kind, of in named:
            there = [read[place] for place in places[name]]
            if kind == "value" and there:
                found.codecs[name] = values[of].codec
                there = [self._values(known, values[of], there[0], read[0], exact.get(of))]
            found.columns[name] = _first_there(there, len(read[0]))
        return found

    def _values(
        self,
        known: ClassMap,
        value: ValueColumn,
        stored: list[Any],
        ids: list[int],
        exact: dict[int, Any] | None,
    ) -> list[Any]:
        if isinstance(value.codec, DatetimeCodec) and isinstance(
            self._codec(value.name), DatetimeCodec
        ):
            return stored  # an offset is told by the entity; a frame has one zone per column
        place = (known.table.name, value.column.name)
        return decoded(value.codec, stored, place, ids, exact)

    @property
    def codecs(self) -> dict[str, Codec | None]:
        """By column the codec of its values, None for ids; only where pandas has no type."""
        kinds = {name: self.kinds[name] for name in self.columns}
        codecs = {n: self._codec(of) for n, (kind, of) in kinds.items() if kind == "value"}
        ids = [n for n, (kind, of) in kinds.items() if kind == "reference" or n in _IDS]
        return codecs | dict.fromkeys(ids)

    # -- columns -----------------------------------------------------------------------------

    def _codec(self, name: str) -> Codec:
        return codec_of(self.cls, name)[0]

    def _column(self, name: str, parts: list[_Rows]) -> pd.Series[Any]:
        import pandas as pd

        kind, of = self.kinds[name]
        if kind == "type":
            types = [part.name for part in parts for _ in part.ids]
            return pd.Series(pd.Categorical(types, categories=sorted({p.name for p in parts})))
        columns = [part.columns[name] for part in parts]
        values = columns[0] if len(columns) == 1 else [value for each in columns for value in each]
        if kind == "position":
            return pd.Series(values, dtype="Int64")
        if kind != "value":
            return pd.Series(values, dtype="int64" if of == "ecs_version" else object)
        kinds = {type(part.codecs[name]) for part in parts if name in part.codecs}
        if kinds - {type(self._codec(of))}:
            return pd.Series(values, dtype=object)  # a subclass holds something else there
        return self._series(of, values)

    def _series(self, name: str, values: list[Any]) -> pd.Series[Any]:
        """Return one column in the dtype that fits its field."""
        import pandas as pd

        field_codec, optional = codec_of(self.cls, name)
        if isinstance(field_codec, DatetimeCodec):
            return pd.Series(pd.to_datetime(pd.Series(values, dtype="datetime64[us]"), utc=True))
        categories = _categories(complete_fields(self.cls)[name].annotation)
        if categories is not None and {v for v in values if v is not None} <= set(categories):
            return pd.Series(pd.Categorical(values, categories=categories))
        for codec, maybe, always in (
            (IntCodec, "Int64", "int64"),
            (BoolCodec, "boolean", "bool"),
            (FloatCodec, "float64", "float64"),
            (TextCodec, "str", "str"),
        ):
            if type(field_codec) is codec:
                try:
                    return typed_column(values, maybe if optional else always)
                except (OverflowError, TypeError):
                    break  # beyond what the dtype holds: Python's own objects
        return pd.Series(values, dtype=object)


class _Chosen(dict[str, list[int]]):
    """The rows of each type that are wanted; where they are ordered, all of them in order."""

    ordered: Sequence[tuple[str, int]] = ()


_IDS = ("ecs_id", "lineage_id", "parent_id")


def _first_there(columns: list[list[Any]], size: int) -> list[Any]:
    """Return, row by row, what the first of some columns has that has anything."""
    found = columns[0] if columns else [None] * size
    for column in columns[1:]:
        found = [b if a is None else a for a, b in zip(found, column, strict=True)]
    return found


def _categories(annotation: Any) -> list[Any] | None:
    """Return the values of an enum or a Literal, if a column can tell them apart."""
    members = [m for m in union_members(annotation) if m is not type(None)]
    if len(members) != 1:
        return None
    if typing.get_origin(members[0]) is typing.Literal:
        values = list(typing.get_args(members[0]))
        return values if len(set(values)) == len(values) else None  # 1 and True are one to pandas
    if isinstance(members[0], type) and issubclass(members[0], enum.Enum):
        return list(members[0])
    return None
