"""Messages as OpenAI's interfaces take and give them, in JSON or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    GENERAL,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    rest_of,
)
from ecsviz.importers.chat.parts import calls_of, parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source

_PLACED = frozenset({"id", "role", "content", "name", "model", "created_at", "type"})

_ROLES = {"function_call": "assistant", "function_call_output": "tool", "reasoning": "assistant"}
"""The roles of items that have a type instead."""

_OBJECTS = ("chat.completion", "thread.message")
"""What answers of the interfaces say that they are."""

_LISTS = ("messages", "conversations", "conversation")

_IDS = ("id", "custom_id", "conversation_id")

_OWN = frozenset({"id", "created_at", "model"})
"""What of an item is its message's, not the part's."""

_FAKE_ID = "__fake_id__"
"""What the Agents SDK writes where a model gave no id."""


class OpenAIMessages(Claiming):
    """Reads lists of ``{"role", "content"}``: bare, in ``"messages"``, or in a request's body.

    Notes
    -----
    A list of messages, and lines that are messages, are one thread (those that name one, one
    each); an object with ``messages``, ``conversation`` or ``conversations`` is one each, as in
    files for fine-tuning and batches; so is an answer, with its ``choices``. Each message answers
    the one before it.
    """

    name = "openai-messages"
    title = "OpenAI messages (.json or .jsonl)"
    general = True

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is, or holds, a message."""
        item = source.first_item
        if item.get("object") in _OBJECTS:
            return Claim(1, f"'object' is {item['object']!r}")
        first = next((each for each in _listed(item) or [] if isinstance(each, dict)), {})
        found = _is_message(item) or _is_message(first)
        return claim(found, "messages with 'role' and 'content'", GENERAL)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every list of messages; then those of messages that stand alone."""
        alone: dict[str | None, DraftThread] = {}
        for place, value in source.items("item"):
            with place.trying():
                if isinstance(value, list):
                    draft = DraftThread()
                    _fill(draft, place, value)
                    draft.settle()
                    yield draft
                    continue
                item = place.check(value, dict, "it")
                found = _listed(item)
                if found is None and _is_message(item):
                    thread = place.ident(item, "thread_id")
                    draft = alone.setdefault(thread, DraftThread(id=thread))
                    draft.follow(message_of(draft, place, item))
                else:
                    yield _thread(place, item, found)
        for draft in alone.values():
            draft.settle()
            yield draft


def _is_message(item: dict[str, Any]) -> bool:
    kind = item.get("type")
    if isinstance(kind, str) and kind in _ROLES and "role" not in item:
        return bool({"call_id", "summary"} & item.keys())
    return isinstance(item.get("role"), str) and bool({"content", "tool_calls"} & item.keys())


def _listed(item: dict[str, Any]) -> list[Any] | None:
    body = item.get("body")
    for holder in (item, body if isinstance(body, dict) else {}):
        for key in _LISTS:
            found = holder.get(key)
            if isinstance(found, list) and (key == "messages" or any(map(_is_said, found))):
                return found
    choices = item.get("choices")
    if item.get("object") == "chat.completion" and isinstance(choices, list):
        return [each.get("message") if isinstance(each, dict) else each for each in choices]
    return None


def _is_said(value: Any) -> bool:
    return isinstance(value, dict) and _is_message(value)


def _thread(place: Place, item: dict[str, Any], listed: list[Any] | None) -> DraftThread:
    ident = next(filter(None, (place.ident(item, key) for key in _IDS)), None)
    draft = DraftThread(id=ident)
    draft.metadata = rest_of(item, *_LISTS, "choices", "created_at", "updated_at", "created")
    for key in _IDS:
        if draft.metadata.get(key) == ident:
            draft.metadata.pop(key, None)
    for key in ("title", "name"):
        if not draft.title and isinstance(item.get(key), str):
            draft.title = draft.metadata.pop(key)
    body = item.get("body")
    if "messages" not in item and isinstance(body, dict):
        draft.metadata["body"] = rest_of(body, "messages")
    draft.created_at = draft.time(None, item, "created_at", draft.metadata)
    draft.created_at = draft.created_at or draft.time(None, item, "created", draft.metadata)
    draft.updated_at = draft.time(None, item, "updated_at", draft.metadata)
    if listed is None:
        raise place.wrong("neither a message (no 'role') nor a list of them (no 'messages')")
    _fill(draft, place, listed, alternatives="choices" in item)
    for holder in (item, body if isinstance(body, dict) else {}):
        if isinstance(model := holder.get("model"), str):
            for message in draft.messages:
                if message.role == "assistant" and message.model is None:
                    message.model = model
    draft.settle()
    return draft


def _fill(
    draft: DraftThread, place: Place, listed: list[Any], *, alternatives: bool = False
) -> None:
    for number, raw in enumerate(listed, 1):
        here = place.at("message", number)
        with here.trying():
            message = message_of(draft, here, here.check(raw, dict, "a message"))
            if alternatives:
                draft.add(message)
            else:
                draft.follow(message)


def message_of(
    draft: DraftThread, place: Place, item: dict[str, Any], ident: str | None = None
) -> DraftMessage:
    """Return the message of an item: one with a role, or a call, its output, or a reasoning.

    Parameters
    ----------
    draft
        The thread, which is told what could not be placed.
    place
        Where the item stands.
    item
        What the interface gave.
    ident
        The id to take instead of the item's own, which then goes to the metadata.
    """
    own = place.ident(item, "id")
    rest = rest_of(item, *_PLACED)
    if own is not None and (ident is not None or own == _FAKE_ID):
        rest["id"], own = item["id"], None
    ident = ident or own
    kind = place.take(item, "type", str)
    role = place.take(item, "role", str) or _ROLES.get(kind or "", kind)
    if kind is not None and kind != "message":
        rest["type"] = kind
    if kind in _ROLES and "role" not in item:
        parts = parts_of({key: value for key, value in item.items() if key not in _OWN})
        text = parts[0].text
        rest = {key: value for key, value in rest.items() if key in ("id", "type")}
    else:
        said = parts_of(item.get("content"))
        text, parts = texts_of(said), _parts(item, rest, role, said)
    return DraftMessage(
        id=ident,
        role=draft.role(ident, role),
        content=text,
        parts=parts,
        author=place.take(item, "name", str) if kind in (None, "message") else None,
        model=place.take(item, "model", str),
        created_at=draft.time(ident, item, "created_at", rest),
        metadata=rest,
    )


def _parts(
    item: dict[str, Any], rest: dict[str, Any], role: str | None, said: list[MessagePart]
) -> list[MessagePart]:
    """Return the parts of a message, whose thoughts and calls stand beside its content."""
    if role in ("tool", "function"):
        told = ("content", "name", "tool_call_id")
        result = {key: item[key] for key in told if key in item}
        rest.pop("tool_call_id", None)
        return parts_of({"type": "tool_result", **result})
    parts: list[MessagePart] = []
    for key in ("reasoning_content", "reasoning"):
        if isinstance(item.get(key), str) and item[key]:
            parts.append(MessagePart(kind="thinking", text=rest.pop(key)))
            break
    parts += said
    if isinstance(item.get("refusal"), str):
        parts += parts_of({"type": "refusal", "refusal": rest.pop("refusal")})
    if isinstance(item.get("audio"), dict):
        parts += parts_of({"type": "audio", "audio": rest.pop("audio")})
    if item.get("tool_calls"):
        parts += calls_of(rest.pop("tool_calls"))
    if isinstance(item.get("function_call"), dict):
        parts += calls_of([{"function": rest.pop("function_call")}])
    return parts
