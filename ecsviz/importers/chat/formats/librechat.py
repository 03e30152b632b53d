"""LibreChat's export of a conversation, nested or flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.parts import parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_NO_PARENT = "00000000-0000-0000-0000-000000000000"
"""What a first message names as its parent."""

_PLACED = frozenset(
    {"messageId", "parentMessageId", "sender", "text", "model", "createdAt", "children", "content"}
)


class LibreChat(Claiming):
    """Reads ``{"conversationId", "messages": […]}``; answers may stand in ``children``."""

    name = "librechat"
    title = "LibreChat export (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has a ``conversationId`` and messages."""
        item = source.first_item
        found = "conversationId" in item and isinstance(item.get("messages"), list)
        return claim(found, "'conversationId' beside 'messages'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    ident = place.ident(item, "conversationId")
    draft = DraftThread(id=ident, title=place.take(item, "title", str) or "", within="")
    draft.metadata = rest_of(item, "conversationId", "title", "messages")
    listed = place.take(item, "messages", list)
    if listed is None:
        draft.tell(None, "'messages'", "missing; the thread has no messages")
    grow(draft, _flatten(draft, place, listed or []), "parentMessageId")
    draft.settle()
    return draft


def _flatten(draft: DraftThread, place: Place, listed: list[Any]) -> list[Node]:
    """Return all messages, each before its own answers."""
    nodes: list[Node] = []
    todo: list[tuple[Any, Node | None]] = [(raw, None) for raw in reversed(listed)]
    while todo:
        raw, above = todo.pop()
        with place.trying():
            node, children = _node(draft, place, raw, above, len(nodes) + 1)
            nodes.append(node)
            todo.extend((child, node) for child in reversed(children))
    return nodes


def _node(
    draft: DraftThread, place: Place, raw: Any, above: Node | None, number: int
) -> tuple[Node, list[Any]]:
    """Return a message, and what answers it."""
    item = place.check(raw, dict, "a message")
    ident = place.ident(item, "messageId")
    here = place.at("message", ident) if ident else place
    said = here.ident(item, "parentMessageId")
    parent = None if said == _NO_PARENT else said
    message = _message(draft, here, ident, item)
    if above is not None and parent != above.id:
        if parent is not None:
            message.metadata["parentMessageId"] = said
            why = "is not the message that it is an answer of; kept there"
            draft.tell(ident, "'parentMessageId'", why)
        parent = above.id
    children = here.take(item, "children", list) or []
    return Node(ident or f"#{number}", parent, message), children


def _message(
    draft: DraftThread, place: Place, ident: str | None, item: dict[str, Any]
) -> DraftMessage:
    rest = rest_of(item, *_PLACED, "isCreatedByUser")
    if rest.get("conversationId") == draft.id:
        rest.pop("conversationId", None)
    by_user = place.take(item, "isCreatedByUser", bool)
    sender = place.take(item, "sender", str)
    if by_user is None and sender is not None:
        by_user = sender.lower() == "user"
    text = place.take(item, "text", str) or ""
    parts: list[MessagePart] = []
    if item.get("content") is not None:
        rest["content"] = item["content"]
        parts = _parts(item["content"])
        if text and not texts_of(parts):
            parts.insert(0, MessagePart(kind="text", text=text))
        text = text or "\n".join(_texts(item["content"]))
    return DraftMessage(
        id=ident,
        role=draft.role(ident, {True: "user", False: "assistant"}.get(by_user)),  # type: ignore[arg-type]  # None has none
        content=text,
        parts=parts,
        author=None if sender in (None, "", "user", "User") else sender,
        model=place.take(item, "model", str),
        created_at=draft.time(ident, item, "createdAt", rest),
        metadata=rest,
    )


def _parts(content: object) -> list[MessagePart]:
    """Return the parts of a content; a call stands with its output in a block of its own."""
    parts: list[MessagePart] = []
    for block in content if isinstance(content, list) else [content]:
        call = block.get("tool_call") if isinstance(block, dict) else None
        if isinstance(call, dict):
            parts += parts_of(
                {"type": "tool_call", **{k: v for k, v in call.items() if k != "output"}}
            )
            if call.get("output"):
                told = {key: call[key] for key in ("id", "name", "output") if key in call}
                parts += parts_of({"type": "tool_result", **told})
        elif isinstance(block, dict) and isinstance(block.get("think"), str):
            parts.append(MessagePart(kind="thinking", text=block["think"]))
        else:
            parts += parts_of(block)
    return parts


def _texts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, dict):  # as the assistants' interface has it
            text = text.get("value")
        if isinstance(text, str) and text:
            yield text
