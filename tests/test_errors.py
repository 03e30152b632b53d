"""What is raised on purpose, and the texts in it."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import pickle
import re
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.errors import EcsvizError, StorageError, closest, did_you_mean, short_repr

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, EcsvizError) and cls.__module__ == errors.__name__
]


def test_every_error_is_public() -> None:
    assert {cls.__name__ for cls in CLASSES} <= set(errors.__all__)
    assert len(CLASSES) >= 34


def test_the_hierarchy_is_drawn_at_the_top() -> None:
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", errors.__doc__))
    assert {cls.__name__ for cls in CLASSES} <= drawn


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_built_in_that_is_drawn_is_inherited(cls: type[EcsvizError]) -> None:
    assert errors.__doc__ is not None
    drawn = re.search(rf"\b{cls.__name__} \((\w+)\)", errors.__doc__)
    if drawn is not None:
        builtin = getattr(__import__("builtins"), drawn.group(1))
        assert issubclass(cls, builtin)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_facts_survive_copy_and_pickle(cls: type[EcsvizError]) -> None:
    error = cls("it failed", path="a.db", ecs_id=7)
    for again in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is cls
        assert str(again) == again.message == "it failed"
        assert (again.path, again.ecs_id) == ("a.db", 7)
        assert again.facts == {"path": "a.db", "ecs_id": 7}


def test_storage_errors_have_a_base_of_their_own() -> None:
    assert issubclass(errors.StaleVersionError, StorageError)
    assert not issubclass(errors.InvalidIdError, StorageError)


def test_a_fact_that_was_not_given_is_an_attribute_error() -> None:
    error = errors.InvalidIdError("bad id")
    with pytest.raises(AttributeError, match="InvalidIdError has no fact 'ecs_id'"):
        _ = error.ecs_id


def test_the_message_of_a_key_error_is_no_repr() -> None:
    assert str(errors.EntityNotFoundError("not here")) == "not here"


class Counting:
    shown = 0

    def __repr__(self) -> str:
        Counting.shown += 1
        return "<x>"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class TestShortRepr:
    def test_what_fits_is_whole(self) -> None:
        assert short_repr("a" * 78) == repr("a" * 78)
        assert short_repr([1, 2]) == "[1, 2]"

    @pytest.mark.parametrize("value", ["x" * 10_000, b"x" * 10_000, [1] * 10_000, (1,) * 10_000])
    def test_what_does_not_is_cut_to_the_limit(self, value: object) -> None:
        text = short_repr(value, 40)
        assert len(text) == 40
        assert text.endswith("…")
        assert repr(value).startswith(text[:-1])

    def test_one_character_too_many(self) -> None:
        assert short_repr("a" * 79) == "'" + "a" * 78 + "…"

    def test_a_long_list_is_not_shown_whole_first(self) -> None:
        Counting.shown = 0
        short_repr([Counting()] * 100_000)
        assert Counting.shown <= 80

    def test_a_broken_repr_does_not_hide_the_error(self) -> None:
        assert short_repr(Broken()) == "<Broken>"
        assert short_repr([Broken()] * 100) == "<list>"

    def test_one_line(self) -> None:
        class Table:
            def __repr__(self) -> str:
                return "   a  b\n0  1  2\n"

        assert short_repr(Table()) == "a b 0 1 2"


class TestSuggestions:
    def test_closest_first_and_at_most_five(self) -> None:
        known = [f"ChatMessage{letter}" for letter in "abcdefgh"] + ["ChatMessages", "User"]
        found = closest("ChatMessage", known)
        assert len(found) == 5
        assert found[0] in known
        assert "User" not in found
        assert closest("chatmessages", known)[0] == "ChatMessages"

    def test_nothing_near(self) -> None:
        assert closest("x", ["ChatThread"]) == []
        assert closest("x", []) == []

    def test_what_exists_instead(self) -> None:
        assert did_you_mean("Thread", ["Threads"]) == " Did you mean 'Threads'?"
        assert did_you_mean("zzz", ["a", "b"]) == " There are: 'a', 'b'."
        assert did_you_mean("zzz", map(str, range(7))).endswith("'4' and 2 more.")
        assert did_you_mean("zzz", []) == ""


@functools.cache
def facts_told() -> dict[str, set[str]]:
    """Return, by the name of an error's class, the facts with which the package raises it."""
    told: dict[str, set[str]] = {}
    for path in Path(ev.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                told.setdefault(name, set()).update(k.arg for k in node.keywords if k.arg)
    return told


TYPED = {
    *("StaleVersionError", "MergeConflictError", "StoredDataInvalidError", "NotLoadedError"),
    *("MigrationRefusedError", "SchemaTooNewError", "StorageBusyError", "StorageMovedError"),
    *("StorageUrlError", "StorageAuthError", "ImportLimitError", "ImportTimeoutError"),
    *("LineageError", "InverseMismatchError", "DuplicateTypeError", "UnknownOptionError"),
}
"""The errors all of whose facts are attributes with types; of others, those that matter."""


@pytest.mark.parametrize("name", sorted(TYPED))
def test_facts_are_typed_and_documented(name: str) -> None:
    cls = getattr(errors, name)
    annotated = {each for base in cls.__mro__ for each in inspect.get_annotations(base)}
    assert facts_told()[name] <= annotated - {"message", "facts"}
    assert all(hasattr(cls("it failed"), each) for each in annotated - {"message", "facts"})
    source = inspect.getsource(cls)
    for each in inspect.get_annotations(cls):
        assert re.search(rf'\n    {each}: [^\n]+\n(    \w+: [^\n]+\n)*    """[A-Z]', source), each
