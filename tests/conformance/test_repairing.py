"""Checksums held against what is read, and what is sound saved elsewhere, on every storage."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import Open


def edited(store: Any, table: str, **values: Any) -> bool:
    """Change rows past ecsviz; False where there are none."""
    if not isinstance(store, ev.SQLAlchemyEntityStorage):
        return False
    columns = [sa.column(name) for name in values]
    there = sa.table(table, *columns, schema=store.metadata.schema)
    with store.session_factory.begin() as session:
        session.execute(sa.update(there).values(values))
    return True


def test_what_is_read_is_held_against_its_checksums(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    for options in ({}, {"hops": 1}, {"lazy": True}, {"as_of": 1}, {"only": [c.Thread]}):
        found: Any = reopen().get(thread.ecs_id, check=True, **options)
        assert found.title == thread.title
        assert found.messages == thread.messages
    store = reopen()
    store.delete(store.register(c.thread()).messages[-1:])
    assert find_difference(thread, store.get(thread.ecs_id, check=True)) is None
    with store.transaction():
        thread.title = "later"
        thread.messages.reverse()
        store.register(thread)
        assert store.get_many([thread.ecs_id], check=True)[0].title == "later"
    if not edited(store, "messages", text="another"):
        return
    assert store.get(thread.ecs_id).messages[0].text == "another"
    assert store.get(thread.ecs_id, hops=0, check=True).title == "later", "no message was read"
    with pytest.raises(errors.CorruptEntityError, match=r"verify\(\).*repair") as caught:
        store.get(thread.ecs_id, check=True)
    assert (caught.value.type_name, caught.value.table) == ("Message", "messages")
    assert caught.value.ecs_id in {message.ecs_id for message in thread.messages}
    lazy = store.get(thread.ecs_id, lazy=True, check=True)
    with pytest.raises(errors.CorruptEntityError, match="could not be loaded"):
        _ = lazy.messages[0].text
    assert store.get(thread.ecs_id, lazy=True).messages[0].text == "another"


def test_all_that_is_sound_is_saved_elsewhere(reopen: Open) -> None:
    store, thread = reopen(), c.thread()
    other = store.register(c.thread())
    store.register(thread)
    thread.title = "later"
    store.register(thread)
    store.delete([other, *other.messages])
    with ev.InMemoryEntityStorage() as new:
        assert store.repair(to=new).empty
        assert len(new) == len(store)
        assert find_difference(thread, new.get(thread.ecs_id)) is None
        with pytest.raises(errors.InvalidArgumentError, match="holds nothing yet"):
            store.repair(to=new)
    with pytest.raises(errors.InvalidArgumentError, match=r"to is .new\.db.\. Give"):
        store.repair(to="new.db")  # type: ignore[arg-type]
    if not edited(store, "messages", text="another"):
        return
    for doubtful in (False, True):
        with ev.InMemoryEntityStorage() as new:
            told = store.repair(to=new, doubtful=doubtful)
            assert set(told["what"]) == {"doubtful" if doubtful else "gone"}
            assert set(told["ecs_id"]) == {message.ecs_id for message in thread.messages}
            texts = [message.text for message in new.get(thread.ecs_id).messages]
            assert texts == ["another"] * len(thread.messages) * doubtful
    edited(store, "threads", title="another")
    with ev.InMemoryEntityStorage() as new:
        told = store.repair(to=new)
        assert told["what"].tolist() == ["gone"] * len(thread.messages) + ["past"]
        assert new.get(thread.ecs_id).title != "another", "as it was at first"
        assert told["version"].tolist()[-1] == 1
