"""Files of Parquet, CSV and JSON as one database: DuckDB reads them into a private file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.addresses import short_path
from ecsviz.basics.optional import need
from ecsviz.errors import ImportFormatError, short_repr
from ecsviz.importers.files import exceeded

_READERS: Final = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
"""How a file's name ends → what of DuckDB reads it."""

_NO_DATABASES: Final = (
    (b"PGDMP", "a dump of PostgreSQL. Load it (pg_restore -d name FILE), and read that database"),
    (
        b"\x00\x01\x00\x00Standard",
        "a database of Microsoft Access. Export its tables as CSV, and read the folder",
    ),
    (b"PK\x03\x04", "a zip archive or a spreadsheet. Unpack it, or export its sheets as CSV"),
    (b"\x1f\x8b", "packed by gzip. Unpack it first"),
)
_STATEMENTS: Final = (
    *(b"PRAGMA ", b"BEGIN TRANSACTION", b"CREATE TABLE", b"CREATE DATABASE", b"INSERT INTO "),
    *(
        b"DROP TABLE",
        b"-- MySQL dump",
        b"-- MariaDB dump",
        b"-- PostgreSQL database dump",
        b"/*!40",
    ),
    *(b"/*M!999999", b"SET SQL_MODE", b"-- phpMyAdmin", b"-- Adminer", b"-- SQLite"),
)


def table_files(path: Path) -> dict[str, list[Path]] | None:
    """Return table → its files: of a folder, or of one file; None if there is none of a table.

    A folder within the folder is one table, of all its files.
    """
    if path.is_file():
        # JSON alone may be anything, a chat for one.
        is_table = path.suffix.lower() in (".parquet", ".csv", ".tsv")
        return {path.stem: [path]} if is_table or _start(path).startswith(b"PAR1") else None
    found: dict[str, list[Path]] = {}
    for each in sorted(path.iterdir()):
        if each.name.startswith((".", "_")):
            continue
        if each.is_dir():
            parts = sorted(p for p in each.rglob("*") if p.suffix.lower() in _READERS)
            if parts:
                found[each.name] = parts
        elif each.suffix.lower() in _READERS:
            name = each.stem if each.stem not in found else each.name
            found[name] = [each]
    return found or None


@contextmanager
def loaded(
    files: dict[str, list[Path]], name: str, max_bytes: int
) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the path of a private DuckDB file with a table for each, and why others are not there.

    Raises
    ------
    ImportLimitError
        If the files have more than `max_bytes` bytes together.
    ImportFormatError
        If none of them can be read.
    NotInstalledError
        Without DuckDB.
    """
    driver = need("duckdb", extra="duckdb", what="Reading files as tables")
    size = sum(path.stat().st_size for parts in files.values() for path in parts)
    if size > max_bytes:
        raise exceeded(name, f"holds {size:,} bytes", "max_bytes", max_bytes)
    folder = tempfile.mkdtemp(prefix="ecsviz-")
    try:
        unreadable: dict[str, str] = {}
        database = Path(folder, "tables.duckdb")
        settings = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": folder,
            "memory_limit": "1GB",
        }
        with driver.connect(str(database), config=settings) as conn:
            for table, parts in files.items():
                if why := _load(conn, driver, table, parts):
                    unreadable[table] = why
        if len(unreadable) == len(files):
            first = next(iter(unreadable.values()))
            raise ImportFormatError(
                f"{name}: no table can be read in it ({first}).",
                source=name,
                line=None,
                column=None,
            )
        yield database, unreadable
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(conn: Any, driver: Any, table: str, parts: list[Path]) -> str | None:
    """Make a table of files; return why it cannot be made, None if it is there."""
    suffix = parts[0].suffix.lower()
    reader = _READERS.get(suffix, "read_parquet")
    quoted = '"' + table.replace('"', '""') + '"'
    paths = [str(part) for part in parts if part.suffix.lower() == suffix]
    try:
        conn.execute(f"CREATE TABLE {quoted} AS SELECT * FROM {reader}(?)", [paths])  # noqa: S608 - quoted
    except (driver.Error, UnicodeError) as err:
        return f"DuckDB cannot read it: {short_repr(str(err).partition(chr(10))[0])}"
    return None


def no_database(path: Path) -> ImportFormatError | None:
    """Return the error for a file that is known to be something else, with the way to read it."""
    start = _start(path)
    what = next((told for magic, told in _NO_DATABASES if start.startswith(magic)), None)
    lines = [line.strip(b"\xef\xbb\xbf \t\r").upper() for line in start.split(b"\n")[:10]]
    known = tuple(told.upper() for told in _STATEMENTS)
    if what is None and any(line.startswith(known) for line in lines):
        what = (
            "a dump of SQL statements. Load it first (sqlite3 new.db < FILE, psql -f"
            " FILE name, or mysql name < FILE), and read that"
        )
    if what is None and path.suffix.lower() in _READERS:
        what = "JSON. ev.read_chat reads chats; a folder of such files is read as a database"
    if what is None and _looks_encrypted(path, start):
        what = (
            "perhaps an encrypted one. Decrypt it first (of SQLCipher: PRAGMA key, ATTACH"
            " 'plain.db', SELECT sqlcipher_export)"
        )
    if what is None:
        return None
    return ImportFormatError(
        f"{short_path(path)} is no SQLite database, but {what}.",
        source=path,
        line=None,
        column=None,
    )


def _looks_encrypted(path: Path, start: bytes) -> bool:
    """Tell whether a file is whole pages of bytes that chance might have made."""
    return (
        len(start) == _BLOCK
        and path.stat().st_size % 512 == 0
        and b"\x00" * 8 not in start
        and len(set(start)) > 200
        and max(map(start.count, range(256))) < 30
    )


_BLOCK: Final = 1_024


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BLOCK)
