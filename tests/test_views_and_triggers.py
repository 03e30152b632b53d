"""Views, triggers and indexes of a user's own outlive every migration, or forbid it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import OPENERS
from tests.test_migrating import _forget, define, rows_of

__all__ = ["_forget"]

Store = ev.SQLAlchemyEntityStorage

Fields = dict[str, Any]
FIELDS: Fields = {"name": str, "slug": str, "size": str, "note": (str, "")}


def team(**changed: Any) -> Any:
    """Define a team: by default as it is stored; None leaves a field out."""
    holder = define("Club", title=str)
    held = {"club": (holder | None, None), "rivals": (list[holder], [])}
    fields = {**FIELDS, **held, **changed}
    return define("Team", **{name: kind for name, kind in fields.items() if kind is not None})


CHANGES: dict[str, tuple[Fields, dict[str, Any]]] = {
    "added": ({"extra": (int, 7)}, {}),
    "optional": ({"slug": (str | None, None)}, {}),
    "converted": ({"size": int}, {"convert": {"Team.size": int}}),
    "a list added": ({"also": (list[ev.ChatThread], [])}, {}),
    "a reference added": ({"also": (ev.ChatThread | None, None)}, {}),
    "renamed": ({"note": None, "remark": (str, "")}, {"rename": {"Team.note": "remark"}}),
    "dropped": ({"note": None}, {"drop": ["Team.note"]}),
}
"""Kind of change → how the class differs, and what `migrate` is told."""

SQLITE: dict[str, str] = {
    "index": "CREATE INDEX mine ON teams (slug)",
    "unique index": "CREATE UNIQUE INDEX mine ON teams (slug, name)",
    "partial index": "CREATE INDEX mine ON teams (slug) WHERE name > 'a'",
    "expression index": "CREATE INDEX mine ON teams (lower(slug) DESC, size)",
    "index of the past": "CREATE INDEX mine ON teams_history (slug)",
    "view": "CREATE VIEW mine AS SELECT name, size FROM teams WHERE slug LIKE '%a%'",
    "everything": "CREATE VIEW mine AS SELECT * FROM teams",
    "oddly quoted view": 'CREATE VIEW [mi ne"s] AS SELECT `name` FROM "teams"',
    "view of the past": "CREATE VIEW mine AS SELECT slug, ecs_until FROM teams_history",
    "view of links": "CREATE VIEW mine AS SELECT count(*) FROM team_rivals",
    "view on a view": "CREATE VIEW inner_one AS SELECT slug FROM teams;"
    "CREATE VIEW mine AS SELECT * FROM inner_one",
    "trigger": "CREATE TRIGGER mine AFTER INSERT ON teams BEGIN"
    " INSERT INTO seen SELECT new.slug; END",
    "trigger of the past": "CREATE TRIGGER mine AFTER INSERT ON teams_history BEGIN"
    " INSERT INTO seen SELECT new.slug; END",
    "trigger on an update": "CREATE TRIGGER mine AFTER UPDATE OF slug, size ON teams"
    " WHEN old.slug <> new.slug BEGIN INSERT INTO seen SELECT new.slug; END",
    "trigger elsewhere": "CREATE TRIGGER mine AFTER INSERT ON seen BEGIN"
    " UPDATE teams SET size = 5 WHERE slug = new.text; END",
    "trigger on a view": "CREATE VIEW inner_one AS SELECT slug, name FROM teams;"
    "CREATE TRIGGER mine INSTEAD OF INSERT ON inner_one BEGIN"
    " INSERT INTO seen SELECT new.slug; END",
    "full text": "CREATE VIRTUAL TABLE mine USING fts5(slug, content='teams', content_rowid='id')",
    "a table that refers": "CREATE TABLE mine (team INTEGER REFERENCES teams (id)"
    " ON DELETE CASCADE);INSERT INTO mine SELECT id FROM teams",
    "a table that refers by uuid": "CREATE TABLE mine (team TEXT REFERENCES teams (ecs_id));"
    "INSERT INTO mine SELECT ecs_id FROM teams",
}
"""What stands beside the tables; none of it speaks of ``note``."""

OF_NOTE: dict[str, str] = {
    "index": "CREATE INDEX mine ON teams (note)",
    "index of several": "CREATE INDEX mine ON teams (slug, note)",
    "expression index": "CREATE INDEX mine ON teams (lower(note))",
    "partial index": "CREATE INDEX mine ON teams (slug) WHERE note > 'a'",
    "quoted index": 'CREATE INDEX mine ON teams (slug, "note")',
    "view": "CREATE VIEW mine AS SELECT note FROM teams",
    # SQLite would read a text in place of the column from now on.
    "quoted view": 'CREATE VIEW mine AS SELECT "note" FROM teams',
    "view of the past": "CREATE VIEW mine AS SELECT note FROM teams_history",
    "view on a view": "CREATE VIEW inner_one AS SELECT * FROM teams;"
    "CREATE VIEW mine AS SELECT note FROM inner_one",
    "trigger": "CREATE TRIGGER mine AFTER INSERT ON teams BEGIN"
    " INSERT INTO seen SELECT new.note; END",
    "trigger on an update": "CREATE TRIGGER mine AFTER UPDATE OF name, note ON teams BEGIN"
    " INSERT INTO seen SELECT new.slug; END",
    "trigger elsewhere": "CREATE TRIGGER mine AFTER INSERT ON seen BEGIN"
    " UPDATE teams SET note = 5 WHERE slug = new.text; END",
    "trigger on a view": "CREATE VIEW inner_one AS SELECT slug, note FROM teams;"
    "CREATE TRIGGER mine INSTEAD OF INSERT ON inner_one BEGIN"
    " INSERT INTO seen SELECT new.note; END",
    "full text": "CREATE VIRTUAL TABLE mine USING fts5(note, content='teams', content_rowid='id')",
    "a table that refers": "CREATE UNIQUE INDEX mine ON teams (note);"
    "CREATE TABLE other (team TEXT REFERENCES teams (note))",
}
"""What speaks of ``note``, and so cannot be there once that is gone."""


def statements(text: str) -> list[str]:
    if "BEGIN" in text:  # a trigger has semicolons of its own; it stands last
        first, found, rest = text.rpartition(";CREATE TRIGGER")
        return [first, f"CREATE TRIGGER{rest}"] if found else [text]
    return text.split(";")


def stored(store: Store) -> Any:
    made = team()
    one = made(name="a", slug="aa", size="1", note="x", rivals=[])
    store.register(one)
    one.name = "b"
    store.register([one, made(name="c", slug="cc", size="2", note="y")])
    return one


def beside(store: Store, text: str) -> None:
    with store.engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE IF NOT EXISTS seen (text TEXT)")
        for statement in statements(text):
            conn.exec_driver_sql(statement, execution_options={"no_parameters": True})


def all_beside(store: Store) -> None:
    """Put everything beside the tables, each under names of its own."""
    for number, text in enumerate(SQLITE.values()):
        beside(store, numbered(text, number))


def numbered(text: str, number: int) -> str:
    return text.replace("mine", f"mine_{number}").replace("inner_one", f"inner_{number}")


def everything(store: Store) -> tuple[Any, ...]:
    """Return all rows, and all that SQLite's schema says."""
    with store.engine.connect() as conn:
        schema = conn.exec_driver_sql(
            "SELECT type, name, sql FROM sqlite_master UNION ALL"
            " SELECT type, name, sql || ' -- temp' FROM sqlite_temp_master ORDER BY 1, 2"
        ).all()
        tables = [row[1] for row in schema if row[0] == "table"]
        rows = {t: conn.exec_driver_sql(f'SELECT * FROM "{t}"').all() for t in tables}
        return [tuple(row) for row in schema], rows


def own(store: Store) -> list[Any]:
    """Return what is there of the user's."""
    marks = ("mine", "inner", "mi ne", "other", "seen")
    return [row for row in everything(store)[0] if row[1].startswith(marks)]


@pytest.fixture
def file(tmp_path: Any) -> Store:
    return Store(tmp_path / "own.db")


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_leaves_every_own_object(what: str, file: Store) -> None:
    one = stored(file)
    all_beside(file)
    before = everything(file)
    mine = own(file)
    changed, options = CHANGES[what]
    team(**changed)
    told = file.migrate(**options, dry_run=True)
    assert everything(file) == before
    done = file.migrate(**options)
    assert own(file) == mine
    assert told.kept == done.kept
    named = {number for number in range(len(SQLITE)) for k in done.kept if f"_{number}" in k.text}
    odd = list(SQLITE).index("oddly quoted view")
    assert named == set(range(len(SQLITE))) - {odd}
    assert any('mi ne"s' in kept.text for kept in done.kept)
    rows = everything(file)[1]
    assert {n: r for n, r in rows.items() if "mine" in n} == {
        n: r for n, r in before[1].items() if "mine" in n
    }
    assert not rows["seen"], "no trigger fires while rows are moved"
    assert set(file.verify()["problem"]) == {"foreign"}
    assert Store(str(file.engine.url.database)).get(one.ecs_id, as_of=1).name == "a"
    _works(file)


def _works(store: Store) -> None:
    """Use them: views are read, triggers fire, foreign keys hold."""
    name_of = {kind: f"mine_{number}" for number, kind in enumerate(SQLITE)}
    view = f"inner_{list(SQLITE).index('trigger on a view')}"
    with store.engine.begin() as conn:
        for kind, name in name_of.items():
            if kind == "oddly quoted view":
                assert conn.exec_driver_sql('SELECT * FROM "mi ne""s"').all() == [("b",), ("c",)]
            elif "view" in kind and kind != "trigger on a view":
                conn.exec_driver_sql(f"SELECT * FROM {name}").all()
        everyone = conn.exec_driver_sql(f"SELECT slug FROM {name_of['everything']}").all()
        assert everyone == [("aa",), ("cc",)]
        fires = {
            "trigger on an update": "UPDATE teams SET slug = 'zz' WHERE id = 1",
            "trigger on a view": f"INSERT INTO {view} VALUES ('zz', 1)",
            "trigger elsewhere": "INSERT INTO seen VALUES ('zz')",
        }
        for kind, statement in fires.items():
            conn.exec_driver_sql("DELETE FROM seen")
            conn.exec_driver_sql(statement)
            assert conn.exec_driver_sql("SELECT * FROM seen").all() == [("zz",)], kind
        assert conn.exec_driver_sql("SELECT size FROM teams WHERE id = 1").scalar() in ("5", 5)
    statement = sa.text(f"INSERT INTO {name_of['a table that refers']} VALUES (99)")
    with store.session_factory() as session, pytest.raises(sa.exc.IntegrityError):
        session.execute(statement)


@pytest.mark.parametrize("what", ["renamed", "dropped"])
def test_what_could_not_work_any_more_is_the_reason_of_a_refusal(what: str, file: Store) -> None:
    stored(file)
    changed, options = CHANGES[what]
    team(**changed)
    plain = own(file)
    for kind, text in OF_NOTE.items():
        beside(file, text)
        before = everything(file)
        told = file.migrate(**options, dry_run=True)
        assert told.refused, kind
        with pytest.raises(errors.MigrationRefusedError, match=r"(mine|other)") as caught:
            file.migrate(**options)
        assert "note" in str(caught.value), kind
        assert "drop it, migrate" in str(caught.value), kind
        assert everything(file) == before
        with file.engine.begin() as conn:
            for kind_of, name, _ in own(file):
                if name not in ("seen", *(row[1] for row in plain)) and "mine_" not in name:
                    conn.exec_driver_sql(f"DROP {kind_of} IF EXISTS {name}")
    assert file.migrate(**options).applied


def test_what_did_not_work_before_is_left_alone(file: Store) -> None:
    stored(file)
    beside(file, "CREATE VIEW mine AS SELECT nought, my_function(name) FROM teams")
    before = own(file)
    changed, options = CHANGES["dropped"]
    team(**changed)
    assert not file.migrate(**options).refused
    assert own(file) == before


def test_a_unique_index_that_the_new_values_break(file: Store) -> None:
    stored(file)
    beside(file, "CREATE UNIQUE INDEX mine ON teams (size)")
    before = everything(file)
    team(size=int)
    with pytest.raises(errors.MigrationRefusedError, match=r"unique index mine on teams.*UNIQUE"):
        file.migrate(convert={"Team.size": lambda _: 1})
    assert everything(file) == before


def test_temporary_objects_are_kept_as_temporary() -> None:
    engine = sa.create_engine(
        "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    )
    store = Store(engine)
    stored(store)
    beside(store, "CREATE TEMP VIEW mine AS SELECT name FROM teams")
    beside(store, "CREATE TEMP TRIGGER other AFTER INSERT ON main.teams BEGIN SELECT new.slug; END")
    before = own(store)
    assert sum("-- temp" in row[2] for row in before) == 2
    changed, options = CHANGES["optional"]
    team(**changed)
    store.migrate(**options)
    assert own(store) == before
    engine.dispose()


def test_triggers_do_not_fire_while_rows_are_moved(file: Store) -> None:
    stored(file)
    beside(
        file,
        "CREATE TRIGGER mine AFTER UPDATE ON teams BEGIN INSERT INTO seen VALUES (new.slug); END",
    )
    team(extra=(int, 7))
    file.migrate()
    assert not everything(file)[1]["seen"]


def test_a_table_of_links_that_goes_takes_no_view_along(file: Store) -> None:
    stored(file)
    beside(file, SQLITE["view of links"])
    team(rivals=None)
    with pytest.raises(errors.MigrationRefusedError, match=r"view mine.*\n.*team_rivals"):
        file.migrate(drop=["Team.rivals"])


# -- PostgreSQL ------------------------------------------------------------------------------

POSTGRES: dict[str, str] = {
    "index": "CREATE INDEX mine ON {s}.teams (size)",
    "unique index": "CREATE UNIQUE INDEX mine ON {s}.teams (slug, size)",
    "partial index": "CREATE INDEX mine ON {s}.teams (slug) WHERE size IS NOT NULL",
    "constraint": "ALTER TABLE {s}.teams ADD CONSTRAINT mine CHECK (size IS NOT NULL)",
    "view": "CREATE VIEW {s}.mine WITH (security_barrier=true) AS SELECT size FROM {s}.teams"
    " WHERE slug LIKE '%a%'; COMMENT ON VIEW {s}.mine IS 'it''s 5 %';"
    " GRANT SELECT ON {s}.mine TO PUBLIC",
    "view on a view": "CREATE VIEW {s}.inner_one AS SELECT * FROM {s}.teams;"
    " CREATE VIEW {s}.mine AS SELECT size FROM {s}.inner_one",
    "materialized view": "CREATE MATERIALIZED VIEW {s}.mine AS SELECT id, size FROM {s}.teams;"
    " CREATE UNIQUE INDEX also_mine ON {s}.mine (id)",
    "trigger": "CREATE FUNCTION {s}.f() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN new; END $$;"
    " CREATE TRIGGER mine BEFORE UPDATE OF size ON {s}.teams FOR EACH ROW EXECUTE FUNCTION {s}.f()",
    "rule": "CREATE VIEW {s}.mine AS SELECT size FROM {s}.teams;"
    " CREATE RULE also_mine AS ON INSERT TO {s}.mine DO INSTEAD NOTHING",
}


def _own_of_postgres(store: Store) -> list[Any]:
    query = """
        SELECT 'index', indexname, indexdef FROM pg_indexes
        WHERE schemaname = :s AND indexname LIKE '%mine%'
        UNION ALL SELECT 'view', c.relname || ' ' || coalesce(c.relacl::text, ''),
            pg_get_viewdef(c.oid) || coalesce(c.reloptions::text, '')
                || coalesce(obj_description(c.oid), '')
        FROM pg_class c WHERE relnamespace = CAST(:s AS regnamespace) AND relkind IN ('v', 'm')
        UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgname LIKE '%mine%'
        UNION ALL SELECT 'rule', rulename, pg_get_ruledef(oid) FROM pg_rewrite
        WHERE rulename LIKE '%mine%'
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conname LIKE 'mine%' ORDER BY 1, 2, 3
    """
    with store.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(sa.text(query), {"s": store.metadata.schema})]


@pytest.mark.parametrize("what", [*CHANGES, "size dropped", "size renamed"])
def test_postgresql_keeps_what_depends_on_a_column(what: str, request: Any, tmp_path: Any) -> None:
    more = {
        "size dropped": ({"size": None}, {"drop": ["Team.size"]}),
        "size renamed": ({"size": None, "span": str}, {"rename": {"Team.size": "span"}}),
    }
    changed, options = {**CHANGES, **more}[what]
    store: Any = OPENERS["postgresql"](tmp_path, request)()
    stored(store)
    kinds = {k: t for k, t in POSTGRES.items() if what != "dropped" or k != "view on a view"}
    with store.engine.begin() as conn:
        for number, text in enumerate(kinds.values()):
            text_here = numbered(text, number).replace("{s}", store.metadata.schema)
            conn.exec_driver_sql(text_here, execution_options={"no_parameters": True})
    before, rows = _own_of_postgres(store), rows_of(store)
    team(**changed)
    told = store.migrate(**options, dry_run=True)
    assert (rows_of(store), _own_of_postgres(store)) == (rows, before)
    if what == "size dropped":
        with pytest.raises(errors.MigrationRefusedError, match=r"size.*drop it") as caught:
            store.migrate(**options)
        for number in range(len(POSTGRES)):
            assert f"_{number}" in str(caught.value)
        assert (rows_of(store), _own_of_postgres(store)) == (rows, before)
        return
    done = store.migrate(**options)
    assert told.kept == done.kept
    assert bool(done.kept) == (what == "converted"), "what was made again is named"
    after = _own_of_postgres(store)
    if what in ("converted", "renamed", "size renamed"):
        # PostgreSQL renames in them what is renamed; casts to the old type are gone.
        before, after = [row[:2] for row in before], [row[:2] for row in after]
    assert after == before
    assert not len(store.verify())
