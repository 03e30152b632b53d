"""Contents of Gemini's interface: requests, answers, batches and lists of ``{"role", "parts"}``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.parts import parts_of, speaker, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_ROLES = {"model": "assistant", "function": "tool"}

_LISTS = ("contents", "history", "candidates")

_SYSTEM = ("systemInstruction", "system_instruction")

_BLOCKS: dict[str, dict[str, str]] = {
    "functioncall": {"type": "function_call"},
    "functionresponse": {"type": "function_call_output"},
    "executablecode": {"type": "code"},
    "codeexecutionresult": {"type": "function_call_output", "name": "code_execution"},
    "inlinedata": {},
    "filedata": {},
    "inlinefile": {},
    "inlineimage": {},
    "inlineaudio": {},
    "drivedocument": {"type": "file"},
    "driveimage": {"type": "image"},
    "driveaudio": {"type": "audio"},
    "drivevideo": {"type": "video"},
    "youtubevideo": {"type": "video"},
}
"""What a part may hold, by its name without underscores, and what it is as a block; of those
without a type, the file's own type says it."""

_NAMES = {"response": "output", "fileUri": "url", "file_uri": "url", "displayName": "name"}
"""What is called otherwise in a block."""


class GeminiContents(Claiming):
    """Reads ``{"contents": […]}``, answers with ``candidates``, batches of both, and bare lists.

    Notes
    -----
    Each content answers the one before it; several candidates are branches. A system's instruction
    is the first message. What a user is said to have sent and is a function's answer is a tool's.
    """

    name = "gemini-api"
    title = "Gemini API contents (.json or .jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is, or holds, a content with parts."""
        item = source.first_item
        listed = [item, *(each for holder in _holders(item) for each in _contents(holder)[:1])]
        found = any(_is_content(each) for each in listed)
        return claim(found, "contents with 'parts' that have no type")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every object that holds contents; then that of bare contents."""
        bare = DraftThread()
        for place, value in source.items("item"):
            with place.trying():
                item = place.check(value, dict, "it")
                if any(key in holder for holder in _holders(item) for key in _LISTS):
                    yield _thread(place, item)
                else:
                    bare.follow(content_of(bare, place, item))
        if bare.messages or bare.problems:
            bare.settle()
            yield bare


def _holders(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what may hold contents: an object, or a batch's request and its response."""
    return [item, *(item[k] for k in ("request", "response") if isinstance(item.get(k), dict))]


def _contents(holder: dict[str, Any]) -> list[Any]:
    found: list[Any] = next((holder[k] for k in _LISTS if isinstance(holder.get(k), list)), [])
    return [each.get("content", each) if isinstance(each, dict) else each for each in found]


def _is_content(value: Any) -> bool:
    parts = value.get("parts") if isinstance(value, dict) else None
    if not isinstance(parts, list) or not parts:
        return False
    return all(isinstance(each, dict) and not {"type", "part_kind"} & each.keys() for each in parts)


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    idents = (place.ident(item, key) for key in ("key", "responseId", "response_id", "id"))
    draft = DraftThread(id=next(filter(None, idents), None))
    draft.metadata = rest_of(item, *_LISTS, *_SYSTEM, "request", "response")
    for holder in _holders(item):
        for key in _SYSTEM:
            if holder.get(key):
                told = {"role": "system", **_as_content(place, holder, key)}
                draft.follow(content_of(draft, place, told))
        for key in _LISTS[:2]:
            here = place.at(key)
            draft.follow_each(here, here.take(holder, key, list), "content", content_of)
        _answers(draft, place, holder)
    for key in ("request", "response"):
        if isinstance(item.get(key), dict):
            draft.metadata[key] = rest_of(item[key], *_LISTS, *_SYSTEM)
    draft.settle()
    return draft


def _as_content(place: Place, holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder[key]
    return {"parts": [{"text": value}]} if isinstance(value, str) else place.check(value, dict, key)


def _answers(draft: DraftThread, place: Place, holder: dict[str, Any]) -> None:
    """Append the candidates, which all answer the last content."""
    last = len(draft.messages) - 1 if draft.messages else None
    listed = place.take(holder, "candidates", list) or []
    usage = holder.get("usageMetadata", holder.get("usage_metadata"))
    for number, raw in enumerate(listed, 1):
        here = place.at("candidate", number)
        with here.trying():
            candidate = here.check(raw, dict, "it")
            content = {"role": "model", **(here.take(candidate, "content", dict) or {})}
            message = content_of(draft, here, content)
            message.parent = last
            message.metadata |= rest_of(candidate, "content")
            model = holder.get("modelVersion", holder.get("model_version"))
            message.model = model if isinstance(model, str) else None
            if number == 1:
                message.tokens_in = tokens(usage, "promptTokenCount", "prompt_token_count")
                written = ("candidatesTokenCount", "candidates_token_count", "thoughtsTokenCount")
                message.tokens_out = tokens(usage, *written, "thoughts_token_count")
            draft.add(message)


def content_of(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    """Return the message of a content.

    Parameters
    ----------
    draft
        The thread, which is told what could not be placed.
    place
        Where it stands.
    item
        A role, and parts.
    """
    rest = rest_of(item, "role", "parts")
    parts = gemini_parts(place.take(item, "parts", list))
    raw = draft.role(None, place.take(item, "role", str))
    role = speaker(_ROLES.get(raw, raw), parts)
    if role != raw:
        rest["role"] = raw
    return DraftMessage(role=role, content=texts_of(parts), parts=parts, metadata=rest)


def gemini_parts(parts: object) -> list[MessagePart]:
    """Return the parts of what Gemini's interface calls so, in either way of writing names.

    Examples
    --------
    >>> gemini_parts(
    ...     [{"text": "Hm.", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]
    ... )
    [MessagePart(kind='thinking', text='Hm.'), MessagePart(kind='tool_call', tool='f')]
    """
    listed = parts if isinstance(parts, list) else [] if parts is None else [parts]
    return parts_of([_block(each) if isinstance(each, dict) else each for each in listed])


def _block(item: dict[str, Any]) -> dict[str, Any]:
    """Return a part as a block of which `parts_of` knows what it is."""
    for key, inner in item.items():
        known = _BLOCKS.get(key.replace("_", "").lower())
        if known is None or not isinstance(inner, dict):
            continue
        rest = {name: value for name, value in item.items() if name not in (key, "text")}
        named: dict[str, Any] = {_NAMES.get(name) or name: value for name, value in inner.items()}
        mime = inner.get("mimeType", inner.get("mime_type"))
        media = str(mime).partition("/")[0]
        kind = media if media in ("image", "audio", "video") else "file"
        block: dict[str, Any] = {**rest, "type": kind, **named, **known}
        if block["type"] in ("file", "image", "audio", "video") and "id" in named:
            block["file_id"] = block.pop("id")
        return {**block, "text": item["text"]} if item.get("text") else block
    thought = item.get("thought") is True
    kind = "thinking" if thought else "text" if "text" in item else "other"
    return {**rest_of(item, "thought" if thought else ""), "type": kind}
