"""Messages of PydanticAI, as ``all_messages_json()`` gives them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    rest_of,
    said_of,
)
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_ROLES = {
    "system-prompt": "system",
    "user-prompt": "user",
    "tool-return": "tool",
    "retry-prompt": "tool",
}
"""Who speaks in a part of a request; a response is the model's."""

_TYPES = {
    "text": "text",
    "thinking": "thinking",
    "tool-call": "tool-call",
    "builtin-tool-call": "tool-call",
    "tool-return": "tool-result",
    "builtin-tool-return": "tool-result",
    "image-url": "image_url",
    "audio-url": "audio_url",
    "video-url": "video_url",
    "document-url": "document_url",
}

_USAGE_IN, _USAGE_OUT = ("input_tokens", "request_tokens"), ("output_tokens", "response_tokens")


class PydanticAI(Claiming):
    """Reads a list of requests and responses, whose parts have a ``part_kind``.

    Notes
    -----
    A response is a message. A request may hold what several have said: a system's prompt, a user's,
    a tool's results are a message each. Each message answers the one before it.
    """

    name = "pydantic-ai"
    title = "PydanticAI messages (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has parts with a ``part_kind``."""
        parts = source.first_item.get("parts")
        found = any("part_kind" in each for each in dicts(parts))
        return claim(found, "parts with a 'part_kind'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every list."""
        for listed in source.talks("message"):
            draft = DraftThread()
            for place, value in listed:
                with place.trying():
                    _turn(draft, place, place.check(value, dict, "a message"))
            draft.settle()
            yield draft


def _turn(draft: DraftThread, place: Place, item: dict[str, Any]) -> None:
    """Append the messages of a request or response."""
    rest = said_of(item, "parts", "kind", "usage", "model_name", "timestamp")
    conversation = place.ident(item, "conversation_id")
    if conversation is not None and draft.id in (None, conversation):
        draft.id = conversation
        del rest["conversation_id"]
    kind = place.take(item, "kind", str)
    answers = kind == "response"
    if kind not in ("request", "response"):
        rest["kind"] = kind
    usage = item.get("usage")
    told = [place.check(each, dict, "a part") for each in place.take(item, "parts", list) or []]
    turns = groupby(told, lambda part: "assistant" if answers else _role(part))
    for number, (role, group) in enumerate(turns):
        listed = list(group)
        parts = [made for part in listed for made in _parts(place, part)]
        message = DraftMessage(role=role, content=texts_of(parts), parts=parts)
        if number == 0:
            message.metadata = rest
            if isinstance(usage, dict) and any(usage.values()):
                rest["usage"] = usage
        message.created_at = draft.time(None, item, "timestamp", message.metadata)
        if not answers and listed[0].get("timestamp"):
            if number == 0:
                rest["timestamp"] = item.get("timestamp")
            message.created_at = draft.time(None, listed[0], "timestamp", message.metadata)
        if answers:
            message.model = place.take(item, "model_name", str)
            message.tokens_in = tokens(usage, *_USAGE_IN)
            message.tokens_out = tokens(usage, *_USAGE_OUT)
        draft.follow(message)


def _role(part: dict[str, Any]) -> str:
    kind = part.get("part_kind")
    if kind == "retry-prompt" and not part.get("tool_name"):
        return "user"
    return _ROLES.get(kind, "unknown") if isinstance(kind, str) else "unknown"


def _parts(place: Place, item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a part: a user's prompt may hold several."""
    kind = place.take(item, "part_kind", str)
    rest = said_of(item, "part_kind", "timestamp", "content")
    if kind == "retry-prompt":
        kind = "tool-return" if rest.get("tool_name") else "user-prompt"
    content = item.get("content")
    if kind in ("system-prompt", "user-prompt"):
        listed = content if isinstance(content, list) else [content]
        parts = parts_of([_block(each) for each in listed if each is not None])
        if parts and rest:
            both = {**parts[0].metadata, **rest}
            parts[0] = parts[0].model_copy(update={"metadata": both})
        return parts
    if kind == "file" and isinstance(content, dict):
        return parts_of([{**_block(content), **rest}])
    block = {**rest, "content": content} if content is not None else rest
    if kind in ("text", "thinking"):
        block["text"] = block.pop("content", "")
    block["type"] = _TYPES.get(kind or "", kind)
    return parts_of([block])


def _block(content: Any) -> Any:
    """Return what a user has sent as a block of which `parts_of` knows what it is."""
    if not isinstance(content, dict):
        return content
    kind = content.get("kind")
    if kind == "binary":
        media = str(content.get("media_type")).partition("/")[0]
        kind = media if media in ("image", "audio", "video") else "file"
        return {**rest_of(content, "kind"), "type": kind}
    if kind == "text-content":
        return {
            "text": content.get("content"),
            **rest_of(content, "kind", "content"),
            "type": "text",
        }
    return {**rest_of(content, "kind"), "type": _TYPES.get(str(kind), kind)}
