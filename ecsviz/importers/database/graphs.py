"""Dependency graphs of a database: its tables by their keys, and its rows by what they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final, Literal, NamedTuple

from ecsviz.basics.arguments import natural_number
from ecsviz.basics.order import NULLABLE, REQUIRED
from ecsviz.basics.text import counted
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database.conditions import Where
from ecsviz.importers.database.rows import FoundRows, Locator, TableRows
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema

Direction = Literal["both", "dependencies", "dependents"]
"""Along the keys, against them, or either way."""

DIRECTIONS: Final = ("both", "dependencies", "dependents")
MAX_ROWS: Final = 100_000
"""How many rows a graph holds at the most: what is computed in about a second."""
_MAX_KEY: Final = 60
"""How many characters of a key's value a row's name shows."""


class Row(str):
    """A node of a graph of rows: its name, such as ``customer 5``; the row was not loaded.

    Attributes
    ----------
    table
        The name of its table.
    key
        The values of its primary key; an empty tuple where there is none.
    called
        What the row says that it is called; an empty text where it does not.

    Examples
    --------
    >>> row = Row("customer", (5,), "customer 5", "Ann")
    >>> row, row.table, row.key, row.called
    ('customer 5', 'customer', (5,), 'Ann')
    """

    __slots__ = ("called", "key", "table")
    table: str
    key: tuple[Any, ...]
    called: str

    def __new__(cls, table: str, key: tuple[Any, ...], name: str, called: str = "") -> Row:
        """Return the node that is called `name`."""
        made = super().__new__(cls, name)
        made.table, made.key, made.called = table, key, called
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.table, self.key, str(self), self.called)

    @property
    def label_state(self) -> dict[str, str]:
        """What labels are made of, as the fields of an entity; see ``domain.labels``."""
        return {"name": self.called} if self.called else {}


def is_required(schema: ForeignSchema, key: ForeignKey) -> bool:
    """Tell whether no column of a key may be NULL."""
    columns = {column.name: column for column in schema.tables[key.table].columns}
    return not any(columns[name].nullable for name in key.columns)


def table_graph(schema: ForeignSchema) -> EntityDependencyGraph:
    """Return the dependency graph of the tables; see ``Database.graph``."""
    names = list(schema.tables)
    place = {name: number for number, name in enumerate(names)}
    keys = schema.sound_keys
    paths = _distinct(keys)
    return EntityDependencyGraph.from_parts(
        names,
        names,
        ["table"] * len(names),
        [place[key.table] for key in keys],
        [place[key.target] for key in keys],
        paths,
        kinds=[REQUIRED if is_required(schema, key) else NULLABLE for key in keys],
    )


def _distinct(keys: Sequence[ForeignKey]) -> list[str]:
    """Return the paths of keys; of two that start from the same columns, with their targets."""
    seen: dict[tuple[str, str], int] = {}
    for key in keys:
        seen[key.table, key.path] = seen.get((key.table, key.path), 0) + 1
    made: dict[tuple[str, str], int] = {}
    result = []
    for key in keys:
        path = key.path
        if seen[key.table, path] > 1:
            path = f"{path} ({key.target})"
        times = made[key.table, path] = made.get((key.table, path), 0) + 1
        result.append(path if times == 1 else f"{path} [{times}]")
    return result


# -- rows ------------------------------------------------------------------------------------


class Start(NamedTuple):
    """From where a graph of rows is built.

    Attributes
    ----------
    table
        None for all rows of all tables.
    hops
        How many keys away; None for as far as they lead.
    """

    table: str | None
    where: Where
    hops: int | None
    direction: Direction


class RowGraph:
    """Collects the rows of a graph and what they refer to.

    Parameters
    ----------
    rows
        Reads them.
    limit
        How many there may be; None for any number.
    named_by
        Table → the columns that say what its rows are called.
    """

    def __init__(
        self, rows: TableRows, limit: int | None, named_by: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.rows = rows
        self.named_by = named_by
        self.schema = rows.schema
        self.limit = limit
        self.found: dict[str, dict[Locator, tuple[Any, ...]]] = {}
        self._count = 0

    def build(self, start: Start) -> EntityDependencyGraph:
        """Return the graph; see ``Database.row_graph``.

        Notes
        -----
        A statement for every table and key if there is no start; else one for every key that
        touches the tables reached, each hop anew, and at the end one for every key between them.
        """
        if start.table is None:
            for name in self.schema.tables:
                self._add(name, self.rows.find(name, limit=self._most()))
        else:
            first = self.rows.find(start.table, start.where, self._most())
            self._spread({start.table: self._add(start.table, first)}, start)
        return self._graph(start.table is None)

    def _most(self) -> int | None:
        return None if self.limit is None else self.limit + 1

    def _add(self, table: str, rows: FoundRows) -> list[Locator]:
        """Take rows in, and return those that are new."""
        known = self.found.setdefault(table, {})
        new = []
        for locator, key in zip(rows.locators, rows.keys, strict=True):
            if locator not in known:
                known[locator] = key
                new.append(locator)
        self._count += len(new)
        if self.limit is not None and self._count > self.limit:
            raise GraphTooLargeError(
                f"More than {counted(self.limit, 'row')} belong to this graph. Begin with"
                " fewer rows (where=), go fewer steps (hops=) or in one direction (direction="
                "'dependencies'), or allow more with limit=; limit=None allows any number.",
                limit=self.limit,
                table=table,
            )
        return new

    def _spread(self, fresh: dict[str, list[Locator]], start: Start) -> None:
        """Go from row to row along the keys, all rows of one distance at once."""
        hop = 0
        while any(fresh.values()) and (start.hops is None or hop < start.hops):
            hop += 1
            following: dict[str, list[Locator]] = {}
            for key in self.schema.sound_keys:
                here = fresh.get(key.table)
                if here and start.direction != "dependents":
                    _, found = self.rows.links(key, here)
                    following.setdefault(key.target, []).extend(self._add(key.target, found))
                there = fresh.get(key.target)
                if there and start.direction != "dependencies":
                    found, _ = self.rows.links_to(key, there, self._most())
                    following.setdefault(key.table, []).extend(self._add(key.table, found))
            fresh = following

    def _graph(self, everything: bool) -> EntityDependencyGraph:
        nodes, place = self._nodes()
        keys = [k for k in self.schema.sound_keys if self.found.get(k.table)]
        keys = [k for k in keys if self.found.get(k.target)]
        sources: list[int] = []
        targets: list[int] = []
        paths: list[str] = []
        kinds: list[int] = []
        for key, path in zip(keys, _distinct(keys), strict=True):
            here, there = place[key.table], place[key.target]
            chosen = None if everything else list(self.found[key.table])
            linked, met = self.rows.links(key, chosen)
            at: dict[int, int] = {}  # where the target's columns are not unique: the first row
            for source, target in zip(linked, met.locators, strict=True):
                if source in here and target in there:
                    at.setdefault(here[source], there[target])
            sources += at.keys()
            targets += at.values()
            paths += [path] * len(at)
            kinds += [REQUIRED if is_required(self.schema, key) else NULLABLE] * len(at)
        order = sorted(range(len(sources)), key=sources.__getitem__)
        return EntityDependencyGraph.from_parts(
            nodes,
            [str(node) for node in nodes],
            [node.table for node in nodes],
            [sources[n] for n in order],
            [targets[n] for n in order],
            [paths[n] for n in order],
            kinds=[kinds[n] for n in order],
        )

    def _nodes(self) -> tuple[list[Row], dict[str, dict[Locator, int]]]:
        nodes: list[Row] = []
        place: dict[str, dict[Locator, int]] = {}
        taken: dict[str, int] = {}  # name -> how often it was wanted
        for table, rows in self.found.items():
            at = place[table] = {}
            titles = self._titles(table)
            for number, (locator, key) in enumerate(rows.items(), 1):
                name = wanted = row_name(table, locator, key, number)
                while name in taken:  # a text and a number look alike; long texts are cut
                    taken[wanted] += 1
                    name = f"{wanted} ({taken[wanted]})"
                taken[name] = 1
                at[locator] = len(nodes)
                nodes.append(Row(table, key, name, titles.get(locator, "")))
        return nodes, place

    def _titles(self, table: str) -> dict[Locator, str]:
        """Return what the rows of a table are called, where they say so."""
        columns = self.named_by[table]
        if not columns or not self.found[table]:
            return {}
        among = list(self.found[table])
        locators, values = self.rows.values(table, among, columns=columns)
        named = {}
        for at, *row in zip(locators, *values, strict=True):
            text = " ".join(value for value in row if isinstance(value, str))
            named[at] = shown(" ".join(text.split()))
        return named


def row_name(table: str, locator: Locator, key: tuple[Any, ...], number: int) -> str:
    """Return how a row is called: by its key, or by where it stands.

    Examples
    --------
    >>> row_name("customer", None, (5,), 1), row_name("log", None, (), 7)
    ('customer 5', 'log #7')
    """
    if key and None not in key:
        return f"{table} {', '.join(map(shown, key))}"
    return f"{table} #{locator if isinstance(locator, int) else number}"


def shown(value: Any) -> str:
    """Return a value of a key as a row's name shows it."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _MAX_KEY else text[: _MAX_KEY - 1] + "…"


def checked_start(
    table: str | None, where: Where, hops: Any, direction: Any, names: Iterable[str]
) -> Start:
    """Return from where a graph is built.

    Raises
    ------
    InvalidArgumentError
        If what was given does not fit together.
    """
    if type(direction) is not str or direction not in DIRECTIONS:
        raise InvalidArgumentError(
            f"direction={short_repr(direction)} is none of {', '.join(map(repr, DIRECTIONS))}.",
            argument="direction",
            value=direction,
        )
    if hops is not None and natural_number(hops) is None:
        raise InvalidArgumentError(
            f"hops={short_repr(hops)} is no number of steps. Give 0, 1, 2, …, or None for as far"
            " as the keys lead.",
            argument="hops",
            value=hops,
        )
    if table is None and where is not None:
        raise InvalidArgumentError(
            "where= needs a table, to whose rows it applies. There are:"
            f" {', '.join(repr(name) for name in list(names)[:5])}.",
            argument="where",
        )
    chosen: Any = direction
    return Start(table, where, hops, chosen)
