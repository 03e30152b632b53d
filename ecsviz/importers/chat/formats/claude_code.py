"""Claude Code's session files: one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ecsviz.errors import ImportFormatError
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread, blocks_text, rest_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_LOOKED_AT = 20
"""Records that are looked at; a file may begin with records that are no messages."""


class ClaudeCode:
    """Reads records that name their session and, where they are messages, their parent.

    Notes
    -----
    A record with a ``uuid`` becomes a message; others (summaries, snapshots) stand in the
    thread's ``metadata["records"]``, and a summary gives the title. What the interface does not
    show (``isMeta``, or no text and no message) is hidden.
    """

    name = "claude-code"
    title = "Claude Code session (.jsonl)"

    def recognises(self, source: Source) -> bool:
        """Tell whether one of the first records has a session and an id."""
        if not isinstance(source.first, dict) or "type" not in source.first:
            return False
        try:
            first = [value for _, value in islice(source.values(), _LOOKED_AT)]
        except ImportFormatError:
            first = [source.first]
        return any(
            isinstance(each, dict)
            and (({"sessionId", "uuid"} <= each.keys()) or ({"leafUuid", "summary"} <= each.keys()))
            for each in first
        )

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        drafts: dict[str | None, DraftThread] = {}
        nodes: dict[str | None, list[Node]] = {}
        last: str | None = None
        for place, value in source.items("record"):
            with place.trying():
                item = place.check(value, dict, "a record")
                session = place.ident(item, "sessionId") or last
                last = session
                draft = drafts.setdefault(session, DraftThread(id=session, within=""))
                listed = nodes.setdefault(session, [])
                ident = place.ident(item, "uuid")
                if ident is None:
                    draft.metadata.setdefault("records", []).append(item)
                    if item.get("type") == "summary":
                        draft.title = place.take(item, "summary", str) or draft.title
                else:
                    parent = place.ident(item, "parentUuid")
                    listed.append(Node(ident, parent, _message(draft, place, ident, item)))
        if None in drafts and len(drafts) > 1:  # records before the first that names a session
            first = next(key for key in drafts if key is not None)
            early, late = drafts.pop(None), drafts[first]
            late.metadata["records"] = [
                *early.metadata.get("records", []),
                *late.metadata.get("records", []),
            ]
            late.title = late.title or early.title
            nodes[first] = nodes.pop(None) + nodes[first]
            late.problems[:0] = early.problems
        for session, draft in drafts.items():
            if draft.metadata.get("records") == []:
                del draft.metadata["records"]
            grow(draft, nodes[session], "parentUuid")
            draft.settle()
            times = [m.created_at for m in draft.messages if m.created_at]
            draft.updated_at = max(times, default=None)
            yield draft


def _message(draft: DraftThread, place: Place, ident: str, item: dict[str, Any]) -> DraftMessage:
    rest = rest_of(item, "uuid", "parentUuid", "sessionId", "message", "timestamp")
    said = place.take(item, "message", dict) or {}
    kind = place.take(item, "type", str)
    role = place.take(said, "role", str) or kind
    if kind == role:
        rest.pop("type", None)
    content = said.get("content", item.get("content") if not said else None)
    text, whole = blocks_text(content)
    inner = (
        rest_of(said, "role", "model")
        if whole is False
        else rest_of(said, "role", "model", "content")
    )
    if whole and not said:
        rest.pop("content", None)
    if inner:
        rest["message"] = inner
    return DraftMessage(
        id=ident,
        role=draft.role(ident, role),
        content=text,
        model=place.take(said, "model", str),
        created_at=draft.time(ident, item, "timestamp", rest),
        hidden=item.get("isMeta") is True or not (said or text),
        metadata=rest,
    )
