"""ChatBot UI's export: history, folders and prompts in one object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import NO_CLAIM, Claim, Claiming, DraftThread, claim, rest_of
from ecsviz.importers.chat.formats.openai_messages import message_of
from ecsviz.importers.chat.source import Place, Source


class ChatBotUI(Claiming):
    """Reads ``{"version", "history": […], "folders": […], "prompts": […]}``.

    Notes
    -----
    Each message answers the one before it. A conversation's folder stands in its metadata by
    name. Saved prompts are no chats; that they are left out is told.
    """

    name = "chatbot-ui"
    title = "ChatBot UI export (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether it is an object with a ``history`` of conversations, and their folders."""
        first = source.first
        found = first.get("history") if isinstance(first, dict) else None
        if not isinstance(found, list) or not isinstance(first.get("folders"), list):
            return NO_CLAIM
        chats = all(isinstance(each, dict) and "messages" in each for each in found[:20])
        return claim(chats, "'history' of conversations, beside 'folders'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation of the history."""
        for place, value in source.items("export"):
            with place.trying():
                yield from _threads(source, place, place.check(value, dict, "it"))


def _threads(source: Source, place: Place, export: dict[str, Any]) -> Iterator[DraftThread]:
    folders = {
        str(folder["id"]): folder
        for folder in place.take(export, "folders", list) or []
        if isinstance(folder, dict) and isinstance(folder.get("id"), str | int)
    }
    for number, raw in enumerate(place.take(export, "history", list) or [], 1):
        here = place.at("conversation", number)
        with here.trying():
            yield _thread(here, here.check(raw, dict, "a conversation"), folders)
    for key, value in export.items():
        if key not in ("version", "history", "folders") and value:
            source.leave(f"{key!r}", "no chats")


def _thread(place: Place, item: dict[str, Any], folders: dict[str, Any]) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "id"), title=place.take(item, "name", str) or "")
    draft.metadata = rest_of(item, "id", "name", "messages")
    folder = place.ident(item, "folderId")
    if folder in folders:
        draft.metadata["folder"] = folders[folder]
    for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            message = message_of(draft, here, here.check(raw, dict, "a message"))
            if message.metadata.get("type") == "text":  # the only kind it knows
                del message.metadata["type"]
            draft.follow(message)
    draft.settle()
    return draft
