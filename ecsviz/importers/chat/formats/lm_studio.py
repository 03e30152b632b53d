"""Conversations of LM Studio: ``*.conversation.json``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    dicts,
    rest_of,
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_THREAD = ("name", "createdAt", "messages", "systemPrompt")


class LMStudio(Claiming):
    """Reads ``{"name", "messages": [{"versions": […], "currentlySelected"}]}``.

    Notes
    -----
    Versions of a message are branches, and what follows answers the one that was selected. An
    answer's steps are its parts: thoughts, texts, calls of tools and their results.
    """

    name = "lm-studio"
    title = "LM Studio conversation (.conversation.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has messages with versions."""
        listed = source.first_item.get("messages")
        found = any(isinstance(each.get("versions"), list) for each in dicts(listed))
        return claim(found, "messages with 'versions'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(title=place.take(item, "name", str) or "")
    draft.metadata = said_of(item, *_THREAD)
    draft.created_at = draft.time(None, item, "createdAt", draft.metadata)
    if told := place.take(item, "systemPrompt", str):
        draft.follow(DraftMessage(role="system", content=told))
    last = len(draft.messages) - 1 if draft.messages else None
    for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            held = here.check(raw, dict, "it")
            chosen, at = held.get("currentlySelected", 0), last
            for version, told_as in enumerate(here.take(held, "versions", list) or []):
                spot = here.at("version", version + 1)
                with spot.trying():
                    message = _message(draft, spot, spot.check(told_as, dict, "it"))
                    message.parent = last
                    message.metadata |= rest_of(held, "versions", "currentlySelected")
                    if version == chosen and len(held["versions"]) > 1:
                        message.metadata["selected"] = True
                    where = draft.add(message)
                    at = where if version == chosen or at == last else at
            last = at
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    role = draft.role(None, place.take(item, "role", str))
    plain = "type" if item.get("type") in ("singleStep", "multiStep") else ""
    rest = rest_of(item, "role", "content", "steps", "senderInfo", plain)
    parts = [part for each in dicts(item.get("content")) for part in _parts(each, "text")]
    model: str | None = None
    read: int | None = None
    wrote: int | None = None
    beside: list[Any] = []
    for number, raw in enumerate(place.take(item, "steps", list) or [], 1):
        step = place.at("step", number).check(raw, dict, "it")
        style, made = step.get("style"), step.get("genInfo")
        kind = "thinking" if word(style, "type") == "thinking" else "text"
        parts += [part for each in dicts(step.get("content")) for part in _parts(each, kind)]
        if isinstance(made, dict):
            model = word(made, "indexedModelIdentifier", "identifier") or model
            stats = made.get("stats")
            read = tokens(stats, "promptTokensCount") or read
            wrote = (wrote or 0) + (tokens(stats, "predictedTokensCount") or 0) or None
        plain = "type" if step.get("type") == "contentBlock" else ""
        if kept := said_of(step, "content", "stepIdentifier", plain):
            beside.append(kept)
    if beside:
        rest["steps"] = beside
    return DraftMessage(
        role=role,
        content=texts_of(parts),
        parts=parts,
        author=word(item.get("senderInfo"), "senderName"),
        model=model,
        tokens_in=read,
        tokens_out=wrote,
        metadata=rest,
    )


def _parts(item: dict[str, Any], kind: str) -> list[MessagePart]:
    """Return the parts of a piece of content: a text or a thought, a file, a call, a result."""
    told = word(item, "type") or ""
    inner = item.get(told)
    if isinstance(inner, dict):
        item = {**rest_of(item, told), **inner, "type": told}
    if told == "text":
        return [MessagePart(kind=kind, text=text)] if (text := word(item, "text")) else []
    if told == "file":
        name = word(item, "name", "fileIdentifier", "identifier")
        media = "image" if item.get("fileType") == "image" else None
        return [attached(name, kind=media, more=said_of(item, "type", "name", "fileIdentifier"))]
    rest = rest_of(item, "type", "parameters", "arguments", "content")
    if told == "toolCallRequest":
        data = item.get("parameters", item.get("arguments"))
        return parts_of([{**_named(rest), "type": "tool_call", "arguments": data}])
    if told == "toolCallResult":
        content = as_json(item.get("content"))
        return parts_of([{**_named(rest), "type": "tool_result", "content": content}])
    return parts_of([item])


def _named(rest: dict[str, Any]) -> dict[str, Any]:
    """Return what a call or result says, with its id as it is called elsewhere."""
    keys = ("toolCallRequestId", "toolCallId", "id", "callId")
    key = next((key for key in keys if isinstance(rest.get(key), str | int)), None)
    return {**rest_of(rest, key or ""), "call_id": str(rest[key])} if key else rest
