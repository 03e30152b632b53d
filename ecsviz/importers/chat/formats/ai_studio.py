"""Google AI Studio's prompts, as it keeps them in Drive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.formats.gemini_contents import gemini_parts
from ecsviz.importers.chat.parts import texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_PLACED = ("role", "createTime", "tokenCount", "isThought", "parts")

_ABOUT = frozenset(
    {
        *("finishReason", "safetySettings", "thoughtSignatures", "thinkingBudget", "grounding"),
        *("branchParent", "branchChildren", "isEdited", "errorMessage", "id"),
    }
)
"""What of a chunk is said about it; the rest is what it holds."""


class AIStudio(Claiming):
    """Reads ``{"runSettings", "systemInstruction", "chunkedPrompt": {"chunks": […]}}``.

    Notes
    -----
    Each chunk is a message that answers the one before it; a thought is one of its own. A file
    has neither an id nor a title. Prompts that a chat was branched into are files of their own,
    which the metadata name.
    """

    name = "ai-studio"
    title = "Google AI Studio prompt (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has a ``chunkedPrompt``."""
        found = isinstance(source.first_item.get("chunkedPrompt"), dict)
        return claim(found, "a 'chunkedPrompt'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every prompt."""
        for place, value in source.items("prompt"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a prompt"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    prompt = place.take(item, "chunkedPrompt", dict) or {}
    draft = DraftThread()
    draft.metadata = rest_of(item, "chunkedPrompt", "systemInstruction") | rest_of(prompt, "chunks")
    system = place.take(item, "systemInstruction", dict) or {}
    told = gemini_parts(system.get("parts", [system] if system else None))
    if told:
        draft.follow(DraftMessage(role="system", content=texts_of(told), parts=told))
    chunks = place.take(prompt, "chunks", list)
    if chunks is None:
        draft.tell(None, "'chunks'", "missing; the thread has no messages")
    draft.follow_each(place, chunks, "chunk", _message)
    settings = place.take(item, "runSettings", dict) or {}
    model = (place.take(settings, "model", str) or "").removeprefix("models/")
    for message in draft.messages:
        if message.role == "assistant":
            message.model = model or None
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    raw = draft.role(None, place.take(item, "role", str))
    rest = {key: value for key, value in item.items() if key in _ABOUT}
    held = {k: v for k, v in rest_of(item, *_PLACED).items() if k not in _ABOUT}
    pieces = place.take(item, "parts", list) or []
    if not held.get("text") and pieces:
        held.pop("text", None)
        parts = gemini_parts([*pieces, *([held] if held else [])])
    else:
        parts = gemini_parts([held] if held else None)
        if not _say(pieces, held.get("text")):
            rest["pieces"] = pieces
    if item.get("isThought") is True:
        thought = {"kind": "thinking"}
        parts = [p.model_copy(update=thought) if p.kind == "text" else p for p in parts]
    if raw == "model":
        rest["role"] = raw
    count = tokens(item, "tokenCount")
    return DraftMessage(
        role="assistant" if raw == "model" else raw,
        content=texts_of(parts),
        parts=parts,
        created_at=draft.time(None, item, "createTime", rest),
        tokens_in=None if raw == "model" else count,
        tokens_out=count if raw == "model" else None,
        metadata=rest,
    )


def _say(pieces: list[Any], text: object) -> bool:
    """Tell whether the pieces in which a text came say no more than the text."""
    texts = [each.get("text") for each in pieces if isinstance(each, dict) and len(each) == 1]
    return not pieces or (len(texts) == len(pieces) and "".join(map(str, texts)) == text)
