"""Which classes are entity classes, and which definition of one is meant."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import core_schema

import ecsviz as ev
from ecsviz.basics.once import making
from ecsviz.domain.annotations import complete_fields
from ecsviz.domain.entity_class import (
    classes_named,
    derives_from,
    is_entity_class,
    known_entity_classes,
    newest_definition,
    same_type,
    type_key,
)
from tests.cells import notebook

BASE = "class Base(ev.Entity):\n    name: str = ''\n"
SUB = "class Sub(Base):\n    more: int = 0\n"


class Here(ev.Entity):
    pass


class NoEntity(BaseModel):
    pass


def test_what_an_entity_class_is() -> None:
    assert is_entity_class(ev.Entity)
    assert is_entity_class(Here)
    for other in (NoEntity, BaseModel, int, Here(), None, "Here"):
        assert not is_entity_class(other)


def test_a_class_defined_anew_stands_for_the_same_type() -> None:
    with notebook() as cells:
        cells.run(BASE)
        old = cells.Base
        cells.run(BASE)
        new = cells.Base
        assert old is not new
        assert same_type(old, new)
        assert newest_definition(old) is newest_definition(new) is new
        assert type_key(old) == type_key(new) == (cells.module.__name__, "Base")
        here = [cls for cls in classes_named("Base") if cls.__module__ == cells.module.__name__]
        assert here == [new]
        assert isinstance(old(), new)
        assert isinstance(new(), old)


def test_an_instance_passes_for_every_definition_of_a_base() -> None:
    with notebook() as cells:
        cells.run(BASE)
        old = cells.Base
        cells.run(SUB)
        sub = cells.Sub
        cells.run(BASE)  # the cell of Sub is not run again
        new = cells.Base
        assert not issubclass(sub, new)
        assert derives_from(sub, new)
        assert derives_from(sub, old)
        assert not derives_from(new, sub)
        assert isinstance(sub(), new)
        assert not isinstance(new(), sub)


def test_namesakes_of_different_modules_are_different_types() -> None:
    with notebook() as one, notebook() as two:
        one.run(BASE)
        two.run(BASE)
        assert not same_type(one.Base, two.Base)
        assert not isinstance(one.Base(), two.Base)
        assert {*classes_named("Base")} >= {one.Base, two.Base}


def test_instances_of_other_classes_do_not_pass() -> None:
    assert not isinstance(NoEntity(), Here)
    assert not isinstance(ev.ChatThread(), Here)
    assert not isinstance(Here, Here)
    assert isinstance(Here(), ev.Entity)


def test_known_classes_come_sorted_and_newest_only() -> None:
    with notebook() as cells:
        cells.run(BASE)
        old = cells.Base
        cells.run(BASE)
        known = known_entity_classes()
        assert old not in known
        assert cells.Base in known
        assert [type_key(cls) for cls in known] == sorted(type_key(cls) for cls in known)


def test_a_class_that_nobody_uses_is_forgotten() -> None:
    with notebook() as cells:
        cells.run(BASE + SUB)
        ev.EntityDependencyGraph([cells.Base(), cells.Sub()])  # plans must not keep them either
        copy.deepcopy(cells.Sub()).model_dump_json()
        watch, module = weakref.ref(cells.Sub), cells.module.__name__
        del cells.module.__dict__["Sub"]
    gc.collect()
    assert watch() is None
    # Other tests have a class of this name, too.
    assert [cls for cls in classes_named("Sub") if cls.__module__ == module] == []


@pytest.mark.parametrize("redefined", ["first", "second", "both"])
def test_pydantic_takes_old_and_new_instances_alike(redefined: str) -> None:
    """The classes of the seed in two cells, run again in every combination."""
    thread = "class T(ev.Entity):\n    messages: list['M'] = Field(default_factory=list)\n"
    message = "class M(ev.Entity):\n    thread: T\n"
    with notebook() as cells:
        cells.run(thread)
        cells.run(message)
        old_thread = cells.T()
        old_message = cells.M(thread=old_thread)
        if redefined in ("first", "both"):
            cells.run(thread)
        if redefined in ("second", "both"):
            cells.run(message)
        new_thread = cells.T(messages=[old_message, cells.M(thread=old_thread)])
        new_message = cells.M(thread=new_thread)
        assert new_thread.messages[0] is old_message
        assert new_message.thread is new_thread
        assert cells.M(thread=old_thread).thread is old_thread
        old_thread.messages.append(new_message)
        graph = ev.EntityDependencyGraph(old_message)
        assert len(graph) == 5
        assert {type(node).__name__ for node in graph.nodes} == {"T", "M"}


# -- threads ---------------------------------------------------------------------------------

_completing, _goes_on = threading.Event(), threading.Event()


class _DefinesAnother:
    """Is completed by defining a class, while another thread completes one."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        _completing.set()
        _goes_on.wait(0.2)
        type("Another", (ev.Entity,), {"__module__": __name__})
        return core_schema.any_schema()


class _Slow(ev.Entity):
    held: _Defined | None = None


class _Waits(ev.Entity):
    other: _Late | None = None


_Defined = _DefinesAnother


class _Late(ev.Entity):
    pass


def test_a_class_is_completed_while_another_thread_defines_one() -> None:
    def looks_it_up() -> None:
        _completing.wait(5)
        with making:
            _goes_on.set()
            complete_fields(_Waits)

    threads = [
        threading.Thread(target=work, daemon=True)
        for work in (lambda: _Slow(held=None), looks_it_up)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert _completing.is_set(), "one thread was inside"
    assert [thread.is_alive() for thread in threads] == [False, False], "they wait for each other"
