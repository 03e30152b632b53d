"""`ev.graph_of`: the graph of what people already have, read and left as it is."""

import dataclasses
import random
import warnings
from collections import deque
from typing import Any, Optional

import attrs
import networkx as nx
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import ecsviz as ev
from ecsviz import errors


class Author(BaseModel):
    name: str
    books: list["Book"] = []
    best: dict[str, "Book"] = {}


class Book(BaseModel):
    title: str
    author: Author | None = None


@dataclasses.dataclass
class Task:
    name: str
    needs: list["Task"] = dataclasses.field(default_factory=list)

    @property
    def trap(self) -> Any:
        raise AssertionError("a property was evaluated")


@dataclasses.dataclass(slots=True)
class Slotted:
    name: str
    other: Optional["Slotted"] = None


@attrs.define
class Crate:
    label: str
    inside: "tuple[Crate, ...]" = ()


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "graph_of_team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    players: Mapped[list["Player"]] = relationship(back_populates="team")


class Player(Base):
    __tablename__ = "graph_of_player"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int] = mapped_column(sa.ForeignKey("graph_of_team.id"))
    team: Mapped[Team] = relationship(back_populates="players")
    rival_id: Mapped[int | None] = mapped_column(sa.ForeignKey("graph_of_player.id"))
    rival: Mapped[Optional["Player"]] = relationship(remote_side="Player.id")


def library() -> Author:
    ann = Author(name="Ann")
    for title in ("Loops", "Knots"):
        ann.books.append(Book.model_construct(title=title, author=ann))
    ann.best["first"] = ann.books[0]
    return ann


def ends(graph: ev.EntityDependencyGraph) -> list[tuple[str, str, str]]:
    """Return source, path and target of each reference, as the frame tells them."""
    frame = graph.references_frame()
    return list(zip(frame["source"], frame["path"], frame["target"], strict=True))


def test_plain_models() -> None:
    ann = library()
    graph = ev.graph_of(ann)
    assert ends(graph) == [
        ("Author 1", "books[0]", "Book 1"),
        ("Author 1", "books[1]", "Book 2"),
        ("Author 1", "best['first']", "Book 1"),
        ("Book 1", "author", "Author 1"),
        ("Book 2", "author", "Author 1"),
    ]
    assert graph.nodes[0] is ann
    assert graph.dependents(ann.books[1]) == [ann]
    assert list(graph.nodes_frame()["label"]) == ["Ann", "Loops", "Knots"]
    assert graph.find_entity_by_id("Book 2") is ann.books[1]
    assert [repr(cycle) for cycle in graph.get_cycles()] == [
        "Cycle(Author.books[0] | best['first'] -> Book.author)",
        "Cycle(Author.books[1] -> Book.author)",
    ]


def test_pairs_are_recognised_as_between_entities() -> None:
    graph = ev.graph_of(library())
    assert len(graph.pairs) == 2
    assert graph.get_cycles(pairs=False) == []
    assert len(ev.graph_of([Author, Book]).pairs) == 1
    assert not ev.graph_of(Task("a", [Task("b")])).pairs


def test_dataclasses_with_and_without_slots() -> None:
    tea, water = Task("tea"), Task("water")
    tea.needs = [water, water]
    assert ends(ev.graph_of(tea)) == [
        ("Task 1", "needs[0]", "Task 2"),
        ("Task 1", "needs[1]", "Task 2"),
    ]
    a, b = Slotted("a"), Slotted("b")
    a.other, b.other = b, a
    graph = ev.graph_of([a, b])
    assert ends(graph) == [("Slotted 1", "other", "Slotted 2"), ("Slotted 2", "other", "Slotted 1")]
    assert not graph.is_acyclic
    del b.name, b.other  # a slot that is not set holds nothing
    assert len(ev.graph_of([a, b]).references) == 1


def test_attrs_classes() -> None:
    inner = Crate("inner")
    graph = ev.graph_of({"outer": Crate("outer", (inner, Crate("other", (inner,))))})
    assert [source for source, _, target in ends(graph) if target == "Crate 2"] == [
        "Crate 1",
        "Crate 3",
    ]
    assert [crate.label for crate in graph.get_topological_sort()] == ["inner", "other", "outer"]
    assert ends(ev.graph_of(Crate)) == [("Crate", "inside", "Crate")]


@pytest.fixture
def session() -> Any:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def play(session: Session) -> None:
    team = Team(name="reds", players=[Player(name=name) for name in "abc"])
    team.players[0].rival = team.players[1]
    session.add(team)
    session.commit()
    session.expunge_all()


def test_rows_of_an_orm_are_not_loaded_unasked(session: Session) -> None:
    play(session)
    statements: list[str] = []
    engine: Any = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    players = list(session.scalars(sa.select(Player).order_by(Player.id)))
    statements.clear()
    with pytest.warns(
        errors.NotLoadedWarning, match=r"6 relationships .*Player\.(team|rival)"
    ) as told:
        graph = ev.graph_of(players)
    assert told[0].filename == __file__
    assert statements == []
    assert ends(graph) == []
    assert set(graph.nodes_frame()["label"]) == {"a", "b", "c"}
    graph = ev.graph_of(players, load=True)
    assert len(graph) == 4
    assert len(graph.references) == 7
    assert len(graph.pairs) == 3
    assert graph.find_entity_by_id("Team 1").name == "reds"
    assert statements


def test_a_row_is_one_node_however_often_it_was_read(session: Session) -> None:
    play(session)
    with Session(session.get_bind()) as other:
        bare = other.get(Team, 1)
        team = session.get(Team, 1)
        assert bare is not None
        assert team is not None
        assert len(team.players) == 3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.NotLoadedWarning)
            graph = ev.graph_of([bare, team])
    assert len(graph) == 4
    assert len(graph.references) == 3, "what only the second has loaded counts"


def test_a_session_that_has_gone_is_told(session: Session) -> None:
    play(session)
    team = session.get(Team, 1)
    session.expunge_all()
    with pytest.raises(
        errors.StorageError, match=r"Team\.players could not be loaded.*selectinload"
    ):
        ev.graph_of(team, load=True)


def test_mapped_classes() -> None:
    graph = ev.graph_of(Team)
    assert ends(graph) == [
        ("Team", "players", "Player"),
        ("Player", "team", "Team"),
        ("Player", "rival", "Player"),
    ]
    assert len(graph.pairs) == 1
    assert len(graph.get_cycles(pairs=False)) == 1


def test_entities_give_the_graph_that_they_always_gave() -> None:
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    assert repr(ev.graph_of(thread)) == repr(ev.EntityDependencyGraph(thread))
    assert ev.graph_of([ev.ChatThread]).nodes == ev.EntityDependencyGraph(ev.ChatThread).nodes
    assert len(ev.graph_of([])) == 0


def test_entities_beside_others_are_found_and_never_loaded() -> None:
    store = ev.InMemoryEntityStorage()
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    store.register(thread)
    lazy = store.get(thread.ecs_id, lazy=True)

    @dataclasses.dataclass
    class Shelf:
        about: Any

    graph = ev.graph_of(Shelf([thread]))
    assert len(graph) == 3
    assert thread in graph
    placeholder = lazy.messages[0]
    assert len(ev.graph_of(Shelf(placeholder))) == 2
    assert "content" not in placeholder.__dict__


def test_any_container_will_do_and_keys_count() -> None:
    @dataclasses.dataclass(unsafe_hash=True)
    class Place:
        name: str
        near: Any = dataclasses.field(default=None, hash=False)

    a, b = Place("a"), Place("b")
    a.near = {b: a}
    assert [edge[1] for edge in ends(ev.graph_of(deque([a])))] == ["near[a key]"] * 2
    assert len(ev.graph_of(iter([a, b]))) == len(ev.graph_of(frozenset([a]))) == 2


def test_what_is_no_object_is_told_with_its_place() -> None:
    for given_, place in [
        (3, "objects is 3"),
        ("tasks", "objects is 'tasks'"),
        (None, "objects is None"),
        ([Task("a"), 3], r"objects\[1\] is 3"),
        ({"a": [object()]}, r"objects\['a'\]\[0\] is <object"),
    ]:
        with pytest.raises(errors.NotAnEntityError, match=place):
            ev.graph_of(given_)
    with pytest.raises(errors.NotAnEntityError, match="stands among objects but is a class"):
        ev.graph_of([Task("a"), Task])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(errors.UnsupportedFieldError, match="200 deep"):
        ev.graph_of(endless)
    with pytest.raises(errors.NotAnEntityError, match=r"ev\.graph_of takes other objects"):
        ev.EntityDependencyGraph(Task("a"))


def test_who_would_store_a_pydantic_model_is_told_how() -> None:
    class Plain(BaseModel):
        name: str

    store = ev.InMemoryEntityStorage()
    for taken in (store.register, ev.EntityDependencyGraph):
        with pytest.raises(errors.NotAnEntityError, match=r"entity_class\(Plain\) makes a class"):
            taken(Plain(name="a"))
    made = ev.entity_class(Plain)
    assert store.register(made(name="a")).name == "a"


def test_an_annotation_that_names_nothing_is_told_for_classes_alone() -> None:
    @dataclasses.dataclass
    class Torn:
        other: "Nowhere | None" = None  # type: ignore[name-defined]  # noqa: F821 - it is nowhere

    assert len(ev.graph_of(Torn(Torn())).references) == 1
    with pytest.raises(errors.UnsupportedFieldError, match="Torn names what cannot be found"):
        ev.graph_of(Torn)


def test_objects_are_drawn_and_explored() -> None:
    ann = library()
    graph = ev.graph_of(ann)
    assert graph.draw(color_by="name").get_title(loc="left").startswith("3 objects, 5 references")
    explorer = graph.explore()
    explorer.selected = "Author 1"
    assert explorer.entity is ann
    fields = dict(explorer._details["fields"])
    assert fields == {"name": "Ann", "books": "list of 2", "best": "dict of 1"}
    explorer.search = "knots"
    assert explorer._rows["total"] == 1


def test_long_chains_need_no_stack() -> None:
    first = Task("0")
    last = first
    for number in range(1, 20_000):
        last.needs.append(Task(str(number)))
        last = last.needs[0]
    graph = ev.graph_of(first)
    assert len(graph) == 20_000
    assert graph.get_topological_sort()[0] is last


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_the_same_graph_as_networkx_finds(seed: int, count: int) -> None:
    rng = random.Random(seed)
    tasks = [Task(str(number)) for number in range(count)]
    for task in tasks:
        task.needs = rng.choices(tasks, k=rng.randint(0, 3))
    graph = ev.graph_of(tasks)
    judge = nx.MultiDiGraph()
    judge.add_nodes_from(range(count))
    place = {id(task): number for number, task in enumerate(tasks)}
    judge.add_edges_from((place[id(t)], place[id(n)]) for t in tasks for n in t.needs)
    assert [id(node) for node in graph.nodes] == [id(task) for task in tasks]
    assert len(graph.references) == judge.number_of_edges()
    cyclic = [c for c in nx.strongly_connected_components(judge) if len(c) > 1]
    loops = [{n} for n in nx.nodes_with_selfloops(judge) if not any(n in c for c in cyclic)]
    found = [{place[id(task)] for task in part} for part in graph.cyclic_components()]
    assert sorted(map(sorted, found)) == sorted(map(sorted, [*cyclic, *loops]))


def test_a_declarative_base_stands_for_its_classes() -> None:
    graph = ev.graph_of(Base)
    assert [kind.__name__ for kind in graph.nodes] == ["Player", "Team"]
    assert ev.graph_of([Base, Team]).nodes == graph.nodes
    with pytest.raises(errors.NotAnEntityError, match="Give instances of"):
        ev.graph_of(DeclarativeBase)


class Broken(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no members")


@pytest.mark.parametrize("take", [ev.graph_of, ev.draw, ev.explore])
def test_a_list_that_does_not_give_its_members(take: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="does not give its members") as got:
        take([Broken([Task("a")])])
    assert isinstance(got.value.__cause__, RuntimeError)
