"""Tasks of Cline and its descendants: ``api_conversation_history.json``, ``ui_messages.json``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    rest_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, speaker, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_HISTORY, _SHOWN = "api_conversation_history.json", "ui_messages.json"

_USERS = frozenset({"task", "user_feedback", "user_feedback_diff"})

_CALLS = frozenset({"tool", "command", "browser_action", "browser_action_launch", "use_mcp_server"})

_RESULTS = frozenset({"command_output", "browser_action_result", "mcp_server_response"})

_ANSWERS = frozenset(
    {"text", "reasoning", "completion_result", "followup", "plan_mode_respond", "condense"}
)


class Cline(Claiming):
    """Reads what a model was sent and answered, or else what was shown of it.

    Notes
    -----
    Where both files of a task lie side by side, the first is read, which says more. Each message
    answers the one before it. Of what is shown, ``say`` and ``ask`` tell who speaks: what is
    neither a user's nor a model's has the role ``"system"``.
    """

    name = "cline"
    title = "Cline task (api_conversation_history.json, ui_messages.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is a message with a time, as these programs write them."""
        item = source.first_item
        if item.get("type") in ("say", "ask") and {"ts", item["type"]} <= item.keys():
            return Claim(1, "messages with 'ts' that say or ask")
        found = {"role", "content"} <= item.keys() and isinstance(item.get("ts"), int)
        return claim(found, "messages with 'role', 'content' and 'ts'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every list of messages."""
        path = PurePosixPath(source.inside)
        if path.name == _SHOWN and str(path.with_name(_HISTORY)) in source.beside:
            source.leave("the file", f"what was shown; {_HISTORY} beside it says more")
            return
        for listed in source.talks("message"):
            draft = DraftThread()
            for place, value in listed:
                with place.trying():
                    item = place.check(value, dict, "it")
                    make = _said if "role" in item else _shown
                    draft.follow(make(draft, place, item))
            draft.settle()
            yield draft


def _said(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    rest = rest_of(item, "role", "content", "ts")
    parts = parts_of(item.get("content"))
    role = speaker(draft.role(None, place.take(item, "role", str)), parts)
    metrics = item.get("metrics")
    count = metrics.get("tokens") if isinstance(metrics, dict) else None
    return DraftMessage(
        role=role,
        content=texts_of(parts),
        parts=parts,
        model=word(item.get("modelInfo"), "modelId"),
        created_at=draft.time(None, item, "ts", rest),
        tokens_in=tokens(count, "prompt"),
        tokens_out=tokens(count, "completion"),
        metadata=rest,
    )


def _shown(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    how = place.take(item, "type", str) or ""
    kind = place.take(item, how, str) or "" if how in ("say", "ask") else ""
    rest = rest_of(item, "ts", "text", "reasoning", "images", "files", "type" if kind else "")
    text = place.take(item, "text", str) or ""
    parts = parts_of(place.take(item, "reasoning", str), "thinking")
    told = as_json(text)
    if kind in _CALLS:
        parts.append(_call(kind, text, told))
    elif kind in _RESULTS:
        parts.append(MessagePart(kind="tool_result", text=text))
    elif kind == "followup" and word(told, "question"):
        parts += parts_of(word(told, "question"))
        rest["text"] = told
    elif kind == "api_req_started" and isinstance(told, dict):
        parts.append(MessagePart(kind="other", name=kind, metadata=told))
    else:
        parts += parts_of(text, "thinking" if kind == "reasoning" else "text")
    parts += [
        attached(None, each, kind="image") if key == "images" else attached(each)
        for key in ("images", "files")
        for each in place.take(item, key, list) or []
    ]
    role = "assistant" if kind in _CALLS | _ANSWERS else "tool" if kind in _RESULTS else "system"
    if kind in _USERS or not draft.messages:  # a task begins with what somebody wants
        role = "user"
    return DraftMessage(
        role=role,
        content=texts_of(parts),
        parts=parts,
        created_at=draft.time(None, item, "ts", rest),
        tokens_in=tokens(told, "tokensIn"),
        tokens_out=tokens(told, "tokensOut"),
        hidden=role == "system",
        metadata=rest,
    )


def _call(kind: str, text: str, told: Any) -> MessagePart:
    tool = word(told, "tool", "toolName", "action")
    if isinstance(told, dict):
        return MessagePart(kind="tool_call", tool=tool or kind, data=told)
    return MessagePart(kind="tool_call", tool=kind, data=text or None)
