"""LobeChat's export of its chats: of the browser's store, and of its database."""

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
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.tagged import tagged_parts
from ecsviz.importers.chat.trees import Node, grow

_PLACED = frozenset(
    {
        *("id", "role", "content", "parentId", "sessionId", "topicId", "model", "reasoning"),
        *("tools", "tool_call_id", "plugin", "error", "search", "files", "createdAt"),
        *("fromModel", "userId", "clientId"),
    }
)


class LobeChat(Claiming):
    """Reads ``{"state": {"sessions", "messages", "topics"}}``, or ``data`` with such tables.

    Notes
    -----
    A thread is a topic of a session, or what was said in a session outside of topics. A message
    answers the one that it names, or else the one before it.
    """

    name = "lobechat"
    title = "LobeChat export (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are messages beside sessions, and what kind of export it is."""
        item = source.first_item
        old = "exportType" in item and isinstance(item.get("state"), dict)
        new = {"data", "schemaHash"} <= item.keys() and isinstance(item["data"], dict)
        return claim(old or new, "'state' with 'exportType', or 'data' with 'schemaHash'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every topic, and every session with messages outside of them."""
        for place, value in source.items("export"):
            with place.trying():
                item = place.check(value, dict, "it")
                state = place.take(item, "state" if "state" in item else "data", dict) or {}
                yield from _Export(state).threads(place)
                for key, held in state.items():
                    if held and key not in _Export.READ:
                        source.leave(f"{key!r}", "no chats")


class _Export:
    """The tables of an export, by what they are looked up by."""

    READ = ("messages", "sessions", "topics", "messagePlugins", "messagesFiles", "files")

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self.sessions = self._by("sessions", "id")
        self.topics = self._by("topics", "id")
        self.plugins = self._by("messagePlugins", "id")
        self.files = self._by("files", "id")
        self.held: dict[str, list[dict[str, Any]]] = {}
        for each in dicts(state.get("messagesFiles")):
            if (owner := word(each, "messageId")) and (file := word(each, "fileId")):
                self.held.setdefault(owner, []).append(self.files.get(file, {"id": file}))

    def _by(self, table: str, key: str) -> dict[str, dict[str, Any]]:
        return {found: row for row in dicts(self.state.get(table)) if (found := word(row, key))}

    def threads(self, place: Place) -> Iterator[DraftThread]:
        """Yield the threads, in the order of their first messages."""
        said: dict[tuple[str | None, str | None], list[tuple[Place, dict[str, Any]]]] = {}
        for number, raw in enumerate(place.take(self.state, "messages", list) or [], 1):
            here = place.at("message", number)
            with here.trying():
                item = here.check(raw, dict, "it")
                where = here.ident(item, "sessionId"), here.ident(item, "topicId")
                said.setdefault(where, []).append((here, item))
        for (session, topic), messages in said.items():
            with place.trying():
                yield self._thread(session, topic, messages)

    def _thread(
        self,
        session: str | None,
        topic: str | None,
        messages: list[tuple[Place, dict[str, Any]]],
    ) -> DraftThread:
        about = self.sessions.get(session or "", {})
        talk = self.topics.get(topic or "", {})
        draft = DraftThread(id=topic or session or "inbox")
        draft.within = next(filter(None, (word(each, "userId") for _, each in messages)), None)
        draft.title = word(talk, "title") or word(about, "title") or ""
        draft.title = draft.title or word(about.get("meta"), "title") or ""
        draft.metadata = said_of(talk, "id", "title", "sessionId", "createdAt", "updatedAt")
        if left := said_of(about, "createdAt", "updatedAt"):
            draft.metadata["session"] = left
        draft.updated_at = draft.time(None, talk, "updatedAt", draft.metadata)
        nodes: list[Node] = []
        before: dict[str | None, str | None] = {}
        for here, item in messages:
            with here.trying():
                message = self._message(draft, here, item)
                side = here.ident(item, "threadId")
                parent = here.ident(item, "parentId") or before.get(side, before.get(None))
                nodes.append(Node(message.id, parent, message))
                before[side] = message.id
        grow(draft, nodes, "parentId")
        draft.created_at = draft.time(None, talk, "createdAt", draft.metadata)
        draft.settle()
        return draft

    def _message(self, draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
        ident = place.ident(item, "id")
        rest = {key: value for key, value in said_of(item, *_PLACED).items() if value is not False}
        extra = item.get("extra")
        role = draft.role(ident, place.take(item, "role", str))
        content = place.take(item, "content", str) or ""
        told = item.get("reasoning")
        thought = told if isinstance(told, str) else word(told, "content")
        more = said_of(told, "content") if isinstance(told, dict) else {}
        parts = [MessagePart(kind="thinking", text=thought or "", metadata=more)] if told else []
        if role == "tool":
            parts += self._result(ident, item, content)
        else:
            parts += tagged_parts(content)
        parts += [_call(each) for each in dicts(item.get("tools"))]
        for each in place.take(item, "files", list) or []:
            file = self.files.get(each, {"id": each}) if isinstance(each, str) else each
            parts.append(_file(place.check(file, dict, "one of 'files'")))
        parts += [_file(each) for each in self.held.get(ident or "", [])]
        found = item.get("search")
        for each in dicts(found.get("citations") if isinstance(found, dict) else None):
            cited = word(each, "title"), word(each, "url")
            parts.append(MessagePart(kind="citation", name=cited[0], url=cited[1]))
        if failed := item.get("error"):
            why = word(failed, "message", "type") or "error"
            parts.append(MessagePart(kind="other", text=why, data=failed))
        usage = item.get("metadata")
        inner = usage.get("usage") if isinstance(usage, dict) else None
        return DraftMessage(
            id=ident,
            role=role,
            content=texts_of(parts),
            parts=parts,
            model=word(item, "model", "fromModel") or word(extra, "fromModel"),
            created_at=draft.time(ident, item, "createdAt", rest),
            tokens_in=tokens(inner or usage, "totalInputTokens"),
            tokens_out=tokens(inner or usage, "totalOutputTokens"),
            metadata=rest,
        )

    def _result(self, ident: str | None, item: dict[str, Any], content: str) -> list[MessagePart]:
        own = item.get("plugin")
        plugin = own if isinstance(own, dict) else self.plugins.get(ident or "", {})
        call = word(item, "tool_call_id") or word(plugin, "toolCallId")
        return [
            MessagePart(
                kind="tool_result",
                text=content,
                tool=_tool(plugin),
                call_id=call,
                data=plugin.get("state") or item.get("pluginState"),
                metadata=said_of(plugin, "id", "apiName", "identifier", "toolCallId", "state"),
            )
        ]


def _tool(item: dict[str, Any]) -> str | None:
    return ".".join(filter(None, (word(item, "identifier"), word(item, "apiName")))) or None


def _call(item: dict[str, Any]) -> MessagePart:
    call = {"id": item.get("id"), "arguments": item.get("arguments")}
    more = said_of(item, "id", "identifier", "apiName", "arguments", "type")
    (part,) = parts_of({**more, "type": "tool_call", "name": _tool(item), **call})
    return part


def _file(item: dict[str, Any]) -> MessagePart:
    name, url = word(item, "name", "id"), word(item, "url")
    return attached(
        name, url, word(item, "fileType"), more=said_of(item, "name", "url", "fileType")
    )
