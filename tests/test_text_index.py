"""Indexes of words in a database: what keeps them in step, and what is told if it does not."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from benchmarks.growth import counted
from ecsviz.errors import (
    InvalidArgumentError,
    StorageCorruptError,
    StorageError,
    StorageReadOnlyError,
    StoredDataInvalidError,
)
from ecsviz.storage.looking import Wanted
from ecsviz.storage.relational.schema import text_tables
from ecsviz.storage.words import folded, sought_words
from tests.conformance.conftest import OPENERS
from tests.databases import execute, fetched, tables_in

INDEX = "ecs_text_notes_text"


class Note(ev.Entity):
    text: str | None = None
    number: int = 0


class Memo(Note):
    pass


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store with an index of the texts of notes."""
    made: Any = OPENERS[request.param](tmp_path, request)()
    made.index_text(Note, "text")
    return made


def run(store: Any, *statements: str) -> None:
    """Run SQL as somebody does who knows nothing of us."""
    schema = store.inside.catalog.metadata.schema
    with store.engine.begin() as conn:
        if schema is not None:
            conn.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
        for statement in statements:
            conn.execute(sa.text(statement))


def ids_of(store: Any, text: str) -> set[Any]:
    return {hit.ecs_id for hit in store.search(text, limit=None)}


def check(store: Any) -> None:
    """Whatever was done: what is stored is found, nothing else, and nobody complains."""
    stored = {note.ecs_id: note.text for note in store.find(Note)}
    for asked in ("save", "pl*", '"save plan"', "1 5", "groSSe", "naive", "missing"):
        sought = sought_words(asked)
        fits = {i for i, text in stored.items() if text is not None and sought.fits(folded(text))}
        assert ids_of(store, asked) == fits, asked
    problems = store.verify()
    assert problems[problems.problem == "text"].empty, problems


WORDS = ["save", "plan", "cycle", "order", "Größe", "1,5", "\0", "\ud800", "🎉", "naïve"]


@pytest.mark.parametrize("seed", range(3))
def test_an_index_keeps_in_step_with_everything(store: Any, seed: int) -> None:
    rng = random.Random(seed)

    def text() -> str | None:
        return None if rng.random() < 0.1 else " ".join(rng.choices(WORDS, k=rng.randrange(5)))

    def plain() -> str:
        return " ".join(rng.choices(WORDS[:4], k=3))

    def some() -> Any:
        notes = store.find(Note)
        return rng.choice(notes) if notes else store.register(Note(text=text()))

    def edit() -> None:
        note = some()
        note.text = text()
        store.register(note)

    def revert() -> None:
        note = store.register(some())
        store.revert(note, to=int(store.history(note).revision.iloc[0]))

    def in_a_session() -> None:
        note = some()
        model = store.sql_model(type(note))
        with store.session_factory.begin() as session:
            row = session.scalars(sa.select(model).where(model.ecs_id == note.ecs_id)).one()
            row.text = plain()

    def by_sql() -> None:
        run(store, f"UPDATE notes SET text = '{plain()}', ecs_exact = NULL WHERE id % 3 = 0")

    def gone_by_sql() -> None:
        run(store, f"DELETE FROM notes WHERE id = {rng.randrange(1, 30)}")

    def adopt() -> None:
        store.adopt_changes()

    steps = {
        "add": lambda: store.register([Note(text=text()) for _ in range(rng.randrange(4))]),
        "subclass": lambda: store.register(Memo(text=text())),
        "edit": edit,
        "delete": lambda: store.delete(some()),
        "revert": revert,
        "session": in_a_session,
        "sql": by_sql,
        "gone": gone_by_sql,
        "adopt": adopt,
        "prune": store.prune,
        "again": lambda: store.index_text(Note, "text"),
    }
    outside = False
    for _ in range(40):
        name = rng.choice(list(steps))
        if outside and name in ("edit", "delete", "revert"):
            store.adopt_changes()
        steps[name]()
        outside = name in ("session", "sql", "gone") or (outside and name != "adopt")
        check(store)


def test_what_is_written_by_others_is_found_at_once_and_indexed_later(store: Any) -> None:
    note = store.register(Note(text="a plan"))
    run(store, "UPDATE notes SET text = 'another thing'")
    assert ids_of(store, "plan") == set()
    assert ids_of(store, "another") == {note.ecs_id}
    run(store, "UPDATE notes SET number = 7")
    pending = sa.select(sa.func.count()).select_from(
        sa.table("ecs_text_changes", schema=store.inside.catalog.metadata.schema)
    )
    with store.engine.connect() as conn:
        assert conn.scalar(pending) == 1, "the number is none of the index's business"
    store.register(Note(text="of others"))
    with store.engine.connect() as conn:
        assert conn.scalar(pending) == 0
    check(store)


def test_a_transaction_that_fails_leaves_the_index_as_it_was(store: Any) -> None:
    store.register(Note(text="a plan"))
    bad = Note(text="a plan that fails")
    object.__setattr__(bad, "number", "none")
    with pytest.raises(ev.errors.EcsvizError):
        store.register([Note(text="another plan"), bad])
    assert len(ids_of(store, "plan")) == 1
    check(store)


def test_pages_find_what_is_not_in_the_index_yet(store: Any) -> None:
    notes = [Note(text="a plan"), Note(text="another plan")]
    store.register(notes)
    run(store, "UPDATE notes SET text = 'nothing' WHERE text = 'a plan'")
    assert store.inside.page("Note", Wanted(search="plan")).ids == [notes[1].ecs_id]
    assert store.inside.page("Note", Wanted(search="noth")).ids == [notes[0].ecs_id]


# -- verified --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"DELETE FROM {INDEX} WHERE words = 'first plan'", "lacks this text"),
        (f"UPDATE {INDEX} SET words = 'other' WHERE words = 'first plan'", "other words"),
        ("nothing", "too much"),
    ],
)
def test_an_index_that_was_tampered_with_is_told(store: Any, statement: str, told: str) -> None:
    notes = [Note(text="first plan"), Note(text="second plan")]
    store.register(notes)
    assert len(store.verify()) == 0
    if statement == "nothing" and store.inside.database.is_sqlite:
        statement = f"INSERT INTO {INDEX} (rowid, words) VALUES (99, 'too much')"
    elif statement == "nothing":
        statement = f"INSERT INTO {INDEX} VALUES (99, 'too much', 'too:1 much:2')"
    run(store, statement)
    problems = store.verify()
    assert set(problems.problem) == {"text"}
    assert set(problems.table) == {INDEX}
    assert problems.detail.str.contains(told).any()
    if told != "too much":
        assert problems.ecs_id.iloc[0] == notes[0].ecs_id
    # Whatever the index says, nothing is found where it is not.
    assert ids_of(store, "other") == ids_of(store, "much") == set()
    store.drop_text_index(Note)
    assert store.index_text(Note, "text") == 2
    assert len(store.verify()) == 0
    assert len(ids_of(store, "plan")) == 2


def test_a_missing_trigger_is_told(store: Any) -> None:
    store.register(Note(text="a plan"))
    name = f"{INDEX}_changed"
    run(store, f"DROP TRIGGER {name}" + ("" if store.inside.database.is_sqlite else " ON notes"))
    problems = store.verify()
    assert problems.problem.tolist() == ["text"]
    assert name in problems.detail[0]


def test_words_that_are_looked_up_elsewhere_are_told(store: Any) -> None:
    store.register([Note(text="a plan"), Note(text="another plan")])
    if store.inside.database.is_sqlite:
        run(store, f"DELETE FROM {INDEX}_data WHERE id > 10")
    else:
        run(store, f"UPDATE {INDEX} SET lexemes = 'other:1' WHERE words = 'a plan'")
    assert store.verify().problem.tolist() == ["text"]


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS"
DAMAGES = {
    "no blocks": f"DELETE FROM {INDEX}_data",
    "blocks of zeros": f"UPDATE {INDEX}_data SET block = zeroblob(20)",
    "no words": f"DELETE FROM {INDEX}_content",
    "words that are a number": f"UPDATE {INDEX}_content SET c0 = 7",
    "words that are bytes": f"UPDATE {INDEX}_content SET c0 = x'ff'",
    "words that are missing": f"UPDATE {INDEX}_content SET c0 = NULL",
    "no sizes": f"DELETE FROM {INDEX}_docsize",
    "other sizes": f"UPDATE {INDEX}_docsize SET sz = x'07'",
    "no version": f"DELETE FROM {INDEX}_config",
    "no table of blocks": f"DROP TABLE {INDEX}_data",
    "no table of words": f"DROP TABLE {INDEX}_content",
    "no table of sizes": f"DROP TABLE {INDEX}_docsize",
    "no table of the version": f"DROP TABLE {INDEX}_config",
    "no table of segments": f"DROP TABLE {INDEX}_idx",
    "no index": f"DROP TABLE {INDEX}",
    "a view for it": f"DROP TABLE {INDEX}; CREATE VIEW {INDEX} AS {ENDLESS} words FROM c",
    "a table for it": f"DROP TABLE {INDEX}; CREATE TABLE {INDEX} (words, rank)",
    "no changes": "DROP TABLE ecs_text_changes",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_told_and_can_be_made_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "notes.db"
    with ev.SQLAlchemyEntityStorage(path) as made:
        made.index_text(Note, "text")
        made.register([Note(text=f"a plan {n}") for n in range(9)])
    execute(path, DAMAGES[damage])
    store = ev.SQLAlchemyEntityStorage(path, deadline=0.5)
    assert "text" in set(store.verify().problem)
    told: list[str] = []
    for call in (
        lambda: store.search("plan", Note),
        lambda: store.inside.page("Note", Wanted(search="plan")),
        lambda: store.register(Note(text="another plan")),
    ):
        try:
            call()
        except StorageError as error:
            told.append(str(error))
    assert all(re.search("ecs_text|drop_text_index|Nothing was saved", text) for text in told), told
    store.drop_text_index(Note)
    count = store.index_text(Note, "text")
    assert len(store.search("plan", Note, limit=None)) == count == len(store.find(Note))
    assert len(store.verify()) == 0


def test_a_view_for_the_changes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with ev.SQLAlchemyEntityStorage(path) as made:
        made.index_text(Note, "text")
    view = f"CREATE VIEW ecs_text_changes AS {ENDLESS} name, x AS row_id FROM c"
    execute(path, "DROP TABLE ecs_text_changes", view)
    with pytest.raises(StorageCorruptError, match="ecs_text_changes"):
        ev.SQLAlchemyEntityStorage(path)


def test_a_text_that_others_have_damaged_does_not_stop_a_save(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    store = ev.SQLAlchemyEntityStorage(path)
    store.index_text(Note, "text")
    store.register([Note(text="a plan"), Note(text="another plan")])
    execute(path, "UPDATE notes SET text = x'ff' WHERE id = 1")
    store.register(Note(text="a third plan"))
    assert {"content", "text"} == set(store.verify().problem)
    with pytest.raises(StoredDataInvalidError, match="text"):
        store.search("plan")
    execute(path, "UPDATE notes SET text = 'a plan' WHERE id = 1")
    assert len(store.search("plan")) == 3
    assert len(store.verify()) == 0


def test_a_setting_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    ev.SQLAlchemyEntityStorage(path).register(Note(text="a plan"))
    for said in (
        "[]",
        '{"Note": 3}',
        '{"Note": {"text": "notes"}}',
        '{"None": {"a": "ecs_text_a"}}',
    ):
        execute(path, f"INSERT OR REPLACE INTO ecs_store VALUES ('texts', '{said}')")
        store = ev.SQLAlchemyEntityStorage(path)
        assert "text" in set(store.verify().problem)
        with pytest.raises(StoredDataInvalidError, match="ecs_store"):
            store.search("plan")
        assert store.find(Note)[0].text == "a plan"


# -- what it is to others --------------------------------------------------------------------


def test_nothing_of_an_index_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    store = ev.SQLAlchemyEntityStorage(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.index_text(Note, "text")
        store.register(Note(text="a plan"))
        again = ev.SQLAlchemyEntityStorage(path)
        again.register(Note(text="another plan"))
    assert len(again.verify()) == 0
    assert not [name for name in again.inside.drawn().tables if name.startswith("ecs_text")]


@pytest.mark.parametrize(
    "edit",
    [
        ("INSERT INTO ecs_text_changes SELECT", "INSERT INTO chat_threads SELECT"),
        ("; END", "; DELETE FROM notes; END"),
        ("AFTER INSERT", "BEFORE INSERT"),
    ],
)
def test_a_trigger_that_is_called_like_ours_is_foreign(
    tmp_path: Path, edit: tuple[str, str]
) -> None:
    path = tmp_path / "notes.db"
    store = ev.SQLAlchemyEntityStorage(path)
    store.index_text(Note, "text")
    store.register(Note(text="a plan"))
    name = f"{INDEX}_added"
    ((text,),) = fetched(path, f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
    assert text_tables.is_own(text)
    other = text.replace(*edit)
    assert not text_tables.is_own(other)
    execute(path, f"DROP TRIGGER {name}", other.replace("; END", "; END;"))
    problems = set(ev.SQLAlchemyEntityStorage(path).verify().problem)
    assert {"foreign", "text"} <= problems


def test_names_of_indexes_do_not_meet(tmp_path: Path) -> None:
    class Odd(ev.Entity):
        a: str = "one"
        a_data: str = "two"
        a_content: str = "three"
        ecs: str = "four"
        x: str = "five"

    store = ev.SQLAlchemyEntityStorage(tmp_path / "odd.db")
    store.index_text(Odd)
    store.register(Odd())
    for word, field in (("one", "a"), ("two", "a_data"), ("three", "a_content"), ("five", "x")):
        assert [hit.field for hit in store.search(word)] == [field]
    assert len(store.verify()) == 0


def test_a_store_without_an_index_has_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(Note(text="a plan"))
    before = tables_in(path)
    store.index_text(Note)
    assert set(before) < set(tables_in(path))
    store.drop_text_index(Note)
    assert set(tables_in(path)) - set(before) == {"ecs_text_changes"}
    assert fetched(path, "SELECT * FROM sqlite_master WHERE type = 'trigger'") == []
    assert fetched(path, "SELECT * FROM ecs_store WHERE key = 'texts'") == []
    assert len(store.verify()) == 0
    with pytest.raises(InvalidArgumentError, match="index_text"):
        store.search("plan")


def test_without_fts5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes.db"
    store = ev.SQLAlchemyEntityStorage(path)
    store.index_text(Note, "text")
    store.register(Note(text="a plan"))
    with monkeypatch.context() as patched:
        for module in ("schema.text_index", "load.text_search", "upkeep.verify_texts"):
            patched.setattr(f"ecsviz.storage.relational.{module}.is_able", lambda _: False)
        store.register(Note(text="another plan"))
        assert len(store.search("plan")) == 2
        assert len(store.verify()) == 0
        with pytest.raises(StorageError, match="FTS5"):
            store.index_text(Memo, "text")
    assert len(store.search("plan")) == 2
    store.register(Note(text="a third plan"))
    assert fetched(path, f"SELECT count(*) FROM {INDEX} WHERE {INDEX} MATCH 'plan'") == [(3,)]


def test_hand_written_models_are_refused(tmp_path: Path) -> None:
    class Base(sa.orm.DeclarativeBase):
        pass

    class NoteSQL(Base):
        __tablename__ = "own_notes"
        id: sa.orm.Mapped[int] = sa.orm.mapped_column(primary_key=True)
        ecs_id: sa.orm.Mapped[Any] = sa.orm.mapped_column(sa.Uuid(), unique=True)

        @classmethod
        def from_entity(cls, entity: Note, session: Any) -> NoteSQL:
            return cls(ecs_id=entity.ecs_id)

        def to_entity(self) -> Note:
            return Note(ecs_id=self.ecs_id)

    store = ev.SQLAlchemyEntityStorage(tmp_path / "own.db", models={Note: NoteSQL})
    for call in (store.index_text, store.drop_text_index, lambda cls: store.search("plan", cls)):
        with pytest.raises(InvalidArgumentError, match="hand-written"):
            call(Note)


def test_a_store_that_only_reads_searches_and_verifies(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with ev.SQLAlchemyEntityStorage(path) as made:
        made.index_text(Note, "text")
        made.register([Note(text="a plan"), Note(text="another plan")])
    execute(path, "UPDATE notes SET text = 'new words' WHERE id = 1")
    store = ev.SQLAlchemyEntityStorage(path, read_only=True)
    assert (len(store.search("new")), len(store.search("plan"))) == (1, 1)
    assert store.verify().problem.tolist() == ["content"]
    for call in (store.index_text, store.drop_text_index):
        with pytest.raises(StorageReadOnlyError):
            call(Note)
    execute(path, f"UPDATE {INDEX}_content SET c0 = 'other'")
    assert set(store.verify().problem) == {"content", "text"}


def test_several_calls_in_one_transaction_keep_the_index(store: Any) -> None:
    note = store.register(Note(text="first plan"))

    def fail() -> None:
        with store.transaction():
            store.register(Note(text="second plan"))
            note.text = "changed"
            store.register(note)
            assert (len(store.search("plan")), len(store.search("changed"))) == (1, 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    check(store)
    assert (len(store.search("plan")), len(store.search("changed"))) == (1, 0)
    with store.transaction():
        more = store.register(Note(text="third plan"))
        store.register(Note(text="fourth plan"))
        store.delete(more)
        assert len(store.search("plan")) == 2
    check(store)


# -- migrated --------------------------------------------------------------------------------


def test_an_index_goes_with_a_field_that_is_renamed_converted_or_dropped(store: Any) -> None:
    class Recipe(ev.Entity):
        title: str
        note: str = "none"
        other: str = "other"

    store.register([Recipe(title="soup plan", note="7"), Recipe(title="cake", note="8")])
    assert store.index_text(Recipe) == 6

    class Recipe(ev.Entity):  # type: ignore[no-redef]  # the cell is edited and run again
        name: str
        note: int
        more: str = "added later"

    migration = store.migrate(
        rename={"Recipe.title": "name"}, drop=["Recipe.other"], convert={"Recipe.note": int}
    )
    assert migration.applied
    assert migration.kept == []
    assert [hit.field for hit in store.search("plan")] == ["name"]
    assert list(store.search("8")) == list(store.search("other")) == []
    assert {hit.field for hit in store.search("*soup added*", Recipe, fields="more")} == set()
    assert len(store.search("added", Recipe, fields="more")) == 2
    assert len(store.verify()) == 0
    store.register(Recipe(name="another plan", note=1))
    assert len(store.search("plan")) == 2
    assert len(store.verify()) == 0


# -- growth ----------------------------------------------------------------------------------


def test_as_many_statements_for_100_as_for_5_000(tmp_path: Path) -> None:
    def life(size: int) -> dict[str, int]:
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{size}.db")
        result = {}
        with counted() as statements:
            for name, call in {
                "read": lambda: store.register([Note(text=f"note {n}") for n in range(size)]),
                "scan": lambda: store.search("note", Note, limit=None),
                "index": lambda: store.index_text(Note, "text"),
                "search": lambda: store.search("note", Note, limit=None),
                "save": lambda: store.register([Note(text=f"more {n}") for n in range(size)]),
                "delete": lambda: store.delete([n.ecs_id for n in store.find(Note)]),
            }.items():
                statements.clear()
                call()
                result[name] = len(statements)
        assert len(store.verify()) == 0
        return result

    assert life(100) == life(5_000)


def test_a_store_without_an_index_asks_nothing_more(tmp_path: Path) -> None:
    stores = [ev.SQLAlchemyEntityStorage(tmp_path / f"{n}.db") for n in (0, 1)]
    counts = []
    stores[1].index_text(Note, "text")
    stores[1].drop_text_index(Note, "text")
    for store in stores:
        store.register(Note(text="first"))
        with counted() as statements:
            store.register(Note(text="second"))
        counts.append(len(statements))
    assert counts[0] == counts[1]
    stores[1].index_text(Note, "text")
    with counted() as statements:
        stores[1].register(Note(text="third"))
    assert len(statements) <= counts[0] + 8


def test_names_of_any_length(store: Any) -> None:
    name = "ANoteOfWhichTheNameGoesOnUntilNoDatabaseTellsItFromOthers"
    space = {"__annotations__": {"text": str}, "__module__": __name__}
    long: Any = type(name, (ev.Entity,), space)
    note = store.register(long(text="a plan"))
    store.index_text(long)
    note.text = "another"
    store.register(note)
    store.delete(store.register(long(text="gone")))
    assert [hit.ecs_id for hit in store.search("another")] == [note.ecs_id]
    assert len(store.search("plan")) == len(store.search("gone")) == 0
    assert store.verify().empty
    store.drop_text_index(long)
    assert store.verify().empty
