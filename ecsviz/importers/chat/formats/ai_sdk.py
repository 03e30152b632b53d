"""Messages of Vercel's AI SDK, as its interfaces keep them (``UIMessage``)."""

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
    rest_of,
    word,
)
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_RESULTS = ("output", "result", "errorText")


class AISDK(Claiming):
    """Reads lists of messages with typed ``parts``, bare or as a chat's ``messages``.

    Notes
    -----
    A tool's call and its result stand in one part, and become two. Each message answers the one
    before it. The model and the tokens are what an application has put into ``metadata``.
    """

    name = "ai-sdk"
    title = "AI SDK messages (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is, or holds, a message with typed parts."""
        item = source.first_item
        listed = item.get("messages")
        found = [item, *(listed[:20] if isinstance(listed, list) else [])]
        return claim(any(map(_is_message, found)), "messages with 'role' and typed 'parts'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every list of messages, and for every chat."""
        for listed in source.talks("message"):
            bare = DraftThread()
            for place, value in listed:
                with place.trying():
                    item = place.check(value, dict, "it")
                    if "messages" in item:
                        yield _thread(place, item)
                    else:
                        bare.follow(_message(bare, place, item))
            if bare.messages or bare.problems:
                bare.settle()
                yield bare


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        return False
    parts = value.get("parts")
    return isinstance(parts, list) and any(
        isinstance(each, dict) and isinstance(each.get("type"), str) for each in parts
    )


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "id"), title=place.take(item, "title", str) or "")
    draft.metadata = rest_of(item, "id", "title", "messages", "createdAt", "updatedAt")
    draft.created_at = draft.time(None, item, "createdAt", draft.metadata)
    draft.updated_at = draft.time(None, item, "updatedAt", draft.metadata)
    draft.follow_each(place, place.take(item, "messages", list), "message", _message)
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = rest_of(item, "id", "role", "parts", "createdAt", "content")
    listed = place.take(item, "parts", list) or []
    parts = [made for each in listed for made in _parts(each)]
    text, flat = texts_of(parts), item.get("content")
    if flat and flat != text:
        if parts:
            rest["content"] = flat
        else:
            parts = parts_of(flat)
            text = texts_of(parts)
    said = item.get("metadata")
    usage = said.get("usage", said.get("totalUsage")) if isinstance(said, dict) else None
    return DraftMessage(
        id=ident,
        role=draft.role(ident, place.take(item, "role", str)),
        content=text,
        parts=parts,
        model=word(said, "model", "modelId"),
        created_at=draft.time(ident, item, "createdAt", rest),
        tokens_in=tokens(usage, "inputTokens", "promptTokens"),
        tokens_out=tokens(usage, "outputTokens", "completionTokens"),
        metadata=rest,
    )


def _parts(item: Any) -> list[MessagePart]:
    """Return the parts of a part: a tool's call, with its result if there is one, or one other."""
    if not isinstance(item, dict):
        return parts_of([item])
    kind = item.get("type")
    if kind == "step-start" and len(item) == 1:
        return []
    inner = item.get("toolInvocation", item.get("source"))
    if kind in ("tool-invocation", "source") and isinstance(inner, dict):
        item = {**rest_of(item, "toolInvocation", "source"), **inner}
        kind = "dynamic-tool" if kind == "tool-invocation" else "source-url"
    if kind == "dynamic-tool" or (isinstance(kind, str) and kind.startswith("tool-")):
        tool = item.get("toolName", str(kind).removeprefix("tool-"))
        call = {**rest_of(item, *_RESULTS), "type": "tool-call", "toolName": tool}
        found = [{"output": item[key]} for key in _RESULTS if item.get(key) is not None]
        kept = {"error": True} if item.get("errorText") else {}
        done = {"type": "tool-result", "toolName": tool, "toolCallId": item.get("toolCallId")}
        return parts_of([call, *({**done, **each, **kept} for each in found)])
    if isinstance(kind, str) and kind.startswith("data-"):
        item = {"name": kind.removeprefix("data-"), **item}
    return parts_of([{**item, "type": kind}])
