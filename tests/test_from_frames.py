"""DataFrames in: what to_frames wrote comes back as it was, and what does not fit is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID, uuid4

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, create_model, model_validator

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.equality import identical
from ecsviz.export.parquet import read_parquet, to_parquet
from ecsviz.frames.columns import column_of, python_values
from ecsviz.frames.to_frames import NODE_COLUMNS, REFERENCE_COLUMNS
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.test_round_trip import SHAPES as STORED_SHAPES
from tests.entity_graphs import edge_lists, graphs, vertices
from tests.test_codecs import CASES
from tests.test_dumps import SHAPES

Frames = tuple[pd.DataFrame, pd.DataFrame]


def roots_of(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def check(given: Any, frames: Frames | None = None, classes: Any = None) -> None:
    """Whatever way: the graph that comes back is the graph that went in."""
    nodes, references = frames or ev.to_frames(given)
    roots = roots_of(given)
    for validate in (True, False):
        again = ev.from_frames(nodes, references, classes, validate=validate)
        assert find_difference(roots, again[: len(roots)]) is None
        assert len(again) == len(ev.EntityDependencyGraph(roots))
        assert not {id(e) for e in again} & {id(e) for e in ev.EntityDependencyGraph(roots).nodes}


# -- the identity -----------------------------------------------------------------------------


@given(graph=graphs())
def test_there_and_back(graph: list[Any]) -> None:
    check(graph)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, require_optional: Callable[[str], ModuleType]) -> Path:
    require_optional("pyarrow")
    return tmp_path / "graph"


def test_through_parquet(folder: Path) -> None:
    @given(graph=graphs())
    @settings(max_examples=min(100, settings.default.max_examples))
    def through(graph: list[Any]) -> None:
        assert to_parquet(graph, folder) == folder
        check(graph, read_parquet(folder))

    through()


@given(edge_lists())
def test_any_shape_of_graph(graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = graph
    found = vertices(range(n), edges)
    check(list(found.values()))
    again = ev.from_networkx(ev.EntityDependencyGraph(found.values()).to_networkx())
    assert again == list(found.values())


@pytest.mark.parametrize(
    "make", [*SHAPES.values(), *STORED_SHAPES.values()], ids=[*SHAPES, *STORED_SHAPES]
)
def test_every_shape(make: Callable[[], Any], folder: Path) -> None:
    given = make()
    check(given)
    to_parquet(given, folder)
    check(given, read_parquet(folder))


@pytest.mark.parametrize(("annotation", "values"), CASES, ids=[str(case[0])[:40] for case in CASES])
def test_every_value(annotation: Any, values: list[Any], folder: Path) -> None:
    made: Any = create_model("Valued", __base__=ev.Entity, it=(annotation, ...))
    given = []
    for value in values:
        entity = made.model_construct(it=value, version=0, parent_id=None)
        entity.__dict__["lineage_id"] = entity.ecs_id
        given.append(entity)
    nodes, references = ev.to_frames(given)
    again = ev.from_frames(nodes, references, made, validate=False)
    assert find_difference(given, again) is None
    to_parquet(given, folder)
    again = ev.from_frames(*read_parquet(folder), made, validate=False)
    assert find_difference(given, again) is None


def test_a_long_chain_is_no_recursion() -> None:
    check(ev.sample("chain", n=5_000)[0])


def test_nan_is_not_none() -> None:
    class Maybe(ev.Entity):
        here: float
        maybe: float | None = None

    nan = float("nan")
    check([Maybe(here=nan, maybe=None), Maybe(here=1.0, maybe=2.0)])
    check([Maybe(here=nan, maybe=nan), Maybe(here=1.0, maybe=None)])
    nodes, _ = ev.to_frames([Maybe(here=nan, maybe=None)])
    assert str(nodes["here"].dtype) == "float64"


def test_versions_and_families_are_kept() -> None:
    store = ev.InMemoryEntityStorage()
    thread = store.register(ev.ChatThread(title="a"))
    thread.title = "b"
    store.register(thread)
    fork = thread.fork()
    check([thread, fork])
    again, forked = ev.from_frames(*ev.to_frames([thread, fork]))
    assert (again.version, forked.version, forked.parent_id) == (2, 0, thread.ecs_id)


def test_nothing_is_shared_with_the_frames() -> None:
    given = c.Values(listed=[1], points=[c.Point(x=1)])
    nodes, references = ev.to_frames(given)
    given.listed.append(2)
    given.points[0].x = 9
    one, two = (ev.from_frames(nodes, references)[0] for _ in range(2))
    one.listed.append(3)
    one.points[0].x = 7
    assert (two.listed, two.points) == ([1], [c.Point(x=1)])


# -- the columns ------------------------------------------------------------------------------


def test_the_columns() -> None:
    nodes, references = ev.to_frames(ev.sample("thread"))
    assert tuple(nodes.columns[:5]) == NODE_COLUMNS
    assert tuple(references.columns) == REFERENCE_COLUMNS
    kinds = {name: str(kind) for name, kind in nodes.dtypes.items()}
    wanted = {"class": "category", "ecs_id": "object", "version": "int64", "content": "str"}
    wanted |= {"created_at": "datetime64[us, UTC]", "hidden": "boolean", "metadata": "object"}
    assert {name: kinds[name] for name in wanted} == wanted
    assert {name: str(kind) for name, kind in references.dtypes.items()} == {
        "source": "object",
        "field": "category",
        "position": "Int64",
        "key": "object",
        "target": "object",
    }
    messages = references[references["field"] == "messages"]
    assert messages["position"].tolist() == list(range(len(messages)))


def test_an_empty_graph() -> None:
    nodes, references = ev.to_frames([])
    assert (nodes.shape, references.shape) == ((0, 5), (0, 5))
    assert ev.from_frames(nodes, references) == []


def test_a_graph_of_classes_has_no_values() -> None:
    store = ev.InMemoryEntityStorage()
    for graph in (
        ev.EntityDependencyGraph([ev.ChatThread]),
        ev.EntityDependencyGraph.from_parts(["a"], ["a"], ["table"], [0], [0], ["up"]),
    ):
        with pytest.raises(errors.NotAnEntityError, match=r"nodes_frame\(\)"):
            ev.to_frames(graph)
    store.register(thread := ev.ChatThread(title="a"))
    assert ev.to_frames(ev.EntityDependencyGraph(thread))[0]["title"].tolist() == ["a"]


def test_what_cannot_be_given_back_is_refused() -> None:
    bad = c.Values()
    bad.integer = "three"  # type: ignore[assignment]  # what assignment lets through
    with pytest.raises(errors.ValueNotStorableError, match=r"Values \(given\).integer is of type"):
        ev.to_frames(bad)
    nothing = c.Values()
    nothing.text = None  # type: ignore[assignment]  # what assignment lets through
    with pytest.raises(errors.ValueNotStorableError, match=r"text is None"):
        ev.to_frames(nothing)


def test_a_placeholder_is_told() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="a")
    thread.say("user", "hello")
    store.register(thread)
    with pytest.raises(errors.NotLoadedError, match="was left out"):
        ev.to_frames(store.get(thread.ecs_id, hops=0))


# -- frames of one's own ----------------------------------------------------------------------


class Town(ev.Entity):
    name: str
    people: int = Field(default=1, gt=0)
    founded: datetime | None = None
    tags: list[str] = Field(default_factory=list)
    roads: list[Town] = ev.reference(inverse=None, default_factory=list)
    mayor: Person | None = None


class Person(ev.Entity):
    name: str
    home: Town
    friends: dict[str, Person] = Field(default_factory=dict)


Town.model_rebuild()


@pytest.fixture(name="towns")
def _towns() -> pd.DataFrame:
    return pd.DataFrame({"id": [10, 20], "name": ["Ulm", "Bonn"]})


@pytest.fixture(name="roads")
def _roads() -> pd.DataFrame:
    return pd.DataFrame({"source": [10, 20, 10], "field": "roads", "target": [20, 10, 10]})


def test_keys_of_ones_own(towns: pd.DataFrame, roads: pd.DataFrame) -> None:
    ulm, bonn = ev.from_frames(towns, roads, Town)
    assert ulm.roads == [bonn, ulm]
    assert ulm.roads[1] is ulm
    assert (ulm.people, ulm.version, ulm.lineage_id) == (1, 0, ulm.ecs_id)
    again = ev.from_frames(towns.iloc[::-1], None, Town)
    assert [town.ecs_id for town in again] == [bonn.ecs_id, ulm.ecs_id], "the same in every run"
    text = ev.from_frames(towns.assign(id=["10", "20"]), None, Town)
    assert text[0] != ulm, "the text is another key than the number"


def test_texts_become_what_the_fields_hold(towns: pd.DataFrame) -> None:
    towns = towns.assign(founded=["0850-01-01T00:00:00Z", None], tags=['["a", "b"]', "[]"])
    towns = towns.assign(people=pd.Series([2.0, None]))  # pandas' way with gaps
    ulm, bonn = ev.from_frames(towns, None, Town)
    assert ulm.founded == datetime(850, 1, 1, tzinfo=UTC)
    assert (ulm.tags, bonn.tags) == (["a", "b"], [])
    assert (type(ulm.people), ulm.people, bonn.people, bonn.founded) == (int, 2, 1, None)


def test_a_validator_sees_the_whole_graph() -> None:
    class Part(ev.Entity):
        name: str
        whole: Part | None = None

        @model_validator(mode="after")
        def _named_after_its_whole(self) -> Part:
            assert self.whole is None or self.name.startswith(self.whole.name)
            return self

    nodes = pd.DataFrame({"id": [1, 2], "name": ["ab", "a"]})
    references = pd.DataFrame({"source": [1], "field": ["whole"], "target": [2]})
    assert ev.from_frames(nodes, references, Part)[0].whole.name == "a"
    nodes["name"] = ["b", "a"]
    with pytest.raises(errors.ImportFormatError, match=r"nodes.iloc\[0\].*assertion_error"):
        ev.from_frames(nodes, references, Part)


def test_validators_run_once_and_only_if_wanted() -> None:
    class Loud(ev.Entity):
        text: _Louder

    nodes = pd.DataFrame({"id": [1], "text": ["a"]})
    assert ev.from_frames(nodes, None, Loud)[0].text == "a!"
    assert ev.from_frames(nodes, None, Loud, validate=False)[0].text == "a"


_Louder = Annotated[str, AfterValidator(lambda text: text + "!")]


def test_classes_by_name_and_by_mapping(towns: pd.DataFrame) -> None:
    towns["class"] = "Town"
    assert type(ev.from_frames(towns)[0]) is Town
    assert type(ev.from_frames(towns, None, [Town, Person])[0]) is Town
    towns["class"] = "city"
    assert type(ev.from_frames(towns, None, {"city": Town})[0]) is Town
    with pytest.raises(errors.UnknownTypeError, match=r"nodes.iloc\[0\]: the class 'city'") as told:
        ev.from_frames(towns, None, [Town])
    assert told.value.row == 0


def test_users_classes_shadow_the_ready_made(towns: pd.DataFrame) -> None:
    mine, other = ({"__name__": name, "ev": ev} for name in ("notebook", "notebook2"))
    for module in (mine, other):
        exec("class ChatThread(ev.Entity):\n    name: str = ''", module)
    towns["class"] = "ChatThread"
    one: Any = mine["ChatThread"]
    two: Any = other["ChatThread"]
    assert type(ev.from_frames(towns, None, [ev.ChatThread, one])[0]) is one
    with pytest.raises(errors.UnknownTypeError, match="one of several, in notebook, notebook2"):
        ev.from_frames(towns, None, [ev.ChatThread, one, two])
    towns["class"] = "notebook2.ChatThread"
    assert type(ev.from_frames(towns)[0]) is two


def nodes_with(**columns: Any) -> pd.DataFrame:
    made = {"class": ["Town", "Person"], "id": [1, 2], "name": ["Ulm", "Ann"]}
    return pd.DataFrame({**made, **columns})


def references_with(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"source": [2], "field": ["home"], "target": [1], **columns})


TWICE = {"source": [2, 2], "target": [1, 1]}
WRONG: dict[str, tuple[Any, Any, str]] = {
    "no frame": ([1], None, "nodes is .1., not a pandas.DataFrame"),
    "no class": (nodes_with().drop(columns="class"), None, "no column 'class'"),
    "no id": (nodes_with().drop(columns="id"), None, "no column 'ecs_id"),
    "empty id": (nodes_with(id=[1, None]), None, r"iloc\[1\].*'id'"),
    "no uuid": (
        nodes_with(ecs_id=[uuid4(), "x"]).drop(columns="id"),
        None,
        r"nodes.iloc\[1\]: the ecs_id 'x' is not a UUID.*'id'",
    ),
    "an id twice": (
        nodes_with(id=[1, 1]),
        None,
        r"nodes.iloc\[1\] and nodes.iloc\[0\] have the same id",
    ),
    "column twice": (
        pd.DataFrame([[1, 2]], columns=["name", "name"]),
        None,
        "2 columns called 'name'",
    ),
    "unknown column": (
        nodes_with(nmae="x"),
        references_with(),
        "'nmae', which is no field of Person, Town.*'name'",
    ),
    "foreign column": (
        nodes_with(people=[2, 3]),
        references_with(),
        r"iloc\[1\].*'people': is no field of Person",
    ),
    "entities in nodes": (
        nodes_with(home=[None, 1]),
        references_with(),
        r"iloc\[1\].*'home': holds entities",
    ),
    "needed column": (
        nodes_with().drop(columns="name"),
        references_with(),
        "no column 'name', which Town needs",
    ),
    "needed value": (
        nodes_with(name=["Ulm", None]),
        references_with(),
        r"iloc\[1\].*'name': is missing, but Person needs it",
    ),
    "constraint": (
        nodes_with(people=[-1, None]),
        references_with(),
        r"iloc\[0\] \(a Town\), column 'people': does not fit: .*greater than 0",
    ),
    "type": (
        nodes_with(name=[{"secret": 1}, "Ann"]),
        references_with(),
        r"iloc\[0\].*'name'.*valid string",
    ),
    "version": (
        nodes_with(version=[0, -1]),
        references_with(),
        r"iloc\[1\].*'version': is no whole number",
    ),
    "lineage": (
        nodes_with(lineage_id=[None, "x"]),
        references_with(),
        r"nodes.iloc\[1\]: the lineage_id",
    ),
    "required reference": (
        nodes_with(),
        None,
        r"nodes.iloc\[1\], column 'home': is missing: Person.home is required",
    ),
    "no target": (
        nodes_with(),
        references_with(target=[9]),
        r"references.iloc\[0\]: the target 9 is not in nodes",
    ),
    "no source": (
        nodes_with(),
        references_with(source=[[2]]),
        r"references.iloc\[0\]: the source \[2\] is not in nodes",
    ),
    "no field": (
        nodes_with(),
        references_with(field=["hmoe"]),
        r"references.iloc\[0\].*'hmoe', which is no field of Person.*Did you mean 'home'",
    ),
    "no field for entities": (
        nodes_with(),
        references_with(field=["name"]),
        r"'name', which is no field of Person that holds entities",
    ),
    "another class": (
        nodes_with(),
        references_with(target=[2]),
        r"references.iloc\[0\], column 'target': is a Person, not a Town",
    ),
    "two in one place": (
        nodes_with(),
        references_with(**TWICE, field=["home", "home"]),
        r"references.iloc\[1\]: and row 0 are two, but Person.home holds one",
    ),
    "columns": (nodes_with(), references_with(weight=[1]), "references has a column 'weight'"),
    "missing columns": (
        nodes_with(),
        references_with().drop(columns="field"),
        "references has no column 'field'",
    ),
    "position": (nodes_with(), references_with(position=["x"]), "'position': is no whole number"),
    "key twice": (
        nodes_with(),
        pd.concat(
            [
                references_with(),
                references_with(
                    source=[2, 2], field=["friends"] * 2, target=[2, 2], key=["a", "a"]
                ),
            ],
            ignore_index=True,
        ),
        r"references.iloc\[2\], column 'key': stands twice in one Person.friends",
    ),
    "no key": (
        nodes_with(),
        pd.concat(
            [references_with(), references_with(field=["friends"], target=[2])], ignore_index=True
        ),
        r"references.iloc\[1\], column 'key': is missing",
    ),
}
KINDS: dict[str, type[Exception]] = {
    "no uuid": errors.InvalidIdError,
    "an id twice": errors.DuplicateIdError,
    "lineage": errors.InvalidIdError,
    "no target": errors.BrokenReferenceError,
    "no source": errors.BrokenReferenceError,
}
"""Where it is no ImportFormatError."""


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_told(name: str) -> None:
    nodes, references, told = WRONG[name]
    with pytest.raises(KINDS.get(name, errors.ImportFormatError), match=told) as error:
        ev.from_frames(nodes, references, [Town, Person])
    assert isinstance(error.value, ev.EcsvizError)
    assert "secret" not in str(error.value)


def test_rows_are_told_as_facts() -> None:
    with pytest.raises(errors.ImportFormatError) as told:
        ev.from_frames(nodes_with(people=[-1, None]), references_with(), [Town, Person])
    assert (told.value.frame, told.value.row, told.value.column) == ("nodes", 0, "people")


def test_positions_order_a_list_and_must_be_whole(towns: pd.DataFrame, roads: pd.DataFrame) -> None:
    ulm, bonn = ev.from_frames(towns, roads.assign(position=[5, 0, 2.0]), Town)
    assert ulm.roads == [ulm, bonn]
    with pytest.raises(errors.ImportFormatError, match=r"iloc\[2\].*is 5, as in row 0"):
        ev.from_frames(towns, roads.assign(position=[5, 0, 5]), Town)
    with pytest.raises(errors.ImportFormatError, match=r"iloc\[2\].*is missing, and others of"):
        ev.from_frames(towns, roads.assign(position=[5, 0, None]), Town)


def test_columns_can_be_passed_over(towns: pd.DataFrame) -> None:
    assert ev.from_frames(towns.assign(x=1), None, Town, ignore=["x"])[0].name == "Ulm"


def test_nested_values_need_their_references() -> None:
    class Note(BaseModel):
        about: Town
        text: str = ""

    class Book(ev.Entity):
        notes: list[Note] = Field(default_factory=list)

    book = Book(notes=[Note(about=Town(name="Ulm"), text="x")])
    nodes, references = ev.to_frames(book)
    assert nodes["notes"][0] == '[{"about":{"$ref":0},"text":"x"}]'
    check(book, classes=[Book, Town])
    with pytest.raises(errors.ImportFormatError, match=r"nodes.iloc\[0\], column 'notes': "):
        ev.from_frames(nodes, references.iloc[:0], [Book, Town])
    nodes.loc[0, "notes"] = "[{"
    with pytest.raises(errors.ImportFormatError, match=r"'notes': is no JSON"):
        ev.from_frames(nodes, references, [Book, Town])


# -- networkx ---------------------------------------------------------------------------------


def test_from_networkx_with_fields() -> None:
    graph = nx.MultiDiGraph()
    graph.add_node("u", type="Town", name="Ulm")
    graph.add_node("a", type="Person", name="Ann")
    graph.add_edge("a", "u", field="home")
    graph.add_edge("u", "a")
    graph.add_edge("a", "a", field="friends", key_=0)
    with pytest.raises(errors.ImportFormatError, match="'a' -> 'a' has an attribute 'key_'"):
        ev.from_networkx(graph, [Town, Person])
    del graph.edges["a", "a", 0]["key_"]
    graph.edges["a", "a", 0]["key"] = "me"
    ulm, ann = ev.from_networkx(graph, [Town, Person])
    assert (ulm.mayor, ann.home, ann.friends) == (ann, ulm, {"me": ann})
    assert ulm.mayor.home is ulm


def test_from_networkx_of_one_class() -> None:
    graph = nx.DiGraph([(1, 2), (2, 3), (1, 3)])
    nx.set_node_attributes(graph, "x", "name")
    one, two, three = ev.from_networkx(graph, ev.samples.Node)
    assert (one.links, two.links, three.links) == ([two, three], [three], [])
    assert [e.ecs_id for e in ev.from_networkx(graph, ev.samples.Node)] == [
        one.ecs_id,
        two.ecs_id,
        three.ecs_id,
    ]
    uuids = nx.relabel_nodes(graph, {n: UUID(int=n) for n in graph})
    assert ev.from_networkx(uuids, ev.samples.Node)[0].ecs_id == UUID(int=1)


def test_from_networkx_refuses() -> None:
    with pytest.raises(errors.ImportFormatError, match="not directed"):
        ev.from_networkx(nx.Graph([(1, 2)]), Town)
    graph = nx.DiGraph([(1, 2)])
    with pytest.raises(errors.UnknownTypeError, match="the class None is not known"):
        ev.from_networkx(graph)
    with pytest.raises(errors.ImportFormatError, match="no column 'name', which Town needs"):
        ev.from_networkx(graph, Town)
    with pytest.raises(errors.ImportFormatError, match="no field, and Twice can hold a Twice in"):
        ev.from_networkx(_typed(Twice=2, edge=(0, 1)), Twice)


class Twice(ev.Entity):
    name: str = ""
    one: Twice | None = None
    two: Twice | None = None


def _typed(*, edge: tuple[int, int], **classes: int) -> Any:
    graph = nx.DiGraph()
    for name, count in classes.items():
        graph.add_nodes_from(range(count), type=name)
    graph.add_edge(*edge)
    return graph


def test_an_export_that_was_changed_is_told() -> None:
    graph = ev.EntityDependencyGraph(ev.sample("thread"))
    exported = graph.to_networkx()
    assert ev.from_networkx(exported)[0] is graph.nodes[0]
    exported.remove_edge(*next(iter(exported.edges(keys=True))))
    with pytest.raises(errors.ImportFormatError, match="does not say what these hold"):
        ev.from_networkx(exported)


# -- Parquet ----------------------------------------------------------------------------------


def test_parquet_in_the_layout_of_others(folder: Path) -> None:
    thread = ev.sample("thread")
    to_parquet(thread, folder)
    vertices_, edges = (pd.read_parquet(folder / f"{n}.parquet") for n in ("vertices", "edges"))
    assert {"id", "class", "title", "content"} <= set(vertices_.columns)
    assert vertices_["id"].tolist() == [
        str(e.ecs_id) for e in ev.EntityDependencyGraph(thread).nodes
    ]
    assert list(edges.columns) == ["src", "relationship", "position", "key", "dst"]
    assert set(edges["src"]) | set(edges["dst"]) <= set(vertices_["id"])
    graph = nx.from_pandas_edgelist(edges, "src", "dst", create_using=nx.MultiDiGraph)
    assert graph.number_of_edges() == len(ev.EntityDependencyGraph(thread).references)


class Row(ev.Entity):
    id: int
    id_: str = ""
    src: str = ""
    field: str = ""


def test_fields_that_are_called_like_columns_of_the_layout(folder: Path) -> None:
    given = [Row(id=3, id_="x", src="s", field="f")]
    to_parquet(given, folder)
    columns = pd.read_parquet(folder / "vertices.parquet")
    assert columns["id"].tolist() == [str(given[0].ecs_id)]
    assert (columns["id_"].tolist(), columns["src"].tolist()) == ([3], ["s"])
    check(given, read_parquet(folder), Row)


def test_parquet_that_another_program_wrote(folder: Path) -> None:
    folder.mkdir()
    ids = [str(uuid4()), str(uuid4())]
    pd.DataFrame({"id": ids, "name": ["Ulm", "Bonn"]}).to_parquet(folder / "vertices.parquet")
    edges = pd.DataFrame({"src": [ids[0]], "dst": [ids[1]], "relationship": ["roads"]})
    edges.to_parquet(folder / "edges.parquet")
    ulm, bonn = ev.from_frames(*read_parquet(folder), Town)
    assert (str(ulm.ecs_id), ulm.roads) == (ids[0], [bonn])


def test_parquet_that_is_none(folder: Path) -> None:
    with pytest.raises(errors.ImportFormatError, match=r"vertices\.parquet'? cannot be read"):
        read_parquet(folder)
    to_parquet(ev.sample("thread"), folder)
    (folder / "edges.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(errors.ImportFormatError, match=r"edges\.parquet'? is no Parquet file"):
        read_parquet(folder)


def test_nothing_is_pickled(folder: Path) -> None:
    class Bag(ev.Entity):
        anything: Any = None

    frames = ev.to_frames(Bag())
    frames[0]["anything"] = [{"a": object()}]
    with pytest.raises(errors.ValueNotStorableError, match=r"nodes.iloc\[0\], column 'anything'"):
        to_parquet(frames, folder)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow.*pip install 'ecsviz\[parquet\]'"):
        to_parquet(ev.sample("thread"), tmp_path)


@given(st.data())
def test_python_values_and_columns(data: st.DataObject) -> None:
    values = data.draw(
        st.lists(st.one_of(st.none(), st.integers(), st.text(), st.booleans(), st.datetimes()))
        | st.lists(st.datetimes(timezones=st.just(UTC)) | st.none())
        | st.lists(st.text(st.characters(codec=None, exclude_categories=())) | st.none())
        | st.lists(st.integers() | st.none())
        | st.lists(st.booleans() | st.none())
        | st.lists(st.floats() | st.none())
    )
    column = column_of(values, optional=None in values)
    back = python_values(column)
    if column.dtype == "float64":  # the field tells what NaN is
        back = [None if a is None else b for a, b in zip(values, back, strict=True)]
    assert identical(values, back)
