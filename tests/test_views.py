"""Views: methods that functions of higher folders answer; none is left without an answer."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.basics.views import View

PACKAGE = Path(ev.__file__).parent


def views() -> Iterator[tuple[str, View]]:
    """Yield every view of the package, by class and method."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "@view" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            module = importlib.import_module(".".join([PACKAGE.name, *parts]))
            for cls in vars(module).values():
                if isinstance(cls, type) and cls.__module__ in {module.__name__, "ecsviz.chat"}:
                    for name, member in vars(cls).items():
                        if isinstance(member, View):
                            yield f"{cls.__name__}.{name}", member


VIEWS = dict(views())


def test_all_of_them_are_tried() -> None:
    marked = sum(
        path.read_text(encoding="utf-8").count("    @view\n") for path in PACKAGE.rglob("*.py")
    )
    # What the documentation of `view` shows of it is none.
    assert len(VIEWS) == marked >= 19


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_an_answer_that_takes_what_it_names(name: str) -> None:
    shown = inspect.signature(VIEWS[name]).parameters
    stub = inspect.signature(VIEWS[name].__wrapped__)  # type: ignore[attr-defined]  # as of functools
    named = [p for p in stub.parameters.values() if p.kind is not p.VAR_KEYWORD]
    assert [p.name for p in named] == list(shown)[: len(named)]
    assert [p.default for p in named[1:]] == [shown[p.name].default for p in named[1:]]
    open_ended = [p.name for p in shown.values() if p.kind is p.VAR_KEYWORD]
    assert open_ended == (["options"] if name == "ToHtml.to_html" else [])


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_documented_and_bound_like_a_method(name: str) -> None:
    member = VIEWS[name]
    shown = object()
    bound = member.__get__(shown)
    assert isinstance(bound, types.MethodType)
    assert bound.__self__ is shown
    assert bound.__doc__ == member.__doc__
    assert (bound.__name__, member.__qualname__) == (name.partition(".")[2], name)
    assert "self" not in inspect.signature(bound).parameters
    assert inspect.getdoc(bound)


def test_an_option_that_is_none_is_told_before_anything_runs() -> None:
    graph = ev.EntityDependencyGraph(ev.sample("two_cycle"))
    store = ev.InMemoryEntityStorage()
    for call in (graph.draw, graph.explore, graph.to_mermaid, graph.to_json, graph.to_html):
        with pytest.raises(errors.UnknownOptionError, match="has no option 'no_such'") as told:
            call(no_such=1)
        assert told.value.option == "no_such"
        assert isinstance(told.value, TypeError)
    with pytest.raises(errors.UnknownOptionError, match=r"Did you mean 'legend'\?"):
        store.draw_schema(legends=True)
    with pytest.raises(errors.UnknownOptionError, match="no option 'graph'"):
        graph.to_mermaid(graph=graph)  # what the answer calls that which is shown
    with pytest.raises(errors.UnknownOptionError, match="Its options: none"):
        graph.to_dot(x=1)  # type: ignore[call-arg]  # that is the point
