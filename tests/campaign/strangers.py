"""A stranger's store: schema and values are what he likes, and each public method is asked of it.

A grammar makes the files: the store of `tests.damage`, in which a few things are views, triggers,
computed columns, of other names and types, or values of any kind. Whatever is called, it ends right
or with an error of ours, soon, and with little memory: in a process of its own, so that one that
does not is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any

import ecsviz as ev
from ecsviz.errors import EcsvizError, ForeignTriggerWarning
from tests import damage
from tests.campaign.tally import FOUND, Tally
from tests.processes import in_a_new_process

LONGEST = 2.0
"""Seconds of CPU that a call may take."""

MOST = 500_000
"""Kilobytes that a call may need besides."""

DEADLINE = 0.1
"""What the store is told: how long one statement may take where something acts by itself."""

TABLES = (
    *("shelfs", "books", "labels", "shelf_best", "shelf_ranked", "shelf_twice", "shelf_labels"),
    *("shelf_rooms", "shelfs_history", "books_history", "labels_history", "shelf_best_history"),
    *("ecs_store", "ecs_types", "ecs_revisions", "ecs_deleted"),
)
COLUMNS = (
    *("id", "ecs_id", "ecs_lineage_id", "ecs_parent_id", "ecs_version", "ecs_revision"),
    *(
        "ecs_until",
        "ecs_checksum",
        "ecs_seal",
        "ecs_exact",
        "name",
        "title",
        "text",
        "rooms",
        "data",
        "pages",
    ),
    *("shelf_id", "shelf_position", "after_id", "about_label_id", "book_id", "position", "key"),
    *("layout", "table_name", "value", "number", "note", "next_id", "type_name", "version"),
)
LOUD = "<img src=x onerror=alert(1)> ' \"; DROP TABLE books --"
HEAVY = (
    "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r)",
    "length(randomblob(900000000))",
    "length(hex(zeroblob(400000000)))",
    "printf('%.*c', 300000000, 'x')",
    "replace(hex(zeroblob(60000)), '0', hex(zeroblob(9000)))",
    (
        "(SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d,"
        " sqlite_master e)"
    ),
    "abs(-9223372036854775808)",
    "load_extension('x')",
    "fts3_tokenizer('simple')",
    "json('[')",
    "1",
    "NULL",
    "'[' || hex(zeroblob(1000000)) || ']'",
)
TYPES = (
    *("INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC", "ANY", "", "JSON", "DATETIME", "CHAR(32)"),
    *("VARCHAR(1)", "DECIMAL(3, 99999999999)", "[<img src=x onerror=alert(1)>]"),
)

Made = list[str]
"""Statements: those that SQLite refuses are left out."""


def _view(chance: Random) -> Made:
    table = chance.choice(TABLES)
    body = chance.choice(
        [
            f"SELECT * FROM was_{table}",
            f"SELECT *, {chance.choice(HEAVY)} AS more FROM was_{table}",
            f"SELECT a.* FROM was_{table} a, was_{table} b, sqlite_master c",
            f"SELECT * FROM {table}",
            f"SELECT * FROM was_{table} WHERE {chance.choice(HEAVY)}",
            ("WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT * FROM r"),
        ]
    )
    return [f"ALTER TABLE {table} RENAME TO was_{table}", f"CREATE VIEW {table} AS {body}"]


def _trigger(chance: Random) -> Made:
    table, when = chance.choice(TABLES), chance.choice(["BEFORE", "AFTER", "INSTEAD OF"])
    on = chance.choice(["INSERT", "UPDATE", "DELETE"])
    loud, ends = LOUD.replace("'", ""), chance.choice(["ABORT", "FAIL", "ROLLBACK"])
    body = chance.choice(
        [
            f"SELECT {chance.choice(HEAVY)}",
            f"SELECT RAISE({ends}, '{loud}')",
            "SELECT RAISE(IGNORE)",
            f"DELETE FROM {chance.choice(TABLES)}",
            f"INSERT INTO labels (ecs_id) SELECT ecs_id FROM {table}",
            f"UPDATE {table} SET {chance.choice(COLUMNS)} = {chance.choice(HEAVY)}",
        ]
    )
    return [
        "PRAGMA recursive_triggers = 1",
        f"CREATE TRIGGER t{chance.randrange(99)} {when} {on} ON {table} BEGIN {body}; END",
    ]


def _column(chance: Random) -> Made:
    table, column = chance.choice(TABLES), chance.choice(COLUMNS)
    other = chance.choice(["x", LOUD.replace('"', ""), column.upper(), "ecs_more", "", "x\u202ey"])
    kind, heavy = chance.choice(TYPES), chance.choice(HEAVY)
    return chance.choice(
        [
            [f"ALTER TABLE {table} DROP COLUMN {column}"],
            [f'ALTER TABLE {table} RENAME COLUMN {column} TO "{other}"'],
            [f'ALTER TABLE {table} ADD COLUMN "{other}" {kind}'],
            [f'ALTER TABLE {table} ADD COLUMN "{other}" {kind} AS ({heavy})'],
            [f'ALTER TABLE {table} ADD COLUMN "{other}" {kind} DEFAULT ({heavy})'],
            [
                f"ALTER TABLE {table} RENAME COLUMN {column} TO was",
                f"ALTER TABLE {table} ADD COLUMN {column} {kind} AS (was)",
            ],
            [
                f"ALTER TABLE {table} DROP COLUMN {column}",
                f"ALTER TABLE {table} ADD COLUMN {column} {kind} AS ({heavy})",
            ],
            [f"ALTER TABLE {table} ADD COLUMN x{n} TEXT" for n in range(400)],
        ]
    )


def _schema(chance: Random) -> Made:
    """Return what writes other words into what SQLite notes of a table."""
    table, column = chance.choice(TABLES), chance.choice(COLUMNS)
    kind, heavy = chance.choice(TYPES), chance.choice(HEAVY).replace("'", "''")
    new = chance.choice(
        [
            "sql || ' WITHOUT ROWID'",
            "sql || ' STRICT'",
            "replace(sql, ' NOT NULL', '')",
            "replace(sql, 'PRIMARY KEY', 'CHECK (1)')",
            "replace(sql, 'INTEGER', 'BIGINT')",
            f"replace(sql, 'INTEGER', '{kind.replace(chr(39), '')}')",
            f"replace(sql, 'TEXT', 'TEXT COLLATE {chance.choice(['NOCASE', 'mine', 'RTRIM'])}')",
            f"replace(sql, '{column} ', '{column} CHECK ({heavy}) ')",
            f"replace(sql, '\t{column} ', '\t{column}_ ')",
            f"replace(sql, ' NOT NULL', ' DEFAULT ({heavy}) NOT NULL')",
            "replace(sql, 'REFERENCES', 'REFERENCES nowhere, CHECK')",
            "replace(sql, 'REFERENCES books', 'REFERENCES labels')",
            "replace(sql, ' DEFERRABLE INITIALLY DEFERRED', ' ON DELETE CASCADE')",
            "substr(sql, 1, length(sql) - 3)",
            "'CREATE TABLE ' || name || ' (x)'",
            f"'CREATE VIEW ' || name || ' AS SELECT {heavy}'",
            "'CREATE VIRTUAL TABLE ' || name || ' USING fts5(ecs_id, title, name)'",
            "'CREATE VIRTUAL TABLE ' || name || ' USING nosuch(x)'",
            "NULL",
        ]
    )
    return [
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = {new} WHERE name = '{table}'",
        f"PRAGMA schema_version = {chance.randrange(100, 10**6)}",
        "PRAGMA writable_schema = OFF",
    ]


def _index(chance: Random) -> Made:
    table, column, heavy = chance.choice(TABLES), chance.choice(COLUMNS), chance.choice(HEAVY)
    writable = "PRAGMA writable_schema = ON"
    return chance.choice(
        [
            [f"CREATE INDEX mine ON {table} ({heavy})"],
            [f"CREATE INDEX mine ON {table} ({column}) WHERE {heavy}"],
            [f"CREATE UNIQUE INDEX mine ON {table} ({column})"],
            [f"CREATE INDEX ix_{table}_ecs_id ON {table} ({column})"],
            [writable, "DELETE FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"],
            [
                writable,
                (
                    f"UPDATE sqlite_master SET name = 'i' || rowid WHERE tbl_name = '{table}'"
                    " AND type = 'index'"
                ),
            ],
            [
                writable,
                (
                    f"UPDATE sqlite_master SET rootpage = {chance.randrange(40)} WHERE"
                    f" name = '{table}'"
                ),
            ],
            [
                writable,
                (
                    f"UPDATE sqlite_master SET tbl_name = '{chance.choice(TABLES)}' WHERE"
                    f" name = '{table}'"
                ),
            ],
        ]
    )


def _table(chance: Random) -> Made:
    table, other = chance.sample(TABLES, 2)
    return chance.choice(
        [
            [f"DROP TABLE {table}"],
            [f"DROP TABLE {table}", f"CREATE VIRTUAL TABLE {table} USING fts5(ecs_id, name)"],
            [f"DROP TABLE {table}", f"CREATE VIRTUAL TABLE {table} USING rtree(id, a, b)"],
            [f"DROP TABLE {table}", f"CREATE TABLE {table} AS SELECT * FROM {other}"],
            [f"ALTER TABLE {table} RENAME TO {table}_"],
            [f'CREATE TABLE "{LOUD.replace(chr(34), "")}" (x)'],
            [f"CREATE TABLE more_{n} (x)" for n in range(600)],
            [f"CREATE TABLE {name} (x)" for name in ("ecs_origins", "ecs_texts", "ecs_x_history")],
            [f"CREATE TABLE y AS SELECT * FROM {table}", f"DELETE FROM {table}"],
            [f"CREATE VIEW {LOUD.split(maxsplit=1)[0][1:]} AS SELECT {chance.choice(HEAVY)}"],
            ["ANALYZE", f"UPDATE sqlite_stat1 SET stat = '{chance.choice(['9999999999', 'x'])}'"],
        ]
    )


def _rows(chance: Random) -> Made:
    table, column = chance.choice(TABLES), chance.choice(COLUMNS)
    other, many = chance.choice(COLUMNS), "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1"
    return chance.choice(
        [
            [f"UPDATE {table} SET {column} = {other}"],
            [f"UPDATE {table} SET {column} = id"],
            [f"UPDATE {table} SET {column} = -{column}"],
            [f"UPDATE {table} SET {column} = (SELECT max({column}) FROM {table}) - {column}"],
            [f"UPDATE {table} SET {column} = {chance.choice(['9e999', '2.5', 'randomblob(16)'])}"],
            [f"UPDATE {table} SET {column} = zeroblob({chance.choice([16, 10**6, 10**8])})"],
            [f"UPDATE {table} SET {column} = '{LOUD.replace(chr(39), chr(39) * 2)}'"],
            [f"DELETE FROM {table} WHERE rowid % 2 = {chance.randrange(2)}"],
            [f"DELETE FROM {table}"],
            [f"UPDATE {table} SET rowid = {chance.choice(['-rowid', 'rowid + 4611686018427387'])}"],
            [
                f"CREATE TABLE y AS SELECT * FROM {table}",
                *[f"INSERT OR IGNORE INTO {table} SELECT * FROM y"] * 3,
            ],
            [
                (
                    f"{many} FROM r WHERE n < 5000) INSERT INTO ecs_revisions"
                    " SELECT n * 7, '2024-01-01 00:00:00', n, 1, 1, 1, x'00' FROM r"
                )
            ],
            [
                (
                    f"{many} FROM r WHERE n < 3000) INSERT INTO ecs_types"
                    " SELECT 'T' || n, 'm', 't' || n, 0, '{}', '{}', 1 FROM r"
                )
            ],
            ["UPDATE ecs_types SET layout = json_set(layout, '$.more', json('[]'))"],
            ["UPDATE ecs_types SET name = (SELECT name FROM ecs_types LIMIT 1) || rowid"],
        ]
    )


def _file(chance: Random) -> Made:
    return [
        chance.choice(
            [
                "PRAGMA journal_mode = WAL",
                "PRAGMA user_version = 2147483647",
                "PRAGMA application_id = -1",
                "PRAGMA encoding = 'UTF-16le'",
                "PRAGMA default_cache_size = 1",
                "PRAGMA auto_vacuum = 1",
            ]
        ),
        "VACUUM",
    ]


WAYS: tuple[Callable[[Random], Made], ...] = (
    _view,
    _trigger,
    _column,
    _schema,
    _index,
    _table,
    _rows,
    _file,
)


def _beside(store: Any, name: str) -> Path:
    path = Path(store.engine.url.database).with_name(name)
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return path


def _read(store: Any) -> None:
    with ev.read_database(store.engine.url.database) as found:
        found.graph(), found.frame("books"), found.explore().close()


def _together(store: Any, shelf: Any) -> None:
    with store.transaction(note="two"):
        store.register(damage.changed(shelf))
        store.delete(damage.GREEN)


CALLS: dict[str, damage.Call] = {
    **damage.READS,
    **damage.WRITES,
    "check": lambda s, _: s.get(damage.SHELF, check=True),
    "lazy": lambda s, _: s.get(damage.SHELF, lazy=True).books[0].shelf.name,
    "iterate": lambda s, _: list(s.iterate(damage.Book, batch=1)),
    "search": lambda s, _: s.search("two", damage.Book),
    "index_text": lambda s, _: (s.index_text(damage.Book, "title"), s.search("two", damage.Book)),
    "count": lambda s, _: (s.count(damage.Book, title__icontains="o"), s.first(damage.Book)),
    "backup": lambda s, _: s.backup(_beside(s, "backup.db")),
    "repair": lambda s, _: s.repair(ev.InMemoryEntityStorage()),
    "repair doubtful": lambda s, _: s.repair(ev.InMemoryEntityStorage(), doubtful=True),
    "adopt": lambda s, _: s.adopt_changes(),
    "conflicts": lambda s, shelf: s.conflicts(damage.changed(shelf)),
    "threads": lambda s, _: s.threads().summary(),
    "to_parquet": lambda s, _: s.to_parquet(_beside(s, "graph")),
    "side by side": lambda s, _: s.side_by_side(damage.SHELF),
    "read_database": lambda s, _: _read(s),
    "transaction": _together,
    "drop": lambda s, _: s.drop_text_index(damage.Book),
}


def hostile(path: Path, chance: Random) -> str:
    """Make a file a stranger's; return what was done to it."""
    done = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        way = chance.choice([*WAYS, None])
        if way is None:
            with contextlib.suppress(sqlite3.Error), damage.damaged(path) as file:
                cell = chance.choice(damage.cells(path))
                wrong = chance.choice(sorted(damage.WRONG))
                file.put(cell, wrong)
                done.append(f"{wrong} in {cell}")
            continue
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
            for number, statement in enumerate(["PRAGMA synchronous = OFF", *way(chance)]):
                with contextlib.suppress(sqlite3.Error, sqlite3.Warning):
                    conn.execute(statement)
                    done += [statement] * (0 < number < 4)
    return "; ".join(done)


def right(path: Path) -> Any:
    """Return what the store of `damage` says of its present, without what differs each time."""
    with damage.opened(path) as store:
        problems = store.verify()
        if len(problems):
            return None
        frames = [store.frame(cls) for cls in (damage.Shelf, damage.Book, damage.Label)]
        shelf = store.get(damage.SHELF)
        held = [*shelf.books, *shelf.twice, *shelf.best.values(), *shelf.ranked.values()]
        return [f.to_csv() for f in frames], repr([each.ecs_id for each in held]), len(store)


def is_changed(path: Path) -> bool:
    """Tell whether a store has what `damage.changed` makes of its shelf."""
    with damage.opened(path) as store:
        found = store.get(damage.SHELF)
        names = {found.name, *(book.title for book in found.books)}
        return names == {"edited"} and len(found.books) == 2 and "z" in found.best


def ask(path: Path, name: str, shelf: Any, said: Any, *, broken: bool) -> list[Any]:
    """Call one method; return what is wrong with it, how long it took, and its memory."""
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    wrong = ""
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            if name == "right":
                if (found := right(path)) is not None and found != said:
                    wrong = f"silent: {found!s:.300}"
            else:
                with ev.SQLAlchemyEntityStorage(path, deadline=DEADLINE, timeout=1) as store:
                    CALLS[name](store, shelf)
                if broken:
                    json.loads(path.read_bytes())
            foreign = any(each.category is ForeignTriggerWarning for each in told)
            if name == "register changed" and not foreign and not is_changed(path):
                wrong = "lost: it was saved, and is not there"
    except EcsvizError as error:
        if len(str(error)) > 3_000:
            wrong = f"an error of {len(str(error))} characters: {error!s:.200}"
    except BaseException as error:  # noqa: BLE001  # what is looked for
        places = [f"{at.filename[-40:]}:{at.lineno}" for at in extract_tb(error.__traceback__)[-3:]]
        wrong = f"{type(error).__name__}: {error!s:.200} {places}"
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return [wrong, time.process_time() - begun, more]


def in_a_fork(call: Callable[[], list[Any]]) -> list[Any] | None:
    """Call something in a fork of this process, which is ended if it takes too long: then None."""
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            signal.setitimer(signal.ITIMER_PROF, 5 * LONGEST)  # which ends the process
            os.write(theirs, json.dumps(call()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(mine, "rb") as told:
        data = told.read()
    os.waitpid(child, 0)
    return list(json.loads(data)) if data else None


def work(folder: str, seed: int, files: int, calls: int, broken: bool) -> list[Any]:
    """Make files and ask of each; return what was tried and found."""
    chance, found = Random(seed), Tally()
    whole, path, copy = (Path(folder) / name for name in ("whole.db", "stranger.db", "copy.db"))
    damage.make_store(whole).close()
    with damage.opened(whole) as store:
        shelf = store.get(damage.SHELF)
    said = right(whole)
    for number in range(files):
        shutil.copy(whole, path)
        done = hostile(path, chance)
        names = chance.sample(sorted(CALLS), min(calls, len(CALLS)))
        for name in ["right", "register changed", *names]:
            at = path
            if name == "register changed" or name not in damage.READS:
                at = copy
                for suffix in ("", "-wal", "-journal", "-shm"):
                    Path(f"{copy}{suffix}").unlink(missing_ok=True)
                shutil.copy(path, at)
            what = f"seed {seed}, file {number}, {name} ({done:.400})"
            found.tried += 1
            told = in_a_fork(lambda at=at, name=name: ask(at, name, shelf, said, broken=broken))
            if told is None:
                found.hung.append(what)
                continue
            wrong, seconds, more = told
            if wrong:
                kind = wrong.partition(":")[0]
                getattr(found, kind if kind in FOUND else "partial").append(f"{what}: {wrong}")
            if seconds > LONGEST:
                found.hung.append(f"{what}: {seconds:.1f} s")
            if more > MOST:
                found.hung.append(f"{what}: {more // 1000} MB")
    return [found.tried, found.lost, found.partial, found.silent, found.hung]


def run(seed: int, folder: Path, *, files: int = 4, calls: int = 30, broken: bool = False) -> Tally:
    """Make files of strangers, and ask of each what chance will have.

    Parameters
    ----------
    files, calls
        How many files; how much is asked of each.
    broken
        After each call, a foreign error.
    """
    given = json.dumps([str(folder), seed, files, calls, broken])
    code = f"import json, sys, {__name__} as m; print(json.dumps(m.work(*json.loads(sys.argv[1]))))"
    few = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a fork has but one thread
    told = in_a_new_process(code, given, MPLBACKEND="agg", **few)
    return Tally(*json.loads(told.splitlines()[-1]))
