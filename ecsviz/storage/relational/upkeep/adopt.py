"""Adopting: what was changed through SQL becomes a revision, as if it had been registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.fields import complete_fields
from ecsviz.domain.inverse import check_agreement
from ecsviz.domain.walk import walk
from ecsviz.errors import StoredDataInvalidError
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.save.checksums import StoredRows
from ecsviz.storage.relational.schema.arcs import Kind, arcs_in
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL, archive, history_of
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.seals import SEAL, digest, sealed_columns, seals_of
from ecsviz.storage.relational.upkeep.verify import Verify
from ecsviz.storage.reports import Problem
from ecsviz.storage.spans import NEVER
from ecsviz.storage.sql.statements import columns_of, delete_rows, insert_rows, update_rows
from ecsviz.values.codecs import make_adapter, reason

ADOPTED = ("class", "ecs_id", "what", "version")

OUTSIDE = frozenset({"content", "seal", "outside", "reference", "position", "unique", "history"})
"""Problems of `verify` that must be gone once everything is adopted."""


@dataclass(slots=True)
class Found:
    """What was changed through SQL in one class.

    Attributes
    ----------
    changed, touched
        Row id → version, of rows whose content differs, and of those whose lists do.
    added
        Row id → ``ecs_id``.
    deleted
        Row id → ``ecs_id``, version, since and until when the last known state was valid.
    ids
        Row id → ``ecs_id``, of all rows that are there.
    """

    known: ClassMap
    changed: dict[int, int] = field(default_factory=dict)
    touched: dict[int, int] = field(default_factory=dict)
    added: dict[int, UUID] = field(default_factory=dict)
    deleted: dict[int, tuple[UUID, int, int, int]] = field(default_factory=dict)
    ids: dict[int, UUID] = field(default_factory=dict)


class Adopt:
    """One adoption, in one transaction.

    Parameters
    ----------
    conn
        The transaction.
    catalog
        The store's catalog, its types read.
    next_ids
        Type → the next free row id.

    Notes
    -----
    Every table is read once, whole; statements grow with classes.
    """

    def __init__(self, conn: Connection, catalog: Catalog, next_ids: dict[str, int]) -> None:
        self.conn = conn
        self.catalog = catalog
        self.next_ids = next_ids
        self.revision = catalog.next_revision(conn)
        gone = catalog.deleted.c
        query = sa.select(gone.ecs_id, gone.revision)
        self.deleted = dict(zip(*columns_of(conn, query), strict=True))
        self.begun: dict[UUID, int] = {}  # since when each is what it was last
        maps = catalog.classes_of(catalog.mapping.stored)
        self.found = {known.type_name: self._find(known) for known in maps if not known.by_hand}
        for found in self.found.values():  # who has come back as another row is not gone
            found.deleted = {i: d for i, d in found.deleted.items() if self.begun[d[0]] < d[3]}
        self._touch_holders()

    def __bool__(self) -> bool:
        return any(f.changed or f.added or f.deleted for f in self.found.values())

    # -- finding -----------------------------------------------------------------------------

    def _find(self, known: ClassMap) -> Found:
        result = Found(known)
        try:
            rows = StoredRows(self.conn, known)
            contents = rows.contents(_unreadable)
        except (ValueError, TypeError, AttributeError, OverflowError, ArithmeticError) as err:
            self._read(known, Load(self.conn, self.catalog).all_ids(known.type_name))
            raise _invalid(known, "a value does not fit its column") from err
        last: dict[int, tuple[UUID, int, int, int]] = {}
        present: dict[int, int] = {}
        keys = zip(rows.keys(), rows.columns["ecs_version"], strict=True)
        for n, ((row_id, ecs_id, since, until), version) in enumerate(keys):
            self.begun[ecs_id] = max(since, self.begun.get(ecs_id, since))
            if until != NEVER:
                if row_id not in last or last[row_id][3] < until:
                    last[row_id] = (ecs_id, version, since, until)
                continue
            result.ids[row_id] = ecs_id
            if rows.checksums[n] is None:
                result.added[row_id] = ecs_id
            elif rows.checksums[n] != contents[n] or rows.seals[n] != rows.stored_seals[n]:
                if type(version) is not int or version < 1:
                    raise _invalid(known, f"ecs_version of row {row_id} is no version", row_id)
                result.changed[row_id] = version
                present[row_id] = since
        self._check_past(result, present, last)
        # What a revision has deleted is no news.
        gone = {i: d for i, d in last.items() if i not in result.ids}
        result.deleted = {i: d for i, d in gone.items() if self.deleted.get(d[0]) != d[3]}
        return result

    def _check_past(
        self,
        found: Found,
        present: dict[int, int],
        last: dict[int, tuple[UUID, int, int, int]],
    ) -> None:
        """Raise if a row does not follow on its own past any more."""
        for row_id, (ecs_id, _, _, until) in last.items():
            if found.ids.get(row_id, ecs_id) != ecs_id:
                what = f"the ecs_id of row {row_id} was another one (a new row takes a new id)"
                raise _invalid(found.known, what, row_id)
            if present.get(row_id, until) != until:
                what = f"the ecs_revision of row {row_id} was another one"
                raise _invalid(found.known, what, row_id)
        for row_id, since in present.items():
            if type(since) is not int or not 0 < since < self.revision:
                what = f"the ecs_revision of row {row_id} is no revision"
                raise _invalid(found.known, what, row_id)

    def _read(self, known: ClassMap, ids: list[int]) -> list[Any]:
        """Read entities, so that what cannot be read is told with its row and column."""
        entity = Load(self.conn, self.catalog).load({known.type_name: ids})
        return [entity(known.type_name, row_id) for row_id in ids]

    def _touch_holders(self) -> None:
        """Note whose lists hold what was changed: they have changed with it."""
        for found in self.found.values():
            ids = [*found.changed, *found.added]
            for arc in arcs_in(found.known, Kind.LIST) if ids else ():
                of = self.found.get(arc.source)
                if of is not None:
                    self._touch(found.known, arc.owner, ids, of)

    def _touch(self, known: ClassMap, column: Any, ids: list[int], of: Found) -> None:
        own, other = known.table, of.known.table.alias()
        wanted = set(ids)
        query = sa.select(own.c.id, other.c.id, other.c.ecs_version).join(
            other, column == other.c.id
        )
        for row_id, holder, version in zip(*columns_of(self.conn, query), strict=True):
            if row_id in wanted and holder not in of.changed and holder not in of.added:
                of.touched[holder] = version

    # -- writing -----------------------------------------------------------------------------

    def run(self, note: str | None) -> None:
        """Write the revision.

        Raises
        ------
        EcsvizError
            If what is there now cannot be taken over.
        """
        conn, revision = self.conn, self.revision
        counts = [0, 0, 0]
        for found in self.found.values():
            changed = {**found.changed, **found.touched}
            table = found.known.table
            archive(conn, table, [(row_id,) for row_id in changed], revision)
            versions = {row_id: version + 1 for row_id, version in changed.items()}
            versions |= self._new_versions(found)
            update_rows(
                conn,
                table,
                [table.c.ecs_version, table.c[REVISION], table.c.ecs_checksum],
                [(version, revision, b"", row_id) for row_id, version in versions.items()],
            )
            self._note_deleted(found, revision)
            counts[0] += len(found.added)
            counts[1] += len(changed)
            counts[2] += len(found.deleted)
        for found in self.found.values():
            if found.changed or found.touched or found.added:
                self._seal(found)
        self.catalog.set_next_ids(
            conn,
            {
                name: max(self.next_ids.get(name, 1), *(i + 1 for i in found.added))
                for name, found in self.found.items()
                if found.added
            },
        )
        self.catalog.add_revision(conn, revision, note, *counts)
        self.catalog.seal(conn)
        self._check()

    def _seal(self, found: Found) -> None:
        """Give the rows that were written, now and as they stay behind, their checksums."""
        rows = StoredRows(self.conn, found.known)
        contents, keys = rows.contents(_unreadable), rows.keys()
        written = {*found.changed, *found.touched, *found.added}
        fresh = [
            n
            for n, (row_id, _, _, until) in enumerate(keys)
            if row_id in written and until in (NEVER, self.revision)
        ]
        rows.columns["ecs_checksum"] = list(contents)
        names = [c.name for c in sealed_columns(found.known.table, found.known.positions)]
        seals = seals_of([[rows.columns[name][n] for n in fresh] for name in names])
        table, past = found.known.table, history_of(found.known.table)
        now, then = [], []
        for n, seal in zip(fresh, seals, strict=True):
            row_id, _, since, until = keys[n]
            if until == NEVER:
                now.append((contents[n], seal, row_id))
            else:
                then.append((contents[n], seal, row_id, since))
        update_rows(self.conn, table, [table.c.ecs_checksum, table.c[SEAL]], now)
        update_rows(self.conn, past, [past.c.ecs_checksum, past.c[SEAL]], then)

    def _new_versions(self, found: Found) -> dict[int, int]:
        """Return the versions of rows that were added: 1, or one more than what was deleted."""
        gone = self.catalog.deleted.c
        query = sa.select(gone.ecs_id, gone.version)
        before = dict(zip(*columns_of(self.conn, query), strict=True)) if found.added else {}
        again = [ecs_id for ecs_id in found.added.values() if ecs_id in before]
        delete_rows(self.conn, self.catalog.deleted, [(ecs_id,) for ecs_id in again])
        return {i: before.get(ecs_id, 0) + 1 for i, ecs_id in found.added.items()}

    def _note_deleted(self, found: Found, revision: int) -> None:
        """Let the last known state end here, and remember that the entity is gone."""
        past, name, gone = (
            history_of(found.known.table),
            found.known.type_name,
            self.catalog.deleted,
        )
        ends = [(revision, row_id, d[2]) for row_id, d in found.deleted.items()]
        update_rows(self.conn, past, [past.c[UNTIL]], ends)
        rows = [
            (
                ecs_id,
                name,
                version + 1,
                revision,
                digest((ecs_id.bytes, name, version + 1, revision)),
            )
            for ecs_id, version, _, _ in found.deleted.values()
        ]
        insert_rows(self.conn, gone, list(gone.c), rows)

    def _check(self) -> None:
        """Raise if what is there now is no store that could have been registered."""
        load = Load(self.conn, self.catalog)
        wanted = {
            name: [*found.changed, *found.touched, *found.added]
            for name, found in self.found.items()
        }
        entity = load.load({name: ids for name, ids in wanted.items() if ids})
        entities = [entity(name, row_id) for name, ids in wanted.items() for row_id in ids]
        self._check_values(wanted, entity)
        check_agreement(walk(entities), lambda _: True)
        # What is wrong in the past is no change to adopt, and `verify` goes on telling it.
        tables = {t.name for f in self.found.values() for t in f.known.tables}
        left = [p for p in Verify(self.conn, self.catalog).run() if _blocks(p, tables)]
        if left:
            lines = "\n  ".join(f"{p.table}, row {p.row}: {p.detail}" for p in left[:5])
            raise StoredDataInvalidError(
                f"What was changed through SQL cannot be adopted; nothing was written:\n  {lines}"
                "\nCorrect these rows, and adopt then.",
                problems=left,
            )

    def _check_values(
        self, wanted: dict[str, list[int]], entity: Callable[[str, int], Any]
    ) -> None:
        """Raise for a value that its field would not take: no validator has seen it yet."""
        for name, ids in wanted.items():
            known = self.found[name].known
            infos = complete_fields(known.cls) if ids else {}
            for value in known.values if ids else ():
                info = infos[value.name]
                annotation: Any = info.annotation
                for extra in info.metadata:
                    annotation = Annotated[annotation, extra]
                adapter = make_adapter(annotation)
                for row_id in ids:
                    try:
                        adapter.validate_python(entity(name, row_id).__dict__[value.name])
                    except Exception as err:
                        what = f"{value.column.name} in row {row_id} is no {known.cls.__name__}"
                        what += f".{value.name} ({reason(err)})"
                        raise _invalid(known, what, row_id, value.column.name) from err

    # -- telling -----------------------------------------------------------------------------

    def rows(self) -> list[tuple[str, UUID, str, int]]:
        """Return what was adopted, under `ADOPTED`."""
        result = []
        for name, found in self.found.items():
            changed = {**found.changed, **found.touched}
            result += [(name, i, "added", v) for i, v in self._added(found)]
            result += [(name, found.ids[i], "changed", v + 1) for i, v in changed.items()]
            result += [(name, d[0], "deleted", d[1] + 1) for d in found.deleted.values()]
        return result

    def _added(self, found: Found) -> Iterable[tuple[UUID, int]]:
        c = found.known.table.c
        if not found.added:
            return []
        query = sa.select(c.ecs_id, c.ecs_version).where(c.id >= min(found.added))
        versions = dict(zip(*columns_of(self.conn, query), strict=True))
        return [(ecs_id, versions[ecs_id]) for ecs_id in found.added.values()]


def _blocks(problem: Problem, tables: set[str]) -> bool:
    return problem.problem in OUTSIDE and (problem.table in tables)


def _unreadable(_: str, __: Any, ___: Any, why: str) -> None:
    raise ValueError(why)


def _invalid(
    known: ClassMap, what: str, row_id: int | None = None, column: str | None = None
) -> StoredDataInvalidError:
    return StoredDataInvalidError(
        f"What was changed through SQL in {known.table.name} cannot be adopted: {what}."
        " Nothing was written; correct the row, and adopt then.",
        table=known.table.name,
        row_id=row_id,
        column=column,
    )
