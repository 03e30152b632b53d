"""HuggingChat, and other places that run Chat UI: exports and dumps of conversations."""

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
from ecsviz.importers.chat.parts import parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.tagged import tagged_parts
from ecsviz.importers.chat.trees import Node, grow

_PLACED = frozenset(
    {
        *("id", "from", "content", "reasoning", "files", "updates", "createdAt"),
        *("ancestors", "children"),
    }
)

_OF_CHAT = ("rootMessageId", "preprompt", "sessionId", "_id")


class HuggingChat(Claiming):
    """Reads conversations with ``messages`` of ``{"from", "content", "ancestors"}``.

    Notes
    -----
    A message answers the last of its ancestors; where there are none, the one before it. The empty
    message at the root is none.
    """

    name = "huggingchat"
    title = "HuggingChat export (conversations.json or its zip)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are messages with ``from`` and ``content`` in a conversation."""
        item = source.first_item
        said = next(iter(dicts(item.get("messages"))), {})
        found = {"from", "content"} <= said.keys() and (
            "id" in said or any(key in item for key in _OF_CHAT)
        )
        return claim(found, "messages with 'from' and 'content'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    raw = item.get("_id")
    held = {"_id": raw.get("$oid")} if isinstance(raw, dict) else item
    draft = DraftThread(id=place.ident(held, "_id"), title=place.take(item, "title", str) or "")
    draft.within = "" if draft.id and len(draft.id) == 24 else None
    draft.metadata = said_of(
        item, "_id" if draft.id else "", "title", "messages", "createdAt", "updatedAt"
    )
    draft.created_at = draft.time(None, item, "createdAt", draft.metadata)
    draft.updated_at = draft.time(None, item, "updatedAt", draft.metadata)
    model = place.take(item, "model", str)
    told = place.take(item, "messages", list) or []
    linked = any(each.get("ancestors") for each in dicts(told))
    empty: set[str] = set()
    nodes: list[Node] = []
    for number, raw in enumerate(told, 1):
        here = place.at("message", number)
        with here.trying():
            said = here.check(raw, dict, "it")
            message = _message(draft, here, said, model)
            listed = here.take(said, "ancestors", list) or []
            above = [here.check(each, str, "an ancestor") for each in listed]
            parent = next((each for each in reversed(above) if each not in empty), None)
            if message.role == "system" and not message.parts and message.id:
                empty.add(message.id)
            elif linked:
                nodes.append(Node(message.id, parent, message))
            else:
                draft.follow(message)
    grow(draft, nodes, "ancestors")
    draft.settle()
    return draft


def _message(
    draft: DraftThread, place: Place, item: dict[str, Any], model: str | None
) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = {key: value for key, value in said_of(item, *_PLACED).items() if value is not False}
    told = place.take(item, "reasoning", str)
    said = tagged_parts(place.take(item, "content", str) or "")
    parts = [MessagePart(kind="thinking", text=told)] if told else []
    parts += [part for each in dicts(item.get("updates")) for part in _update(each, rest)]
    parts += said
    for each in place.take(item, "files", list) or []:
        file = each if isinstance(each, dict) else {"name": each}
        stored = file.get("value") if file.get("type") == "hash" else None
        more = {"hash": stored} if stored != file.get("name") else {}
        parts.append(attached(file.get("name"), None, file.get("mime"), more=more))
    role = draft.role(ident, place.take(item, "from", str))
    routed = item.get("routerMetadata")
    return DraftMessage(
        id=ident,
        role=role,
        content=texts_of(said),
        parts=parts,
        model=(word(routed, "model") or model) if role == "assistant" else None,
        created_at=draft.time(ident, item, "createdAt", rest),
        metadata=rest,
    )


def _update(item: dict[str, Any], rest: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a call of a tool, or of its result; other updates are kept or noise."""
    kind, inner = item.get("subtype"), item.get("call")
    if item.get("type") == "tool" and kind == "call" and isinstance(inner, dict):
        call = {"name": inner.get("name"), "id": item.get("uuid")}
        return parts_of({"type": "tool_call", **call, "arguments": inner.get("parameters")})
    if item.get("type") == "tool" and kind in ("result", "error"):
        result = item.get("result")
        told = word(item, "message") or word(result, "message")
        made = result.get("outputs") if isinstance(result, dict) else None
        return parts_of({"type": "tool_result", "id": item.get("uuid"), "output": made or told})
    if item.get("type") not in ("stream", "status", "title", "finalAnswer", "reasoning"):
        rest.setdefault("updates", []).append(item)
    return []
