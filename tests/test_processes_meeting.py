"""Two processes that meet a class at the same moment, in one store."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import postgres_url  # noqa: F401 - a fixture

ROUNDS = 3
NAMESPACE = UUID("6f1c43b8-3b5e-4f0e-8a53-0d5c6c1e7a11")

SOURCE = """
from __future__ import annotations
import ecsviz as ev

class Part{n}(ev.Entity):
    name: str = ""
    links: list[Part{n}] = []
    other: Whole{n} | None = None
    {more}

class Whole{n}(ev.Entity):
    name: str = ""
    many: dict[str, Part{n} | Whole{n}] = {{}}
"""
WIDER = 'colour: str = "red"'
MAY_BE_RAISED = (
    errors.StaleVersionError,  # the other was first with the entity that both save
    errors.StorageBusyError,
)


def classes(number: int, more: str = "") -> Any:
    """Return a module with classes that no store has met; the same in every process."""
    module = types.ModuleType(f"met_by_processes_{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE.format(n=number, more=more), module.__dict__)
    return types.SimpleNamespace(
        Part=getattr(module, f"Part{number}"), Whole=getattr(module, f"Whole{number}")
    )


def named(*words: Any) -> UUID:
    return uuid5(NAMESPACE, " ".join(map(str, words)))


def work(who: int, conn: Any, barrier: Any) -> None:
    """Do rounds as they are sent: open a store, wait for the other, and save at the same time."""
    while (task := conn.recv()) is not None:
        number, target, options, more = task
        m = classes(number, more)
        own = m.Part(ecs_id=named(number, who), name=f"own {who}")
        own.links.append(own)
        shared = m.Whole(ecs_id=named(number, "shared"), name=f"by {who}", many={f"{who}": own})
        told = []
        with ev.SQLAlchemyEntityStorage(target, timeout=60, **options) as store:
            barrier.wait(60)
            for given in ([own], [shared]) if who else ([shared], [own]):
                try:
                    store.register(given)
                    told.append((given[0].ecs_id, given[0].version))
                except Exception as err:  # noqa: BLE001 - the parent looks at it
                    told.append((type(err).__name__, str(err)))
        conn.send(told)


@pytest.fixture(scope="module")
def pair() -> Iterator[Any]:
    """Two processes; a call gives both the same task, or each its own."""
    context = multiprocessing.get_context("spawn")
    barrier, pipes, started = context.Barrier(2), [], []
    for who in range(2):
        mine, theirs = context.Pipe()
        process = context.Process(target=work, args=(who, theirs, barrier), daemon=True)
        process.start()
        pipes.append(mine)
        started.append(process)

    def run(*tasks: Any) -> list[Any]:
        for pipe, task in zip(pipes, tasks, strict=True):
            pipe.send(task)
        for pipe in pipes:
            assert pipe.poll(120)
        return [pipe.recv() for pipe in pipes]

    yield run
    for pipe, process in zip(pipes, started, strict=True):
        with contextlib.suppress(OSError):
            pipe.send(None)
        process.join(30)


numbers = iter(range(10_000))


def meet(pair: Any, target: Any, options: dict[str, Any], more: str = "") -> None:
    """Let both save at once, the second perhaps with a wider class; look at what is there then."""
    number = next(numbers)
    told = pair((number, target, options, ""), (number, target, options, more))
    m = classes(number)
    saved: dict[UUID, list[tuple[int, int]]] = {}
    for who, said in enumerate(told):
        for what, version in said:
            if isinstance(what, UUID):
                saved.setdefault(what, []).append((who, version))
            elif more:
                assert what == "SchemaOutdatedError", version
                assert "colour" in version
            else:
                assert what in {err.__name__ for err in MAY_BE_RAISED}, (what, version)
    wider = more and named(number, 1) in saved
    if wider:
        m = classes(number, more)
    assert saved
    with ev.SQLAlchemyEntityStorage(target, **options) as store:
        assert store.verify().empty
        for ecs_id, by in saved.items():
            entity = store.get(ecs_id)
            assert entity.version == max(version for _, version in by) == len(by)
            if isinstance(entity, m.Part):
                ((who, _),) = by
                assert entity.name == f"own {who}"
                assert entity.links == [entity]
                assert entity.links[0] is entity
            else:
                who = max(by, key=lambda said: said[1])[0]
                assert entity.name == f"by {who}"
                assert [part.name for part in entity.many.values()] == [f"own {who}"]
                assert next(iter(entity.many.values())).links
        # Whatever came second and was refused has left nothing.
        assert {e.ecs_id for e in store.list_by_type(ev.Entity)} >= set(saved)
        types_there = store.frame("ecs_types")
        assert sorted(types_there["name"]) == [f"Part{number}", f"Whole{number}"]
        assert list(store.revisions()["revision"]) == list(range(1, len(store.revisions()) + 1))


@pytest.mark.parametrize("more", ["", WIDER], ids=["same", "wider"])
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_in_sqlite(pair: Any, tmp_path: Path, journal: str, more: str) -> None:
    for number in range(ROUNDS):
        meet(pair, str(tmp_path / f"{number}.db"), {"journal": journal}, more)


@pytest.mark.parametrize("more", ["", WIDER], ids=["same", "wider"])
def test_in_postgresql(pair: Any, postgres_url: str, more: str) -> None:  # noqa: F811 - the fixture
    engine = sa.create_engine(postgres_url)
    for number in range(2):
        schema = f"processes_{bool(more):d}_{number}"
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
        meet(pair, postgres_url, {"schema": schema}, more)
    engine.dispose()
