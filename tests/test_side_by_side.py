"""Objects and rows side by side: what the tables hold of a graph, marked from either side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.widgets import SideBySide
from tests.hostile import HOSTILE, assert_harmless, texts


class Stop(ev.Entity):
    name: str
    seats: dict[str, Stop] = Field(default_factory=dict)
    next: Stop | None = None


def chat() -> ev.ChatThread:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    thread.say("assistant", "A way back.", parent=question)
    return thread


@pytest.fixture(name="store", params=["sqlite", "memory"])
def _store(request: pytest.FixtureRequest) -> Iterator[Any]:
    memory = request.param == "memory"
    with ev.InMemoryEntityStorage() if memory else ev.SQLAlchemyEntityStorage(":memory:") as made:
        yield made


def at(shown: SideBySide, table: str, column: str, row: int = 0) -> dict[str, int]:
    """Return the place of a cell, as a page tells it."""
    names = [each.name for each in shown.tables]
    columns = [each.name for each in shown.tables[names.index(table)].columns]
    return {"table": names.index(table), "row": row, "column": columns.index(column)}


def ask(shown: SideBySide, what: str, **facts: Any) -> None:
    shown._take(shown, {"do": what, **facts}, [])


def test_every_key_leads_to_the_object_that_the_field_holds(store: Any) -> None:
    thread = store.register(chat())
    shown = store.side_by_side(thread)
    assert {node.ecs_id for node in shown.near.graph.nodes} == {
        thread.ecs_id,
        *(message.ecs_id for message in thread.messages),
    }
    frame = shown.frame()
    keys = frame[frame["refers_to"].notna() & frame["value"].notna()]
    assert sorted(zip(keys["ecs_id"], keys["says"], keys["leads_to"], strict=True)) == sorted(
        (str(message.ecs_id), name, str(held.ecs_id))
        for message in thread.messages
        for name, held in (("thread", message.thread), ("parent", message.parent))
        if held is not None
    )
    assert frame.groupby("table")["row"].nunique().to_dict() == {
        "chat_messages": 2,
        "chat_threads": 1,
    }
    titles = frame[frame["column"] == "title"]["value"].tolist()
    assert titles == ["Cycles"]
    assert frame["says"].ne("").all(), "every column says what it holds"
    as_if = isinstance(store, ev.InMemoryEntityStorage)
    assert ("as a database would have them" in repr(shown)) == as_if
    assert thread.version == store.get(thread.ecs_id).version == 1, "nothing is stored by looking"
    shown.close()


def test_whatever_is_chosen_on_one_side_is_marked_on_the_other(store: Any) -> None:
    thread = store.register(chat())
    first, second = thread.messages
    shown = store.side_by_side(str(thread.ecs_id))
    assert shown.selected == shown.graph.selected == str(thread.ecs_id), "what was asked for"
    ask(shown, "pick", **at(shown, "chat_messages", "id", row=1))
    assert shown.graph.selected == str(second.ecs_id)
    ask(shown, "follow", **at(shown, "chat_messages", "parent_id", row=1))
    assert shown.graph.selected == str(first.ecs_id)
    shown.graph.selected = thread
    assert shown.selected == str(thread.ecs_id)
    ask(shown, "follow", **at(shown, "chat_messages", "parent_id", row=0))  # NULL leads nowhere
    for place in ({}, {"table": 9, "row": 0}, {"table": 0, "row": -1}, {"table": 0, "row": "0"}):
        ask(shown, "pick", **place)
        ask(shown, "follow", **place)
    ask(shown, "follow", table=0, row=0, column=99)
    assert shown.selected == str(thread.ecs_id), "what no page of ours says is passed over"
    shown.selected = uuid4()
    assert shown.graph.selected is None
    shown.close()


def test_keys_stand_before_fields_and_ids_on_one_line(store: Any) -> None:
    end = Stop(name="end")
    shown = store.side_by_side(store.register(Stop(name="a", seats={"left": end}, next=end)))
    for _, cells in shown.frame().groupby("table"):
        first = cells[cells["row"] == 0]
        ranks = [
            3 if name.startswith("ecs_") else 0 if name == "id" else 1 if key else 2
            for name, key in zip(first["column"], first["refers_to"].notna(), strict=True)
        ]
        assert 1 in ranks, "a table has keys"
        assert ranks == sorted(ranks), first["column"].tolist()
    page = shown._repr_mimebundle_()[0]["text/html"]
    assert page.index(">id<") < page.index(">next_id → stops.id<") < page.index(">name<")
    cells = re.findall(rf'<td style="([^"]*)"[^>]*>{end.ecs_id}<', page)
    assert cells, "the id is told"
    assert all("white-space:nowrap" in style for style in cells)
    shown.close()


def test_association_tables_say_who_holds_what(store: Any) -> None:
    end = Stop(name="end")
    begin = Stop(name="begin", seats={"left": end}, next=end)
    shown = store.side_by_side(store.register(begin))
    frame = shown.frame()
    rows = frame[frame["table"] == "stop_seats"].set_index("column")
    assert rows.loc["stop_id", ["ecs_id", "leads_to"]].tolist() == [str(begin.ecs_id)] * 2
    held = rows[rows["says"] == "what is held in seats"].dropna(subset=["value"])
    assert held["leads_to"].tolist() == [str(end.ecs_id)]
    assert held["refers_to"].tolist() == ["stops.id"]
    assert "left" in rows["value"].tolist()
    shown.close()


def test_much_is_bounded_and_told() -> None:
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        thread = ev.ChatThread(title="Long")
        for number in range(100):
            thread.say("user", f"n{number}")
        shown = store.side_by_side(store.register(thread))
        assert len(shown.near.graph) == 61
        assert shown._told["graph"] == (
            "showing 60 of 100 entities that it holds and 60 of 100 that hold it"
        )
        last = shown.frame()
        assert last[last["says"] == "thread"]["leads_to"].nunique() == 1
        shown.close()


def test_without_a_kernel_there_are_a_picture_and_the_rows(store: Any) -> None:
    thread = chat()
    thread.title = HOSTILE[0]
    for text in HOSTILE:
        thread.say("user", text)
    shown = store.side_by_side(store.register(thread))
    data, _ = shown._repr_mimebundle_()
    page = data["text/html"]
    assert_harmless(page)
    assert "data:image/png" in page
    for word in ("chat_messages", "thread_id → chat_threads.id", "What is a cycle?"):
        assert word in texts(page)
    assert "showing 25 of 60 rows" in texts(page)
    shown.close()


def test_who_holds_an_entity_stands_beside_it(store: Any) -> None:
    first, last = Stop(name="first"), Stop(name="last")
    first.next = last
    store.register(first)
    last.name = "end"
    store.register(last)
    shown = store.side_by_side(last)
    assert {node.ecs_id for node in shown.near.graph.nodes} == {first.ecs_id, last.ecs_id}
    assert [{*each.ids} for each in shown.tables if each.name == "stops"] == [
        {first.ecs_id, last.ecs_id}
    ]


def test_what_is_not_stored_is_told(store: Any) -> None:
    thread = chat()
    with pytest.raises(errors.EntityNotFoundError):
        store.side_by_side(thread)
    store.register(chat())
    with pytest.raises(errors.EntityNotFoundError):
        store.side_by_side(UUID(int=7))
    with pytest.raises(errors.InvalidIdError):
        store.side_by_side("Cycles")
    with pytest.raises(errors.InvalidIdError):
        store.side_by_side(3)
