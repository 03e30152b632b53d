"""The past of a store: the catalog as it reads when a revision was the newest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.as_of import AsOf, check_as_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL, as_of, history_name
from ecsviz.storage.relational.schema.mapping import (
    ClassMap,
    Collection,
    Mapping,
    RefColumn,
    ValueColumn,
)
from ecsviz.storage.sql.statements import columns_of


def past_catalog(catalog: Catalog, revision: int) -> Catalog:
    """Return a catalog whose tables hold what they held as of a revision; it is only read."""
    return catalog.over(PastMapping(catalog.mapping, revision))


class PastMapping(Mapping):
    """A mapping whose tables are those of the past; it is only read."""

    def __init__(self, now: Mapping, revision: int) -> None:
        super().__init__(now.metadata.schema, now.models, defers=now.defers)
        self.now = now
        self.revision = revision
        self.metadata = now.metadata
        self.stored = now.stored
        # Once each: a query may name one of them at several places.
        self._made: dict[str, tuple[ClassMap, ClassMap]] = {}
        self.by_type = _PastMaps(self)  # type: ignore[assignment]  # read like a dictionary

    def map_classes(self, classes: Iterable[type]) -> list[ClassMap]:
        """Return the maps of classes, with the columns of the past."""
        return [self.past(known) for known in self.now.map_classes(classes)]

    def type_name(self, cls: type) -> str:
        """Return the name under which a class is stored."""
        return self.now.type_name(cls)

    def probe(self, type_name: str) -> Any:
        """Return what a table held, of the columns that all have."""
        return as_of(self.now.probe(type_name), self.revision)

    def past(self, known: ClassMap) -> ClassMap:
        """Return a map with the columns of the past."""
        found = self._made.get(known.type_name)
        if found is None or found[0] is not known:
            found = self._made[known.type_name] = known, self._of(known)
        return found[1]

    def _of(self, known: ClassMap) -> ClassMap:
        table = as_of(known.table, self.revision)
        collections = []
        for item in known.collections:
            links = as_of(item.table, self.revision)
            key, skeleton = item.key and _value(item.key, links), item.skeleton
            skeleton = skeleton and _value(skeleton, table)
            arcs = _arcs(item.arcs, links)
            collections.append(Collection(item.plan, links, arcs, key, skeleton))
        singles = [
            RefColumn(
                ref.plan,
                _arcs(ref.arcs, table),
                None if ref.position is None else table.c[ref.position.name],
                ref.inverse,
            )
            for ref in known.singles
        ]
        values = [_value(value, table) for value in known.values]
        return replace(known, table=table, values=values, singles=singles, collections=collections)


class _PastMaps(MappingOf[str, ClassMap]):
    """The maps of the present, each turned into one of the past when it is asked for."""

    def __init__(self, mapping: PastMapping) -> None:
        self._mapping = mapping

    def __getitem__(self, name: str) -> ClassMap:
        return self._mapping.past(self._mapping.now.by_type[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._mapping.now.by_type)

    def __len__(self) -> int:
        return len(self._mapping.now.by_type)


def _value(value: ValueColumn, table: Any) -> ValueColumn:
    return replace(value, column=table.c[value.column.name])


def _arcs(arcs: dict[str, sa.Column[Any]], table: Any) -> dict[str, sa.Column[Any]]:
    return {target: table.c[column.name] for target, column in arcs.items()}


def catalog_as_of(conn: Connection, catalog: Catalog, at: AsOf, made: bool) -> Catalog:
    """Return the catalog as of a revision or a time; of a store that is not made there is none."""
    if made:
        return past_catalog(catalog, revision_of(conn, catalog, at))
    check_as_of(at, 0)
    return catalog


def revision_of(conn: Connection, catalog: Catalog, wanted: AsOf) -> int:
    """Return the number of the revision that `as_of=` names.

    Raises
    ------
    InvalidArgumentError
        If it is neither a revision of this store nor a time with a zone.
    """
    c = catalog.revisions.c
    newest, oldest = catalog.newest_revision(conn), catalog.oldest_revision(conn)
    asked = check_as_of(wanted, newest, oldest)
    if isinstance(asked, int):
        return asked
    # Compared here: what is no time would be compared all the same by a database.
    numbers, times = columns_of(conn, sa.select(c.number, c.created_at))
    until = [number for number, at in zip(numbers, times, strict=True) if at <= asked]
    found = max(until, default=0)
    check_as_of(found, newest, oldest)
    return found


def prune(conn: Connection, catalog: Catalog, before: AsOf) -> int:
    """Delete what was superseded before a revision; return how many rows that were.

    Notes
    -----
    Revisions that no row speaks of any more go too; the newest stays in any case.
    """
    c = catalog.revisions.c
    newest = catalog.newest_revision(conn)
    oldest = newest if before is None else revision_of(conn, catalog, before)
    gone = 0
    spoken_of = []
    schema = catalog.metadata.schema
    for stored in catalog.mapping.stored.values():
        for name in stored.tables:
            columns: list[Any] = [sa.column(REVISION), sa.column(UNTIL)]
            past = sa.table(history_name(name), *columns, schema=schema)
            now = sa.table(name, sa.column(REVISION), schema=schema)
            gone += conn.execute(sa.delete(past).where(past.c[UNTIL] <= oldest)).rowcount
            spoken_of += [sa.select(now.c[REVISION]), sa.select(past.c[REVISION])]
    if spoken_of:
        keep = sa.union_all(*spoken_of).subquery()
        conn.execute(
            sa.delete(catalog.revisions).where(
                c.number < oldest, c.number.not_in(sa.select(keep.c[REVISION]))
            )
        )
    catalog.set_oldest_revision(conn, oldest)
    catalog.seal(conn)
    return gone
