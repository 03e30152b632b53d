"""How tables and columns are called in Python: class names, field names, names of references."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from ecsviz.domain.entity import Entity
from ecsviz.domain.labels import NAMES
from ecsviz.importers.database.schema import ForeignKey, ForeignTable
from ecsviz.storage.relational.schema.naming import Names

TAKEN: Final = frozenset({*dir(Entity), *Entity.model_fields})
"""What a field cannot be called, since every entity has it: ``version``, ``copy``, ``json``, …"""
_UNCHANGED: Final = frozenset({"series", "species", "news", "status", "data"})
"""Words whose last letters look like a plural's."""


def field_name(column: str, taken: Iterable[str] = ()) -> str:
    """Return how a column is called as a field.

    Notes
    -----
    What cannot stand in a Python name becomes an underscore; a name that Python, pydantic or
    ``Entity`` keeps for itself gets one behind it.

    Examples
    --------
    >>> [field_name(name) for name in ("title", "Unit Price", "version", "class", "2nd", "_x")]
    ['title', 'Unit_Price', 'version_', 'class_', 'n2nd', 'x']
    """
    # As Python's parser reads a name, or it could not be written in a program.
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", column)).lstrip("_")
    if not name.isidentifier():
        name = f"n{name}" if name else "column"
    used = set(taken)
    while keyword.iskeyword(name) or name in TAKEN or name in used or _is_reserved(name):
        name += "_"
    return name


def _is_reserved(name: str) -> bool:
    # Pydantic warns of names that begin as its own methods do.
    return name.startswith(("model_validate", "model_dump")) and not name.endswith("_")


def field_names(table: ForeignTable) -> dict[str, str]:
    """Return column → field of a table; no two columns have one field."""
    found: dict[str, str] = {}
    # Columns that keep their names come first, whatever the order.
    for column in sorted((c.name for c in table.columns), key=lambda c: field_name(c) != c):
        found[column] = field_name(column, found.values())
    return {column.name: found[column.name] for column in table.columns}


def reference_name(key: ForeignKey, taken: Iterable[str]) -> str:
    """Return how the reference of a foreign key is called as a field.

    Examples
    --------
    >>> def name(*columns, target="customers"):
    ...     return reference_name(ForeignKey("orders", columns, target, ("id",)), ["customer_id"])
    >>> name("customer_id"), name("CustomerId"), name("ReportsTo"), name("a", "b")
    ('customer', 'Customer', 'ReportsTo_customer', 'customer')
    """
    one = singular(key.target)
    if len(key.columns) > 1:
        return field_name(one, taken)
    column = key.columns[0]
    stem = re.sub(r"(?<=.)(_(id|ID|fk|key|code)|(?<=[a-z])(Id|ID))$", "", column)
    used = list(taken)
    if stem != column and field_name(stem) not in used:
        return field_name(stem, used)
    return field_name(f"{column}_{one}", used)


def class_names(tables: Iterable[str]) -> dict[str, str]:
    """Return table → class name; no two tables have one.

    Examples
    --------
    >>> class_names(["film_actor", "customers", "Album", "order items", "class", "t1", "T1"])
    {'film_actor': 'FilmActor', 'customers': 'Customer', 'Album': 'Album',
     'order items': 'OrderItem', 'class': 'Class', 't1': 'T1', 'T1': 'T1_2'}
    """
    names = Names()
    result = {}
    for table in tables:
        words = [word for word in re.split(r"[\W_]+", singular(table)) if word]
        name = "".join(word[:1].upper() + word[1:] for word in words)
        name = unicodedata.normalize("NFKC", name)
        if not name.isidentifier():
            name = f"Table{name}"
        if keyword.iskeyword(name):
            name += "_"
        result[table] = names.take_numbered(name)
    return result


def singular(name: str) -> str:
    """Return a table's name for one of its rows.

    Examples
    --------
    >>> [singular(name) for name in ("customers", "countries", "addresses", "status", "Album")]
    ['customer', 'country', 'address', 'status', 'Album']
    """
    lower = name.lower()
    if re.split(r"[\W_]", lower)[-1] in _UNCHANGED or len(name) < 4:
        return name
    if lower.endswith("ies"):
        return name[:-3] + ("y" if name[-1].islower() else "Y")
    if re.search(r"(ss|x|z|ch|sh)es$", lower):
        return name[:-2]
    if lower.endswith("s") and not re.search(r"(ss|us|is)$", lower):
        return name[:-1]
    return name


def naming_columns(table: ForeignTable, uniques: Iterable[Collection[str]] = ()) -> tuple[str, ...]:
    """Return the columns that say what a row is called; an empty tuple if none does.

    Parameters
    ----------
    table
        The table: a column called ``name`` or ``title``, one called like the table, those of a
        person, or one that ends so, the first of these that holds texts.
    uniques
        Sets of columns of which no two rows have the same values: else a text among them does.

    Examples
    --------
    >>> from ecsviz.importers.database.schema import ForeignColumn, ForeignTable
    >>> def made(table, *names):
    ...     columns = tuple(ForeignColumn(name, "TEXT", "str", True) for name in names)
    ...     return ForeignTable(table, columns, ())
    >>> naming_columns(made("staff", "email", "first_name", "last_name"))
    ('first_name', 'last_name')
    >>> naming_columns(made("cities", "notes", "city")), naming_columns(made("log", "text"))
    (('city',), ())
    >>> naming_columns(made("parts", "code", "notes"), [{"code"}])
    ('code',)
    """
    texts = {c.name.casefold(): c.name for c in table.columns if c.kind == "str"}
    own = (table.own_name or table.name).casefold()
    called = (*NAMES, singular(own), own)
    found = [texts[name] for name in called if name in texts]
    if found:
        return (found[0],)
    person = [texts[name] for name in _PERSON if name in texts]
    if person:
        return tuple(person)
    ending = [name for low, name in texts.items() if low.endswith(NAMES)]
    sole = [name for unique in uniques if len(unique) == 1 for name in unique]
    return tuple((ending or [n for n in sole if n.casefold() in texts])[:1])


_PERSON = ("first_name", "firstname", "given_name", "last_name", "lastname", "surname")
