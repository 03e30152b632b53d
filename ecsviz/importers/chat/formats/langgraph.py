"""Checkpoints of LangGraph in SQLite: the states of a graph, with the messages in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import Claim, Claiming, DraftThread, as_json, claim, said_of
from ecsviz.importers.chat.formats.langchain import is_dumped, message_of
from ecsviz.importers.chat.packed import key_of, opened, unpacked
from ecsviz.importers.chat.source import Place, Source

_COLUMNS = ("thread_id", "checkpoint_id", "parent_checkpoint_id", "type", "checkpoint")

_KEPT = ("source", "step", "parents", "run_id")


class LangGraph(Claiming):
    """Reads the table ``checkpoints``, whose states are MessagePack or JSON.

    Notes
    -----
    A thread's checkpoints each hold all messages so far: every message is read once, and answers
    the one before it where it stands first, so that a state that was gone back to has branches.
    A message that was changed later is another answer. The last state's other values stand in the
    metadata; those of a graph inside are a thread of their own. States that are pickled are not
    read, for pickles run what they say; those that wait to be written are counted.
    """

    name = "langgraph"
    title = "LangGraph checkpoints (database)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is a table of checkpoints."""
        return claim(source.has_table("checkpoints", *_COLUMNS), "a table 'checkpoints'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every thread, and every graph inside one."""
        states: dict[str, _States] = {}
        with source.place().trying(), source.database() as connection:
            for place, row in source.rows(connection, "checkpoints", "checkpoint_id"):
                with place.trying():
                    inside = place.ident(row, "checkpoint_ns")
                    ident = place.ident(row, "thread_id") or ""
                    ident = f"{ident}|{inside}" if inside else ident
                    states.setdefault(ident, _States(ident)).add(place, row)
        for each in states.values():
            if each.draft.messages or each.draft.problems:
                each.draft.settle()
                yield each.draft
            else:
                source.leave("a thread", "has no messages")


class _States:
    """The states of a thread, one after the other."""

    def __init__(self, ident: str) -> None:
        self.draft = DraftThread(id=ident or None)
        self.known: dict[bytes | str, int] = {}
        self.ids: dict[str, int] = {}

    def add(self, place: Place, row: dict[str, Any]) -> None:
        draft, state = self.draft, _state(place, row)
        channels = state.get("channel_values")
        channels = channels if isinstance(channels, dict) else {}
        rest: dict[str, Any] = {}
        when = draft.time(None, state, "ts", rest)
        draft.created_at = draft.created_at or when
        draft.updated_at = when or draft.updated_at
        name, listed = _messages(channels)
        last: int | None = None
        for number, raw in enumerate(listed, 1):
            here = place.at("message", number)
            with here.trying():
                key = key_of(raw)
                at = self.known.get(key)
                if at is None:
                    message = message_of(draft, here, here.check(opened(raw, here), dict, "it"))
                    message.parent = last
                    message.created_at = message.created_at or when
                    if message.id:  # a version of what was there already
                        self.ids[message.id] = times = self.ids.get(message.id, 0) + 1
                        message.id = message.id if times == 1 else f"{message.id}/{times}"
                    at = self.known[key] = draft.add(message)
                last = at
        told = as_json(_text(row.get("metadata")))
        about = {key: told[key] for key in _KEPT if key in told} if isinstance(told, dict) else {}
        others = {key: value for key, value in channels.items() if key != name}
        last_state = {"checkpoint": row["checkpoint_id"], "about": about}
        last_state["channels"] = opened(others, place)
        draft.metadata = rest | said_of(last_state)


def _state(place: Place, row: dict[str, Any]) -> dict[str, Any]:
    """Return a state as plain data, with its objects closed."""
    kind, value = place.take(row, "type", str), row.get("checkpoint")
    if kind == "msgpack":
        value = unpacked(place.check(value, bytes, "the state"), place)
    elif kind in (None, "json"):
        value = as_json(_text(value))
    else:
        raise place.wrong(f"a state of the type {kind!r}, which is not read")
    return place.check(value, dict, "the state")


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _messages(channels: dict[str, Any]) -> tuple[str | None, list[Any]]:
    """Return the channel of the messages, and what is in it."""
    for name in sorted(channels, key=lambda each: (each != "messages", str(each))):
        value = channels[name]
        if isinstance(value, list) and value and all(map(_may_be_message, value)):
            return name, value
    return None, []


def _may_be_message(value: Any) -> bool:
    if is_dumped(value):
        return True
    data = getattr(value, "data", None)
    return isinstance(data, bytes) and b"Message" in data[:200]
