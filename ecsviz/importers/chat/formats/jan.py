"""Jan's folder of chats: of each, ``thread.json`` and ``messages.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

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
from ecsviz.importers.chat.formats.openai_messages import message_of
from ecsviz.importers.chat.parts import calls_of, parts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_ABOUT, _SAID = "thread.json", "messages.jsonl"


class Jan(Claiming):
    """Reads the folders of chats in Jan's folder, or one of them.

    Notes
    -----
    Each message answers the one before it. A file ``messages.jsonl`` by itself is read as OpenAI's
    messages, whose shape it has.
    """

    name = "jan"
    title = "Jan (its folder, or that of a chat)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is a folder with both files of a chat."""
        folders = (each for each in map(PurePosixPath, source.members or ()) if each.name == _ABOUT)
        found = any(
            str(each.with_name(_SAID)) in (source.members or ())
            and _is_about((source.members or {})[str(each)])
            for each, _ in zip(folders, range(10), strict=False)
        )
        return claim(found, f"a folder with {_ABOUT} and {_SAID}")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every chat."""
        if source.members is None:
            raise source.place().wrong("a chat of Jan is a folder")
        for name in sorted(source.members):
            path = PurePosixPath(name)
            if path.name == _ABOUT:
                with source.place().trying():
                    yield _thread(source, path)
            elif path.name != _SAID:
                source.leave(name, "no chat")


def _is_about(source: Source) -> bool:
    item = source.first_item
    return item.get("object") == "thread" or {"id", "assistants"} <= item.keys()


def _thread(source: Source, path: PurePosixPath) -> DraftThread:
    members = source.members or {}
    about, said = members[str(path)], members.get(str(path.with_name(_SAID)))
    item = about.place().check(about.first, dict, "it")
    draft = DraftThread(id=about.place().ident(item, "id"), title=word(item, "title") or "")
    draft.metadata = said_of(item, "id", "title", "created", "updated", "object")
    draft.created_at = draft.time(None, item, "created", draft.metadata)
    draft.updated_at = draft.time(None, item, "updated", draft.metadata)
    models = (word(each.get("model"), "id") for each in dicts(item.get("assistants")))
    model = next(filter(None, models), None)
    if said is not None and said.head.strip():
        with source.place().trying():
            for place, value in said.items("message"):
                with place.trying():
                    draft.follow(_message(draft, place, place.check(value, dict, "it"), model))
        source.take_over(said)
    draft.settle()
    return draft


def _message(
    draft: DraftThread, place: Place, item: dict[str, Any], model: str | None
) -> DraftMessage:
    message = message_of(draft, place, item)
    about = place.take(item, "metadata", dict) or {}
    called = []
    for each in dicts(about.get("tool_calls")):
        (call,) = calls_of([each.get("tool") or each])
        called.append(call)
        if (response := each.get("response")) is not None:
            inner = response.get("content", response) if isinstance(response, dict) else response
            told = {"id": call.call_id, "name": call.tool, "content": inner}
            called += parts_of({"type": "tool_result", **told})
    message.parts = called + message.parts
    if message.role == "assistant" and message.model is None:
        message.model = model
    message.tokens_in = tokens(about.get("usage"), "prompt_tokens", "inputTokens")
    message.tokens_out = tokens(about.get("usage"), "completion_tokens", "outputTokens")
    for key in ("object", "thread_id"):
        message.metadata.pop(key, None)
    return message
