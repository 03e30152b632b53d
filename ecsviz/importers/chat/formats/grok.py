"""Grok's data export: ``prod-grok-backend.json``, or the zip that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_PLACED = ("_id", "response_id", "conversation_id", "message", "sender", "create_time", "model")

_PARENT = "parent_response_id"

_THOUGHTS = ("thinking_trace", "agent_thinking_traces")

_FILES = ("file_attachments", "image_attachments", "generated_image_urls")


class Grok(Claiming):
    """Reads ``{"conversations": [{"conversation": {…}, "responses": [{"response": {…}}]}]}``.

    Notes
    -----
    Responses that name what they answer form a tree; in a conversation without any such name,
    each answers the one before. Who is not human is an assistant, whatever the sender is called.
    """

    name = "grok"
    title = "Grok export (prod-grok-backend.json or its zip)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are conversations with responses."""
        first = next(iter(dicts(source.first_item.get("conversations"))), {})
        found = {"conversation", "responses"} <= first.keys()
        return claim(found, "'conversations' with 'responses'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("export"):
            with place.trying():
                export = place.check(value, dict, "it")
                for number, raw in enumerate(place.take(export, "conversations", list) or [], 1):
                    here = place.at("conversation", number)
                    with here.trying():
                        yield _thread(here, here.check(raw, dict, "a conversation"))
                for key, held in export.items():
                    if key != "conversations" and held:
                        source.leave(f"{key!r}", "no chats")


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    about = place.take(item, "conversation", dict) or {}
    ident = place.ident(about, "id") or place.ident(about, "conversation_id")
    draft = DraftThread(id=ident, title=place.take(about, "title", str) or "", within="")
    own = ("id", "conversation_id", "title", "create_time", "modify_time", "leaf_response_id")
    draft.metadata = _told(about, *own)
    if shown := word(about, "leaf_response_id"):
        draft.metadata["current_node"] = shown
    draft.metadata |= said_of(item, "conversation", "responses")
    draft.created_at = draft.time(None, about, "create_time", draft.metadata)
    draft.updated_at = draft.time(None, about, "modify_time", draft.metadata)
    nodes: list[Node] = []
    asked: dict[str | None, str | None] = {}
    for number, raw in enumerate(place.take(item, "responses", list) or [], 1):
        here = place.at("response", number)
        with here.trying():
            held = here.check(raw, dict, "it")
            said = here.take(held, "response", dict) or {}
            message = _message(draft, here, said)
            message.metadata |= said_of(held, "response")
            asked[message.id] = _asked(said)
            nodes.append(Node(message.id, here.ident(said, _PARENT), message))
    for node in nodes:
        if node.message.role == "assistant" and node.message.model is None:
            node.message.model = asked.get(node.parent)
    if not any(node.parent for node in nodes):
        for node in nodes:
            draft.follow(node.message)
    else:
        grow(draft, nodes, _PARENT)
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "_id") or place.ident(item, "response_id")
    rest = _told(item, *_PLACED, _PARENT)
    sender = draft.role(ident, place.take(item, "sender", str))
    role = "user" if sender.lower() in ("human", "user") else "assistant"
    if sender.lower() not in ("human", "assistant", "unknown"):
        rest["sender"] = sender
    text = place.take(item, "message", str) or ""
    thoughts = [part for key in _THOUGHTS for part in _thoughts(rest.pop(key, None))]
    said = [MessagePart(kind="text", text=text)] if text else []
    files = [part for key in _FILES for part in _files(key, rest.pop(key, None))]
    found = [
        MessagePart(kind="citation", name=word(each, "title"), url=word(each, "url"))
        for key in ("web_search_results", "cited_web_search_results")
        for each in dicts(item.get(key))
    ]
    failed = [MessagePart(kind="other", text=rest["error"])] if word(rest, "error") else []
    return DraftMessage(
        id=ident,
        role="unknown" if sender == "unknown" else role,
        content=text,
        parts=thoughts + said + files + found + failed,
        model=place.take(item, "model", str) if role == "assistant" else None,
        created_at=draft.time(ident, item, "create_time", rest),
        metadata=rest,
    )


def _told(holder: dict[str, Any], *placed: str) -> dict[str, Any]:
    """Return what is said besides; of flags those that are set."""
    return {key: value for key, value in said_of(holder, *placed).items() if value is not False}


def _asked(item: dict[str, Any]) -> str | None:
    """Return the model that a question asked for."""
    metadata = item.get("metadata")
    details = metadata.get("requestModelDetails") if isinstance(metadata, dict) else None
    return word(details, "modelId")


def _thoughts(value: object) -> list[MessagePart]:
    listed = value if isinstance(value, list) else [value] if value else []
    parts: list[MessagePart] = []
    for each in listed:
        told = {"text": each} if isinstance(each, str) else each
        if isinstance(told, dict):
            key = next((key for key in ("thinking_trace", "text", "content") if key in told), "")
            text = word(told, key) or ""
            rest = said_of(told, *([key] if text else []))
            parts.append(MessagePart(kind="thinking", text=text, metadata=rest))
    return parts


def _files(key: str, value: object) -> list[MessagePart]:
    """Return the parts of attachments: ids, addresses or objects."""
    kind = None if key == "file_attachments" else "image"
    parts: list[MessagePart] = []
    for each in value if isinstance(value, list) else [value] if value else []:
        told = {"id": each} if isinstance(each, str) else each
        if isinstance(told, dict):
            name, url = word(told, "file_name", "fileName", "name", "id"), word(told, "url")
            rest = said_of(told, "id", "file_name", "fileName", "name", "url", "mime_type")
            parts.append(attached(name, url, word(told, "mime_type"), kind, more=rest))
    return parts
