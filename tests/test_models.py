"""The declarative models that are made from entity classes."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeMeta, Session, selectinload

import ecsviz as ev
from ecsviz.errors import StorageError
from tests.cells import notebook


class Team(ev.Entity):
    name: str
    members: list[Member] = []
    patrons: list[Member] = ev.reference(inverse=None, default_factory=list)
    by_role: dict[str, Member] = {}


class Member(ev.Entity):
    name: str
    team: Team
    mentor: Member | None = None
    metadata: str = ""
    registry: int = 0


Team.model_rebuild()


@pytest.fixture
def store(tmp_path: Path) -> ev.SQLAlchemyEntityStorage:
    return ev.SQLAlchemyEntityStorage(tmp_path / "teams.db")


def make_team(names: str = "abc") -> Team:
    team = Team(name="red")
    team.members = [Member(name=name, team=team) for name in names]
    team.members[1].mentor = team.members[0]
    team.patrons = [team.members[2], team.members[0], team.members[2]]
    team.by_role = {"cook": team.members[1]}
    return team


def test_a_model_is_a_declarative_class(store: ev.SQLAlchemyEntityStorage) -> None:
    model = store.sql_model(Team)
    assert isinstance(model, DeclarativeMeta)
    assert model.__name__ == "TeamSQL"
    assert model.__table__.name == "teams"
    assert store.sql_model(Team) is model
    assert set(store.models) == {Team, Member}


def test_relationships_on_both_sides(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(make_team())
    team_sql, member_sql = store.sql_model(Team), store.sql_model(Member)
    with store.session_factory() as session:
        query = sa.select(team_sql).options(selectinload(team_sql.members))
        team = session.scalars(query).one()
        assert [m.name for m in team.members] == ["a", "b", "c"]
        assert all(m.team is team for m in team.members)
        assert team.members[1].mentor is team.members[0]
        assert [m.name for m in team.by_role] == ["b"]
        assert {m.name for m in team.patrons} == {"a", "c"}
        joined = sa.select(member_sql.name).join(member_sql.team).where(team_sql.name == "red")
        assert session.scalars(joined.order_by(member_sql.name)).all() == ["a", "b", "c"]


def test_replies_of_a_table_that_refers_to_itself(store: ev.SQLAlchemyEntityStorage) -> None:
    thread = ev.ChatThread(title="x")
    question = thread.say("user", "q")
    thread.say("assistant", "one", question)
    thread.say("assistant", "two", question)
    store.register(thread)
    model = store.sql_model(ev.ChatMessage)
    with store.session_factory() as session:
        row = session.scalars(sa.select(model).where(model.content == "q")).one()
        assert [reply.content for reply in row.replies] == ["one", "two"]
        assert row.replies[0].parent is row
        assert row.parent is None


def test_names_that_a_declarative_class_has_already(store: ev.SQLAlchemyEntityStorage) -> None:
    team = make_team("ab" + "c")
    team.members[0].metadata, team.members[0].registry = "m", 7
    store.register(team)
    model = store.sql_model(Member)
    with store.session_factory() as session:
        row = session.scalars(sa.select(model).where(model.name == "a")).one()
        assert (row.metadata_, row.registry_) == ("m", 7)
    columns = {column.name for column in model.__table__.columns}
    assert {"metadata", "registry"} <= columns


def test_to_entity_gives_the_whole_graph(store: ev.SQLAlchemyEntityStorage) -> None:
    team = store.register(make_team())
    with store.session_factory() as session:
        row = session.scalars(sa.select(store.sql_model(Member)).limit(1)).one()
        entity = row.to_entity()
    assert entity.team == team
    assert entity.team.members[0].team is entity.team
    assert entity.team.patrons[0] is entity.team.patrons[2]
    with pytest.raises(StorageError, match="belongs to no session"):
        row.to_entity()


def test_from_entity_saves_in_the_sessions_transaction(store: ev.SQLAlchemyEntityStorage) -> None:
    team = make_team()
    model = store.sql_model(Team)
    with store.session_factory() as session:
        row = model.from_entity(team, session)
        assert row.name == "red"
        assert len(row.members) == 3
        session.rollback()
    assert not store.has_entity(team.ecs_id)
    assert team.version == 0
    with store.session_factory() as session:
        model.from_entity(team, session)
        session.commit()
    assert team.version == 1
    assert store.get(team.ecs_id).members == team.members
    assert store.explain(team).unchanged == 4


ENDS = (
    *("save commit", "save rollback", "save close", "save reset"),
    "begin_nested begin_nested save release flush release commit",
    "begin_nested begin_nested save release release rollback",
    "begin_nested begin_nested save release back commit",
    "begin_nested begin_nested save back release commit",
    *("begin_nested save commit", "begin_nested save rollback", "begin_nested save leave commit"),
)
"""What is done with a session, in words."""

POINT = {"release": "commit", "back": "rollback", "leave": "close"}
"""What is done with its last savepoint, by word."""


def _do(session: Session, words: str, save: Callable[[], None]) -> None:
    for word in words.split():
        if word == "save":
            save()
        elif word in POINT:
            getattr(session.get_nested_transaction(), POINT[word])()
        else:
            getattr(session, word)()


@pytest.mark.parametrize("end", ENDS)
def test_a_version_is_told_when_it_is_stored_and_no_later(
    store: ev.SQLAlchemyEntityStorage, end: str
) -> None:
    """However a session's transaction ends, and whatever it commits afterwards."""
    team = store.register(make_team())
    model = store.sql_model(Team)

    def save() -> None:
        team.name += "x"
        model.from_entity(team, session)

    with store.session_factory() as session:
        for _ in range(2):
            _do(session, end, save)
            assert team.version == store.get(team.ecs_id).version
            model.from_entity(make_team(), session)
            session.commit()
            assert team.version == store.get(team.ecs_id).version
        save()
        session.commit()
    assert team.version == store.get(team.ecs_id).version
    assert store.explain(team).unchanged == 4, "and is saved as it is"


def test_an_entity_is_saved_several_times_in_a_session(store: ev.SQLAlchemyEntityStorage) -> None:
    """What it was saved as is its version in there, also where a part was taken back."""
    team = store.register(make_team())
    away, model = team.members[2], store.sql_model(Team)
    with store.session_factory() as session:
        team.name = "one"
        model.from_entity(team, session)
        away.team = Team(name="other", members=[away])
        team.members.remove(away)
        model.from_entity(away.team, session)  # which changes the first team too, by its list
        with session.begin_nested() as point:
            team.name = "taken back"
            assert model.from_entity(team, session).ecs_version == 4
            point.rollback()
        team.name = "two"
        assert model.from_entity(team, session).ecs_version == 4
        copy = _copy_in(session, model, team)
        team.name = "three"
        assert model.from_entity(team, session).ecs_version == 5
        assert team.version == 1, "until it is sure"
        copy.name = "somebody else's"
        with pytest.raises(ev.errors.StaleVersionError, match="version 4, but the store holds"):
            model.from_entity(copy, session)
        session.commit()
    assert (team.version, team.name) == (5, store.get(team.ecs_id).name) == (5, "three")
    assert away.version == store.get(away.ecs_id).version == 2
    assert store.explain([team, away]).unchanged == 5
    assert store.verify().empty
    with store.session_factory() as session:  # what was taken back is no version of it
        team.name = "four"
        model.from_entity(team, session)
        session.rollback()
        team.name = "five"
        assert model.from_entity(team, session).ecs_version == 6
        session.commit()
    assert store.get(team.ecs_id).name == "five"


def _copy_in(session: Session, model: Any, entity: Any) -> Any:
    """Return another copy of an entity, as a session's transaction has it."""
    rows = session.scalars(sa.select(model).where(model.ecs_id == entity.ecs_id))
    return rows.one().to_entity()


def test_a_list_without_inverse_cannot_be_changed_unnoticed(
    store: ev.SQLAlchemyEntityStorage,
) -> None:
    store.register(make_team())
    with store.session_factory() as session:
        team = session.scalars(sa.select(store.sql_model(Team))).one()
        with pytest.raises(StorageError, match="can only be looked at"):
            team.patrons.append(team.members[0])
        with pytest.raises(StorageError, match="can only be looked at"):
            team.patrons = []


def test_rows_made_by_hand_become_entities(store: ev.SQLAlchemyEntityStorage) -> None:
    team = store.register(make_team())
    team_sql, member_sql = store.sql_model(Team), store.sql_model(Member)
    new_id = uuid.uuid4()
    with store.session_factory() as session:
        row = session.scalars(sa.select(team_sql)).one()
        row.members.append(
            member_sql(
                ecs_id=new_id,
                ecs_lineage_id=new_id,
                ecs_version=1,
                ecs_revision=1,
                name="d",
                metadata_="",
                registry_=0,
            )
        )
        session.commit()
    again = store.get(team.ecs_id)
    assert [member.name for member in again.members] == ["a", "b", "c", "d"]
    assert again.members[3].ecs_id == new_id
    # The next save gives ids that do not collide with those of rows added by others.
    again.members.append(Member(name="e", team=again))
    store.register(again)
    assert [m.name for m in store.get(team.ecs_id).members] == list("abcde")


def test_columns_give_the_newest_definition_of_a_nested_model() -> None:
    cell = """
from pydantic import BaseModel

class Point(BaseModel):
    x: int = 0

class Named(ev.Entity):
    at: Point
"""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    with notebook() as cells:
        for _ in range(2):
            cells.run(cell)
            store.register(cells.Named(at=cells.Point(x=1)))
            with store.session_factory() as session:
                found = session.scalars(sa.select(store.sql_model(cells.Named).at)).all()
                rows = session.scalars(sa.select(store.sql_model(cells.Named))).all()
            assert {type(value) for value in (*found, *(row.at for row in rows))} == {cells.Point}
        assert store.sql_model(cells.Named) is store.sql_model(cells.Named)


def test_classes_made_before_are_in_nobodys_way(store: ev.SQLAlchemyEntityStorage) -> None:
    def define(name: str) -> Any:
        return type(name, (ev.Entity,), {"__annotations__": {"word": str}, "word": ""})

    thread = ev.sample("thread")
    store.register(thread)
    held = store.sql_model(ev.ChatThread)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # SQLAlchemy warns of columns that several classes write
        made = [store.sql_model(define(name)) for name in ("FirstWord", "SecondWord")]
        assert store.sql_model(ev.ChatThread) is not held
        sa.orm.configure_mappers()
    assert len({model.registry for model in (held, *made)}) == 3
    with store.session_factory() as session:
        for model in (held, store.sql_model(ev.ChatThread)):
            assert len(session.scalars(sa.select(model)).one().messages) == len(thread.messages)
