"""Files of Parquet, CSV and JSON as one database: DuckDB reads them into a private file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from ecsviz.basics.addresses import short_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.optional import need
from ecsviz.basics.text import counted, sql_name
from ecsviz.errors import ImportFormatError, short_repr
from ecsviz.importers.database.csv_tables import (
    NoTableError,
    Tally,
    TextTable,
    add_csv,
    check_count,
    types_of,
)
from ecsviz.importers.database.json_tables import make_of_json
from ecsviz.importers.files import copy_counted, exceeded

_KINDS: Final = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""How a file's name ends → what it is."""
_PACKED: Final[dict[str, Callable[[Path], Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_OTHERS: Final = frozenset(
    (
        *(".7z", ".arrow", ".avro", ".br", ".db", ".dta", ".duckdb", ".feather", ".h5", ".lz4"),
        *(".ods", ".orc", ".sas7bdat", ".sav", ".sqlite", ".sqlite3", ".xls", ".xlsx", ".xml"),
        *(".zip", ".zst"),
    )
)
"""How files of data are called that are not read: they are told, others are not."""


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


class FilesOfTable(NamedTuple):
    """The files of one table: what they are, and below which folder they lie, if it is one."""

    kind: str
    parts: list[Path]
    folder: Path | None = None


@dataclass
class TableFiles:
    """What lies in a folder, or is one file.

    Attributes
    ----------
    tables
        By name.
    left
        File → why it was left out.
    """

    tables: dict[str, FilesOfTable] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def add(self, names: tuple[str, ...], files: FilesOfTable) -> None:
        """Add a table by the first of some names that none has, whatever its case."""
        taken = {name.casefold() for name in self.tables}
        free = (n for n in (*names, *(f"{names[-1]} {k}" for k in range(2, 10**6))))
        self.tables[next(name for name in free if name.casefold() not in taken)] = files


def table_files(path: Path) -> TableFiles | None:
    """Return the tables of a folder, or of one file; None if there is none of a table.

    A folder within the folder is one table, of all its files.
    """
    found = TableFiles()
    if path.is_file():
        # JSON alone may be anything, a chat for one.
        kind = _kind(path)
        if kind is None or kind == "json":
            return None
        found.add((_stem(path),), FilesOfTable(kind, [path]))
        return found
    for each in sorted(path.iterdir()):
        if each.name.startswith((".", "_")):
            if each.name.startswith("_") and each.is_file() and _kind(each):
                found.left[each.name] = "its name begins with _, as of files that are no tables"
        elif each.is_dir():
            kinds: dict[str, list[Path]] = {}
            for part in sorted(each.rglob("*")):
                hidden = any(n.startswith((".", "_")) for n in part.relative_to(each).parts)
                if not hidden and part.is_file():
                    kinds.setdefault(_kind_told(part, path, found), []).append(part)
            kinds.pop("", None)
            for kind, parts in kinds.items():
                found.add((each.name, f"{each.name}.{kind}"), FilesOfTable(kind, parts, each))
        elif each.is_file() and (kind := _kind_told(each, path, found)):
            found.add((_stem(each), each.name), FilesOfTable(kind, [each]))
    return found if found.tables else None


def _kind_told(path: Path, folder: Path, found: TableFiles) -> str:
    """Return what a file is, "" if it is none of a table, which is told of files of data."""
    kind = _kind(path)
    if kind is None and path.suffix.lower() in _OTHERS:
        found.left[str(path.relative_to(folder))] = "it is no file of Parquet, CSV or JSON"
    return kind or ""


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        kind = _KINDS.get(suffixes[-2]) if len(suffixes) > 1 else None
        return None if kind == "parquet" else kind
    kind = _KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None and path.is_file() and _start(path).startswith(b"PAR1"):
        return "parquet"
    return kind


def _stem(path: Path) -> str:
    packed = path.suffix.lower() in _PACKED
    return Path(path.stem).stem if packed else path.stem


@dataclass
class LoadedFiles:
    """A private DuckDB file with a table for each of a folder's.

    Attributes
    ----------
    path
        Where it is.
    unreadable
        Table, or file → why it is not there.
    odd
        Table, what was odd in a file of it, and in how many rows.
    """

    path: Path
    unreadable: dict[str, str]
    odd: list[tuple[str, str, int | None]] = field(default_factory=list)


@contextmanager
def loaded(
    files: TableFiles, name: str, max_bytes: int, header: bool | None = None
) -> Iterator[LoadedFiles]:
    """Yield a private DuckDB file with a table for each of some.

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
    size = sum(path.stat().st_size for one in files.tables.values() for path in one.parts)
    if size > max_bytes:
        raise exceeded(name, f"holds {size:,} bytes", "max_bytes", max_bytes)
    folder = tempfile.mkdtemp(prefix="ecsviz-")
    try:
        made = LoadedFiles(Path(folder, "tables.duckdb"), dict(files.left))
        settings = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": folder,
            "memory_limit": "1GB",
            "pandas_analyze_sample": "0",  # texts are texts, though the first are missing
        }
        unreadable: dict[str, str] = {}
        with driver.connect(str(made.path), config=settings) as conn:
            loading = _Loading(conn, Path(folder), name, max_bytes, size, header)
            for table, one in files.tables.items():
                conn.begin()
                try:
                    odd = loading.make(table, one)
                except (driver.Error, *_UNREADABLE) as err:
                    conn.rollback()
                    unreadable[table] = _why(err)
                else:
                    conn.commit()
                    made.odd += [(table, what, rows) for what, rows in odd]
        if len(unreadable) == len(files.tables):
            first = next(iter(unreadable.values()))
            raise ImportFormatError(
                f"{name}: no table can be read in it ({first}).",
                source=name,
                line=None,
                column=None,
            )
        made.unreadable |= unreadable
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_UNREADABLE: Final = (NoTableError, EOFError, OSError, UnicodeError, zlib.error, lzma.LZMAError)


def _why(err: Exception) -> str:
    if isinstance(err, NoTableError):
        return str(err)
    said = short_repr(str(err).partition("\n")[0])
    if isinstance(err, (UnicodeError, *_UNREADABLE[1:])):
        return f"it is damaged: {said}"
    return f"DuckDB cannot read it: {said}"


class _Loading:
    """Makes tables of files.

    Parameters
    ----------
    conn
        The driver's connection.
    folder
        For what is unpacked.
    name, max_bytes, size
        What is read, how many bytes it may have, unpacked too, and how many it has.
    header
        Whether the first row of CSV names the columns; None if its contents are to tell.
    """

    def __init__(
        self, conn: Any, folder: Path, name: str, max_bytes: int, size: int, header: bool | None
    ) -> None:
        self.conn, self.folder, self.name, self.header = conn, folder, name, header
        self.max_bytes, self.size = max_bytes, size

    def make(self, table: str, files: FilesOfTable) -> list[tuple[str, int | None]]:
        """Make a table of files; return what is odd in them."""
        tally = Tally()
        plain = [self._unpacked(part, n) for n, part in enumerate(files.parts)]
        try:
            if files.kind == "csv":
                self._csv(table, files, plain, tally)
            elif files.kind == "json":
                parts = dict(zip(files.parts, plain, strict=True))
                make_of_json(self.conn, table, parts, tally, self.folder)
            else:
                self._parquet(table, plain, tally)
        finally:
            for part, made in zip(files.parts, plain, strict=True):
                if made != part:
                    made.unlink()
        return tally.lines

    def _unpacked(self, path: Path, number: int) -> Path:
        """Return the path of a file as it is unpacked."""
        opened = _PACKED.get(path.suffix.lower())
        if opened is None:
            return path
        made = self.folder / f"{number}{Path(path.stem).suffix.lower()}"
        with opened(path) as packed, made.open("wb") as file:
            self.size += copy_counted(packed, file, self.name, self.max_bytes, self.size)
        return made

    def _csv(self, table: str, files: FilesOfTable, plain: list[Path], tally: Tally) -> None:
        texts = TextTable(self.conn, _STAGED)
        for part, path in zip(files.parts, plain, strict=True):
            tally.name = part.name
            add_csv(texts, path, tally, _said_by_folders(part, files.folder), self.header)
        check_count(self.conn, _STAGED, "SELECT ?", texts.rows)
        types = types_of(self.conn, _STAGED, texts.columns.values())
        cast = ", ".join(
            f"CAST({sql_name(n)} AS {kind}) AS {sql_name(n)}" for n, kind in types.items()
        )
        self.conn.execute(
            f"CREATE TABLE {sql_name(table)} AS SELECT {cast} FROM {sql_name(_STAGED)}"  # noqa: S608 - named by us
        )
        self.conn.execute(f"DROP TABLE {sql_name(_STAGED)}")

    def _parquet(self, table: str, parts: list[Path], tally: Tally) -> None:
        paths = [str(part) for part in parts]
        self.conn.execute(
            f"CREATE TABLE {sql_name(table)} AS"  # noqa: S608 - quoted
            " SELECT * FROM read_parquet(?, union_by_name=true)",
            [paths],
        )
        asked = "SELECT sum(num_rows) FROM parquet_file_metadata(?)"
        check_count(self.conn, table, asked, paths)
        floats = {name: kind for name, kind in self._types(sql_name(table)) if kind in _FLOATS}
        for path in paths if floats and len(paths) > 1 else ():
            tally.name = Path(path).name
            for name, kind in self._types("read_parquet(?)", [path]):
                if name in floats and kind not in _FLOATS:
                    self._tell_rounded(path, name, (kind, floats[name]), tally)

    def _types(self, of: str, given: list[str] | None = None) -> list[tuple[str, str]]:
        return [row[:2] for row in self.conn.execute(f"DESCRIBE FROM {of}", given).fetchall()]

    def _tell_rounded(self, path: str, name: str, kinds: tuple[str, str], tally: Tally) -> None:
        """Tell of numbers of one file that are floats, as those of another are."""
        at, (kind, to) = sql_name(name), kinds
        asked = (
            f"SELECT count(*) FROM read_parquet(?) WHERE TRY_CAST(CAST({at} AS {to}) AS {kind})"  # noqa: S608 - quoted
            f" IS DISTINCT FROM {at}"
        )
        if count := self.conn.execute(asked, [path]).fetchone()[0]:
            why = "are rounded, since other files have floats there"
            tally.add(f"{counted(count, 'number')} of {name} {why}", count)


_FLOATS: Final = ("FLOAT", "DOUBLE")
_STAGED: Final = "ecsviz: texts of a table"


def _said_by_folders(path: Path, folder: Path | None) -> dict[str, str]:
    """Return what the names of folders say of all rows of a file: ``year=2024``."""
    told = () if folder is None else path.relative_to(folder).parent.parts
    pairs = (name.partition("=") for name in told)
    return {key: value for key, mark, value in pairs if mark and key}


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
    if what is None and _kind(path) is not None:
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
    with open_to_read(path) as file:
        return file.read(_BLOCK)
