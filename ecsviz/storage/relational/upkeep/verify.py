"""Verification: every row against its checksum and seal, every reference, place and interval."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from itertools import chain, pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import derives_from
from ecsviz.errors import EcsvizError, StoredDataInvalidError
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.models.handwritten_rows import row_problems, runs
from ecsviz.storage.relational.save.checksums import StoredRows
from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in, by_field
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL, history_of
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.seals import digest, revision_seal
from ecsviz.storage.relational.upkeep.verify_origins import origin_problems
from ecsviz.storage.relational.upkeep.verify_texts import text_problems
from ecsviz.storage.relational.upkeep.verify_unique import declared_problems
from ecsviz.storage.reports import Problem, not_in_list
from ecsviz.storage.spans import NEVER
from ecsviz.storage.sql.statements import columns_of


class Verify:
    """One verification of a store.

    Attributes
    ----------
    problems
        What was found.

    Notes
    -----
    Every table is read once, whole. O(rows of the present and the past), and of a collection
    with its own table once per state of its holder.
    """

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn = conn
        self.catalog = catalog
        self.problems: list[Problem] = []
        self.rows: dict[str, StoredRows] = {}
        self.sealed = True
        self.oldest = 0
        self._added: dict[int, int] = {}  # by revision

    def run(self) -> list[Problem]:
        """Verify everything."""
        stored = self.catalog.mapping.stored.values()
        for found in self.catalog.seen.foreign(self.conn, stored):
            detail = f"a {found.kind} that ecsviz did not make"
            self._tell(found.table, found.name, None, "foreign", detail)
        if self.catalog.database.is_sqlite:
            self._check_file()
        self._check_catalog()
        newest = NEVER
        with self._reads("ecs_revisions"):
            newest = self._check_revisions()
        maps = self._maps()
        for known in maps:
            with self._reads(known.table.name):
                self.rows[known.type_name] = StoredRows(self.conn, known, self._bad_value)
        for known in maps:
            if known.type_name in self.rows:
                with self._reads(known.table.name):
                    self._check_rows(known, newest)
                    self._check_references(known, newest)
                    self._check_places(known)
                    self._check_pairs(known)
                    if known.by_hand:
                        self._check_model_rows(known)
        with self._reads("ecs_deleted"):
            self._check_gone(self._check_deleted())
        self._check_begins()
        self.problems += declared_problems(self.conn, self.rows)
        self.problems += text_problems(self.conn, self.catalog)
        with self._reads("ecs_origins"):
            self.problems += origin_problems(self.conn, self.catalog)
        return self.problems

    def _maps(self) -> list[ClassMap]:
        """Map the classes; what nobody knows after the catalog was changed is told."""
        maps: list[ClassMap] = []
        for name in self.catalog.mapping.stored:
            try:
                maps += self.catalog.classes_of([name])
            except EcsvizError as err:
                if self.sealed:
                    raise
                self._tell("ecs_types", name, None, "schema", str(err).partition("\n")[0])
        return maps

    @contextlib.contextmanager
    def _reads(self, table: str) -> Iterator[None]:
        """Tell of a table that is not there, or is not the one that it was."""
        try:
            yield
        except sa.exc.OperationalError as err:
            if getattr(err.orig, "sqlite_errorname", "") != "SQLITE_ERROR":
                raise
            self._tell(table, "", None, "schema", f"cannot be read: {err.orig}")

    def _tell(self, table: str, row: Any, ecs_id: Any, problem: str, detail: str) -> None:
        found = ecs_id if isinstance(ecs_id, UUID) else None
        self.problems.append(Problem(table, str(row), found, problem, detail))

    # -- the file and the catalog ------------------------------------------------------------

    def _check_file(self) -> None:
        try:
            self._check_pages()
        except exc.OperationalError as err:
            if getattr(err.orig, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
                raise
            detail = "was not checked: something in it takes longer than the storage's deadline="
            self._tell("", "", None, "file", detail)

    def _check_pages(self) -> None:
        for (line,) in self.conn.exec_driver_sql("PRAGMA integrity_check(100)").all():
            if line != "ok":
                self._tell("", "", None, "file", str(line))
        for table, row, target, _ in self.conn.exec_driver_sql("PRAGMA foreign_key_check").all():
            self._tell(table, row, None, "reference", f"refers to a row of {target} that is gone")

    def _check_catalog(self) -> None:
        store = self.catalog.store
        query = sa.select(store.c.value).where(store.c.key == "seal")
        sealed = columns_of(self.conn, query, unfit=lambda *_: None)[0]
        if sealed != [self.catalog.digest(self.conn)]:
            self.sealed = False
            self._tell(
                "ecs_types",
                "",
                None,
                "schema",
                "the types, the settings or the tables are not as they were written",
            )

    def _check_revisions(self) -> int:
        c = self.catalog.revisions.c
        names = [c.number, c.created_at, c.note, c.added, c.changed, c.deleted, c.seal]
        rows = self._readable("ecs_revisions", names, c.number)
        for *row, seal in rows:
            if revision_seal(*row) != seal:
                self._tell("ecs_revisions", row[0], None, "revision", "is not as it was written")
            self._added[row[0]] = row[3]
        oldest = self.oldest = self._oldest()
        numbers = columns_of(self.conn, sa.select(c.number).order_by(c.number))[0]
        for one, two in pairwise(numbers):
            if two != one + 1 and one >= oldest:
                self._tell("ecs_revisions", one + 1, None, "revision", "is missing")
        if numbers and min(numbers) > max(oldest, 1):
            self._tell("ecs_revisions", min(numbers) - 1, None, "revision", "is missing")
        return max(numbers, default=0)

    def _oldest(self) -> int:
        try:
            return self.catalog.oldest_revision(self.conn)
        except StoredDataInvalidError as err:
            self._tell("ecs_store", "oldest_revision", None, "content", str(err))
            return 0

    def _check_deleted(self) -> dict[Any, int]:
        """Check what was deleted; return the revisions that have deleted it."""
        c = self.catalog.deleted.c
        names = [c.ecs_id, c.type_name, c.version, c.revision, c.seal]
        rows = self._readable("ecs_deleted", names)
        for ecs_id, name, version, revision, seal in rows:
            if digest((ecs_id.bytes, name, version, revision)) != seal:
                self._tell("ecs_deleted", ecs_id, ecs_id, "seal", "is not as it was written")
        self._check_ends([row for row in rows if row[3] > self.oldest])
        return {row[0]: row[3] for row in rows}

    def _check_ends(self, deleted: list[tuple[Any, ...]]) -> None:
        """Tell of what was deleted without a past that ends there."""
        ends = {
            (ecs_id, until)
            for rows in (self.rows[name] for name in {row[1] for row in deleted} & self.rows.keys())
            for _, ecs_id, _, until in rows.keys()  # noqa: SIM118  # a method of rows
        }
        for ecs_id, name, _, revision, _ in deleted:
            rows = self.rows.get(name)
            if rows is not None and not rows.known.by_hand and (ecs_id, revision) not in ends:
                past = history_of(rows.known.table).name
                detail = f"what it was until it was deleted at {revision} is missing"
                self._tell(past, "", ecs_id, "history", detail)

    def _check_begins(self) -> None:
        """Tell of who does not begin with the first version, where nothing was pruned.

        Notes
        -----
        What another store has had before begins with a later version, and counts as added.
        """
        if self.oldest > 1:
            return
        first: dict[Any, tuple[int, int, str]] = {}
        for name, rows in self.rows.items():
            if rows.known.by_hand:
                continue
            versions = rows.columns["ecs_version"]
            for (_, ecs_id, since, _), version in zip(rows.keys(), versions, strict=True):
                if since < first.get(ecs_id, (NEVER, 0, ""))[0]:
                    first[ecs_id] = since, version, name
        begun = Counter(since for since, _, _ in first.values())
        for ecs_id, (since, version, name) in first.items():
            if version != 1 and since > 0 and begun[since] > self._added.get(since, 0):
                past = history_of(self.rows[name].known.table).name
                detail = f"its states before revision {since}, version {version}, are missing"
                self._tell(past, "", ecs_id, "history", detail)

    def _check_gone(self, deleted: dict[Any, int]) -> None:
        """Whose past has ended was deleted there, or has come back since, as another row."""
        unread = {(p.table, p.row) for p in self.problems if p.problem == "content"}
        for name, row_id, ecs_id, until in gone_rows(self.rows):
            table = self.rows[name].known.table.name
            if deleted.get(ecs_id) != until and (table, str(row_id)) not in unread:
                detail = f"is missing: its past ends at {until}, which has not deleted it"
                self._tell(table, row_id, ecs_id, "history", detail)

    # -- rows --------------------------------------------------------------------------------

    def _check_rows(self, known: ClassMap, newest: int) -> None:
        rows = self.rows[known.type_name]
        contents = None if known.by_hand else rows.contents(self._bad_value)
        for n, (row_id, ecs_id, since, until) in enumerate(rows.keys()):
            table, where = _place(known.table, row_id, since, until)
            if rows.checksums[n] is None:
                self._tell(table, where, ecs_id, "outside", "was not written by ecsviz")
                continue
            if contents is not None and contents[n] != rows.checksums[n]:
                self._tell(table, where, ecs_id, "content", "was changed outside ecsviz")
            if rows.seals[n] != rows.stored_seals[n]:
                detail = "its ids, version, revision or place were changed outside ecsviz"
                self._tell(table, where, ecs_id, "seal", detail)
            if since > newest or (until != NEVER and not since < until <= newest):
                self._tell(table, where, ecs_id, "history", "its revisions do not exist")
        self._check_intervals(known)

    def _check_model_rows(self, known: ClassMap) -> None:
        """Read the user's own rows of what is stored, one by one."""
        models, keys = self.catalog.mapping.models, self.rows[known.type_name].keys()
        ids = [ecs_id for _, ecs_id, _, until in keys if until == NEVER]
        table = models.model_of(known.cls).__table__.name
        with runs(Load(self.conn, self.catalog)):
            for ecs_id, detail in row_problems(self.conn, models, known.cls, ids):
                self._tell(table, ecs_id, ecs_id, "content", detail)

    def _bad_value(self, table: str, row: Any, ecs_id: Any, why: str) -> None:
        self._tell(table, row, ecs_id, "content", f"a value cannot be read: {why}")

    def _readable(self, table: str, columns: list[Any], order: Any = None) -> list[tuple[Any, ...]]:
        """Return the rows of a table of the catalog; those that cannot be read are told."""
        wrong: set[int] = set()
        told: list[tuple[int, str]] = []

        def unfit(column: int, row: int, why: str) -> None:
            wrong.add(row)
            told.append((row, f"{columns[column].name} {why}"))

        query = sa.select(*columns)
        query = query if order is None else query.order_by(order)
        rows = list(zip(*columns_of(self.conn, query, unfit=unfit), strict=True))
        for row, why in told:
            key = rows[row][0]
            self._bad_value(table, key if isinstance(key, (int, UUID)) else "?", key, why)
        return [row for n, row in enumerate(rows) if n not in wrong]

    def _check_intervals(self, known: ClassMap) -> None:
        """Without gap or overlap, each row follows on the one before."""
        rows = self.rows[known.type_name]
        past = history_of(known.table).name
        states = sorted(rows.keys(), key=lambda row: (row[0], row[2]))
        for (one, ecs_id, since, until), (two, _, then, _) in pairwise(states):
            if one == two and until != then:
                what = "a gap" if until < then else "an overlap"
                detail = f"{what} between its revisions {since} to {until} and from {then}"
                self._tell(past, one, ecs_id, "history", detail)

    def _check_references(self, known: ClassMap, newest: int) -> None:
        rows = self.rows[known.type_name]
        for arc in arcs_in(known, Kind.SINGLE):
            there, values = self._spans(arc.target), rows.columns[arc.held.name]
            for held, (row_id, ecs_id, since, until) in zip(values, rows.keys(), strict=True):
                if held is not None and not _exists(there, held, since):
                    table, where = _place(known.table, row_id, since, until)
                    detail = f"{arc.field} refers to row {held} of {arc.target}, which is missing"
                    self._tell(table, where, ecs_id, "reference", detail)
        for arcs in by_field(arc for arc in arcs_in(known) if arc.has_table):
            self._check_links(rows, arcs, newest)

    def _spans(self, name: str) -> dict[int, list[tuple[int, int]]]:
        return self.rows[name].spans if name in self.rows else {}

    def _check_links(self, rows: StoredRows, arcs: list[Arc], newest: int) -> None:
        """Check the rows of one association table."""
        first, spans = arcs[0], rows.spans
        for link in rows.links[first.field]:
            since, until, holder = link[REVISION], link[UNTIL], link[first.owner.name]
            key = f"{holder}, {link[first.position.name]}"
            table, where = _place(first.table, key, since, until)
            states = {begin for begin, _ in spans.get(holder, ())}
            ends = {end for _, end in spans.get(holder, ())}
            # 0: written by others. Before what has been pruned, the holder's state may be gone.
            if (
                not 0 <= since <= newest
                or (since > self.oldest and since not in states)
                or (until > self.oldest and until not in ends)
            ):
                self._tell(table, where, None, "history", "its revisions do not exist")
            for arc in arcs:
                held = link[arc.held.name]
                if held is not None and not _exists(self._spans(arc.target), held, since):
                    detail = f"refers to row {held} of {arc.target}, which is missing"
                    self._tell(table, where, None, "reference", detail)

    def _check_places(self, known: ClassMap) -> None:
        """In a list, no two members of the present have one place."""
        rows = self.rows[known.type_name]
        for arc in arcs_in(known, Kind.LIST):
            seen: set[tuple[int, int]] = set()
            ends = rows.columns[arc.owner.name], rows.columns[arc.position.name]
            for held, place, (row_id, ecs_id, _, until) in zip(*ends, rows.keys(), strict=True):
                if until != NEVER or held is None or place is None:
                    continue
                if (held, place) in seen:
                    detail = f"the place {place} in {arc.field} is taken twice"
                    self._tell(known.table.name, row_id, ecs_id, "position", detail)
                seen.add((held, place))

    def _check_pairs(self, known: ClassMap) -> None:
        """In the present, whoever names a holder stands in its list, and the other way round."""
        rows = self.rows[known.type_name]
        lists: dict[str, list[Arc]] = {}
        for arc in arcs_in(known, Kind.LIST):
            lists.setdefault(arc.item.name, []).append(arc)
        for arcs in lists.values():
            back, inverse = arcs[0].item.plan.place, arcs[0].field
            holders = {arc.source: rows.columns[arc.owner.name] for arc in arcs}
            ids = {arc.source: self._ids_with_list(known, arc) for arc in arcs}
            places = rows.columns[arcs[0].position.name]
            for n, (row_id, ecs_id, _, until) in enumerate(rows.keys()):
                if until != NEVER:
                    continue
                named = [(name, held[n]) for name, held in holders.items() if held[n] is not None]
                if named and places[n] is None and named[0][1] in ids[named[0][0]]:
                    target, held = named[0]
                    detail = not_in_list(back, target, ids[target][held], inverse)
                    self._tell(known.table.name, row_id, ecs_id, "pair", detail)
                elif places[n] is not None and not named:
                    detail = f"{back} is None, but it has a place in a .{inverse}"
                    self._tell(known.table.name, row_id, ecs_id, "pair", detail)

    def _ids_with_list(self, known: ClassMap, arc: Arc) -> dict[int, Any]:
        """Return row id and ecs_id of those in whose lists entities of a class can stand."""
        there = self.rows.get(arc.source)
        if there is None or not any(
            item.name == arc.field
            and item.back.name == arc.item.name
            and derives_from(known.cls, item.plan.targets[0])
            for item in there.known.inverse_lists
        ):
            return {}
        rows = there.keys()
        return {row_id: ecs_id for row_id, ecs_id, _, until in rows if until == NEVER}


def gone_rows(every: MappingOf[str, StoredRows]) -> list[tuple[str, int, Any, int]]:
    """Return whose past has ended, and does not go on in another row.

    Parameters
    ----------
    every
        The rows of every type.

    Returns
    -------
    list
        Type, row id and id of each, and the revision at which its last state ends.
    """
    gone = {
        name: {i for i, spans in rows.spans.items() if all(end != NEVER for _, end in spans)}
        for name, rows in every.items()
    }
    keys = {name: rows.keys() for name, rows in every.items()} if any(gone.values()) else {}
    last: dict[tuple[str, int], tuple[Any, int]] = {}
    for name, states in keys.items():
        for row_id, ecs_id, _, until in states:
            if row_id in gone[name] and until > last.get((name, row_id), (None, 0))[1]:
                last[name, row_id] = ecs_id, until
    begun = dict.fromkeys((ecs_id for ecs_id, _ in last.values()), 0)
    for _, ecs_id, since, _ in chain.from_iterable(keys.values()):
        if ecs_id in begun:
            begun[ecs_id] = max(begun[ecs_id], since)
    return [(*key, ecs_id, until) for key, (ecs_id, until) in last.items() if begun[ecs_id] < until]


def _place(table: sa.Table, key: Any, since: int, until: int) -> tuple[str, Any]:
    """Return the table in which a row of the present or the past stands, and what it is called."""
    if until == NEVER:
        return table.name, key
    return history_of(table).name, f"{key}, {since} to {until}"


def _exists(spans: dict[int, list[tuple[int, int]]], row_id: int, revision: int) -> bool:
    """Tell whether there was a row as of a revision; what has been pruned counts as there."""
    found = spans.get(row_id)
    if found is None:
        return False
    return any(since <= revision < until for since, until in found) or revision < min(
        since for since, _ in found
    )
