"""to_python(): the text is executed, and what it makes is used."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, configure_mappers, selectinload
from sqlalchemy.schema import CreateIndex, CreateTable

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.relational.models.python_source import python_source
from ecsviz.storage.relational.schema.mapping import Mapping
from tests.conformance import classes as conformance


def execute(text: str) -> types.ModuleType:
    module = types.ModuleType("kept_models")
    sys.modules[module.__name__] = module  # where annotations are looked up
    exec(compile(text, "kept_models.py", "exec"), module.__dict__)
    configure_mappers()
    return module


def statements(tables: Any, dialect: Any) -> dict[str, list[str]]:
    return {
        table.name: [
            str(CreateTable(table).compile(dialect=dialect)),
            *sorted(str(CreateIndex(i).compile(dialect=dialect)) for i in table.indexes),
        ]
        for table in tables
    }


def entity_classes() -> list[Any]:
    found = [v for v in vars(conformance).values() if isinstance(v, type)]
    return [c for c in found if issubclass(c, ev.Entity) and c.__module__ == conformance.__name__]


@pytest.mark.parametrize("schema", [None, "letters"])
@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "pg"])
def test_the_module_makes_the_very_same_tables(schema: str | None, dialect: Any) -> None:
    mapping = Mapping(schema)
    classes = [c for c in entity_classes() if _storable(mapping, c)]
    assert len(classes) >= 15
    module = execute(python_source(mapping, mapping.map_classes(classes)))
    ours = statements(mapping.metadata.tables.values(), dialect)
    assert statements(module.Base.metadata.tables.values(), dialect) == ours


def _storable(mapping: Mapping, cls: Any) -> bool:
    try:
        mapping.map_classes([cls])
    except errors.EcsvizError:
        return False
    return True


def test_the_models_read_and_write_a_store(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = ev.ChatThread(title="Cycles")
    for text in ("hello", "what is a cycle?"):
        thread.say("user", text)
    store.register(thread)
    module = execute(store.to_python())
    with Session(store.engine) as session:
        query = sa.select(module.ChatThreadSQL).options(selectinload(module.ChatThreadSQL.messages))
        row = session.scalars(query).one()
        assert [m.content for m in row.messages] == ["hello", "what is a cycle?"]
        assert row.messages[0].thread is row
        assert row.ecs_id == thread.ecs_id
        row.title = "Rings"
        session.commit()
    assert ev.SQLAlchemyEntityStorage(tmp_path / "a.db").get(thread.ecs_id).title == "Rings"


def test_collections_can_be_looked_at(tmp_path: Path) -> None:
    class Cook(ev.Entity):
        name: str

    class Recipe(ev.Entity):
        team: list[Cook]
        who: Cook | None = None

    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    ann, bob = Cook(name="Ann"), Cook(name="Bob")
    store.register(Recipe(team=[bob, ann], who=ann))
    module = execute(store.to_python(Recipe))
    with Session(store.engine) as session:
        row = session.scalars(sa.select(module.RecipeSQL)).one()
        assert [c.name for c in row.team] == ["Bob", "Ann"]
        assert row.who.name == "Ann"


def test_names_that_python_does_not_take() -> None:
    odd = type(
        "Odd",
        (ev.Entity,),
        {
            "__module__": "odd",
            "__annotations__": {"metadata": str, "registry": int, "größe": float, "class_": str},
        },
    )
    module = execute(ev.SQLAlchemyEntityStorage(":memory:").to_python(odd))
    table = module.OddSQL.__table__
    assert {"metadata", "registry", "größe", "class_"} <= set(table.columns.keys())
    assert module.OddSQL.metadata_.property.columns[0].name == "metadata"


def test_the_module_runs_without_ecsviz(tmp_path: Path) -> None:
    path = tmp_path / "kept.py"
    path.write_text(
        ev.SQLAlchemyEntityStorage(":memory:").to_python(ev.ChatThread), encoding="utf-8"
    )
    check = (
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='kept');"
        " from sqlalchemy.orm import configure_mappers; configure_mappers();"
        " assert not any(m.startswith('ecsviz') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check, str(path)], check=True, cwd=tmp_path)


def test_what_is_no_entity_class_is_refused() -> None:
    with pytest.raises(errors.NotAnEntityError):
        ev.SQLAlchemyEntityStorage(":memory:").to_python(int)  # type: ignore[arg-type]  # a mistake


def test_a_store_with_nothing_in_it_gives_the_base_alone(tmp_path: Path) -> None:
    module = execute(ev.SQLAlchemyEntityStorage(tmp_path / "none.db").to_python())
    assert not module.Base.metadata.tables
    assert not (tmp_path / "none.db").exists()
