"""Threads: one store object for all of them, and classes that several meet first."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain import fields
from ecsviz.isomorphic import find_difference
from ecsviz.storage.relational.schema import mapping
from ecsviz.values import field_codecs as storable
from tests.conftest import in_ci

THREADS = 8
STORES = 30 if in_ci() else 12

SOURCE = """
from __future__ import annotations
import ecsviz as ev

class Part(ev.Entity):
    name: str = ""
    links: list[Part] = []
    other: Whole | None = None

class Special(Part):
    weight: float = 0.0
    beside: Part | None = ev.reference(inverse=None, default=None)

class Whole(ev.Entity):
    name: str = ""
    many: dict[str, Part | Whole] = {}
    grid: list[list[Part | None]] = []

class Box(ev.Entity):
    part: Part | None = None
    wholes: set[Whole] = set()
    notes: list[Note] = []

class Note(ev.Entity):
    box: Box
    text: str = ""
"""


@pytest.fixture(autouse=True)
def _short_turns() -> Iterator[None]:
    """Let threads take turns so often that each meets the others in the middle of everything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def new_classes(number: int) -> Any:
    """Return a module with classes that nobody has met before."""
    module = types.ModuleType(f"met_by_threads_{number}")
    sys.modules[module.__name__] = module  # where annotations are looked up
    exec(SOURCE, module.__dict__)
    return module


def graph_of(m: Any, kind: int) -> list[Any]:
    """Return a graph; each kind meets the classes in another order, and other targets of fields."""
    part, whole, special = m.Part(name="p"), m.Whole(), m.Special(weight=0.5)
    part.links.append(part)
    whole.many = {"x": part, "y": whole}
    if kind == 0:
        part.other = whole
        return [part, whole]
    if kind == 1:
        return [m.Box(part=special, wholes={whole})]
    if kind == 2:
        whole.many["z"], whole.grid = special, [[special, None], [part]]
        return [whole]
    box = m.Box()
    box.notes = [m.Note(box=box, text=str(n)) for n in range(3)]
    special.beside = special
    return [box, special]


def all_at_once(*work: Callable[[], None]) -> None:
    """Run functions in threads of their own that begin together; raise what one raised."""
    start, raised = threading.Barrier(len(work)), []

    def run(one: Callable[[], None]) -> None:
        start.wait()
        try:
            one()
        except BaseException as err:  # noqa: BLE001 - to be raised where pytest sees it
            raised.append(err)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for err in raised:
        raise err


Reopen = Callable[[], Any]


def meet(module: Any, reopen: Reopen) -> None:
    """Let threads register graphs of new classes in one store object; then look at it anew."""
    store = reopen()
    graphs = [graph_of(module, n % 4) for n in range(THREADS)]
    all_at_once(*(lambda g=g: store.register(g) for g in graphs))
    again = reopen()
    for graph in graphs:
        told = find_difference(graph, again.get_many([entity.ecs_id for entity in graph]))
        assert told is None, told
    assert again.verify().empty
    assert len(again.revisions()) == THREADS
    for kind in range(4):  # and it can go on
        more = graph_of(module, kind)
        again.register(more)
        assert find_difference(more, store.get_many([entity.ecs_id for entity in more])) is None


@pytest.fixture
def module() -> Iterator[Callable[[], Any]]:
    """Makes modules of new classes."""
    names: list[str] = []

    def make() -> Any:
        made = new_classes(len(names))
        names.append(made.__name__)
        return made

    yield make
    for name in set(names):
        del sys.modules[name]


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.sweep
def test_new_classes_in_sqlite(tmp_path: Path, module: Callable[[], Any], journal: Any) -> None:
    for number in range(STORES if journal == "delete" else 3):
        path = tmp_path / f"{number}.db"
        meet(module(), lambda p=path: ev.SQLAlchemyEntityStorage(p, journal=journal, timeout=60))


def test_new_classes_in_memory(module: Callable[[], Any]) -> None:
    for number in range(STORES // 4):
        store = ev.InMemoryEntityStorage() if number % 2 else ev.SQLAlchemyEntityStorage(":memory:")
        meet(module(), lambda s=store: s)


def test_new_classes_in_postgresql(
    postgres_url: str,
    module: Callable[[], Any],
) -> None:
    engine = sa.create_engine(postgres_url, pool_size=THREADS + 2)
    for number in range(3):
        schema = f"threads{number}"
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
        meet(module(), lambda s=schema: ev.SQLAlchemyEntityStorage(engine, schema=s))
    engine.dispose()


ONCE: list[tuple[Any, str, Callable[[Any], Any]]] = [
    (fields, "_make_plan", lambda cls: ev.EntityDependencyGraph(cls())),
    (storable, "_make_codec", lambda cls: ev.InMemoryEntityStorage().register(cls())),
]
"""Where something is made once for a class, and what needs it."""


def while_made(
    monkeypatch: pytest.MonkeyPatch, of: Any, name: str, cls: type, use: Callable[[], Any]
) -> list[Any]:
    """Let a second thread come while something is made for a class; return what was made."""
    make, made, second = getattr(of, name), [], []

    def meanwhile(*given: Any) -> Any:
        if cls not in given:
            return make(*given)
        made.append(given)
        if not second:
            second.append(threading.Thread(target=use))
            second[0].start()
            second[0].join(0.2)  # it waits, or it has made its own by now
        return make(*given)

    monkeypatch.setattr(of, name, meanwhile)
    use()
    second[0].join()
    return made


@pytest.mark.parametrize(("of", "name", "use"), ONCE)
def test_what_is_made_once_for_a_class(
    of: Any, name: str, use: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fresh(ev.Entity):
        name: str = ""

    assert len(while_made(monkeypatch, of, name, Fresh, lambda: use(Fresh))) == 1


def test_a_table_is_made_once_for_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fresh(ev.Entity):
        name: str = ""

    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        store.register(ev.ChatThread())
        explain = functools.partial(store.explain, Fresh(name="a"))
        assert len(while_made(monkeypatch, mapping.Mapping, "_make", Fresh, explain)) == 1


# -- every method ------------------------------------------------------------------------------


def calls(m: Any, store: Any, known: list[Any]) -> list[Callable[[random.Random], Any]]:
    """Return what a thread may do with a store that others use too."""

    def some(r: random.Random) -> Any:
        return r.choice(list(known))

    def add(r: random.Random) -> None:
        graph = graph_of(m, r.randrange(4))
        store.register(graph, note="added")
        known.extend(graph)

    def edit(r: random.Random) -> None:
        entity = store.get(some(r).ecs_id)
        for name in ("name", "text"):
            if hasattr(entity, name):
                setattr(entity, name, f"{r.random()}")
        store.register(entity)

    def drop(r: random.Random) -> None:
        store.delete(some(r))

    classes = [m.Part, m.Special, m.Whole, m.Box, m.Note]
    both: list[Callable[[random.Random], Any]] = [
        add,
        edit,
        drop,
        lambda r: store.get(some(r).ecs_id),
        lambda r: store.get(some(r).ecs_id, hops=r.randrange(3)),
        lambda r: store.get_many([some(r).ecs_id for _ in range(3)]),
        lambda r: store.get(some(r).ecs_id, as_of=1),
        lambda r: store.find(m.Part, name="p", order_by="-name", limit=3),
        lambda r: store.list_by_type(r.choice(classes)),
        lambda r: store.has_entity(some(r).ecs_id),
        lambda r: store.get_lineage_entities(some(r).lineage_id),
        lambda r: store.history(some(r)),
        lambda r: store.revisions(),
        lambda r: store.diff(1, 2),
        lambda r: store.refresh(store.get(some(r).ecs_id)),
        lambda r: store.merge(store.get(some(r).ecs_id)),
        lambda r: store.revert(some(r), to=1),
        lambda r: store.lineage_graph(some(r)),
        lambda r: store.verify(),
        lambda r: store._repr_html_(),
        lambda r: repr(store.explore()),
        lambda r: ev.EntityDependencyGraph(graph_of(m, 1)).find_entity_by_id(some(r).ecs_id),
        lambda r: store.draw_schema(),
    ]
    if isinstance(store, ev.InMemoryEntityStorage):
        return both
    return [
        *both,
        lambda r: store.explain(graph_of(m, r.randrange(4))),
        lambda r: store.frame(r.choice(classes)),
        lambda r: store.frame("ecs_types"),
        lambda r: store.references_frame(),
        lambda r: store.graph(),
        lambda r: store.graph(some(r), hops=2),
        lambda r: store.sql_model(r.choice(classes)).__table__.c.id,
        lambda r: list(store.models),
        lambda r: store.to_python(),
        lambda r: list(store.metadata.tables),
        lambda r: store.migrate(dry_run=True),
        lambda r: store.prune(before=1),
    ]


MAY_BE_RAISED = (
    errors.EntityNotFoundError,  # another thread has deleted it, or it was not there then
    errors.StaleVersionError,  # another thread was faster
    errors.BrokenReferenceError,  # something refers to what is to be deleted
    errors.InvalidArgumentError,  # there is no second revision yet
    errors.InverseMismatchError,  # a note is in the list of no box
)


@pytest.mark.parametrize("kind", ["memory", ":memory:", "sqlite", "postgresql"])
def test_every_method_from_any_thread(
    kind: str, tmp_path: Path, module: Callable[[], Any], request: pytest.FixtureRequest
) -> None:
    m = module()
    if kind == "memory":
        store: Any = ev.InMemoryEntityStorage()
    elif kind == "postgresql":
        engine = sa.create_engine(request.getfixturevalue("postgres_url"), pool_size=2 * THREADS)
        request.addfinalizer(engine.dispose)
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema("any_thread"))
        store = ev.SQLAlchemyEntityStorage(engine, schema="any_thread", timeout=60)
    else:
        target = kind if kind == ":memory:" else tmp_path / "a.db"
        store = ev.SQLAlchemyEntityStorage(target, timeout=60)
    known = graph_of(m, 0)
    store.register(known)

    def work(seed: int) -> None:
        r = random.Random(seed)
        choice = calls(m, store, known)
        for _ in range(60 if in_ci() else 15):
            with contextlib.suppress(MAY_BE_RAISED):
                r.choice(choice)(r)

    all_at_once(*(lambda s=s: work(s) for s in range(THREADS)))
    assert store.verify().empty
    stored = [entity.ecs_id for entity in known if store.has_entity(entity.ecs_id)]
    assert len(store.get_many(stored)) == len(stored)
    if kind == "sqlite":
        again = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
        assert find_difference(store.get_many(stored), again.get_many(stored)) is None
