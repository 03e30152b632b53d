"""What takes an entity takes several; what is no entity is told with what to give instead."""

from __future__ import annotations

from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import Open


class Card(ev.Entity):
    text: str = ""
    mark: str = ""
    other: Card | None = None


def test_several_are_refreshed_together(reopen: Open) -> None:
    shared = Card()
    cards = [Card(text=t, other=shared) for t in "ab"]
    reopen().register(cards)
    for card in cards:
        theirs = reopen().get(card.ecs_id)
        theirs.text += "!"
        reopen().register(theirs)
    assert reopen().refresh(cards) is cards
    assert [card.text for card in cards] == ["a!", "b!"]
    assert cards[0].other is cards[1].other is shared
    assert reopen().refresh([]) == []


def test_several_are_merged_together(reopen: Open) -> None:
    cards = [Card(text=t) for t in "ab"]
    cards[0].other = cards[1]
    reopen().register(cards)
    for card in cards:
        theirs = reopen().get(card.ecs_id)
        theirs.mark = "theirs"
        reopen().register(theirs)
        card.text += " mine"
    assert reopen().merge(cards) is cards
    reopen().register(cards)
    found: Any = [reopen().get(card.ecs_id) for card in cards]
    assert [(card.text, card.mark) for card in found] == [
        ("a mine", "theirs"),
        ("b mine", "theirs"),
    ]


def test_several_are_deleted_whatever_holds_them(reopen: Open) -> None:
    cards = reopen().register([Card() for _ in range(6)])
    store = reopen()
    store.delete(card for card in cards[:2])
    store.delete({"a": cards[2]})
    store.delete([cards[3].ecs_id, str(cards[4].ecs_id)])
    store.delete(cards[5])
    assert reopen().list_by_type(Card) == []


def test_one_class_confines_reading_as_a_list_of_it_does(reopen: Open) -> None:
    card = reopen().register(Card(other=Card(text="x")))
    read: Any = reopen().get(card.ecs_id, only=Card)  # type: ignore[arg-type]  # for convenience
    assert read.other.text == "x"
    assert reopen().get_many(card.ecs_id) == [card]  # type: ignore[arg-type]  # for convenience


@pytest.mark.parametrize("name", ["delete", "refresh", "merge", "register"])
def test_a_class_is_no_entity(reopen: Open, name: str) -> None:
    with pytest.raises(errors.NotAnEntityError, match="Card is a class"):
        getattr(reopen(), name)(Card)


@pytest.mark.parametrize("name", ["delete", "refresh", "merge", "register"])
@pytest.mark.parametrize("wrong", [None, 3, 0.5, len])
def test_what_is_nothing_of_the_kind_is_told(reopen: Open, name: str, wrong: Any) -> None:
    with pytest.raises(errors.EcsvizError, match="Give an "):
        getattr(reopen(), name)(wrong)
