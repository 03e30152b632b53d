"""The Protocol, and the checks that every storage shares."""

from __future__ import annotations

import ast
import uuid
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.protocol import as_id, check_type, ids_of, not_found


def test_the_storage_is_one() -> None:
    assert isinstance(ev.SQLAlchemyEntityStorage(":memory:"), ev.EntityStorage)
    assert not isinstance(object(), ev.EntityStorage)


def test_ids_from_ids_texts_and_entities() -> None:
    thread = ev.ChatThread()
    assert as_id(thread.ecs_id) == as_id(str(thread.ecs_id)) == as_id(thread) == thread.ecs_id
    assert ids_of([thread, thread.ecs_id]) == [thread.ecs_id]
    assert ids_of(thread) == ids_of(str(thread.ecs_id)) == [thread.ecs_id]


@pytest.mark.parametrize("value", ["", "x", 3, None, b"\0" * 16, "0" * 31])
def test_malformed_ids(value: object) -> None:
    with pytest.raises(errors.InvalidIdError, match="is not a UUID"):
        as_id(value)


def test_check_type() -> None:
    thread = ev.ChatThread()
    assert check_type(thread, ev.ChatThread) is thread
    assert check_type(thread, None) is thread
    with pytest.raises(errors.UnknownTypeError, match="is a ChatThread, not a ChatMessage"):
        check_type(thread, ev.ChatMessage)


def test_not_found_suggests_the_closest() -> None:
    known = uuid.UUID(int=0xABCDEF << 100)
    asked = uuid.UUID(int=(0xABCDEF << 100) + 1)
    error = not_found(asked, [known, uuid.uuid4()], "here")
    assert str(known) in str(error)
    assert error.closest == [str(known)]
    assert "Did you mean" not in str(not_found(asked, [], "here"))


def test_the_suite_asks_of_no_storage_that_it_is_the_one_in_memory() -> None:
    """What only a store with tables has is asked of those: a further storage is none of ours."""
    folder = Path(__file__).parent / "conformance"
    asked = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "isinstance"
        and "InMemoryEntityStorage" in ast.unparse(node.args[1])
    ]
    assert asked == [], "ask for SQLAlchemyEntityStorage, or with hasattr"
