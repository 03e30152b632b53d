"""Small databases for the tests of ``read_database``, and how to count statements."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.timing import counted
from ecsviz import read_database
from ecsviz.importers.database import Database

__all__ = ["SHOP", "counted", "execute", "fetched", "read", "rows_in", "tables_in"]

SHOP = """
    CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, balance NUMERIC(10, 2),
        active BOOLEAN NOT NULL, since DATE, seen DATETIME, photo BLOB,
        country_code TEXT NOT NULL REFERENCES country (code),
        referred_by INTEGER REFERENCES customers);
    CREATE TABLE staff (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, store_id INTEGER NOT NULL REFERENCES store);
    CREATE TABLE store (
        id INTEGER PRIMARY KEY, manager_id INTEGER NOT NULL REFERENCES staff, version INTEGER);
    CREATE TABLE orders (
        year INTEGER, number INTEGER, customer_id INTEGER NOT NULL REFERENCES customers (id),
        PRIMARY KEY (year, number)) WITHOUT ROWID;
    CREATE TABLE "order lines" (
        year INTEGER, number INTEGER, what TEXT, "Unit Price" REAL,
        FOREIGN KEY (year, number) REFERENCES orders (year, number));
    CREATE VIEW big AS SELECT * FROM customers;

    INSERT INTO country VALUES ('fr', 'France'), ('jp', 'Japan');
    INSERT INTO customers VALUES
        (1, 'Ann', 12.5, 1, '2024-01-31', '2024-02-01 10:11:12', x'00ff', 'fr', NULL),
        (2, 'Bo', 7, 0, NULL, NULL, NULL, 'jp', 1),
        (3, 'Cy', NULL, 1, '2024-03-01', '2024-02-01 10:11:12.5', NULL, 'jp', 3);
    INSERT INTO staff VALUES (1, 'Mia', 1), (2, 'Noa', 1);
    INSERT INTO store VALUES (1, 2, 7);
    INSERT INTO orders VALUES (2024, 1, 1), (2024, 2, 1), (2025, 1, 2);
    INSERT INTO "order lines" VALUES
        (2024, 1, 'tea', 2.5), (2024, 1, 'tea', 2.5), (2024, 2, 'ink', 4.0), (NULL, 3, 'box', 1.0);
"""


def execute(path: Path, *scripts: str) -> Path:
    """Run SQL on a SQLite file, which is made where there is none, and return its path."""
    with contextlib.closing(sqlite3.connect(path)) as made:
        for script in scripts:
            made.executescript(script)
    return path


def copied(path: Path, to: Path) -> None:
    """Put what is in a SQLite file in the place of another, as a backup does."""
    with (
        contextlib.closing(sqlite3.connect(path)) as made,
        contextlib.closing(sqlite3.connect(to)) as other,
    ):
        made.backup(other)


def fetched(path: Path, query: str) -> list[Any]:
    """Return the rows that a query finds in a SQLite file."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return conn.execute(query).fetchall()


def tables_in(path: Path) -> list[str]:
    """Return the names of the tables of a SQLite file."""
    return [name for (name,) in fetched(path, "SELECT name FROM sqlite_master WHERE type='table'")]


def rows_in(path: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables of a SQLite file."""
    return {name: fetched(path, f'SELECT * FROM "{name}"') for name in tables_in(path)}


def read(tmp_path: Path, *scripts: str) -> Database:
    """Write a SQLite file and open it."""
    return read_database(execute(tmp_path / "a.db", *scripts))
