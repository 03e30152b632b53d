"""A small store of every kind of column, wrong values for its cells, and everything one may ask.

What others write into a store's tables is theirs to choose: an editor of SQLite files takes any
value in any column. `test_damaged` puts each wrong value into each cell and calls what is public.
"""

from __future__ import annotations

import contextlib
import enum
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import sqlalchemy as sa
from pydantic import Field

import ecsviz as ev
from ecsviz import errors


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(pydantic.BaseModel):
    high: int = 0
    wide: float = 0.0


class Room(pydantic.BaseModel):
    name: str
    label: Label | None = None


class Label(ev.Entity):
    text: str


class Shelf(ev.Entity):
    name: str
    books: Annotated[list[Book], ev.reference(inverse="shelf")] = Field(default_factory=list)
    best: dict[str, Book] = Field(default_factory=dict)
    ranked: dict[int, Book] = Field(default_factory=dict)
    twice: list[Book] = Field(default_factory=list)
    labels: set[Label] = Field(default_factory=set)
    rooms: list[Room] = Field(default_factory=list)


class Book(ev.Entity):
    shelf: Shelf
    title: str
    after: Book | None = None
    about: Book | Label | None = None
    pages: int | None = None
    price: float = 0.0
    weight: float | None = None
    sold: bool = False
    colour: Colour = Colour.RED
    level: Literal[1, 2] = 1
    day: date = date(2024, 2, 29)
    at: datetime = datetime(2024, 2, 29, 12, tzinfo=UTC)
    hour: time = time(12)
    lasts: timedelta = timedelta(hours=1)
    cost: Decimal = Decimal("1.50")
    other_id: UUID = UUID(int=5)
    raw: bytes = b"raw"
    data: dict[str, Any] = Field(default_factory=dict)
    size: Size = Size()
    corner: tuple[int, int] = (1, 2)
    either: int | str = 1


Shelf.model_rebuild()
Room.model_rebuild()

SHELF, FIRST, SECOND, LABEL, GREEN = (UUID(int=n) for n in range(1, 6))


def make_store(target: Any) -> ev.SQLAlchemyEntityStorage:
    """Make a store with every kind of column, a past, and something deleted."""
    return fill(ev.SQLAlchemyEntityStorage(target))


def fill(store: Any) -> Any:
    """Fill a store with every kind of column, a past, and something deleted."""
    label, green = Label(ecs_id=LABEL, text="blue"), Label(ecs_id=GREEN, text="green")
    shelf = Shelf(ecs_id=SHELF, name="upper")
    one = Book(ecs_id=FIRST, shelf=shelf, title="one", data={"a": (1, 2)})
    two = Book(ecs_id=SECOND, shelf=shelf, title="two\0", after=one, about=label, pages=10**30)
    two.at = datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=2)))
    shelf.books = [one, two]
    shelf.best = {"a": one, "b": two, "c": one}
    shelf.ranked = {1: one}
    shelf.twice = [two, two]
    shelf.labels = {label, green}
    shelf.rooms = [Room(name="kitchen", label=label), Room(name="bath", label=green)]
    store.register(shelf, note="all")
    store.delete(store.register(Label(text="gone")))
    one.title, shelf.name, label.text = "uno", "lower", "red"
    shelf.books.reverse()
    del shelf.best["c"]
    shelf.ranked = {2: two}
    shelf.twice.pop()
    shelf.rooms = [Room(name="kitchen", label=label), Room(name="hall")]
    shelf.labels = {label}
    store.register(shelf, note="edited")
    two.about = one
    store.register(shelf)
    return store


# -- wrong values ----------------------------------------------------------------------------

DEEP = 50_000
RAW = {  # what no driver would write: SQL's own words for it
    "bad UTF-8": "CAST(x'68c3' AS TEXT)",
    "infinity": "9e999",
}
WRONG: dict[str, Any] = {
    "NULL": None,
    "empty": "",
    "text": "quite another thing",
    "NUL": "a\0b",
    "10 MB": "x" * 10_000_000,
    "5,000 digits": "1" * 5_000,
    "number as text": " 7 ",
    "blob": b"\x00\xff",
    "eight bytes": b"\xff" * 8,
    "one": 1,
    "another row's id": 2,
    "minus one": -1,
    "beyond 32 bits": 2**40,
    "highest": 2**63 - 1,
    "lowest": -(2**63),
    "huge": 1e308,
    "an entity's id": SECOND.hex,
    "dangling id": "f" * 32,
    "no id": "z" * 32,
    "id with dashes": str(SECOND),
    "no time": "2024-13-45",
    "no clock": "2024-02-30 25:61:61.000000",
    "last time": "9999-12-31 23:59:59.999999",
    "deep list": "[" * DEEP + "]" * DEEP,
    "deep object": '{"a":' * 900 + "1" + "}" * 900,
    "unclosed": "[" * 2 * DEEP,
    "no JSON": "{]",
    "list": "[1]",
    "unknown name": '{"nosuch": 1}',
    "JSON null": "null",
    "JSON text": '"text"',
    "surrogate": '"\\ud800"',
    "surrogate name": '{"\\ud800": 1}',
    "exact null": '{"title": null, "at": null, "pages": null, "cost": null, "name": null}',
    "exact time": '{"at": {"$datetime": 5}, "title": {"$datetime": "x"}}',
    "exact list": '{"title": ["x"], "pages": {"$int": "zz"}, "cost": {"$decimal": "x"}}',
    "exact tags": '{"cost": {"$set": [[1]]}, "pages": {"$map": 3}, "at": {"$none": 1}}',
    "reference": '[{"name": "x", "label": {"$ref": 99}}]',
    "negative reference": '[{"name": "x", "label": {"$ref": -1}}]',
    "text reference": '[{"name": "x", "label": {"$ref": "x"}}]',
    "other layout": '{"title": {"columns": {"Nobody": "y"}, "position": "p", "inverse": "q"}}',
    "other tables": '{"name": {"table": "sqlite_master", "columns": {"Nobody": "y"}}}',
    **dict.fromkeys(RAW),
}

TEXTS = {name for name, value in WRONG.items() if str(value)[:1] in ("[", "{", '"')}
"""What is a mere text to a column of numbers: only where JSON may stand are they different."""
SLOW = {"explore", "draw_schema", "export"}


@dataclass(frozen=True)
class Cell:
    """One cell of a store's file."""

    table: str
    column: str
    rowid: int

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def cells(path: Path) -> list[Cell]:
    """Return a cell of each column; of the table with the most, one of each row's."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        names = [n for (n,) in conn.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        found = []
        for name in names:
            rows = [n for (n,) in conn.execute(f"SELECT rowid FROM {name} ORDER BY rowid")]
            columns = [row[1] for row in conn.execute(f"PRAGMA table_info({name})")]
            found += [
                Cell(name, column, row)
                for column in columns
                for row in (rows if name in ("books", "ecs_types", "ecs_store") else rows[:1])
            ]
    return found


class Damaged:
    """A store's file whose cells are damaged and mended in turn, whoever has it open.

    Notes
    -----
    Making and opening a store costs ten times as much as asking it something.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.conn.text_factory = bytes
        self._before: list[tuple[Cell, int, Any]] = []

    def put(self, cell: Cell, wrong: str) -> bool:
        """Put a wrong value into a cell; False where SQLite refuses it, or it was there before."""
        value = RAW.get(wrong, "?")
        given = () if wrong in RAW else (WRONG[wrong],)
        column, where = f'"{cell.column}"', f"FROM {cell.table} WHERE rowid = {cell.rowid}"
        typed = f"SELECT typeof({column}), {column} {where}"
        before = kind, old = self.conn.execute(typed).fetchone()
        update = f"UPDATE {cell.table} SET {column} = {value} WHERE rowid = {cell.rowid}"
        try:
            # Which may be the number of the row itself.
            [(rowid,)] = self.conn.execute(f"{update} RETURNING rowid", given).fetchall()
        except (sqlite3.IntegrityError, OverflowError):
            return False
        self._before.append((cell, rowid, old.decode() if kind == b"text" else old))
        after = self.conn.execute(typed.replace(f"= {cell.rowid}", f"= {rowid}")).fetchone()
        return bool(after != before)

    def is_number(self, cell: Cell, column: str) -> bool:
        """Tell whether a cell is of a column, and what has become of it is a number there."""
        typed = f'SELECT typeof("{cell.column}") FROM {cell.table} WHERE rowid = {cell.rowid}'
        return cell.column == column and self.conn.execute(typed).fetchone() == (b"integer",)

    def mend(self) -> None:
        """Put back what was there."""
        while self._before:
            cell, rowid, value = self._before.pop()
            update = f'UPDATE {cell.table} SET rowid = ?, "{cell.column}" = ? WHERE rowid = ?'
            self.conn.execute(update, (cell.rowid, value, rowid))


@contextlib.contextmanager
def damaged(path: Path) -> Iterator[Damaged]:
    """Damage the cells of a file."""
    with unguarded(path) as conn:
        yield Damaged(conn)


@contextlib.contextmanager
def unguarded(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold a connection for which no column is required and no key is checked."""
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn,
    ):
        other.execute("PRAGMA synchronous=OFF")
        other.execute("PRAGMA writable_schema=ON")
        texts = other.execute("SELECT sql, rowid FROM sqlite_master WHERE type='table'").fetchall()
        loose = "UPDATE sqlite_master SET sql = ? WHERE rowid = ?"
        other.executemany(loose, [(text.replace(" NOT NULL", ""), n) for text, n in texts])
        conn.execute("PRAGMA synchronous=OFF")  # its first look: it keeps in mind how they are now
        other.executemany(loose, texts)
        yield conn


# -- everything one may ask ------------------------------------------------------------------

Call = Callable[[ev.SQLAlchemyEntityStorage, Any], Any]
"""What is asked of a store, with a shelf that was read before the damage."""


def _explored(store: ev.SQLAlchemyEntityStorage, _: Any) -> None:
    shown = store.explore()
    for name in ("Shelf", "Book", "Label"):
        if name in [found.name for found in shown.classes]:
            shown.table = name
            for order in ("title", "-pages", "at", "-version", "name"):
                if order.removeprefix("-") in [c.name for c in shown._columns() if c.sorts]:
                    shown.order_by = order
            shown.order_by = ""
            shown.search = "two"
            shown.search = ""
    for ecs_id in (SHELF, SECOND):
        shown.selected = str(ecs_id)
    shown.refresh()
    shown._still()


def _told(*words: str) -> Call:
    """Return a call of the command line; whatever it does not catch comes out."""

    def call(store: ev.SQLAlchemyEntityStorage, _: Any) -> None:
        from click.testing import CliRunner

        from ecsviz.cli import cli

        path = str(store.inside.database.path)
        result = CliRunner().invoke(cli, [words[0], path, *words[1:]])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception

    return call


def _exported(store: ev.SQLAlchemyEntityStorage, _: Any) -> None:
    from ecsviz.export import to_csv, to_excel
    from ecsviz.export.parquet import to_parquet

    folder = store.inside.database.path.parent
    graph = store.graph()
    frames = [store.revisions(), store.references_frame()]
    to_parquet(ev.EntityDependencyGraph(store.get(SHELF)), folder / "parquet")
    to_csv(frames[1], folder / "a.csv")
    to_excel(frames[0], folder / "a.xlsx")
    graph.to_dot(), graph.to_mermaid(), graph.to_cytoscape(), graph.nodes_frame()
    graph.to_graphml(folder / "a.graphml")


READS: dict[str, Call] = {
    "get": lambda s, _: s.get(SHELF),
    "get book": lambda s, _: s.get(SECOND),
    "get hops": lambda s, _: (s.get(SHELF, hops=0), s.get(FIRST, hops=1), s.get(SECOND, hops=2)),
    "get only": lambda s, _: s.get(SHELF, only=[Book]),
    "get as_of 1": lambda s, _: s.get(SHELF, as_of=1),
    "get as_of 4": lambda s, _: s.get(FIRST, as_of=4),
    "get as_of time": lambda s, _: s.get(SHELF, as_of=datetime(2100, 1, 1, tzinfo=UTC)),
    "get_many": lambda s, _: s.get_many([FIRST, LABEL]),
    "list_by_type": lambda s, _: s.list_by_type(Book),
    "list_by_type as_of": lambda s, _: s.list_by_type(ev.Entity, as_of=2),
    "find text": lambda s, _: s.find(Book, title="two\0"),
    "find numbers": lambda s, _: s.find(Book, pages=10**30, sold=False, level=1, price=0.0),
    "find times": lambda s, _: s.find(Book, day=date(2024, 2, 29), order_by="-at"),
    "find values": lambda s, _: s.find(
        Book, colour=Colour.RED, cost=Decimal("1.50"), lasts=timedelta(hours=1), hour=time(12)
    ),
    "find JSON": lambda s, _: s.find(Book, either=1, order_by=["price", "cost"]),
    "find reference": lambda s, _: s.find(Book, shelf=SHELF, order_by=["pages", "title"], limit=1),
    "find as_of": lambda s, _: s.find(Book, title="one", as_of=1, order_by="title"),
    "frame": lambda s, _: [s.frame(cls) for cls in (Shelf, Book, Label)],
    "frame as_of": lambda s, _: [s.frame(cls, as_of=1) for cls in (Shelf, Book, Label)],
    "references_frame": lambda s, _: s.references_frame(),
    "references_frame as_of": lambda s, _: s.references_frame(as_of=1),
    "graph": lambda s, _: s.graph().references_frame(),
    "graph root": lambda s, _: s.graph(SHELF, hops=2).references_frame(),
    "graph as_of": lambda s, _: s.graph(as_of=1).nodes_frame(),
    "history": lambda s, _: [s.history(i) for i in (SHELF, FIRST, SECOND, LABEL)],
    "revisions": lambda s, _: s.revisions(),
    "diff revisions": lambda s, _: s.diff(1, 5),
    "diff present": lambda s, _: s.diff(2, None),
    "diff live": lambda s, shelf: s.diff(shelf),
    "refresh": lambda s, shelf: s.refresh(shelf),
    "verify": lambda s, _: s.verify(),
    "verify live": lambda s, shelf: s.verify(shelf),
    "explain": lambda s, shelf: s.explain(shelf),
    "explain changed": lambda s, shelf: s.explain(changed(shelf)),
    "has_entity": lambda s, _: s.has_entity(FIRST),
    "lineage": lambda s, _: (s.get_lineage_entities(FIRST), s.lineage_graph(FIRST)),
    "to_python": lambda s, _: (s.to_python(), s.to_python(Book)),
    "repr": lambda s, _: (s._repr_html_(), repr(s)),
    "explore": _explored,
    "draw_schema": lambda s, _: s.draw_schema(),
    "migrate dry": lambda s, _: s.migrate(dry_run=True),
    "export": _exported,
    "info": _told("info"),
    "tables": _told("tables"),
    "tables all": _told("tables", "--all"),
    "rows": _told("tables", "books"),
    "catalog rows": _told("tables", "ecs_types"),
    "history of all": _told("history"),
    "history of one": _told("history", str(SECOND)),
    "verify told": _told("verify"),
    "graph told": _told("graph"),
    **{
        f"frame {name}": lambda s, _, name=name: s.frame(name)
        for name in ("books", "books_history", "shelfs", "shelf_best", "ecs_types", "ecs_revisions")
    },
    "model": lambda s, _: _models(s),
}


def _models(store: ev.SQLAlchemyEntityStorage) -> None:
    import sqlalchemy as sa

    model = store.sql_model(Shelf)
    with store.session_factory() as session:
        try:
            row = session.scalars(sa.select(model).where(model.ecs_id == SHELF)).first()
        except (sa.exc.SQLAlchemyError, ValueError, TypeError):
            return  # a statement of the user's own, through SQLAlchemy alone
        if row is not None:
            row.to_entity()


WRITES: dict[str, Call] = {
    "register": lambda s, shelf: s.register(shelf),
    "register changed": lambda s, shelf: s.register(changed(shelf)),
    "register moved": lambda s, shelf: s.register(moved(shelf)),
    "register new": lambda s, _: s.register(Label(text="new")),
    "register again": lambda s, _: s.register(Label(ecs_id=LABEL, lineage_id=LABEL, text="new")),
    "register linked": lambda s, shelf: s.register(Shelf(name="new", best=shelf.best)),
    "delete": lambda s, shelf: s.delete([shelf, *shelf.books, *shelf.labels]),
    "delete label": lambda s, _: s.delete(GREEN),
    "revert": lambda s, _: s.revert(SHELF, to=1),
    "merge": lambda s, shelf: s.merge(changed(shelf)),
    "prune": lambda s, _: s.prune(),
    "prune before": lambda s, _: s.prune(before=4),
    "migrate": lambda s, _: s.migrate(),
}


def changed(shelf: Any) -> Any:
    """Edit a shelf and what it holds."""
    shelf.name = "edited"
    for book in shelf.books:
        book.title, book.pages = "edited", 7
    shelf.twice.append(shelf.books[0])
    shelf.best = {"z": shelf.books[0]}
    shelf.rooms.append(Room(name="new"))
    return shelf


def moved(shelf: Any) -> Any:
    """Put a shelf's books into another order, with a new one among them."""
    shelf.books.reverse()
    shelf.books.insert(0, Book(shelf=shelf, title="new"))
    shelf.labels.clear()
    return shelf


# -- what is answered ------------------------------------------------------------------------


@contextlib.contextmanager
def opened(path: Any) -> Iterator[ev.SQLAlchemyEntityStorage]:
    store = ev.SQLAlchemyEntityStorage(path)
    try:
        yield store
    finally:
        store.engine.dispose()


def told(call: Call, at: Any, shelf: Any) -> errors.EcsvizError | None:
    """Call something of a damaged store, or of where one is; whatever is not ours comes out."""
    try:
        with opened(at) if isinstance(at, Path | sa.URL) else contextlib.nullcontext(at) as store:
            call(store, shelf)
    except errors.EcsvizError as err:
        return err
    return None


def check_told(error: errors.EcsvizError | None, *, named: bool = False) -> None:
    """Check what an error says; what was put where names of tables and types stand may be in it."""
    if error is None:
        return
    assert len(str(error)) < 2_000
    assert named or "quite another thing" not in str(error)
    corrupt = isinstance(error, errors.StorageCorruptError) and "type_name" in error.facts
    if corrupt or isinstance(error, errors.StoredDataInvalidError):
        assert error.table
        assert error.column
        assert error.table in str(error)
        assert error.column in str(error)
        assert "row_id" in error.facts
