"""A graph's tables in an engine: ``nodes``, ``edges`` and one per class; what their ids are."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np

from ecsviz.basics.addresses import short_path
from ecsviz.basics.arguments import natural_number
from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.optional import need
from ecsviz.basics.order import NULLABLE
from ecsviz.errors import (
    EntityNotFoundError,
    ImportFormatError,
    InvalidArgumentError,
    short_repr,
)
from ecsviz.storage.protocol import as_id
from ecsviz.storage.relational.look.names import NO_TEXTS, StoredEntity
from ecsviz.storage.scale.engines import Engine
from ecsviz.storage.scale.layout import REFERENCES, ClassPart, GraphFile, ReferencePart
from ecsviz.storage.scale.places import path_of

NODES: Final = "nodes"
EDGES: Final = "edges"
NODE_TYPE: Final = "node"
"""What the nodes of graphs of others are called."""


@dataclass(slots=True)
class Edge:
    """A reference as the tables have it: which kind it is of, and where it stands."""

    part: ReferencePart
    position: int | None
    key: str | None

    def path(self, target: Any) -> str:
        """Return its place in its holder, given the id of what is held."""
        return path_of(self.part, self.position, self.key, target)


class Tables:
    """The tables of one graph.

    Parameters
    ----------
    engine
        Where they are.
    file
        What the folder says of itself.

    Attributes
    ----------
    turn
        Who asks holds it: an engine answers one after the other.
    of_class
        Class → the name of its table, with a column per field.
    """

    id_column = "ecs_id"
    sort_key = "hex(n.ecs_id)"
    """The SQL by which nodes are put in the order of ids: Sail does not compare bytes."""
    has_numbers = True
    """Whether a number that is given is that of a node, and no id."""

    def __init__(self, engine: Engine, file: GraphFile) -> None:
        self.engine, self.file = engine, file
        self.turn = threading.RLock()
        self.of_class: dict[str, str] = {}

    @classmethod
    def of_folder(cls, engine: Engine, folder: Path, *, check: bool = False) -> Tables:
        """Return the tables of a folder that ``to_parquet`` wrote.

        Parameters
        ----------
        engine, folder
            Who answers, and of what.
        check
            Whether all bytes are held against their digests, where there are any.

        Raises
        ------
        ImportFormatError
            If files are missing that it speaks of, or are not as they were written.
        """
        made = cls(engine, GraphFile.read(folder))
        made.file.check_files(folder, whole=check)
        taken = {NODES, EDGES}
        for number, part in enumerate(made.file.classes):
            name = made.of_class[part.name] = f"ecs_class{number}"
            engine.read(name, _files(folder / part.folder))
            if part.name.lower() not in taken and not part.name.lower().startswith("ecs_"):
                taken.add(part.name.lower())
                engine.view(engine.name(part.name), f"SELECT * FROM {name}")
        parts = [
            f"SELECT node, ecs_id, {engine.text(part.name)} AS type FROM {made.of_class[part.name]}"
            for part in made.file.classes
        ]
        engine.view(NODES, " UNION ALL ".join(parts or [_NO_NODES]))
        engine.read(EDGES, _files(folder / REFERENCES))
        made._check_rows(folder)
        return made

    def _check_rows(self, folder: Path) -> None:
        """Raise ImportFormatError if files hold more or fewer rows than the folder speaks of."""
        said = {f"nodes of {part.name}": part.rows for part in self.file.classes}
        said["references"] = self.counts["references"]
        held = self.engine.rows(
            " UNION ALL ".join(
                f"SELECT {number} AS part, count(*) AS n FROM {name}"
                for number, name in enumerate([*self.of_class.values(), EDGES])
            )
        )
        found = dict(zip(held["part"].to_pylist(), held["n"].to_pylist(), strict=True))
        for number, (what, rows) in enumerate(said.items()):
            if found[number] != rows:
                raise ImportFormatError(
                    f"{short_path(folder)} holds {found[number]:,} {what}, and its graph.json"
                    f" speaks of {rows:,}: a file is missing, or of another graph. Write the graph"
                    " anew: store.to_parquet(folder).",
                    source=str(folder),
                    line=None,
                    column=None,
                )

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes and references there are."""
        return self.file.counts

    @cached_property
    def highest(self) -> int:
        """The highest number of a node; 0 without nodes."""
        found = self.engine.rows(f"SELECT max(node) AS n FROM {NODES}")["n"][0].as_py()
        return int(found or 0)

    @property
    def number_type(self) -> str:
        """The SQL type that holds the number of any node, the smaller of two."""
        return "INTEGER" if self.highest < 2**31 - 1 else "BIGINT"

    def type_of(self, node: int) -> str:
        """Return the class of a node."""
        below = [part for part in self.file.classes if part.rows and part.offset < node]
        return max(below, key=lambda part: part.offset).name

    # -- ids ---------------------------------------------------------------------------------

    def id_of(self, given: Any) -> Any:
        """Return an id as it was given: a UUID, its text, or an entity."""
        if isinstance(given, StoredEntity):
            return given.ecs_id
        return as_id(given)

    def made_id(self, stored: Any) -> Any:
        """Return an id, from what the table holds."""
        return UUID(bytes=stored)

    def stored_ids(self, ids: Sequence[Any]) -> Any:
        """Return ids as an array for the engine."""
        arrow = need("pyarrow", extra="scale", what="LazyGraph")
        return arrow.array([each.bytes for each in ids], type=arrow.binary())

    def made_node(self, node_id: Any, type_name: str, texts: Mapping[str, Any] = NO_TEXTS) -> Any:
        """Return what stands for a node, with the texts by which it is known."""
        return StoredEntity(node_id, type_name, texts)

    # -- nodes -------------------------------------------------------------------------------

    def start(self, entity: Any) -> int:
        """Return the number of a node, given by itself or by its id.

        Raises
        ------
        EntityNotFoundError
            If there is none.
        """
        if self.has_numbers and natural_number(entity) is not None:
            return self.number(entity)
        found = self.numbers([self.id_of(entity)])
        if not found:
            raise EntityNotFoundError(
                f"{short_repr(entity)} is not in this graph of {self.counts['nodes']:,} nodes.",
                node=entity,
            )
        return found[0]

    def number(self, node: Any) -> int:
        """Return the number of a node, or raise EntityNotFoundError."""
        number = natural_number(node)
        if number is None or not self.told([number]):
            raise EntityNotFoundError(
                f"{short_repr(node)} is no number of a node in this graph.", node=node
            )
        return number

    def numbers(self, ids: list[Any]) -> list[int]:
        """Return the numbers of the nodes that have ids."""
        column = self.id_column
        with self.turn:
            self.engine.give("ecs_ids", {"id": self.stored_ids(ids)})
            found = self.engine.rows(
                f"SELECT n.node AS node FROM {NODES} n JOIN ecs_ids i ON n.{column} = i.id"
            )
            numbers: list[int] = found["node"].to_pylist()
            return numbers

    def told(self, nodes: list[int]) -> list[tuple[int, Any]]:
        """Return the numbers of nodes that there are, with their ids."""
        nodes = [node for node in nodes if node < _NO_NUMBER]
        with self.turn:
            found = self.engine.rows(
                f"SELECT n.node AS node, n.{self.id_column} AS id FROM {NODES} n"
                f" JOIN ({self.given(nodes)}) w ON n.node = w.node"
            )
        made = self.made_id
        rows = zip(found["node"].to_pylist(), found["id"].to_pylist(), strict=True)
        return [(node, made(stored)) for node, stored in rows]

    def given(self, nodes: Any) -> str:
        """Return a query for numbers that are given."""
        self.engine.give("ecs_wanted", {"node": np.array(nodes, dtype=np.int64)})
        return "SELECT DISTINCT node FROM ecs_wanted"

    def holds_itself(self, node: int) -> bool:
        """Tell whether a node has a reference to itself."""
        sql = f"SELECT count(*) AS n FROM {EDGES} WHERE source = {node} AND target = {node}"
        return bool(self.engine.rows(sql)["n"][0].as_py())

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        count: int = self.engine.rows(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
        return count

    # -- references --------------------------------------------------------------------------

    def kinds(self) -> str:
        """Return the SQL for what a reference is: COLLECTION, NULLABLE or REQUIRED."""
        weights: dict[str, set[int]] = {}
        for part in self.file.references:
            weights.setdefault(part.field, set()).add(part.weight)
        cases, engine = [], self.engine
        for field, found in weights.items():
            if len(found) == 1:
                cases.append(f"WHEN field = {engine.text(field)} THEN {min(found)}")
                continue
            for part in (part for part in self.file.references if part.field == field):
                ends = self._within("source", part.source), self._within("target", part.target)
                cases.append(
                    f"WHEN field = {engine.text(field)} AND {' AND '.join(ends)} THEN {part.weight}"
                )
        return f"CASE {' '.join(cases)} ELSE {NULLABLE} END" if cases else str(NULLABLE)

    def span_of(self, type_name: str) -> tuple[int, int]:
        """Return behind which number, and up to which, the nodes of a class stand."""
        offsets = [part.offset for part in self.file.classes]
        place = [part.name for part in self.file.classes].index(type_name)
        behind = offsets[place + 1] if place + 1 < len(offsets) else 2**62
        return offsets[place], behind

    def _within(self, column: str, type_name: str) -> str:
        first, behind = self.span_of(type_name)
        return f"{column} > {first} AND {column} <= {behind}"

    @cached_property
    def _parts(self) -> dict[tuple[str, str, str], ReferencePart]:
        return {(part.source, part.field, part.target): part for part in self.file.references}

    def edge(self, source: str, field: str, target: str, position: Any, key: Any) -> Edge:
        """Return a reference between nodes of two classes."""
        part = self._parts.get((source, field, target))
        if part is None:
            part = ReferencePart(source, field, target, "single", NULLABLE, 0)
        return Edge(part, position, key)


class OthersTables(Tables):
    """The tables of a graph of others: two columns of a file are its edges."""

    id_column = "id"
    sort_key = "n.id"
    has_numbers = False
    _kind = ""

    @classmethod
    def of_edges(cls, engine: Engine, place: Path, source: str, target: str) -> OthersTables:
        """Return the tables of a graph whose edges are rows of a file, or of those of a folder.

        Raises
        ------
        ImportFormatError
            If there are none.
        """
        named: dict[str, Any] = {"source": source, "target": target}
        for name, value in named.items():
            if not isinstance(value, str) or not value or "\0" in value:
                raise InvalidArgumentError(
                    f"{name} is {short_repr(value)}. Give the name of a column.",
                    argument=name,
                    value=value,
                )
        files = [place] if place.is_file() and _is_table(place) else []
        if place.is_dir():
            files = [
                p for p in sorted(place.rglob("*")) if p.suffix.lower() in _FILES and p.is_file()
            ]
        if not files:
            raise ImportFormatError(
                f"{short_path(place)} is no file of Parquet or CSV (.csv, .tsv), and no folder of"
                " such. Of a store, write its graph first: store.to_parquet(folder), or"
                " 'ecsviz export STORE --to parquet-graph --out FOLDER'.",
                source=str(place),
                line=None,
                column=None,
            )
        if len({file.suffix.lower() == ".parquet" for file in files}) > 1:
            raise InvalidArgumentError(
                f"{short_path(place)} holds files of Parquet and of CSV. Give one kind.",
                value=place,
            )
        engine.read("ecs_raw", list(map(str, files)))
        ends = (("s", source), ("t", target))
        raw = ", ".join(f"{engine.name(column)} AS {end}" for end, column in ends)
        written = files[0].suffix.lower() in _WRITTEN
        pair = _same_kind(engine, f"SELECT {raw} FROM ecs_raw", written=written)
        engine.put(
            NODES,
            "SELECT CAST(row_number() OVER (ORDER BY id) AS BIGINT) AS node, id,"
            f" {engine.text(NODE_TYPE)} AS type FROM"
            f" (SELECT DISTINCT id FROM (SELECT s AS id FROM ({pair}) x UNION ALL SELECT t AS id"
            f" FROM ({pair}) x) ids WHERE id IS NOT NULL) ids",
        )
        engine.put(
            EDGES,
            f"SELECT a.node AS source, b.node AS target, {engine.text('to')} AS field,"
            " CAST(NULL AS BIGINT) AS position, CAST(NULL AS VARCHAR(10)) AS key"
            f" FROM ({pair}) e JOIN {NODES} a ON e.s = a.id JOIN {NODES} b ON e.t = b.id",
        )
        nodes, edges = (
            engine.rows(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
            for name in (NODES, EDGES)
        )
        kind = ReferencePart(NODE_TYPE, "to", NODE_TYPE, "single", NULLABLE, 0, rows=edges)
        made = cls(engine, GraphFile(0, [ClassPart(NODE_TYPE, rows=nodes)], [kind]))
        made.of_class = {NODE_TYPE: NODES}
        made._kind = _kind(engine.rows(f"SELECT id FROM {NODES} LIMIT 0").schema[0].type)
        return made

    def id_of(self, given: Any) -> Any:
        """Return an id as it was given."""
        if isinstance(given, (str, int)) and not isinstance(given, bool):
            return given
        if isinstance(given, UUID):
            return str(given)
        raise InvalidArgumentError(
            f"{short_repr(given)} is no id. Give a text or a number, as the file has it.",
            value=given,
        )

    def made_id(self, stored: Any) -> Any:
        """Return an id, from what the table holds."""
        return stored

    def stored_ids(self, ids: Sequence[Any]) -> Any:
        """Return ids as an array for the engine; those that cannot be there are left out."""
        arrow = need("pyarrow", extra="scale", what="LazyGraph")
        if self._kind == _TEXT:
            return arrow.array([str(each) for each in ids], type=arrow.string())
        there = [each for each in map(_whole, ids) if each is not None]
        return arrow.array(there, type=arrow.int64())

    def made_node(self, node_id: Any, *_: Any) -> Any:
        """Return what stands for a node."""
        return node_id


_NO_NUMBER: Final = 2**62
"""No node has a number from here on."""
_WRITTEN: Final = (".csv", ".tsv")
_FILES: Final = (".parquet", *_WRITTEN)
_WHOLE: Final = "whole numbers"
_NUMBER: Final = "numbers"
_TEXT: Final = "texts"
_EXACT: Final = 2**53
"""Up to where a float is one whole number."""


def _kind(of: Any) -> str:
    """Return which kind of ids a column of Arrow holds."""
    name = str(of)
    if name.startswith(("int", "uint")):
        return _WHOLE
    return _NUMBER if name in ("halffloat", "float", "double") else _TEXT


def _whole(given: Any) -> int | None:
    """Return an id as a whole number of 64 bits, None if it is written otherwise."""
    try:
        number = int(given)
    except ValueError:
        return None
    return number if str(number) == str(given) and -(2**63) <= number < 2**63 else None


def _same_kind(engine: Engine, pair: str, *, written: bool) -> str:
    """Return a query for two columns of ids of one kind, in which different ids stay different.

    Parameters
    ----------
    engine, pair
        Where, and a query for ``s`` and ``t`` as the files have them.
    written
        Whether they are as somebody wrote them: whole numbers then, if all are written as such.
    """
    schema = engine.rows(f"SELECT * FROM ({pair}) x LIMIT 0").schema
    kinds = {end: _kind(schema.field(end).type) for end in ("s", "t")}
    whole: set[str] = set()  # what becomes a whole number
    floats = [end for end, kind in kinds.items() if kind == _NUMBER]  # in pandas, for gaps
    lost = [f"{end} <> floor({end}) OR abs({end}) >= {_EXACT} OR isnan({end})" for end in floats]
    if floats and not _any(engine, pair, lost):
        whole.update(floats)
    elif floats and _WHOLE in kinds.values():
        raise InvalidArgumentError(
            "One column holds whole numbers, and the other floats that are none, or are too large"
            " to be one number. Give both as whole numbers, or as texts."
        )
    lost = [
        f"({end} IS NOT NULL AND coalesce(CAST(TRY_CAST({end} AS BIGINT) AS STRING), '') <> {end})"
        for end in kinds
    ]
    if written and not _any(engine, pair, lost):
        whole.update(kinds)
    kinds |= dict.fromkeys(whole, _WHOLE)
    mixed = _TEXT in kinds.values()
    made = []
    for end in kinds:
        found = f"CAST({end} AS BIGINT)" if end in whole else end
        if mixed:
            binary = "binary" in str(schema.field(end).type)
            found = f"hex({end})" if binary else f"CAST({found} AS STRING)"
        made.append(f"{found} AS {end}")
    return f"SELECT {', '.join(made)} FROM ({pair}) p"


def _any(engine: Engine, pair: str, conditions: list[str]) -> bool:
    found = f"SELECT 1 AS n FROM ({pair}) x WHERE {' OR '.join(conditions)} LIMIT 1"
    return bool(engine.rows(found).num_rows)


def _is_table(file: Path) -> bool:
    """Tell whether a file is one of Parquet, by its beginning, or of CSV, by its name."""
    if file.suffix.lower() in _WRITTEN:
        return True
    with open_to_read(file) as opened:
        return opened.read(4) == b"PAR1"


_NO_NODES: Final = (
    "SELECT CAST(0 AS BIGINT) AS node, X'00' AS ecs_id, 'node' AS type FROM (SELECT 1) x"
    " WHERE 1 = 0"
)


def _files(folder: Path) -> Sequence[str]:
    found = sorted(str(path) for path in folder.glob("*.parquet") if path.is_file())
    if not found:
        raise ImportFormatError(
            f"{short_path(folder)} holds no Parquet files. Write the graph anew:"
            " store.to_parquet(folder).",
            source=str(folder),
            line=None,
            column=None,
        )
    return found
