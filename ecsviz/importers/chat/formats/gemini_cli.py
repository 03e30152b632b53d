"""Sessions of the Gemini CLI: a JSON file of each, or one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart, readable
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    rest_of,
    said_of,
    word,
)
from ecsviz.importers.chat.formats.gemini_contents import gemini_parts
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_ROLES = {"gemini": "assistant", "info": "system", "error": "system", "warning": "system"}

_PLACED = ("id", "type", "content", "timestamp", "model", "thoughts", "toolCalls")


class GeminiCLI(Claiming):
    """Reads ``{"sessionId", "projectHash", "messages"}``, or such a line and a message a line.

    Notes
    -----
    Each message answers the one before it; after a rewind, the one before that to which it went,
    so that what was rewound stays a branch. A line that says a message again, by its id, takes its
    place. Calls of tools and their results are parts of the answer that made them.
    """

    name = "gemini-cli"
    title = "Gemini CLI session (.json or .jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object names a session and the hash of a project."""
        found = {"sessionId", "projectHash"} <= source.first_item.keys()
        return claim(found, "'sessionId' and 'projectHash'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        session: _Recording | None = None
        for place, value in source.items("record"):
            with place.trying():
                item = place.check(value, dict, "a record")
                if session is None or "sessionId" in item:
                    if session is not None and place.ident(item, "sessionId") != session.draft.id:
                        yield session.done()
                        session = None
                    session = session or _Recording(place.ident(item, "sessionId"))
                    session.tell(place, item)
                else:
                    session.add(place, item)
        if session is not None:
            yield session.done()


class _Recording:
    """The thread, and where the messages of each id are."""

    def __init__(self, ident: str | None) -> None:
        self.draft = DraftThread(id=ident, within="")
        self.at: dict[str, int] = {}
        self.last: int | None = None

    def tell(self, place: Place, item: dict[str, Any]) -> None:
        """Take over what is said of the session, with the messages that stand there."""
        rest = said_of(item, "sessionId", "startTime", "lastUpdated", "messages", "summary")
        self.draft.created_at = self.draft.time(None, item, "startTime", rest) or (
            self.draft.created_at
        )
        self.draft.updated_at = self.draft.time(None, item, "lastUpdated", rest) or (
            self.draft.updated_at
        )
        self.draft.title = place.take(item, "summary", str) or self.draft.title
        self.draft.metadata |= rest
        for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
            here = place.at("message", number)
            with here.trying():
                self.add(here, here.check(raw, dict, "it"))

    def add(self, place: Place, item: dict[str, Any]) -> None:
        if "$set" in item:
            self.tell(place, place.check(item["$set"], dict, "'$set'"))
        elif "$rewindTo" in item:
            back = self.at.get(place.ident(item, "$rewindTo") or "")
            if back is None:
                self.draft.tell(None, "'$rewindTo'", "no message of the file; nothing is rewound")
            else:
                self.last = self.draft.messages[back].parent
        else:
            message = _message(self.draft, place, item)
            known = self.at.get(message.id or "")
            if known is not None:
                message.parent = self.draft.messages[known].parent
                self.draft.messages[known] = message
                return
            message.parent = self.last
            self.last = self.draft.add(message)
            if message.id:
                self.at[message.id] = self.last

    def done(self) -> DraftThread:
        self.draft.settle()
        return self.draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = rest_of(item, *_PLACED)
    kind = draft.role(ident, place.take(item, "type", str))
    if kind in _ROLES:
        rest["type"] = kind
    content = item.get("content")
    said = parts_of(content) if isinstance(content, str) else gemini_parts(content)
    parts: list[MessagePart] = []
    for each in dicts(place.take(item, "thoughts", list)):
        text = "\n".join(filter(None, (word(each, "subject"), word(each, "description"))))
        kept = said_of(each, "subject", "description")
        parts.append(MessagePart(kind="thinking", text=text, metadata=kept))
    parts += said
    for each in dicts(place.take(item, "toolCalls", list)):
        parts += parts_of([{**rest_of(each, "result"), "type": "tool_call"}])
        if each.get("result") is not None:
            parts += _results(each)
    usage = item.get("tokens")
    return DraftMessage(
        id=ident,
        role=_ROLES.get(kind, kind),
        content=texts_of(parts),
        parts=parts,
        model=place.take(item, "model", str),
        created_at=draft.time(ident, item, "timestamp", rest),
        tokens_in=tokens(usage, "input"),
        tokens_out=tokens(usage, "output", "thoughts"),
        metadata=rest,
    )


def _results(call: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a call's result, at least one of which is a tool's."""
    result = call["result"]
    found = parts_of(result) if isinstance(result, str) else gemini_parts(result)
    if any(part.kind == "tool_result" for part in found):
        return found
    block = {"type": "tool_result", "id": call.get("id"), "name": call.get("name")}
    told = {"content": readable(found)} if isinstance(result, str | list) else {"output": result}
    return [*parts_of([{**block, **told}]), *(part for part in found if part.kind != "text")]
