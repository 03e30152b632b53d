"""Checksums, held against what is read: the rows of entities are as they were written, or told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.engine import Connection

from ecsviz.errors import CorruptEntityError
from ecsviz.storage.relational.save.checksums import StoredRows
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap


def check_sums(conn: Connection, catalog: Catalog, rows: Iterable[tuple[str, int]]) -> None:
    """Raise CorruptEntityError if rows, given by type and row id, are not as they were written."""
    by_type: dict[str, list[int]] = {}
    for name, row_id in rows:
        by_type.setdefault(name, []).append(row_id)
    for name, ids in by_type.items():
        _check_class(conn, catalog.classes_of([name])[0], ids)


def _check_class(conn: Connection, known: ClassMap, ids: list[int]) -> None:
    """Hold the rows of a class against their checksums and seals; a query per table."""
    rows = StoredRows(conn, known, ids=ids)

    def wrong(ecs_id: Any, row_id: Any, why: str) -> NoReturn:
        who = f"{known.type_name} {ecs_id}" if isinstance(ecs_id, UUID) else known.type_name
        raise CorruptEntityError(
            f"{who}: row {row_id} of {known.table.name} {why}. store.verify() lists all that is"
            " not as it was written, store.repair(to=…) saves what is sound elsewhere; without"
            " check=True it is read as it stands.",
            ecs_id=ecs_id,
            type_name=known.type_name,
            table=known.table.name,
            row_id=row_id,
        )

    def bad(_: str, row_id: Any, ecs_id: Any, why: str) -> NoReturn:
        wrong(ecs_id, row_id, f"cannot be read: {why}")

    # Of hand-written models the values are not here.
    contents = rows.checksums if known.by_hand else rows.contents(bad)
    for n, (row_id, ecs_id, *_) in enumerate(rows.keys()):
        if rows.checksums[n] is None:
            wrong(ecs_id, row_id, "was not written by ecsviz")
        if contents[n] != rows.checksums[n] or rows.seals[n] != rows.stored_seals[n]:
            wrong(
                ecs_id,
                row_id,
                "is not as it was written: it was changed outside ecsviz, or the file is damaged",
            )
