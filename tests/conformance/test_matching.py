"""``register(…, match=)``: an entity whose natural key is stored becomes the one that has it."""

from __future__ import annotations

import enum
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import KINDS, OPENERS, Open
from tests.databases import counted
from tests.test_handwritten import MODELS, Thread


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Club(ev.Entity):
    slug: str | None = None
    city: str | None = None
    points: int = 0
    players: list[Player] = ev.reference(inverse=None, default_factory=list)
    guests: set[Player] = ev.reference(inverse=None, default_factory=set)
    honoured: frozenset[Player] = ev.reference(inverse=None, default=frozenset())
    squads: dict[str, set[Player]] = ev.reference(inverse=None, default_factory=dict)


class Player(ev.Entity):
    email: str
    number: int = 0
    club: Club | None = ev.reference(inverse=None, default=None)


class Captain(Player):
    since: int = 0


class Reading(ev.Entity):
    text: str = ""
    whole: int = 0
    at: datetime | None = None
    price: Decimal | None = None
    colour: Colour = Colour.RED
    either: int | str | bool = 0
    many: list[int] = []


def points(store: Any) -> dict[str | None, int]:
    return {club.slug: club.points for club in store.list_by_type(Club)}


def register_and_go_back(store: Any, given_entities: Any, seen: Any = lambda: None) -> None:
    """Register in a transaction that is taken back."""

    def fails() -> None:
        with store.transaction():
            store.register(given_entities, match="slug")
            seen()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()


def test_what_has_a_stored_key_is_updated_and_the_rest_is_added(reopen: Open) -> None:
    store = reopen()
    first = store.register(Club(slug="a", points=1))
    again, other = Club(slug="a", points=2), Club(slug="b", points=3)
    given = [again, other]
    assert store.register(given, match="slug") is given
    assert (again.ecs_id, again.lineage_id, again.version) == (first.ecs_id, first.lineage_id, 2)
    assert (other.version, other.ecs_id != first.ecs_id) == (1, True)
    assert points(reopen()) == {"a": 2, "b": 3}
    frame = store.revisions()
    assert frame[["added", "changed"]].values.tolist() == [[1, 0], [1, 1]]
    assert store.history(first)["version"].tolist() == [1, 2]
    assert store.verify().empty


def test_what_says_the_same_changes_nothing(reopen: Open) -> None:
    store = reopen()
    first = store.register(Club(slug="a", points=1))
    again = store.register(Club(slug="a", points=1), match="slug")
    assert again == first
    assert again.version == 1
    assert len(store.revisions()) == 1
    again.points = 2
    store.register(again)
    assert points(store) == {"a": 2}


def test_what_is_not_given_stays_as_it_is_stored(reopen: Open) -> None:
    store = reopen()
    thread = ev.ChatThread(title="a", metadata={"x": 1})
    for text in ("one", "two"):
        thread.say("user", text)
    store.register(thread)
    again = ev.ChatThread(title="a", source="said")
    store.register(again, match="title")
    assert (again.version, again.metadata, again.messages) == (2, {"x": 1}, thread.messages)
    there = reopen().get(thread.ecs_id)
    assert (there.source, [m.content for m in there.messages]) == ("said", ["one", "two"])
    emptied = ev.ChatThread(title="a", metadata={})
    emptied.source = None
    assert store.register(emptied, match="title").version == 3
    there = reopen().get(thread.ecs_id)
    assert (there.source, there.metadata, len(there.messages)) == (None, {}, 2)
    filled = Club(slug="a")
    store.register(Club(slug="a", points=4, players=[Player(email="x")]))
    filled.players.append(Player(email="x", number=2))  # in place, which nobody notes
    store.register(filled, match={Club: "slug", Player: "email"})
    (club,) = reopen().list_by_type(Club)
    assert (club.points, [player.number for player in club.players]) == (4, [2])
    assert store.verify().empty


def test_what_is_read_for_it_is_one_object(reopen: Open) -> None:
    store = reopen()
    one, two = Player(email="x"), Player(email="y")
    store.register([Club(slug="a", players=[one, two]), Club(slug="b", players=[two, one])])
    clubs = [Club(slug="a", points=1), Club(slug="b", points=2)]
    mine = Player(email="y", number=3)
    store.register([*clubs, mine], match={Club: "slug", Player: "email"})
    assert clubs[0].players[1] is clubs[1].players[0] is mine
    assert clubs[0].players[0] is clubs[1].players[1]
    assert store.get(two.ecs_id).number == 3
    assert points(store) == {"a": 1, "b": 2}


def test_a_table_that_is_loaded_twice_adds_nothing(reopen: Open) -> None:
    csv = "slug,city,points\nulm,Ulm,1\nbonn,Bonn,2\n"
    later = "slug,city,points\nulm,Ulm,7\nbonn,Bonn,2\nkiel,Kiel,3\n"
    store = reopen()
    for text in (csv, csv, later):
        frame = pd.read_csv(io.StringIO(text))
        frame["id"] = [uuid4().hex for _ in frame.index]  # the file has no ids of its own
        store.register(ev.from_frames(frame, classes=Club), match="slug")
    assert points(store) == {"ulm": 7, "bonn": 2, "kiel": 3}
    assert store.revisions()[["added", "changed"]].values.tolist() == [[2, 0], [1, 1]]
    kept = pd.DataFrame({"slug": ["ulm"], "points": [9], "id": [1]})  # of the city, it says nothing
    store.register(ev.from_frames(kept, classes=Club), match="slug")
    assert [(c.city, c.points) for c in store.find(Club, slug="ulm")] == [("Ulm", 9)]
    kept["id"], kept["points"] = kept["slug"], [10]  # ids of which the store has none
    for _ in range(2):
        store.register(ev.from_frames(kept, classes=Club), match="slug")
    assert [(c.city, c.points) for c in store.find(Club, slug="ulm")] == [("Ulm", 10)]
    rows: list[Any] = pd.read_csv(io.StringIO(later)).to_dict("records")
    store.register([Club(**row) for row in rows], match="slug")
    assert points(store) == {"ulm": 7, "bonn": 2, "kiel": 3}
    assert len(store.revisions()) == 5


def test_everything_in_the_graph_is_matched_by_class(reopen: Open) -> None:
    store = reopen()
    club = Club(slug="a")
    club.players = [Player(email="x", club=club), Player(email="y", club=club)]
    store.register(club)
    again = Club(slug="a", points=5)
    again.players = [Player(email="y", number=9, club=again), Player(email="z", club=again)]
    again.guests, again.honoured = {again.players[0]}, frozenset(again.players)
    again.squads = {"first": {again.players[0]}}
    held = again.guests
    store.register(again, match={Club: "slug", Player: ("email",)})
    assert again == club
    assert again.players[0] == club.players[1]
    assert again.players[0].club is again
    # Sets find their members by the ids that these have now.
    for found in (again.guests, again.honoured, again.squads["first"]):
        assert again.players[0] in found
    assert again.guests is held
    there = reopen().get(club.ecs_id)
    assert [(p.email, p.number, p.version) for p in there.players] == [("y", 9, 2), ("z", 0, 1)]
    assert there.guests == again.guests
    assert there.squads == again.squads
    assert len(store.list_by_type(Player)) == 3
    assert store.verify(again).empty


def test_names_alone_are_of_the_given_class(reopen: Open) -> None:
    store = reopen()
    store.register(Player(email="x", club=Club(slug="a")))
    again = store.register(Player(email="x", number=4, club=Club(slug="a")), match="email")
    assert again.version == 2
    assert len(store.list_by_type(Club)) == 2  # which was not matched
    with pytest.raises(errors.InvalidArgumentError, match=r"match names 'email', but Club"):
        store.register([Club(slug="a"), Player(email="x")], match="email")


def test_several_fields_are_one_key_and_may_hold_an_entity(reopen: Open) -> None:
    store = reopen()
    one, two = store.register([Club(slug="a"), Club(slug="b")])
    stored = store.register([Player(email="x", club=club) for club in (one, two, None)])
    rules = {Club: "slug", Player: ("email", "club")}
    again = [Player(email="x", club=Club(slug=slug), number=1) for slug in ("b", "a", "new")]
    store.register(again, match=rules)
    assert [a == s for a, s in zip(again, [stored[1], stored[0], stored[2]], strict=True)] == [
        True,
        True,
        False,
    ]
    lonely = store.register(Player(email="x", number=2), match=rules)
    assert lonely == stored[2]
    assert store.verify().empty


def test_none_in_all_of_a_key_is_no_key(reopen: Open) -> None:
    store = reopen()
    store.register(Club(), match="slug")
    store.register([Club(), Club()], match="slug")
    assert len(store.list_by_type(Club)) == 3
    first = store.register(Club(slug="a"), match=("slug", "city"))
    assert store.register(Club(slug="a", points=1), match=("slug", "city")) == first
    assert store.register(Club(slug="a", city="Ulm"), match=("slug", "city")) != first


def test_two_that_are_given_have_one_key(reopen: Open) -> None:
    store = reopen()
    one, two = Club(slug="a"), Club(slug="a")
    with pytest.raises(errors.UniqueValueError, match="have one slug") as caught:
        store.register([one, two], match="slug")
    error = caught.value
    assert (error.entity, error.other) == (two.ecs_id, one.ecs_id)
    assert (error.type_name, error.field, error.value) == ("Club", "slug", "a")
    assert len(store.revisions()) == 0
    known = store.register(one)
    with pytest.raises(errors.UniqueValueError, match=str(one.ecs_id)):
        store.register([known, two], match="slug")
    known.slug = "b"  # and so the key is free
    store.register([known, two], match="slug")
    assert points(store) == {"a": 0, "b": 0}
    assert two != known


def test_a_key_that_two_stored_entities_have(reopen: Open) -> None:
    store = reopen()
    store.register([Club(slug="a"), Club(slug="a")])
    club = Club(slug="a")
    before = club.ecs_id
    with pytest.raises(errors.SeveralFoundError, match="2 stored entities") as caught:
        store.register(club, match="slug")
    assert (caught.value.count, caught.value.type_name) == (2, "Club")
    assert (club.ecs_id, club.version) == (before, 0)


def test_who_is_stored_stays_who_it_is(reopen: Open) -> None:
    store = reopen()
    one, two = store.register([Club(slug="a"), Club(slug="b")])
    one.slug, two.slug = "b", "a"
    store.register([one, two], match="slug")
    assert store.get(one.ecs_id).slug == "b"
    copy = Club(ecs_id=one.ecs_id, lineage_id=one.ecs_id, slug="a", points=4)
    two.slug = "c"
    store.register([copy, two], match="slug")
    assert points(store) == {"a": 4, "c": 0}
    copy = Club(ecs_id=one.ecs_id, lineage_id=one.ecs_id, slug="c", points=5)
    store.register(copy, match="slug")  # though its key is that of another
    assert [store.get(each.ecs_id).points for each in (one, two)] == [5, 0]


def test_who_is_known_by_its_own_id_keeps_what_is_not_given(reopen: Open) -> None:
    store = reopen()
    frame = pd.DataFrame({"id": ["ulm"], "slug": ["ulm"], "city": ["Ulm"], "points": [1]})
    (first,) = store.register(ev.from_frames(frame, classes=Club), match="slug")
    (again,) = ev.from_frames(frame.drop(columns="city").assign(points=2), classes=Club)
    store.register(again, match="slug")
    assert (again == first, again.version, again.city) == (True, 2, "Ulm")
    assert store.get(first.ecs_id).city == "Ulm"


def test_a_subclass_is_found_and_another_class_told(reopen: Open) -> None:
    store = reopen()
    captain = store.register(Captain(email="x", since=3))
    again = store.register(Captain(email="x", since=4), match={Player: "email"})
    assert again == captain
    with pytest.raises(errors.InvalidArgumentError, match="is stored with the Captain"):
        store.register(Player(email="x"), match="email")
    assert store.register(Captain(email="y"), match="email").version == 1


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("slgu", "no such field. Did you mean 'slug'"),
        ("ecs_id", "by which entities are known anyway"),
        ("players", "holds several entities"),
        ("squads", "holds several entities"),
        ((), "Give the name of a field"),
        (7, "Give the name of a field"),
        ({Club: 7}, "Give the name of a field"),
        ({Club: {"slug": 1}}, "Give the name of a field"),
        (("slug", None), "Give the name of a field"),
        ({Club: "email"}, "no such field"),
    ],
)
def test_what_is_no_key_is_told(reopen: Open, match: Any, said: str) -> None:
    store = reopen()
    with pytest.raises(errors.InvalidArgumentError, match=said):
        store.register(Club(slug="a"), match=match)
    assert len(store.revisions()) == 0


def test_other_things_than_classes_are_told(reopen: Open) -> None:
    for cls in (7, "Club", dict, Club(slug="a")):
        with pytest.raises(errors.NotAnEntityError):
            reopen().register(Club(slug="a"), match={cls: "slug"})
    with pytest.raises(errors.InvalidArgumentError, match="several values"):
        reopen().register(Reading(), match="many")


def test_a_value_that_is_none_of_its_field_is_told(reopen: Open) -> None:
    store = reopen()
    club = Club(slug="a")
    club.__dict__["slug"] = 7
    with pytest.raises(errors.ValueNotStorableError, match=r"Club \(given\)\.slug"):
        store.register(club, match="slug")


def test_if_it_fails_all_are_who_they_were(reopen: Open) -> None:
    store = reopen()
    store.register(Club(slug="a", players=[Player(email="x")]))
    again, player = Club(slug="a", points=1), Player(email="x", number=1)
    again.players, again.guests, again.honoured = [player], {player}, frozenset([player])
    again.city = 3  # type: ignore[assignment]  # which pydantic does not look at
    before = [(e.ecs_id, e.lineage_id, e.parent_id, e.version) for e in (again, player)]
    with pytest.raises(errors.ValueNotStorableError):
        store.register(again, match={Club: "slug", Player: "email"})
    assert [(e.ecs_id, e.lineage_id, e.parent_id, e.version) for e in (again, player)] == before
    assert player in again.guests
    assert player in again.honoured
    again.city = None
    store.register(again, match={Club: "slug", Player: "email"})
    assert len(store) == 2


def test_in_a_transaction(reopen: Open) -> None:
    store = reopen()
    first = store.register(Club(slug="a"))
    again = Club(slug="a", points=1)
    before = again.ecs_id
    inside: list[Any] = []
    register_and_go_back(store, again, lambda: inside.append(again.ecs_id))
    assert inside == [first.ecs_id]
    assert (again.ecs_id, again.version) == (before, 0)
    new = Club(slug="b")
    with store.transaction(note="both"):
        store.register([again, new], match="slug")
        store.register(Club(slug="b", points=2), match="slug")  # written in this very block
    assert again == first
    assert points(store) == {"a": 1, "b": 2}
    assert store.revisions()["note"].tolist()[1:] == ["both"]
    assert store.revisions()["added"].tolist() == [1, 1]
    part = Club(slug="a", points=5)
    with store.transaction():
        register_and_go_back(store, part)
        assert part != first
        store.register(part, match="slug")
    assert (part == first, part.version, points(store)["a"]) == (True, 3, 5)


def test_a_deleted_key_is_free(reopen: Open) -> None:
    store = reopen()
    first = store.register(Club(slug="a"))
    with store.transaction():
        store.delete(first)
        again = store.register(Club(slug="a"), match="slug")
    assert again != first
    assert store.get(again.ecs_id).slug == "a"


def test_alone_with_what_is_held_found_by_its_key(reopen: Open) -> None:
    store = reopen()
    club = store.register(Club(slug="a", points=3))
    player = Player(email="x", club=Club(slug="a", points=99))
    store.register(player, hops=0, match={Player: "email", Club: "slug"})
    assert store.get(player.ecs_id).club == club
    assert points(store) == {"a": 3}  # which was not given
    with pytest.raises(errors.BrokenReferenceError):
        store.register(Player(email="y", club=Club(slug="b")), hops=0, match={Club: "slug"})


def test_placeholders_are_passed_over(reopen: Open) -> None:
    store = reopen()
    player = store.register(Player(email="x", club=Club(slug="a")))
    part = store.get(player.ecs_id, hops=0)
    part.number = 3
    store.register(part, match={Player: "email", Club: "slug"})
    assert store.get(player.ecs_id).number == 3


ZONE = timezone(timedelta(hours=2))
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
VALUES: dict[str, list[Any]] = {
    "text": ["a", "A", "", "a\0b", "\ud800", "\ud801", "?", "\ufffd", "ä", "x" * 5_000],
    "whole": [0, 1, 2**63 - 1, 2**63, 2**70, -(2**63), -(2**70)],
    "at": [NOON, NOON.replace(tzinfo=None), NOON + timedelta(seconds=1)],
    "price": [
        Decimal("0.1"),
        Decimal("1e-30"),
        Decimal("0.1000000000000000000001"),
        Decimal("-1e300"),
    ],
    "colour": [Colour.RED, Colour.BLUE],
    "either": [1, "1", True, 0, False, ""],
}


@pytest.mark.parametrize("name", list(VALUES))
def test_every_value_is_told_from_every_other(reopen: Open, name: str) -> None:
    store = reopen()
    made = [Reading(**{name: value}) for value in VALUES[name]]
    store.register(made)
    for stored, value in zip(made, VALUES[name], strict=True):
        assert store.register(Reading(**{name: value}), match=name) == stored
    again = [Reading(**{name: value}) for value in reversed(VALUES[name])]
    store.register(again, match=name)
    assert again == made[::-1]
    assert len(store.revisions()) == 1


def test_times_are_the_same_at_one_instant(reopen: Open) -> None:
    store = reopen()
    first = store.register(Reading(at=NOON))
    assert store.register(Reading(at=NOON.astimezone(ZONE)), match="at") == first
    assert store.register(Reading(at=NOON.replace(tzinfo=None)), match="at") != first


def test_statements_do_not_grow_with_entities(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    counts = []
    for size in (3, 300):
        clubs = [Club(slug=f"{size} {n}") for n in range(size)]
        store.register(clubs)
        again = [Club(slug=club.slug, points=1) for club in clubs]
        with counted() as said:
            store.register(again, match="slug")
        counts.append(len(said))
        asked = [text for text in said if "clubs.slug IN" in text]
        assert len(asked) == 1
    assert counts[0] == counts[1]


def test_a_plan_says_what_would_be_done(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    assert store.explain(Club(slug="a"), match="slug").added == 1
    assert not (tmp_path / "store.db").exists()
    store.register(Club(slug="a"))
    club, new = Club(slug="a", points=1), Club(slug="b")
    before = club.ecs_id
    plan = store.explain([club, new], match="slug")
    assert (plan.added, plan.changed) == (1, 1)
    assert (club.ecs_id, club.version) == (before, 0)
    with pytest.raises(errors.InvalidArgumentError, match="no such field"):
        store.explain(club, match="slgu")


def test_a_class_with_a_hand_written_model_is_told(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "own.db", models=MODELS)
    store.register(Thread(title="a"))
    with pytest.raises(errors.InvalidArgumentError, match="hand-written model"):
        store.register(Thread(title="a"), match="title")


@pytest.mark.parametrize("kind", KINDS)
def test_loads_are_what_a_dictionary_makes_of_them(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    keys = st.sampled_from(["a", "b", "c", "\ud800", "?"])
    loads: st.SearchStrategy[Any] = st.lists(
        st.tuples(st.dictionaries(keys, st.integers(0, 3)), st.booleans(), st.booleans()),
        max_size=5,
    )

    @given(loads)
    @settings(max_examples=settings().max_examples // (5 if kind == "postgresql" else 1))
    def check(given_loads: list[tuple[dict[str, int], bool, bool]]) -> None:
        store = OPENERS[kind](tmp_path_factory.mktemp("store"), request)()
        said: dict[str, int] = {}
        ids: dict[str, Any] = {}
        for load, again, taken_back in given_loads:
            clubs = [Club(slug=slug, points=count) for slug, count in load.items()]
            before = [club.ecs_id for club in clubs]
            revisions = len(store.revisions())
            changes = any(said.get(slug) != count for slug, count in load.items())
            if taken_back:
                register_and_go_back(store, clubs)
                assert [club.ecs_id for club in clubs] == before
                assert len(store.revisions()) == revisions
                continue
            store.register(clubs, match="slug")
            if again:
                store.register(clubs, match="slug")
            for club in clubs:
                assert ids.setdefault(str(club.slug), club.ecs_id) == club.ecs_id
            said |= load
            assert points(store) == said
            assert len(store.revisions()) == revisions + changes
        if said:
            assert store.verify().empty
        store.close()

    check()
