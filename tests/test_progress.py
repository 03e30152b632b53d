"""Progress: after a second, by step, and quiet otherwise."""

from __future__ import annotations

import contextlib
import inspect
import sys
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.basics import progress
from ecsviz.basics.progress import step, steps
from tests.processes import in_a_new_process


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands until a test moves it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "is_watched", lambda: True)
    return now


def test_quick_work_is_quiet(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with steps("saving", None):
        for phase in ("a", "b", "c"):
            step(phase)
            clock[0] += 0.3
    assert capsys.readouterr() == ("", "")


def test_slow_work_shows_what_it_does(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with steps("saving", None):
        step("encoding")
        clock[0] = 1.5
        assert capsys.readouterr().err == ""
        step("writing")
        assert "saving: writing, step 2" in capsys.readouterr().err
        step("sealing")
        assert "saving: sealing, step 3" in capsys.readouterr().err
    out, err = capsys.readouterr()
    assert out == ""
    assert err.rpartition("\r")[2].strip() == "", "the bar is taken away"


def test_a_log_gets_no_bars(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert not progress.is_watched()
    monkeypatch.setattr(progress, "DELAY", -1)
    with steps("saving", None):
        step("writing")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert progress.is_watched()


def test_it_can_be_silenced_and_asked_for(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with steps("loading", False):
        clock[0] = 10
        step("a")
    assert capsys.readouterr().err == ""
    with steps("loading", True):
        step("a")
    assert "loading: a, step 1" in capsys.readouterr().err


def test_a_step_outside_of_everything_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    step("before")
    with contextlib.suppress(ZeroDivisionError), steps("saving", True):
        step("inside")
        raise ZeroDivisionError
    step("after")
    shown = capsys.readouterr().err
    assert "saving: inside" in shown
    assert "before" not in shown
    assert "after" not in shown


STORES = [lambda: ev.SQLAlchemyEntityStorage(":memory:"), ev.InMemoryEntityStorage]


@pytest.mark.parametrize("make", STORES, ids=["sql", "memory"])
def test_storages_take_progress(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    store, thread = make(), ev.sample("thread")
    store.register(thread, progress=False)
    assert store.get(thread.ecs_id, progress=False) == thread
    assert store.get_many([thread.ecs_id], progress=False) == [thread]
    assert capsys.readouterr().err == ""
    store.register(thread)
    store.get(thread.ecs_id)
    assert capsys.readouterr().err == ""


def test_what_a_store_shows(capsys: pytest.CaptureFixture[str]) -> None:
    store, thread = ev.SQLAlchemyEntityStorage(":memory:"), ev.sample("thread")
    store.register(thread, progress=True)
    shown = capsys.readouterr().err
    assert "saving: encoding" in shown
    assert "saving: writing references" in shown
    store.get(thread.ecs_id, progress=True)
    shown = capsys.readouterr().err
    assert "loading: reading chat_messages" in shown
    assert "loading: filling chat_threads" in shown


def test_the_number_of_steps_does_not_grow_with_the_entities(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = []
    for size in (10, 1_000):
        made: list[progress.ProgressSteps] = []
        monkeypatch.setattr(progress, "ProgressSteps", _noting(made))
        store = ev.SQLAlchemyEntityStorage(":memory:")
        chain = ev.sample("chain", n=size)
        store.register(chain)
        store.get(chain[0].ecs_id)
        counts.append([each.count for each in made])
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] <= counts[0][1] + 10
    assert all(count > 3 for each in counts for count in each)


def _noting(made: list[progress.ProgressSteps]) -> Any:
    class Noted(STEPS):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    return Noted


STEPS = progress.ProgressSteps


def test_nothing_of_tqdm_is_imported_before() -> None:
    code = (
        "import sys, ecsviz as ev\n"
        "store = ev.SQLAlchemyEntityStorage(':memory:')\n"
        "thread = store.register(ev.sample('thread'))\n"
        "store.get(thread.ecs_id)\n"
        "print('tqdm.auto' in sys.modules)"
    )
    assert in_a_new_process(code) == "False\n"


def test_every_storage_says_the_same() -> None:
    for name in ("register", "get", "get_many"):
        wanted = inspect.signature(getattr(ev.EntityStorage, name)).parameters
        for cls in (ev.SQLAlchemyEntityStorage, ev.InMemoryEntityStorage):
            assert list(inspect.signature(getattr(cls, name)).parameters) == list(wanted)
            assert "progress" in wanted


def test_a_layout_that_takes_long_shows_it(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = ev.EntityDependencyGraph(ev.sample("tree"))
    graph.draw()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "DELAY", -1)
    graph.draw()
    err = capsys.readouterr().err
    assert "drawing: layout" in err
    assert "drawing: lines and marks" in err
    graph.draw(progress=False)
    assert capsys.readouterr().err == ""
