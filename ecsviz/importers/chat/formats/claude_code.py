"""Claude Code's session files: one record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import (
    NO_CLAIM,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    rest_of,
)
from ecsviz.importers.chat.parts import parts_of, speaker, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_LOOKED_AT = 20
"""Records that are looked at; a file may begin with records that are no messages."""


_TITLES = {
    "custom-title": ("customTitle", "title"),
    "ai-title": ("aiTitle", "title"),
    "summary": ("summary",),
}
"""Records that give the title: what counts more comes first; and where it stands in them."""


class ClaudeCode(Claiming):
    """Reads records that name their session and, where they are messages, their parent.

    Notes
    -----
    A record with a ``uuid``, or with what somebody said, becomes a message; others (summaries,
    snapshots) stand in the thread's ``metadata["records"]``, and a title or summary among them
    gives the title. A record that is replayed as it was is read once. What the interface does not
    show (``isMeta``, or no text and no message) is hidden. What an agent did that a session has
    called (``agentId``) is a thread of its own, with the session's id before its own: it stands in
    a file of its own, and answers nothing. Results of tools have the role ``"tool"``.
    """

    name = "claude-code"
    title = "Claude Code session (.jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether one of the first records has a session and an id."""
        if not isinstance(source.first, dict) or "type" not in source.first:
            return NO_CLAIM
        first = source.first_items(_LOOKED_AT)
        found = any(
            isinstance(each, dict)
            and (({"sessionId", "uuid"} <= each.keys()) or ({"leafUuid", "summary"} <= each.keys()))
            for each in first
        )
        return claim(found, "records with 'sessionId' and 'uuid'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        drafts: dict[str | None, DraftThread] = {}
        nodes: dict[str | None, list[Node]] = {}
        titles: dict[str | None, dict[str, str]] = {}
        seen: dict[tuple[str | None, str], dict[str, Any]] = {}
        last: str | None = None
        for place, value in source.items("record"):
            with place.trying():
                item = place.check(value, dict, "a record")
                session = _session(place, item) or last
                last = session
                draft = drafts.setdefault(session, DraftThread(id=session, within=""))
                listed = nodes.setdefault(session, [])
                ident = place.ident(item, "uuid")
                if ident is None and not _is_said(item):
                    draft.metadata.setdefault("records", []).append(item)
                    titles.setdefault(session, {}).update(_title(place, item))
                elif ident is None or seen.setdefault((session, ident), item) is item:
                    # Over the seam of a summary, the parent is told by another name.
                    above = [place.ident(item, key) for key in ("parentUuid", "logicalParentUuid")]
                    message = _message(draft, place, ident, item)
                    listed.append(Node(ident, above[0] or above[1], message))
                elif seen[session, ident] == item:
                    source.leave("a record", "replayed: it stands above")
                else:
                    parent = place.ident(item, "parentUuid")
                    listed.append(Node(ident, parent, _message(draft, place, ident, item)))
        for session, found in titles.items():
            drafts[session].title = next((found[key] for key in _TITLES if key in found), "")
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
            answers: set[Any] = set()
            for said in draft.messages:  # each record of an answer says the tokens of it all
                inner = said.metadata.get("message")
                answer = inner.get("id") if isinstance(inner, dict) else None
                if isinstance(answer, str) and answer in answers:
                    said.tokens_in = said.tokens_out = None
                answers.add(answer)
            times = [m.created_at for m in draft.messages if m.created_at]
            draft.updated_at = max(times, default=None)
            yield draft


def _session(place: Place, item: dict[str, Any]) -> str | None:
    """Return the id of a record's session, or of the agent that it has called."""
    session, agent = place.ident(item, "sessionId"), place.ident(item, "agentId")
    return (
        f"{session}/{agent}" if session and agent and item.get("isSidechain") is True else session
    )


def _is_said(item: dict[str, Any]) -> bool:
    """Tell whether a record without an id is a message."""
    said = item.get("message")
    return isinstance(said, dict) and isinstance(said.get("role"), str)


def _title(place: Place, item: dict[str, Any]) -> dict[str, str]:
    """Return the title that a record gives, by its kind."""
    kind = item.get("type")
    keys = _TITLES.get(kind, ()) if isinstance(kind, str) else ()
    found = next(filter(None, (place.take(item, key, str) for key in keys)), None)
    return {kind: found} if isinstance(kind, str) and found else {}


def _message(
    draft: DraftThread, place: Place, ident: str | None, item: dict[str, Any]
) -> DraftMessage:
    rest = rest_of(item, "uuid", "parentUuid", "sessionId", "message", "timestamp")
    message = place.take(item, "message", dict) or {}
    kind = place.take(item, "type", str)
    content = message.get("content", item.get("content") if not message else None)
    parts = parts_of(content)
    role = speaker(place.take(message, "role", str) or kind or "", parts)
    if kind == role:
        rest.pop("type", None)
    text, inner = texts_of(parts), rest_of(message, "role", "model", "content")
    if not message:
        rest.pop("content", None)
    usage = message.get("usage")
    if inner:
        rest["message"] = inner
    return DraftMessage(
        id=ident,
        role=draft.role(ident, role),
        content=text,
        model=place.take(message, "model", str),
        created_at=draft.time(ident, item, "timestamp", rest),
        hidden=item.get("isMeta") is True or not (message or text),
        metadata=rest,
        parts=parts,
        tokens_in=tokens(
            usage, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"
        ),
        tokens_out=tokens(usage, "output_tokens"),
    )
