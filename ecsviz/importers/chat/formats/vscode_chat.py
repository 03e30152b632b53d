"""Chats of VS Code, such as those with Copilot: ``chatSessions/*.json`` and ``*.jsonl``."""

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
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source

_ASKED = ("requestId", "message", "variableData", "timestamp")

_ANSWERED = (
    "response",
    "responseId",
    "modelId",
    "result",
    "agent",
    "followups",
    "responseMarkdownInfo",
)
"""What of a request belongs to the answer; the rest belongs to the question."""


class VSCodeChat(Claiming):
    """Reads ``{"requests": […]}``, or the lines that make one: the whole first, then what changed.

    Notes
    -----
    A request is a question and an answer; each answers what was said before it. Pieces of the
    answer's text are put together, with the names of files that stand between them.
    """

    name = "vscode-chat"
    title = "VS Code chat session (.json or .jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has requests with a message and a response."""
        item = source.first_item
        log = item.get("kind") == 0 and isinstance(item.get("v"), dict)
        held = item["v"] if log else item
        listed = held.get("requests")
        if not isinstance(listed, list):
            return claim(False, "")
        named = bool({"requesterUsername", "responderUsername", "sessionId"} & held.keys())
        found = any({"requestId", "message"} <= each.keys() for each in dicts(listed[:20]))
        return claim(found or (named and not listed), "'requests' of a chat session")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        log: tuple[Place, Any] | None = None
        for place, value in source.items("session"):
            with place.trying():
                item = place.check(value, dict, "it")
                if "requests" in item:
                    yield _thread(place, item)
                elif item.get("kind") == 0:
                    if log is not None:
                        yield _thread(log[0], log[0].check(log[1], dict, "the session"))
                    log = place, item.get("v")
                elif log is None:
                    raise place.wrong("no session, and no change of one")
                else:
                    _change(place, log[1], item)
        if log is not None:
            with log[0].trying():
                yield _thread(log[0], log[0].check(log[1], dict, "the session"))


def _change(place: Place, whole: Any, item: dict[str, Any]) -> None:
    """Carry out a change: 1 sets a value, 2 appends to a list (behind a place), 3 deletes."""
    kind, path = item.get("kind"), place.take(item, "k", list)
    if not path:
        raise place.wrong("names no place ('k')")
    holder = whole
    for key in path[:-1]:
        holder = _inside(place, holder, key)
    key = path[-1]
    if kind == 2:
        listed = place.check(_inside(place, holder, key), list, "what is appended to")
        start = item.get("i")
        if isinstance(start, int) and not isinstance(start, bool) and start >= 0:
            del listed[start:]
        listed += place.take(item, "v", list) or []
    elif kind not in (1, 3):
        raise place.wrong("changes something in a way that is not known ('kind')")
    elif isinstance(holder, dict) and kind == 1:
        holder[str(key)] = item.get("v")
    else:
        _inside(place, holder, key)
        if kind == 1:
            holder[key] = item.get("v")
        else:
            del holder[key]


def _inside(place: Place, holder: Any, key: Any) -> Any:
    if isinstance(holder, dict) and isinstance(key, str) and key in holder:
        return holder[key]
    is_place = isinstance(key, int) and not isinstance(key, bool)
    if isinstance(holder, list) and is_place and 0 <= key < len(holder):
        return holder[key]
    raise place.wrong("changes what is not there")


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "sessionId"))
    draft.title = place.take(item, "customTitle", str) or ""
    draft.metadata = said_of(
        item, "sessionId", "customTitle", "requests", "creationDate", "lastMessageDate"
    )
    draft.created_at = draft.time(None, item, "creationDate", draft.metadata)
    draft.updated_at = draft.time(None, item, "lastMessageDate", draft.metadata)
    for number, raw in enumerate(place.take(item, "requests", list) or [], 1):
        here = place.at("request", number)
        with here.trying():
            request = here.check(raw, dict, "it")
            draft.follow(_question(draft, here, request))
            if request.get("response") is not None or request.get("result"):
                draft.follow(_answer(here, request, item))
    draft.settle()
    return draft


def _question(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident, said = place.ident(item, "requestId"), item.get("message")
    rest = said_of(item, *_ASKED, *_ANSWERED)
    parts = parts_of(said) if isinstance(said, str) else []
    if isinstance(said, dict):
        parts = parts_of(place.take(said, "text", str))
        rest |= {"message": kept} if (kept := said_of(said, "text")) else {}
    about = item.get("variableData")
    for each in dicts(about.get("variables")) if isinstance(about, dict) else []:
        kind = "image" if each.get("kind") == "image" else "file"
        parts.append(attached(word(each, "name"), kind=kind, more=said_of(each, "name")))
    return DraftMessage(
        id=ident,
        role="user",
        content=texts_of(parts),
        parts=parts,
        created_at=draft.time(ident, item, "timestamp", rest),
        hidden=item.get("isHidden") is True,
        metadata=rest,
    )


def _answer(place: Place, item: dict[str, Any], session: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "responseId") or f"{place.ident(item, 'requestId')}/response"
    rest = {k: v for k, v in said_of(item, "response", "responseId").items() if k in _ANSWERED}
    pieces = [part for each in place.take(item, "response", list) or [] for part in _parts(each)]
    parts = [part for piece in _runs(pieces) for part in piece]
    parts += [part for part in pieces if part.kind == "citation"]
    result = item.get("result")
    error = result.get("errorDetails") if isinstance(result, dict) else None
    if text := word(error, "message"):
        parts.append(MessagePart(kind="other", text=text, name="error"))
    return DraftMessage(
        id=ident,
        role="assistant",
        content=texts_of(parts),
        parts=parts,
        author=word(session, "responderUsername"),
        model=place.take(item, "modelId", str),
        hidden=item.get("isHidden") is True,
        metadata=rest_of(rest, "modelId"),
    )


def _runs(pieces: list[MessagePart]) -> Iterator[list[MessagePart]]:
    """Yield parts: texts in a row as one, with the names of files that stand between them."""
    for worded, group in groupby(pieces, lambda part: part.kind in ("text", "citation")):
        run = list(group)
        said = [part for part in run if part.kind == "text"]
        if not worded:
            yield run
        elif said:
            text = "".join(part.text or f"`{part.name}`" for part in run)
            more = {key: value for part in said for key, value in part.metadata.items()}
            yield [MessagePart(kind="text", text=text, metadata=more)]


def _parts(item: Any) -> list[MessagePart]:
    """Return the parts of a piece of an answer."""
    if not isinstance(item, dict):
        return parts_of(item) if isinstance(item, str) else []
    kind, value = item.get("kind"), item.get("value")
    if kind is None or kind == "markdownContent":
        text = value if isinstance(value, str) else word(item.get("content"), "value")
        rest = {
            k: v for k, v in said_of(item, "kind", "value", "content").items() if v is not False
        }
        return [MessagePart(kind="text", text=text, metadata=rest)] if text else []
    if kind == "thinking":
        text = "\n".join(map(str, value)) if isinstance(value, list) else value
        rest = said_of(item, "kind", "value")
        return parts_of([{**rest, "type": "thinking", "thinking": text}]) if text else []
    if kind == "inlineReference":
        return [_reference(item)]
    if kind == "toolInvocationSerialized":
        return _tool(item)
    text = next(filter(None, (_words(item.get(k)) for k in ("content", "message", "title"))), "")
    rest = said_of(item, "kind")
    if not text and not rest:
        return []
    return [MessagePart(kind="other", text=text, name=str(kind), metadata=rest)]


def _words(value: Any) -> str:
    """Return a text, which may stand in a ``value``."""
    return value if isinstance(value, str) else word(value, "value") or ""


def _reference(item: dict[str, Any]) -> MessagePart:
    inner = item.get("inlineReference")
    inner = inner if isinstance(inner, dict) else {}
    where = inner.get("location", inner)
    where = where.get("uri", where) if isinstance(where, dict) else {}
    path = word(where, "path", "fsPath", "external")
    name = word(item, "name") or word(inner, "name") or (path or "").rpartition("/")[2]
    return MessagePart(kind="citation", name=name or None, url=path, metadata=rest_of(item, "kind"))


def _tool(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a tool's call and, where it stands there, of its result."""
    details = item.get("resultDetails")
    inner = details if isinstance(details, dict) else {}
    named = {"name": word(item, "toolId"), "id": word(item, "toolCallId")}
    rest = said_of(item, "kind", "toolId", "toolCallId", "resultDetails")
    asked = inner.get("input", item.get("toolSpecificData"))
    (call,) = parts_of([{**named, "type": "tool_call", "arguments": asked, "said": rest}])
    parts = [call.model_copy(update={"metadata": rest})]
    found = inner.get("output") if inner else details
    if found not in (None, [], ""):
        texts = [each.get("value", "") for each in dicts(found)]
        told = "\n".join(t for t in texts if isinstance(t, str)) if texts else found
        block = {**named, "type": "tool_result", "output": told, "details": details}
        parts += parts_of([block])
    return parts
