"""Structs, lists and maps of DuckDB: read so that what Python lacks is told in them, too.

The driver gives ``infinity`` as the last day that Python has, and a month as 30 days. So what is
within is selected as texts where that may be, and made what it is in Python as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ecsviz.basics.text import sql_name, sql_text
from ecsviz.importers.database.lacking import NANOSECONDS, PARSERS, WHEN, from_text
from ecsviz.importers.database.schema import Kind, Nested
from ecsviz.importers.database.values import CONVERT, plain

KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "int"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "int"),
    **dict.fromkeys(("BIGNUM", "VARINT"), "int"),
    **dict.fromkeys(("VARCHAR", "ENUM"), "str"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "datetime"),
    **dict.fromkeys(("TIME", "TIME WITH TIME ZONE"), "time"),
    "BLOB": "bytes",
    "BOOLEAN": "bool",
    "DATE": "date",
    "DECIMAL": "decimal",
    "DOUBLE": "float",
    "FLOAT": "single",
    "INTERVAL": "timedelta",
    "JSON": "json",
    "TIMESTAMP WITH TIME ZONE": "zoned",
    "UUID": "uuid",
}
"""What types of DuckDB are in Python; those with parts are no others."""

_DEEPEST: Final = 50
"""How deep a type may go; what is deeper is text, as the database writes it."""


def nested(made: Any, level: int = 0) -> Nested | None:
    """Return how values of a type are read; None if it goes too deep.

    Parameters
    ----------
    made
        The type, as DuckDB's package has it.
    level
        Within how many others it stands.

    Notes
    -----
    Keys of maps are texts. So are times and dates of unions, which do not say what they are.
    """
    if level > _DEEPEST:
        return None
    inner = {}
    for name, part in made.children if made.id in _WITH_PARTS else ():
        if isinstance(part, int) or (made.id == "union" and not name):
            continue  # how long arrays are, and the tag
        told = nested(part, level + 1)
        if told is None:
            return None
        inner[name] = told
    if made.id == "struct":
        return _struct(inner)
    if made.id == "union":
        return Nested(f"UNION({_members(inner)})", plain)
    if made.id == "map":
        key = str(made.children[0][1])
        return None if "UNION(" in key else _map(inner["value"], f"x{level}")
    if made.id in ("array", "list"):
        name = str(made)
        return _list(inner["child"], name[name.rindex("[") :], f"x{level}")
    return _leaf(str(made))


def _leaf(name: str) -> Nested:
    first = name.partition("(")[0]
    kind = KINDS.get(first, "other")
    if kind in PARSERS:
        when = NANOSECONDS if first == "TIMESTAMP_NS" else WHEN["duckdb"][kind]
        return Nested("VARCHAR", from_text(kind), when.format)
    if kind == "other":
        return Nested("VARCHAR", str)
    if first in ("BIGNUM", "VARINT"):
        return Nested("VARCHAR", int)
    return Nested(name, CONVERT.get(kind, plain))


def _struct(parts: dict[str, Nested]) -> Nested:
    def read(value: Any) -> Any:
        return {name: _given(part, value[name]) for name, part in parts.items()}

    told = {name: part.lacks for name, part in parts.items() if part.lacks is not None}

    def lacks(of: str) -> str:
        at = {name: f"struct_extract({of}, {sql_text(name)})" for name in told}
        return f"({' OR '.join(when(at[name]) for name, when in told.items())})"

    return Nested(f"STRUCT({_members(parts)})", read, lacks if told else None)


def _list(part: Nested, size: str, name: str) -> Nested:
    def read(value: Any) -> Any:
        return [_given(part, each) for each in value]

    return Nested(f"{part.type}{size}", read, _of_each(part, name, "{}"))


def _map(part: Nested, name: str) -> Nested:
    def read(value: Any) -> Any:
        return {key: _given(part, each) for key, each in value.items()}

    return Nested(f"MAP(VARCHAR, {part.type})", read, _of_each(part, name, "map_values({})"))


def _of_each(part: Nested, name: str, each: str) -> Callable[[str], str] | None:
    when = part.lacks
    if when is None:
        return None
    told = when(name)
    return lambda of: f"len(list_filter({each.format(of)}, lambda {name}: {told})) > 0"


def _given(part: Nested, value: Any) -> Any:
    return None if value is None else part.read(value)


def _members(parts: dict[str, Nested]) -> str:
    return ", ".join(f"{sql_name(name)} {part.type}" for name, part in parts.items())


_WITH_PARTS: Final = ("array", "list", "map", "struct", "union")
