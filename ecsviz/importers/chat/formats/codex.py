"""Sessions of the Codex CLI (rollouts): one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.formats.openai_messages import message_of
from ecsviz.importers.chat.parts import tokens
from ecsviz.importers.chat.source import Place, Source

_RECORDS = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})

_REPEATED = frozenset({"user_message", "agent_message", "agent_reasoning"})
"""Events that say again what an item says."""

_CONTEXT = ("<environment_context>", "<user_instructions>", "# AGENTS.md instructions")
"""How messages begin that the program itself writes."""


class Codex(Claiming):
    """Reads records ``{"timestamp", "type", "payload"}``, or items below a first line of old.

    Notes
    -----
    Each item answers the one before it; after turns were rolled back, the one before those, so
    that they stay a branch. The model is that of the turn, the tokens are told after an answer.
    What tells of the session and its turns stands in the metadata's ``"records"``. What the
    program itself tells a model is hidden.
    """

    name = "codex"
    title = "Codex CLI session (.jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first line is a record with a payload, or tells of a session."""
        item = source.first_item
        kind = item.get("type")
        if isinstance(item.get("payload"), dict) and isinstance(kind, str) and kind in _RECORDS:
            return Claim(1, f"a record {kind!r} with a 'payload'")
        found = {"id", "timestamp", "instructions"} <= item.keys() and "role" not in item
        return claim(found, "a session's 'id', 'timestamp' and 'instructions'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the one thread."""
        session = _Rollout(source)
        for place, value in source.items("record"):
            with place.trying():
                session.add(place, place.check(value, dict, "a record"))
        session.draft.settle()
        yield session.draft


class _Rollout:
    """The thread, and what holds at its end."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.draft = DraftThread(within="")
        self.model: str | None = None
        self.last: int | None = None

    def add(self, place: Place, item: dict[str, Any]) -> None:
        kind, payload = place.take(item, "type", str), item.get("payload")
        if not isinstance(payload, dict):  # as all were at first
            if kind is None:
                self.begin(place, item, item)
            else:
                self.say(place, item, {})
        elif kind == "response_item":
            self.say(place, payload, item)
        elif kind == "session_meta":
            self.begin(place, payload, item)
        elif kind == "compacted":
            text = place.take(payload, "message", str) or ""
            told = DraftMessage(role="system", content=text, metadata=rest_of(payload, "message"))
            self.follow(told, item)
        elif kind != "event_msg" or not self.happen(place, payload):
            if kind == "turn_context":
                self.model = place.take(payload, "model", str) or self.model
            self.draft.metadata.setdefault("records", []).append(item)

    def begin(self, place: Place, payload: dict[str, Any], item: dict[str, Any]) -> None:
        """Take over what the session says of itself: the first, for a fork repeats its origin's."""
        if self.draft.id is None:
            self.draft.id = place.ident(payload, "id")
            rest = rest_of(payload, "id", "timestamp")
            self.draft.created_at = self.draft.time(None, payload, "timestamp", rest)
            self.draft.metadata |= rest
            if self.draft.created_at is None:
                self.draft.created_at = self.draft.time(None, item, "timestamp", rest)
        else:
            self.draft.metadata.setdefault("records", []).append(item)

    def say(self, place: Place, payload: dict[str, Any], item: dict[str, Any]) -> None:
        message = message_of(self.draft, place, payload)
        if message.role == "assistant":
            message.model = self.model
        message.hidden = message.role in ("developer", "system") or (
            message.role == "user" and message.content.startswith(_CONTEXT)
        )
        self.follow(message, item)

    def follow(self, message: DraftMessage, item: dict[str, Any]) -> None:
        if message.created_at is None:
            message.created_at = self.draft.time(message.id, item, "timestamp", message.metadata)
        message.parent = self.last
        self.last = self.draft.add(message)
        self.draft.updated_at = message.created_at or self.draft.updated_at

    def happen(self, place: Place, payload: dict[str, Any]) -> bool:
        """Take what an event says, and tell whether that is all."""
        kind = place.take(payload, "type", str)
        if kind in _REPEATED:
            self.source.leave("an event", "says what an item says")
            return True
        if kind == "token_count":
            info = payload.get("info")
            usage = info.get("last_token_usage") if isinstance(info, dict) else None
            answer = None if self.last is None else self.draft.messages[self.last]
            if answer is not None and isinstance(usage, dict):
                answer.tokens_in = tokens(usage, "input_tokens")
                answer.tokens_out = tokens(usage, "output_tokens")
        if kind == "thread_rolled_back":
            self.roll_back(tokens(payload, "num_turns") or 0)
        return False

    def roll_back(self, turns: int) -> None:
        """Go on above the last turns, each of which begins with what a user said."""
        while self.last is not None and turns > 0:
            message = self.draft.messages[self.last]
            turns -= message.role == "user" and not message.hidden
            self.last = message.parent
