"""What is said of a thread's messages: facts for the page, raw JSON, and bubbles that stand in."""

from __future__ import annotations

import enum
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.html import Child, Element, element, readable, shown_of
from ecsviz.basics.text import counted, plain
from ecsviz.domain.branches import Branches
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.diff import Difference, GraphDiff
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import short_repr
from ecsviz.widgets.thread.parts import WHOLE, folded_text, parts_of

SNIPPET: Final = 60
"""How many characters stand on either side of what a search has found."""
CHANGES: Final = 200
"""How many differences between two revisions are listed."""
MOVED: Final = 6
"""How many members that stand elsewhere in a list are named."""
STILL: Final = 6
"""How many messages stand in for a thread where the widget is not alive."""


def facts_of(branches: Branches, number: int) -> dict[str, Any]:
    """Return what a bubble shows of a message.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> facts = facts_of(Branches(thread), 0)
    >>> facts["role"], facts["parts"][0]["text"], facts["length"], facts["fork"]
    ('user', 'hello', 5, [1, 1])
    """
    message = branches.messages[number]
    siblings = branches.siblings(number)
    parts, is_cut = parts_of(message)
    return {
        "n": number,
        "id": str(message.ecs_id),
        "role": plain(message.role, 40),
        "author": _optional(message.author),
        "who": branches.people.get(message.author) if message.role == "user" else None,
        "model": _optional(message.model),
        "at": None if message.created_at is None else f"{message.created_at:%Y-%m-%d %H:%M}",
        "parts": parts,
        "cut": is_cut,
        "length": len(message.content),
        "hidden": message.hidden,
        "fork": [siblings.index(number) + 1, len(siblings)],
    }


def _optional(text: str | None) -> str | None:
    return None if text is None else plain(text, 60)


def snippet(message: ChatMessage, wanted: str) -> list[str]:
    """Return what stands before, at and after the place where a text is found.

    Examples
    --------
    >>> import ecsviz as ev
    >>> message = ev.ChatThread().say("user", "What is a cycle?")
    >>> snippet(message, "CYCLE"), snippet(message, "user")
    (['What is a ', 'cycle', '?'], ['What is a cycle?', '', ''])
    """
    return around(message.content, wanted)


def around(text: str, wanted: str) -> list[str]:
    """Return what stands before, at and after the place where a text is found in another."""
    sought = wanted.strip().casefold()
    at = text.casefold().find(sought)
    # Folding may change the length of a text: then only its beginning is shown.
    if at < 0 or text[at : at + len(sought)].casefold() != sought:
        return [plain(text, 2 * SNIPPET), "", ""]
    stop = at + len(sought)
    before, after = text[max(at - SNIPPET, 0) : at], text[stop : stop + SNIPPET]
    head, tail = "…" if at > SNIPPET else "", "…" if stop + SNIPPET < len(text) else ""
    parts = [head + before, text[at:stop], after + tail]
    return [_one_line(part) for part in parts]


def _one_line(text: str) -> str:
    return readable(" ".join(text.split("\n")))


def message_json(message: Any) -> str:
    """Return a message as JSON: all its fields; entities that it holds as their ids.

    Examples
    --------
    >>> import ecsviz as ev
    >>> message = ev.ChatThread().say("user", "hello")
    >>> told = json.loads(message_json(message))
    >>> told["content"], told["thread"] == str(message.thread.ecs_id)
    ('hello', True)
    """
    fields = {"type": type(message).__name__, **message.__dict__}
    for name, value in fields.items():
        try:
            json.dumps(value, default=_plain_value)
        except (TypeError, ValueError, RecursionError):  # keys that JSON has not, or far too deep
            fields[name] = short_repr(value)
    text = json.dumps(fields, default=_plain_value, ensure_ascii=False, indent=2)
    return readable(text, WHOLE)


def _plain_value(value: Any) -> Any:
    if is_entity_class(type(value)):
        return str(value.ecs_id)
    if isinstance(value, (UUID, date, time)):
        return value.isoformat() if isinstance(value, (date, time)) else str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    # A plain model inside a field is its fields; anything else what Python says of it.
    return dict(value.__dict__) if hasattr(value, "model_fields_set") else short_repr(value)


# -- two revisions ---------------------------------------------------------------------------


def changes_of(found: GraphDiff, branches: Branches) -> list[dict[str, Any]]:
    """Return the differences between two states of a thread, for the page.

    Returns
    -------
    list of dict
        At most `CHANGES`: ``what``, ``node`` (the number of the message, or None where it is not
        in the second state), ``name``, and ``before`` and ``after`` (texts, or None).
    """
    listed = found.differences[:CHANGES]
    gone = {item.ecs_id for item in listed if item.what == "removed"}
    removed = {
        ecs_id: entity
        for ecs_id, entity in zip(found.before.ids, found.before.entities, strict=True)
        if ecs_id in gone
    }
    return [_change(item, branches, removed) for item in listed]


def _change(item: Difference, branches: Branches, removed: Mapping[UUID, Any]) -> dict[str, Any]:
    number = branches.number.get(item.ecs_id)
    message = removed.get(item.ecs_id) if number is None else branches.messages[number]
    name = f"{item.type_name} …{str(item.ecs_id)[-6:]}"
    if isinstance(message, ChatMessage):
        name = f"{plain(message.role, 20)}: {plain(message.content, 60)}"
    before, after = item.before, item.after
    if item.what in ("added", "removed"):
        before = after = None  # where it is, the chat shows
    elif item.what == "reordered":
        moved = set(moved_in(before, after))
        before, after = (_places_of(moved, held, branches) for held in (before, after))
    elif item.what != "edited" or not (isinstance(before, str) and isinstance(after, str)):
        _, _, _, _, before, after = item.row()
    return {
        "what": item.what,
        "mark": _MARKED.get(item.what, "changed"),
        "node": number,
        "name": f"{name} ({plain(item.field, 40)})" if item.field else name,
        "before": readable(before, SNIPPET * 10) if before else None,
        "after": readable(after, SNIPPET * 10) if after else None,
    }


def moved_in(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """Return what stands elsewhere in a list of the same: as few as can be.

    Notes
    -----
    All but a longest increasing subsequence. O(n log n).

    Examples
    --------
    >>> moved_in("abcde", "aecbd"), moved_in("aab", "aab")
    (['e', 'c'], [])
    """
    places: dict[Any, list[int]] = {}
    for place, each in reversed([*enumerate(before)]):
        places.setdefault(each, []).append(place)
    was = [places[each].pop() for each in after]
    ends: list[int] = []  # of the sequences so far, the shortest first: where the last one was
    lasts: list[int] = []  # and which that is
    previous = [-1] * len(was)
    for here, place in enumerate(was):
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        lasts[length : length + 1] = [here]
        previous[here] = lasts[length - 1] if length else -1
    stays, here = set(), lasts[-1] if lasts else -1
    while here >= 0:
        stays.add(here)
        here = previous[here]
    return [each for here, each in enumerate(after) if here not in stays]


def _places_of(moved: set[UUID], held: Sequence[UUID], branches: Branches) -> str:
    """Return where in a list those stand that were moved, as text."""
    shown: list[str] = []
    for place, ecs_id in enumerate(held, 1):
        if ecs_id in moved and len(shown) < MOVED:
            number = branches.number.get(ecs_id)
            name = f"…{str(ecs_id)[-6:]}"
            if number is not None:
                message = branches.messages[number]
                name = f"{plain(message.role, 20)}: {plain(message.content, 60)}"
            shown.append(f"{place}. {name}")
    more = len(moved) - len(shown)
    return "\n".join([*shown, *([f"and {more:,} more"] if more > 0 else [])])


MARKS: Final = ("added", "changed", "moved", "reordered")
"""What a message is marked as; of several the first."""
_MARKED: Final = {
    "added": "added",
    "removed": "removed",
    "moved": "moved",
    "linked": "moved",
    "unlinked": "moved",
    "re-referenced": "moved",
    "reordered": "reordered",
}
"""By what differs how it is marked; everything else is changed."""


def marks_of(found: GraphDiff) -> dict[UUID, str]:
    """Return which entities were added, and which were changed, moved or reordered.

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> thread = ev.ChatThread()
    >>> hello = thread.say("user", "hello")
    >>> before = copy.deepcopy(thread)
    >>> reply = thread.say("assistant", "hi")
    >>> hello.content = "Hello!"
    >>> list(marks_of(ev.diff(before, thread)).values())
    ['added', 'changed']
    """
    marks: dict[UUID, str] = {}
    for item in found.differences:
        mark = _MARKED.get(item.what, "changed")
        told = [item.ecs_id]
        if mark == "reordered":  # and who stands elsewhere in it
            told += moved_in(item.before, item.after)
        for ecs_id in told if mark != "removed" else ():
            marks[ecs_id] = min(mark, marks.get(ecs_id, mark), key=MARKS.index)
    return marks


# -- where the widget is not alive -----------------------------------------------------------


def still_thread(thread: ChatThread, branches: Branches, path: Iterable[int]) -> list[Child]:
    """Return the first messages of a branch as bubbles, with what they are a part of."""
    shown = list(path)
    title = plain(thread.title, 200) or "A chat without a title"
    children: list[Child] = [element("p", title, look="title", dir="auto")]
    children += [_bubble(branches.messages[number]) for number in shown[:STILL]]
    note = shown_of(min(len(shown), STILL), len(shown), "messages of this branch")
    total = f"{len(branches):,} in {counted(len(branches.leaves), 'branch')}"
    children.append(element("p", f"{note}; {total}" if shown else note, look="note"))
    return children


def _bubble(message: ChatMessage) -> Element:
    own = message.role == "user"
    said, folded = folded_text(message.parts)
    children: list[Child] = [element("p", plain(message.author or message.role, 60), look="note")]
    children += [
        element(
            "details",
            element("summary", plain(what, 80), look="muted"),
            element("p", readable(text, 600), look="code", dir="auto"),
        )
        for what, text in folded[:STILL]
    ]
    if said or not folded:
        children.append(element("p", readable(said, 600), look="line", dir="auto"))
    return element("div", *children, look="bubble-own" if own else "bubble")
