"""Both ends of a pair: what an edit of one does to the other, and what is refused."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from tests.conformance import classes as c
from tests.conformance.conftest import Open


class Team(ev.Entity):
    name: str = ""
    people: list[Person] = []
    sponsors: list[Person] = ev.reference(inverse=None, default_factory=list)


class Person(ev.Entity):
    name: str = ""
    team: Team | None = None
    room: Room | None = ev.reference(inverse="guests", default=None)
    boss: Person | None = None
    knows: dict[str, Person] = {}


class Guide(Person):
    tongue: str = ""


class Room(ev.Entity):
    guests: list[Person] = ev.reference(inverse="room", default_factory=list)


class Part(ev.Entity):
    """A tree."""

    name: str = ""
    whole: Part | None = ev.reference(inverse="parts", default=None)
    parts: list[Part] = ev.reference(inverse="whole", default_factory=list)


class Folder(ev.Entity):
    """A tree whose nodes need their parent, but for the first."""

    name: str = ""
    files: list[File] = []


class File(ev.Entity):
    folder: Folder
    marks: list[Mark] = []
    tags: list[Tag] = []


class Mark(ev.Entity):
    """Cannot be without its file."""

    file: File


class Tag(ev.Entity):
    """Can."""

    file: File | None = None


for _cls in (Team, Person, Guide, Room, Part, Folder, File):
    _cls.model_rebuild()


def team(*names: str) -> Team:
    made = Team(name="team")
    made.people = [Person(name=name, team=made) for name in names]
    return made


def thread(*texts: str) -> c.Thread:
    made = c.Thread(title="thread")
    made.messages = [c.Message(thread=made, text=text) for text in texts]
    return made


def every_entity_can_be_edited(reopen: Open) -> None:
    """Read each on its own, register it, edit it, register it again; nothing may be amiss."""
    assert reopen().verify().empty
    ids = [entity.ecs_id for entity in reopen().list_by_type(ev.Entity)]
    for ecs_id in ids:
        entity = reopen().get(ecs_id)
        version = entity.version
        assert reopen().register(entity).version == version
        name = next(n for n in ("name", "title", "text", "parent_id") if hasattr(entity, n))
        setattr(entity, name, ecs_id if name == "parent_id" else getattr(entity, name) + "!")
        assert reopen().register(entity).version == version + 1
    assert reopen().verify().empty


# -- taken out of the list ---------------------------------------------------------------------


def test_who_leaves_a_list_says_so(reopen: Open) -> None:
    """Where the back-reference may be None it is, once the list has been saved without it."""
    made = team("a", "b")
    made.people[1].boss, made.people[1].knows = made.people[0], {"a": made.people[0]}
    reopen().register(made)
    gone = made.people.pop()
    reopen().register(made)
    stored = reopen().get(gone.ecs_id)
    assert (stored.team, stored.version, gone.version) == (None, 2, 1)
    assert (stored.boss, stored.knows) == (gone.boss, gone.knows)
    assert reopen().get(gone.ecs_id, as_of=1).team == made
    assert reopen().history(gone)["fields"].tolist() == ["", "team"]
    assert reopen().history(made)["fields"].tolist() == ["", "people"]
    last = reopen().revisions().iloc[-1]
    assert (last["added"], last["changed"], last["deleted"]) == (0, 2, 0)
    every_entity_can_be_edited(reopen)


def test_one_member_leaves_two_lists(reopen: Open) -> None:
    """It gets one new version."""
    made, room = team("a"), Room()
    made.people[0].room, room.guests = room, [made.people[0]]
    reopen().register(made)
    gone = made.people.pop()
    room.guests.clear()
    reopen().register([made, room])
    stored = reopen().get(gone.ecs_id)
    assert (stored.team, stored.room, stored.version) == (None, None, 2)
    every_entity_can_be_edited(reopen)


def test_who_leaves_a_list_and_loses_a_member_gets_one_version(reopen: Open) -> None:
    top, middle, leaf = Part(name="top"), Part(name="middle"), Part(name="leaf")
    top.parts, middle.whole = [middle], top
    middle.parts, leaf.whole = [leaf], middle
    store = reopen()
    store.register(top)
    top.parts, leaf.whole = [], None
    store.register([top, leaf])
    stored = store.get(middle.ecs_id)
    assert (stored.whole, stored.parts, stored.version) == (None, [], 2)
    assert store.history(middle)["fields"].tolist() == ["", "whole, parts"]
    middle.whole, middle.parts = None, []
    assert store.register(middle).version == 2
    every_entity_can_be_edited(reopen)


def test_members_of_a_subclass_leave_too(reopen: Open) -> None:
    made = team("a")
    made.people.append(Guide(name="b", team=made, tongue="Latin"))
    reopen().register(made)
    guide, made.people = made.people[1], []
    reopen().register(made)
    stored = reopen().get(guide.ecs_id)
    assert (type(stored), stored.team, stored.tongue) == (Guide, None, "Latin")
    every_entity_can_be_edited(reopen)


def test_members_that_were_not_read_leave_too(reopen: Open) -> None:
    made = reopen().register(team("a", "b", "c"))
    part = reopen().get(made.ecs_id, hops=0)
    gone = part.people.pop(1)
    part.sponsors.append(gone)  # is still held, but only stands for what it is
    reopen().register(part)
    assert [p.name for p in reopen().get(made.ecs_id).people] == ["a", "c"]
    assert reopen().get(gone.ecs_id).team is None
    every_entity_can_be_edited(reopen)


def test_who_is_saved_too_is_asked(reopen: Open) -> None:
    made = team("a", "b")
    made.sponsors = [made.people[1]]
    reopen().register(made)
    gone = made.people.pop()
    with pytest.raises(errors.InverseMismatchError) as caught:
        reopen().register(made)
    assert caught.value.places == ("Team.people", "Person.team")
    assert reopen().get(made.ecs_id).people == [made.people[0], gone]
    gone.team = None
    reopen().register(made)
    every_entity_can_be_edited(reopen)


def test_who_requires_its_list_cannot_be_taken_out(reopen: Open) -> None:
    made, other = thread("a", "b"), thread("c")
    reopen().register([made, other])
    gone = made.messages.pop()
    with pytest.raises(errors.InverseMismatchError) as caught:
        reopen().register(made)
    assert caught.value.places == ("Thread.messages", "Message.thread")
    assert caught.value.ecs_id == gone.ecs_id
    assert "store.delete(child)" in str(caught.value)
    assert len(reopen().revisions()) == 1
    assert len(reopen().get(made.ecs_id).messages) == 2
    gone.thread = other
    other.messages.append(gone)
    store = reopen()
    store.register([gone, made])
    assert (made.version, other.version, gone.version) == (2, 2, 2)
    gone = made.messages.pop()
    store.delete(gone)
    store.register(made)
    assert (made.version, reopen().get(made.ecs_id).messages) == (3, [])
    every_entity_can_be_edited(reopen)


def test_who_left_is_in_no_list(reopen: Open) -> None:
    """To take away what is in no list changes none."""
    made, other = team("1", "2"), team()
    one, two = made.people
    store = reopen()
    store.register([made, other])
    made.people = [one]
    store.register(made)
    made.people, two.team = [two], made
    store.register(made)
    assert [p.name for p in reopen().get(made.ecs_id).people] == ["2"]
    assert made.version == 3
    other.people, one.team = [one], other
    store.register(other)
    assert reopen().get(made.ecs_id).version == 3
    every_entity_can_be_edited(reopen)


# -- deleting ----------------------------------------------------------------------------------


def test_the_list_is_not_in_the_way_of_deleting(reopen: Open) -> None:
    made = reopen().register(thread("a", "b", "c"))
    stale, gone = reopen().get(made.ecs_id), made.messages[1]
    store = reopen()
    store.register(made)
    store.delete(gone)
    again = reopen().get(made.ecs_id)
    assert ([m.text for m in again.messages], again.version) == (["a", "c"], 2)
    last = reopen().revisions().iloc[-1]
    assert (last["changed"], last["deleted"]) == (1, 1)
    with pytest.raises(errors.StaleVersionError):  # the list still holds it
        store.register(made)
    made.messages.remove(gone)
    assert store.register(made).version == 2
    with pytest.raises(errors.StaleVersionError):
        reopen().register(stale)
    assert [m.text for m in reopen().get(made.ecs_id, as_of=1).messages] == ["a", "b", "c"]
    every_entity_can_be_edited(reopen)


def test_what_refers_by_itself_is_in_the_way(reopen: Open) -> None:
    made = team("a")
    made.sponsors = [made.people[0]]
    answered = c.thread(2)
    reopen().register([made, answered])
    for gone, place in (
        (made.people[0], "Team.sponsors"),
        (answered.messages[0], "Message.parent"),
    ):
        with pytest.raises(errors.BrokenReferenceError, match=place):
            reopen().delete(gone)
    every_entity_can_be_edited(reopen)


# -- going back --------------------------------------------------------------------------------


def folder() -> Folder:
    made = Folder(name="folder")
    made.files = [File(folder=made)]
    return made


def add_file(made: Folder) -> File:
    file = File(folder=made)
    file.marks, file.tags = [Mark(file=file), Mark(file=file)], [Tag(file=file)]
    made.files.append(file)
    return file


def test_going_back_frees_what_can_be_without(reopen: Open) -> None:
    made = reopen().register(team("a"))
    made.people.append(Person(name="b", team=made))
    reopen().register(made)
    assert reopen().revert(made, to=1).people == made.people[:1]
    assert reopen().get(made.people[1].ecs_id).team is None
    every_entity_can_be_edited(reopen)


def test_going_back_deletes_what_was_added_with_its_own(reopen: Open) -> None:
    made = reopen().register(folder())
    file = add_file(made)
    reopen().register(made)
    tag = file.tags[0]
    with pytest.raises(errors.InverseMismatchError, match="delete_added=True"):
        reopen().revert(made, to=1)
    assert len(reopen().revisions()) == 2
    reopen().revert(made, to=1, delete_added=True)
    assert [reopen().has_entity(e.ecs_id) for e in (file, *file.marks, tag)] == [False] * 3 + [True]
    assert reopen().get(tag.ecs_id).file is None
    assert reopen().get(made.ecs_id, as_of=2).files[1].marks == file.marks
    last = reopen().revisions().iloc[-1]
    assert (last["added"], last["changed"], last["deleted"]) == (0, 2, 3)
    every_entity_can_be_edited(reopen)
    # And forward again: what was deleted comes back.
    reopen().revert(made, to=2)
    assert len(reopen().get(made.ecs_id).files) == 2
    assert reopen().has_entity(file.marks[1].ecs_id)
    assert reopen().verify().empty


def test_going_back_does_not_delete_what_others_hold_or_what_was_there(reopen: Open) -> None:
    one, two = folder(), folder()
    reopen().register([one, two])
    moved = two.files.pop()
    moved.folder = one
    one.files.append(moved)
    reopen().register([one, two])
    for options in ({"delete_added": True}, {}):
        told = r"required.* was elsewhere then: revert\(child, to=…\)"
        with pytest.raises(errors.InverseMismatchError, match=told) as caught:
            reopen().revert(one, to=1, **options)  # it was in the other folder then
        assert "delete_added" not in str(caught.value)
    assert caught.value.ecs_id == moved.ecs_id
    assert len(reopen().revisions()) == 2
    reopen().revert(moved, to=1)  # that is what goes back
    assert [len(reopen().get(e.ecs_id).files) for e in (one, two)] == [1, 1]
    file = add_file(one := reopen().get(one.ecs_id))
    keeper = c.Node(name="keeper")
    keeper_of = Keeper(held=[file])
    reopen().register([one, keeper, keeper_of])
    with pytest.raises(errors.BrokenReferenceError, match=r"Keeper\.held"):
        reopen().revert(one, to=1, delete_added=True)
    assert reopen().has_entity(file.ecs_id)
    every_entity_can_be_edited(reopen)


class Keeper(ev.Entity):
    held: list[File] = ev.reference(inverse=None, default_factory=list)


# -- own saves ---------------------------------------------------------------------------------


def test_moves_saved_one_after_the_other(reopen: Open) -> None:
    """What a storage's own save does to the other end is nobody else's change."""
    one, two = thread("a", "b"), thread("c")
    store = reopen()
    store.register([one, two])
    moved = one.messages.pop()
    moved.thread = two
    two.messages.append(moved)
    store.register(two)
    assert (one.version, store.get(one.ecs_id).version) == (1, 2)
    assert store.register(one).version == 2
    one.title = "edited"
    assert store.register(one).version == 3
    every_entity_can_be_edited(reopen)


def test_an_own_effect_is_not_undone_silently(reopen: Open) -> None:
    made, other = team("a"), team()
    store = reopen()
    store.register([made, other])
    gone = made.people.pop()
    store.register(made)  # it has no team now; the live one says another thing
    with pytest.raises(errors.InverseMismatchError):
        store.register(gone)
    assert store.get(gone.ecs_id).team is None
    gone.team = other
    other.people.append(gone)
    assert store.register(gone).version == 3
    assert store.register(made).version == 2
    every_entity_can_be_edited(reopen)


def test_a_holder_that_still_says_what_was_is_asked(reopen: Open) -> None:
    one, two = thread("a", "b"), thread("c")
    store = reopen()
    store.register([one, two])
    moved = one.messages[1]
    moved.thread = two
    two.messages.append(moved)
    store.register(two)  # the first thread is not reached, and holds it still
    with pytest.raises(errors.InverseMismatchError):
        store.register(one)
    assert [m.text for m in store.get(one.ecs_id).messages] == ["a"]
    one.messages.remove(moved)
    assert store.register(one).version == 2
    every_entity_can_be_edited(reopen)


def test_others_still_count(reopen: Open) -> None:
    """Somebody else's change between, and another storage object's own ones, are told."""
    one, two = thread("a", "b"), thread("c")
    store = reopen()
    store.register([one, two])
    theirs = reopen().get(one.ecs_id)
    moved = one.messages.pop()
    moved.thread = two
    two.messages.append(moved)
    store.register(two)
    theirs = reopen().get(one.ecs_id)
    theirs.title = "theirs"
    reopen().register(theirs)
    one.title = "mine"
    with pytest.raises(errors.StaleVersionError):
        store.register(one)
    assert reopen().get(one.ecs_id).title == "theirs"


def test_what_failed_has_no_effects(reopen: Open) -> None:
    one, two = thread("a", "b"), thread("c")
    store = reopen()
    store.register([one, two])
    theirs = reopen().get(two.ecs_id)
    theirs.title = "theirs"
    reopen().register(theirs)
    moved = one.messages.pop()
    moved.thread = two
    two.messages.append(moved)
    with pytest.raises(errors.StaleVersionError):
        store.register(two)
    assert store.get(one.ecs_id).version == 1
    store.refresh(two)
    theirs = reopen().get(one.ecs_id)
    theirs.title = "theirs too"
    reopen().register(theirs)
    with pytest.raises(errors.StaleVersionError):
        store.register(one)


# -- any edits, from either side ---------------------------------------------------------------

PAIRS = [
    ("people", "team", Team, Person),
    ("guests", "room", Room, Person),
    ("messages", "thread", c.Thread, c.Message),
    ("replies", "parent", c.Message, c.Message),
]
"""List, back-reference, and the classes of holder and member."""

Edit = tuple[int, int, int, int]
"""What is done, in which pair, to which holder, with which member."""

EDITS = ("out", "in", "set", "none", "move", "move", "edit", "register", "register", "register")
LATER = (*EDITS, "both", "delete", "reload", "revert")


class World:
    """Live entities and one storage object, which get the same edits as another such world."""

    def __init__(self, store: Any, entities: list[Any]) -> None:
        self.store = store
        self.entities = entities
        self.ids = [entity.ecs_id for entity in entities]
        store.register(entities)

    def of(self, cls: type, number: int) -> Any:
        found = [entity for entity in self.entities if isinstance(entity, cls)]
        return found[number % len(found)] if found else None

    def do(self, edit: Edit) -> str:
        """Do one edit; return what came of it."""
        what = LATER[edit[0] % len(LATER)]
        listed, back, holders, members = PAIRS[edit[1] % len(PAIRS)]
        holder, member = self.of(holders, edit[2]), self.of(members, edit[3])
        if holder is None or member is None:
            return "nothing"
        try:
            return str(getattr(self, "_" + what)(holder, member, listed, back) or what)
        except ev.errors.EcsvizError as err:
            return type(err).__name__

    def _out(self, holder: Any, member: Any, listed: str, back: str) -> None:
        setattr(holder, listed, [m for m in getattr(holder, listed) if m is not member])

    def _in(self, holder: Any, member: Any, listed: str, back: str) -> None:
        getattr(holder, listed).append(member)

    def _set(self, holder: Any, member: Any, listed: str, back: str) -> None:
        setattr(member, back, holder)

    def _none(self, holder: Any, member: Any, listed: str, back: str) -> None:
        if back != "thread":
            setattr(member, back, None)

    def _move(self, holder: Any, member: Any, listed: str, back: str) -> None:
        for other in self.entities:
            if member in getattr(other, listed, ()):
                self._out(other, member, listed, back)
        self._in(holder, member, listed, back)
        self._set(holder, member, listed, back)

    def _edit(self, holder: Any, member: Any, listed: str, back: str) -> None:
        name = "text" if back in ("thread", "parent") else "name"
        setattr(member, name, getattr(member, name) + "!")

    def _register(self, holder: Any, member: Any, listed: str, back: str) -> None:
        self.store.register(holder)
        assert self.store.verify().empty, self.store.verify().to_string()

    def _both(self, holder: Any, member: Any, listed: str, back: str) -> None:
        self.store.register([member, holder])
        assert self.store.verify().empty, self.store.verify().to_string()

    def _delete(self, holder: Any, member: Any, listed: str, back: str) -> None:
        self.store.delete(member)
        assert self.store.verify().empty, self.store.verify().to_string()
        self._reload(holder, member, listed, back)

    def _reload(self, holder: Any, member: Any, listed: str, back: str) -> None:
        self.entities = self.store.get_many([i for i in self.ids if self.store.has_entity(i)])

    def _revert(self, holder: Any, member: Any, listed: str, back: str) -> None:
        to = max(1, len(self.store.revisions()) - 2)
        self.store.revert(holder, to=to, delete_added=member.version % 2 == 0)
        assert self.store.verify().empty, self.store.verify().to_string()
        self._reload(holder, member, listed, back)

    def stored(self) -> dict[Any, Any]:
        """Return what the storage says of every entity: its version, and how it is held."""
        found = self.store.get_many([i for i in self.ids if self.store.has_entity(i)])
        return {
            e.ecs_id: (
                e.version,
                *([m.ecs_id for m in getattr(e, p[0], ())] for p in PAIRS),
                *(getattr(getattr(e, p[1], None), "ecs_id", None) for p in PAIRS),
            )
            for e in found
        }


def population() -> list[Any]:
    one, two, room = team("a", "b"), team("c"), Room()
    two.people.append(Guide(name="d", team=two))
    two.people[0].room, room.guests = room, [two.people[0]]
    chat, other = c.thread(3), thread("x")
    return [one, two, room, chat, other, *one.people, *two.people, *chat.messages, *other.messages]


def same_in_both(store: Any, edits: list[Edit]) -> None:
    """Do the same in memory and elsewhere; then every entity must be editable in both."""
    first = population()
    worlds = [World(store, first), World(ev.InMemoryEntityStorage(), copied(first))]
    deleted = False
    for edit in edits:
        came = [world.do(edit) for world in worlds]
        assert came[0] == came[1], edit
        deleted |= LATER[edit[0] % len(LATER)] in ("delete", "revert")
        assert came[0] != "StaleVersionError" or deleted, edit
        assert worlds[0].stored() == worlds[1].stored(), edit
    for world in worlds:
        every_entity_can_be_edited(lambda world=world: world.store)  # type: ignore[misc]  # bound


def copied(entities: list[Any]) -> list[Any]:
    """Copy a graph that was stored as one that was not yet."""
    found = copy.deepcopy(entities)
    for entity in found:
        entity.version = 0
    return found


numbers = st.integers(0, 12)


edits_of_pairs = st.tuples(st.integers(0, len(LATER) - 1), st.integers(0, 3), numbers, numbers)


@settings(max_examples=25)
@given(st.lists(edits_of_pairs, max_size=12))
def test_what_is_accepted_can_be_edited(edits: list[Edit]) -> None:
    same_in_both(ev.SQLAlchemyEntityStorage(":memory:"), edits)


def test_what_is_accepted_can_be_edited_everywhere(reopen: Open) -> None:
    chance = random.Random(3)
    edits = [tuple(chance.randrange(60) for _ in range(4)) for _ in range(25)]
    same_in_both(reopen(), edits)  # type: ignore[arg-type]  # four numbers each


# -- what may be meant as a pair ---------------------------------------------------------------


def employee(name: str, manager: Any = None, reports: Any = None) -> Any:
    """Define a class of employees; the name is new, since each class is spoken of once."""
    space: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": {"manager": f"{name} | None", "reports": f"list[{name}]"},
        "manager": None if manager is None else ev.reference(default=None, **manager),
        "reports": [] if reports is None else ev.reference(default_factory=list, **reports),
    }
    made: Any = type(name, (ev.Entity,), space)
    made.model_rebuild(_types_namespace={name: made})
    return made


names = iter(f"Employee{number}" for number in itertools.count())


def test_what_may_be_a_pair_is_hinted_at_once(reopen: Open) -> None:
    cls = employee(next(names))
    boss = cls()
    boss.reports.append(cls())
    with pytest.warns(errors.UnpairedReferencesWarning) as told:
        reopen().register(boss)
    (warning,) = told
    assert f"{cls.__name__}.manager and {cls.__name__}.reports" in str(warning.message)
    assert "ev.reference(inverse='reports'" in str(warning.message)
    assert "inverse=None" in str(warning.message)
    assert warning.filename == __file__
    boss.reports.append(cls())
    reopen().register(boss)  # nothing more is said: warnings are errors here
    ev.InMemoryEntityStorage().register(cls())


def test_explain_hints_too() -> None:
    cls = employee(next(names))
    with pytest.warns(errors.UnpairedReferencesWarning):
        ev.SQLAlchemyEntityStorage(":memory:").explain(cls())


@pytest.mark.parametrize(
    ("manager", "reports", "paired"),
    [
        ({"inverse": None}, None, False),
        (None, {"inverse": None}, False),
        ({"inverse": "reports"}, None, True),
        (None, {"inverse": "manager"}, True),
    ],
)
def test_who_says_it_is_not_asked(manager: Any, reports: Any, paired: bool) -> None:
    cls = employee(next(names), manager, reports)
    boss = cls()
    boss.reports.append(cls())  # who does not say its manager
    for store in (ev.SQLAlchemyEntityStorage(":memory:"), ev.InMemoryEntityStorage()):
        given = copied([boss])
        if paired:
            with pytest.raises(errors.InverseMismatchError, match=r"ev\.reference\(inverse=…\)"):
                store.register(given)
        else:
            store.register(given)


def test_the_hint_names_who_declares_the_fields(reopen: Open) -> None:
    cls = employee(next(names))
    sub = type(f"Sub{cls.__name__}", (cls,), {"__module__": __name__})
    with pytest.warns(errors.UnpairedReferencesWarning, match=rf"^{cls.__name__}\.manager"):
        reopen().register(sub())
    reopen().register(cls())


def test_who_is_reached_another_way_is_told_apart_by_id(reopen: Open) -> None:
    one, other = Part(name="one"), Part(name="other")
    other.whole, one.parts = one, [other]
    one.whole, other.parts = other, [one]
    store = reopen()
    store.register(one)
    one.parts.clear()
    with pytest.raises(errors.InverseMismatchError) as caught:
        store.register(one)
    said = f"The list is in {one.ecs_id}, the back-reference in {other.ecs_id}."
    assert said in caught.value.message
    other.whole = None
    store.register(one)
    assert store.get(other.ecs_id).whole is None
    other.whole = None
    one.parts = [other]
    with pytest.raises(errors.InverseMismatchError, match=f"The list is in {one.ecs_id}, the"):
        store.register(one)
