"""How classes and fields are called in SQL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_NAME = 63
"""The longest identifier, in bytes, that PostgreSQL tells apart."""

_HALVES = re.compile(r"[\ud800-\udfff]")

RESERVED_TABLES = ("ecs_", "sqlite_", "pg_")
"""How no table of an entity class may begin: our own tables, and those of the databases."""


class Names:
    """Names of one table's columns, or of one store's tables, each taken once.

    Parameters
    ----------
    taken
        Names that are gone already.

    Notes
    -----
    SQL does not tell case apart.

    Examples
    --------
    >>> names = Names(["id"])
    >>> names.take("Id"), names.take("title"), names.take("Title", "title_ref")
    ('Id_', 'title', 'title_ref')
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {name.casefold() for name in taken}

    def take(self, *wanted: str) -> str:
        """Return the first of some names that is free, or one made from the first."""
        candidates = [limited(name) for name in wanted]
        name = next((n for n in candidates if n.casefold() not in self.taken), None)
        if name is None:
            name = candidates[0]
            while name.casefold() in self.taken:
                name = limited(f"{name}_")
        self.taken.add(name.casefold())
        return name

    def take_numbered(self, wanted: str) -> str:
        """Return a name, with a number behind it if it is taken."""
        name, number = wanted, 1
        while name.casefold() in self.taken:
            number += 1
            name = limited(f"{wanted}_{number}")
        self.taken.add(name.casefold())
        return name


def snake(name: str) -> str:
    """Return a class's name as SQL writes it.

    Examples
    --------
    >>> snake("ChatThread"), snake("HTTPServer"), snake("Box[int]")
    ('chat_thread', 'http_server', 'box_int')
    """
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", text).strip("_").lower() or "entity"


def table_name(type_name: str) -> str:
    """Return the conventional table name of a class: its plural.

    Examples
    --------
    >>> table_name("ChatThread"), table_name("Category"), table_name("Box")
    ('chat_threads', 'categories', 'boxes')
    """
    name = snake(type_name)
    if re.search(r"[^aeiou_]y$", name):
        name = name[:-1] + "ies"
    else:
        name += "es" if re.search(r"(s|x|z|ch|sh)$", name) else "s"
    return allowed_table(name)


def allowed_table(name: str) -> str:
    """Return a table's name, changed where it begins as no table may, and cut.

    Examples
    --------
    >>> allowed_table("sqlite_files")
    'the_sqlite_files'
    """
    return limited(f"the_{name}" if name.startswith(RESERVED_TABLES) else name)


def limited(name: str, room: int = 0) -> str:
    """Return a name cut to what every database tells apart, with a hash in place of the rest.

    Parameters
    ----------
    name
        The name.
    room
        For how many bytes there is to be room behind it.
    """
    raw, most = name.encode(), MAX_NAME - room
    if len(raw) <= most:
        return name
    tail = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return raw[: most - 9].decode(errors="ignore") + "_" + tail


def can_be_name(text: str) -> bool:
    r"""Tell whether a table or a column of some database can be called so.

    Examples
    --------
    >>> can_be_name("chat_threads"), can_be_name(""), can_be_name("a\0b"), can_be_name("\ud800")
    (True, False, False, False)
    """
    # Hand-written models may have longer names than those made here.
    return 0 < len(text) <= 10 * MAX_NAME and "\0" not in text and not _HALVES.search(text)
