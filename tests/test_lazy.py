"""Names that are loaded when asked for: they come, stay, and bring nothing before."""

from __future__ import annotations

import pytest

import ecsviz
from ecsviz import draw, widgets
from ecsviz.basics import lazy
from tests.processes import in_a_new_process


@pytest.mark.parametrize("package", [ecsviz, draw, widgets])
def test_every_name_comes_and_is_listed(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]  # packages have it
    for name in names:
        found = getattr(package, name)
        assert found is getattr(package, name)
        assert found.__name__ in {name, f"ecsviz.{name}"}
    assert set(names) <= set(dir(package))


def test_modules_come_by_their_names() -> None:
    assert ecsviz.samples.__name__ == "ecsviz.samples"
    assert ecsviz.export.__name__ == "ecsviz.export"


@pytest.mark.parametrize("package", [ecsviz, draw, widgets])
def test_what_is_not_there_is_told_as_python_does(package: object) -> None:
    name = package.__name__  # type: ignore[attr-defined]  # packages have it
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'no_such'"):
        package.no_such  # type: ignore[attr-defined]  # noqa: B018 - that is the point


def test_what_is_asked_for_stands_there_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, modules = {"OrderedDict": "collections"}, {"abc": "collections.abc"}
    get = lazy.lazy("ecsviz.basics.lazy", rooms, modules)
    monkeypatch.setattr(lazy, "OrderedDict", None, raising=False)  # so that it goes afterwards
    monkeypatch.setattr(lazy, "abc", None, raising=False)
    assert get("OrderedDict") is lazy.OrderedDict  # type: ignore[attr-defined]  # just put there
    assert get("abc").__name__ == "collections.abc"


def test_nothing_heavy_comes_with_the_import() -> None:
    heavy = "{'sqlalchemy', 'pandas', 'matplotlib', 'scipy', 'networkx', 'ipywidgets'}"
    code = f"import ecsviz, ecsviz.draw, ecsviz.widgets, sys; print({heavy} & set(sys.modules))"
    assert in_a_new_process(code).strip() == "set()"
