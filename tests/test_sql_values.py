"""What `select` gives of every kind of column of a `sql_model`: one Python type a column."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import OPENERS, Open


class Spot(BaseModel):
    x: int
    y: float = 0.5


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Every(ev.Entity):
    plain: dict[str, Any] = {}
    listed: list[int] = []
    pair: tuple[int, str] = (1, "a")
    spot: Spot = Spot(x=1)
    spots: dict[str, Spot] = {}
    anything: Any = None
    either: int | str | None = None
    text: str = "a"
    number: int = 1
    real: float = 1.5
    price: Decimal = Decimal("1.5")
    flag: bool = True
    data: bytes = b"\x00a"
    at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    day: date = date(2024, 1, 1)
    clock: time = time(1, 2)
    span: timedelta = timedelta(minutes=1)
    key: UUID = UUID(int=7)
    mood: Mood = Mood.GOOD


@pytest.fixture(params=["sqlite", "engine", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


JSON_VALUES: list[tuple[str, Any]] = [
    ("plain", {"a": (1, None), "b": {1, 2}, "c": Decimal("1.10"), "d": b"x", "e": [1.0, 2**80]}),
    ("plain", {}),
    ("listed", [3, 1, 2]),
    ("pair", (2, "b")),
    ("spot", Spot(x=7, y=1.0)),
    ("spots", {"here": Spot(x=1), "there": Spot(x=2)}),
    ("anything", "a text"),
    ("anything", '{"no": "json"}'),
    ("anything", {1: frozenset({2})}),
    ("anything", None),
    ("either", "7"),
    ("either", 7),
]


@pytest.mark.parametrize(("name", "value"), JSON_VALUES)
def test_json_columns_hold_the_values_of_their_fields(name: str, value: Any, reopen: Open) -> None:
    store: Any = reopen()
    one, other = store.register([Every(**{name: value}), Every(text="other")])
    model = store.sql_model(Every)
    column = getattr(model, name)
    with store.session_factory() as session:
        got = session.scalars(sa.select(column).where(model.text == "a")).one()
        assert (got, type(got)) == (value, type(value))
        row = session.scalars(sa.select(model).where(model.text == "a")).one()
        assert getattr(row, name) == value
        equal = sa.select(model.ecs_id).where(column == value)
        assert one.ecs_id in session.scalars(equal).all()
        if getattr(other, name) != value and value is not None:
            assert session.scalars(equal).all() == [one.ecs_id]
            unequal = sa.select(model.text).where(sa.or_(column != value, column.is_(None)))
            assert session.scalars(unequal).all() == ["other"]
            among = sa.select(model.ecs_id).where(column.in_([value]))
            assert session.scalars(among).all() == [one.ecs_id]
    # Written in a session, it is what the entity would have.
    with store.session_factory.begin() as session:
        row = session.scalars(sa.select(model).where(model.text == "other")).one()
        setattr(row, name, value)
    with store.session_factory() as session:
        found = session.scalars(sa.select(model.text).where(column == value))
        assert set(found) == {"a", "other"}
    assert getattr(store.get(other.ecs_id), name) == value
    store.adopt_changes()
    assert not len(store.verify())
    assert getattr(reopen().get(other.ecs_id), name) == value


def test_the_type_of_every_other_column(reopen: Open) -> None:
    store: Any = reopen()
    made = Every(
        at=datetime(2024, 1, 1, 3, tzinfo=timezone(timedelta(hours=2))), price=Decimal("1.5")
    )
    store.register(made)
    model = store.sql_model(Every)
    sqlite = store.engine.dialect.name == "sqlite"
    expected = {
        "text": "a",
        "number": 1,
        "real": 1.5,
        "price": 1.5 if sqlite else Decimal("1.5"),
        "flag": True,
        "data": b"\x00a",
        "at": datetime(2024, 1, 1, 1),  # noqa: DTZ001 - UTC, as the column holds it
        "day": date(2024, 1, 1),
        "clock": time(1, 2),
        "span": 60_000_000,  # microseconds
        "key": UUID(int=7),
        "mood": "good",
    }
    with store.session_factory() as session:
        for name, value in expected.items():
            column = getattr(model, name)
            got = session.scalars(sa.select(column)).one()
            assert (name, got, type(got)) == (name, value, type(value))
            assert session.scalars(sa.select(model.text).where(column == value)).all() == ["a"]
    with store.session_factory.begin() as session:
        row = session.scalars(sa.select(model)).one()
        for name, value in expected.items():
            setattr(row, name, value)
    assert not len(store.verify())


def test_parts_of_json_come_as_the_database_gives_them(reopen: Open) -> None:
    store: Any = reopen()
    store.register(Every(spot=Spot(x=7)))
    model = store.sql_model(Every)
    with store.session_factory() as session:
        assert session.scalars(sa.select(model.spot["x"].as_integer())).all() == [7]
        found = session.scalars(sa.select(model.text).where(model.spot["x"].as_integer() == 7))
        assert found.all() == ["a"]


def test_json_that_is_no_value_of_its_field(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(Every())
    model = store.sql_model(Every)
    with store.session_factory() as session:
        row = session.scalars(sa.select(model)).one()
        row.spot = "nowhere"
        with pytest.raises(sa.exc.StatementError) as caught:
            session.flush()
        assert isinstance(caught.value.orig, errors.ValueNotStorableError)
    with store.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE everies SET spot = '[1'")
    with store.session_factory() as session, pytest.raises(errors.StoredDataInvalidError):
        session.scalars(sa.select(model.spot)).one()
