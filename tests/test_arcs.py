"""Arcs: what the tables hold, by the map of a class and by the layout that a store notes."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

import ecsviz as ev
from ecsviz.storage.relational.classless import BareStore
from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in, by_field, stored_arcs
from ecsviz.storage.sql.statements import columns_of
from tests.conformance import class_sets
from tests.conformance.class_sets import Grown, Plan, class_set, plans
from tests.test_model_rows import Person, Shelf, Tag, library, make_models


class Side(ev.Entity):
    """Every kind of field, a self-referential pair among them."""

    whole: Side | None = ev.reference(inverse="parts", default=None)
    parts: list[Side] = ev.reference(inverse="whole", default_factory=list)
    other: Side | ev.ChatThread | None = ev.reference(inverse=None, default=None)
    by_name: dict[str, Side] = Field(default_factory=dict)
    bag: set[Side] = Field(default_factory=set)
    row: tuple[Side, ...] = ()
    deep: dict[str, list[Side]] = Field(default_factory=dict)


def told(arc: Arc) -> tuple[Any, ...]:
    """Return what the map and the layout must agree upon."""
    columns = [arc.owner, arc.held, arc.position, arc.key]
    names = [None if column is None else column.name for column in columns]
    return str(arc), arc.kind, arc.table.name, *names, arc.required


def from_class(store: ev.SQLAlchemyEntityStorage, cls: type) -> list[tuple[Any, ...]]:
    """Return what the entities of a stored class hold, as arcs."""
    with store.inside.reading() as (_, catalog):
        return [told(arc) for arc in catalog.arcs_from(catalog.mapping.map_classes([cls])[0])]


def check_agreement(store: ev.SQLAlchemyEntityStorage) -> None:
    """Maps of the present and of the past, and layouts, tell the same arcs, in the same order."""
    found = []
    for as_of in (None, 1):
        with store.inside.reading(as_of) as (_, catalog):
            maps = catalog.classes_of(catalog.mapping.stored)
            found.append([told(arc) for known in maps for arc in arcs_in(known)])
            by_source = [told(arc) for known in maps for arc in catalog.arcs_from(known)]
            assert Counter(by_source) == Counter(found[-1])
            for kind in Kind:
                some = [told(arc) for known in maps for arc in arcs_in(known, kind)]
                assert some == [arc for arc in found[-1] if arc[1] is kind]
            layouts = stored_arcs(catalog.mapping.stored.values(), store.metadata.schema)
    assert found[0] == found[1] == [told(arc) for arc in layouts]


def read(store: ev.SQLAlchemyEntityStorage, by_layout: bool) -> Counter[tuple[Any, ...]]:
    """Return every stored reference as (holder, field, what it holds), by what the arcs say."""
    result: Counter[tuple[Any, ...]] = Counter()
    with store.inside.reading() as (conn, catalog):
        mapping, ids = catalog.mapping, {}
        for name in mapping.stored:
            c = mapping.probe(name).c
            rows = zip(*columns_of(conn, sa.select(c.id, c.ecs_id)), strict=True)
            ids |= {(name, row_id): ecs_id for row_id, ecs_id in rows}
        arcs = stored_arcs(mapping.stored.values(), mapping.metadata.schema)
        if not by_layout:
            maps = catalog.classes_of(mapping.stored)
            arcs = [arc for known in maps for arc in catalog.arcs_from(known)]
        for arc in arcs:
            query = sa.select(arc.owner, arc.held).where(*arc.there)
            for owner, held in zip(*columns_of(conn, query), strict=True):
                result[ids[arc.source, owner], arc.field, ids[arc.target, held]] += 1
    return result


def live(roots: Any) -> Counter[tuple[Any, ...]]:
    """Return the references of live entities as `read` does."""
    found = ev.EntityDependencyGraph(roots).references
    return Counter((r.source.ecs_id, r.field, r.target.ecs_id) for r in found)


def places(graph: ev.EntityDependencyGraph) -> Counter[tuple[Any, ...]]:
    return Counter((r.source.ecs_id, r.path, r.target.ecs_id) for r in graph.references)


def test_of_chats() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="x")
    thread.say("assistant", "a", thread.say("user", "q"))
    store.register(thread)
    table = "chat_messages"
    listed = Kind.LIST, table, "thread_id", "id", "thread_position", None, False
    assert from_class(store, ev.ChatThread) == [("ChatThread.messages -> ChatMessage", *listed)]
    single = Kind.SINGLE, table, "id"
    replies = Kind.LIST, table, "parent_id", "id", "parent_position", None, False
    assert from_class(store, ev.ChatMessage) == [
        ("ChatMessage.thread -> ChatThread", *single, "thread_id", None, None, True),
        ("ChatMessage.parent -> ChatMessage", *single, "parent_id", None, None, False),
        ("ChatMessage.replies -> ChatMessage", *replies),
    ]
    check_agreement(store)
    assert read(store, True) == read(store, False) == live(thread)


def test_who_names_a_holder_without_a_place_is_in_no_list() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="x")
    lost = thread.say("user", "q")
    thread.say("user", "r")
    store.register(thread)
    with store.engine.begin() as conn:
        conn.execute(sa.text("UPDATE chat_messages SET thread_position = NULL WHERE content = 'q'"))
    expected = live(thread)
    del expected[thread.ecs_id, "messages", lost.ecs_id]
    assert read(store, True) == read(store, False) == expected
    graph = store.graph().references
    assert Counter((r.source.ecs_id, r.field, r.target.ecs_id) for r in graph) == expected


def test_of_every_kind() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    side = Side(other=ev.ChatThread(title="x"))
    part = Side(whole=side, other=side)
    side.parts, side.row, side.bag, side.deep = [part], (side, part, side), {part}, {"a": [part]}
    side.by_name = {"a": part, "b": side}
    store.register(side)
    said = from_class(store, Side)
    links = "side_id", "target_side_id", "position"
    single = Kind.SINGLE, "sides", "id"
    assert said == [
        ("Side.whole -> Side", *single, "whole_id", None, None, False),
        ("Side.other -> Side", *single, "other_side_id", None, None, False),
        ("Side.other -> ChatThread", *single, "other_chat_thread_id", None, None, False),
        ("Side.parts -> Side", Kind.LIST, "sides", "whole_id", "id", "whole_position", None, False),
        ("Side.by_name -> Side", Kind.COLLECTION, "side_by_name", *links, "key", False),
        ("Side.bag -> Side", Kind.SET, "side_bag", *links, None, False),
        ("Side.row -> Side", Kind.COLLECTION, "side_row", *links, None, False),
        ("Side.deep -> Side", Kind.NESTED, "side_deep", *links, None, False),
    ]
    with store.inside.reading() as (_, catalog):
        fields = by_field(catalog.arcs_from(catalog.mapping.map_classes([Side])[0]))
        assert [len(arcs) for arcs in fields] == [1, 2, 1, 1, 1, 1, 1]
    check_agreement(store)
    assert read(store, True) == read(store, False) == live(side)


def test_of_hand_written_models() -> None:
    """What the user's own tables hold, the store does not say; all else it does."""
    store = ev.SQLAlchemyEntityStorage(":memory:", models=make_models(None))
    ann = store.register(library())
    check_agreement(store)
    own = {arc[0]: arc[2] for arc in from_class(store, Person)}
    assert own["Person.books -> Book"] == "books"
    assert own["Person.favourite -> Book"] == "ecs_of_persons"
    assert not any(name.startswith("Person.friend") for name in own)
    assert {"Tag.of -> Person", "Tag.of -> Book"} == {arc[0] for arc in from_class(store, Tag)}
    found, expected = read(store, True), live(ann)
    assert found == read(store, False)
    assert found == Counter({k: n for k, n in expected.items() if k[1] != "friend"})
    with store.inside.reading() as (_, catalog):
        (known,) = catalog.mapping.map_classes([Shelf])
        assert [arc.required for arc in arcs_in(known)] == [True]


@settings(deadline=None, max_examples=max(settings.default.max_examples // 5, 1))
@given(plans(), st.integers(0, 999))
def test_maps_and_layouts_agree(plan: Plan, seed: int) -> None:
    grown = Grown(class_set(plan), random.Random(seed))
    for _ in range(12):
        grown.grow(grown.r.choice(grown.made))
        grown.join(grown.r.choice(grown.made), grown.r.choice(grown.made))
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(grown.made)
    check_agreement(store)
    assert read(store, True) == read(store, False) == live(grown.made)
    bare, known = places(BareStore(store).graph()), places(store.graph())
    nested = [f.name for f in plan.fields if f.kind in {"grid", "spot"}]
    for found in (bare, known):  # without its class, nested values are not read
        for place in [place for place in found if place[1].startswith(tuple(nested))]:
            del found[place]
    assert bare == known


@pytest.fixture(autouse=True, scope="module")
def no_more_classes() -> Any:
    yield
    class_sets.forget()


def test_members_of_several_classes_are_numbered_once_without_their_classes(
    tmp_path: Path,
) -> None:
    """A list whose members stand in two tables, as a command reads it that knows no class."""
    fields = (
        class_sets.Field("items_0", 0, "items", (1,), 0),
        class_sets.Field("back_0", 1, "back", (0,), 0),
    )
    grown = Grown(class_set(Plan((None, None, 1), fields)), random.Random(1), 0)
    root, classes = grown.made[0], grown.set.classes
    for number in (1, 2, 1, 2):
        grown.set.put(root, fields[0], grown.new(classes[number]))
    store = ev.SQLAlchemyEntityStorage(tmp_path / "several.db")
    store.register(root)
    paths = {r.target.ecs_id: r.path for r in BareStore(store).graph(root.ecs_id, 1).references}
    assert [paths[e.ecs_id] for e in root.items_0] == [f"items_0[{n}]" for n in range(4)]
