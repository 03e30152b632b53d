"""Gemini in Google's Takeout: the activity of an account, and the history of conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    NO_CLAIM,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    read_time,
    rest_of,
    word,
)
from ecsviz.importers.chat.formats.gemini_page import is_geminis, is_page, records_of
from ecsviz.importers.chat.html_text import html_text
from ecsviz.importers.chat.identity import moment
from ecsviz.importers.chat.source import Place, Source

_PROMPT = re.compile(
    r"(?:Prompted with: |Asked (?:Gemini|Bard): |Prompted |Asked |Said )(?P<text>.*)", re.DOTALL
)
"""How the activity names what somebody said; other languages do so otherwise."""

_FILES = ("attachedFiles", "imageFile", "audioFiles")


class GeminiTakeout(Claiming):
    """Reads ``MyActivity.json`` or ``.html`` of Gemini Apps, and histories of conversations.

    Notes
    -----
    The activity has a record for each prompt, with the answer in HTML, and says of some in which
    chat they were (``titleUrl``): those are one thread, in the order of their times. A prompt of
    which it is not said is a thread of its own: nothing tells which belong together. Records of
    other products, and those that are no prompts, are left out and counted.
    """

    name = "gemini-takeout"
    title = "Gemini in Google Takeout (MyActivity.json or .html)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is an activity of Gemini, or holds turns."""
        first = source.first
        if is_page(source):
            return Claim(1, "a page of activity that names Gemini Apps")
        if isinstance(first, dict) and isinstance(first.get("conversation_turns"), list):
            return Claim(1, "'conversation_turns'")
        listed = first if isinstance(first, list) else []
        items = [each for each in listed[:1000] if isinstance(each, dict)]
        if not items or not all({"header", "title", "time"} <= each.keys() for each in items[:20]):
            return NO_CLAIM
        return claim(any(map(_is_geminis, items)), "an activity of Gemini Apps")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation, and for every prompt without one."""
        found: dict[str, list[tuple[Place, dict[str, Any]]]] = {}
        items = records_of(source) if is_page(source) else source.items("record")
        for place, value in items:
            with place.trying():
                item = place.check(value, dict, "a record")
                if "conversation_turns" in item:
                    yield _conversation(place, item)
                elif not _is_geminis(item):
                    source.leave("a record", "of another product")
                elif _PROMPT.fullmatch(place.take(item, "title", str) or "") is None and not (
                    item.get("safeHtmlItem")
                ):
                    source.leave("a record", "no prompt")
                else:
                    url = place.take(item, "titleUrl", str)
                    key = url if url and "/app/" in url else f"#{place.ident(item, 'time')}"
                    found.setdefault(key, []).append((place, item))
        for key, records in found.items():
            yield from _threads(key, records)


def _is_geminis(item: dict[str, Any]) -> bool:
    products = item.get("products")
    named = [item.get("header"), *(products if isinstance(products, list) else [])]
    return any(isinstance(each, str) and is_geminis(each) for each in named)


def _threads(key: str, records: list[tuple[Place, dict[str, Any]]]) -> Iterator[DraftThread]:
    if key.startswith("#"):  # prompts of one moment are not one chat
        for place, item in records:
            yield _thread(DraftThread(id=key[1:]), [(place, item)])
    else:
        yield _thread(DraftThread(id=key, within=""), records)


def _thread(draft: DraftThread, records: list[tuple[Place, dict[str, Any]]]) -> DraftThread:
    times = [read_time(item.get("time"), wall=True) for _, item in records]
    known = [moment(each, UTC) or each for each in times if each is not None]
    if len(known) == len(records):  # an activity begins with what was last
        records = [records[at] for at in sorted(range(len(known)), key=known.__getitem__)]
    for place, item in records:
        with place.trying():
            _exchange(draft, place, item)
    draft.settle()
    return draft


def _exchange(draft: DraftThread, place: Place, item: dict[str, Any]) -> None:
    when, title = place.ident(item, "time"), place.take(item, "title", str) or ""
    said = _PROMPT.fullmatch(title)
    rest = rest_of(item, "titleUrl", "time", "safeHtmlItem", *(["title"] if said else []))
    text = said["text"] if said else title
    prompt = DraftMessage(id=f"{when}/prompt", role="user", content=text, metadata=rest)
    prompt.created_at = draft.time(prompt.id, item, "time", rest, wall=True)
    prompt.parts = [MessagePart(kind="text", text=text)] if text else []
    for key in _FILES:
        listed = rest.get(key)
        for each in listed if isinstance(listed, list) else [listed]:
            if isinstance(each, str):
                prompt.parts.append(MessagePart(kind="file", name=each))
    draft.follow(prompt)
    blocks = [
        place.at("answer", number).check(each, dict, "it")
        for number, each in enumerate(place.take(item, "safeHtmlItem", list) or [], 1)
    ]
    if blocks:
        html = "\n".join(place.take(each, "html", str) or "" for each in blocks)
        draft.follow(
            DraftMessage(
                id=f"{when}/answer",
                role="assistant",
                content=html_text(html),
                created_at=prompt.created_at,
                metadata={"safeHtmlItem": blocks},
            )
        )


def _conversation(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(title=place.take(item, "title", str) or "")
    draft.metadata = rest_of(
        item, "title", "creation_time", "last_modification_time", "conversation_turns"
    )
    draft.created_at = draft.time(None, item, "creation_time", draft.metadata)
    draft.updated_at = draft.time(None, item, "last_modification_time", draft.metadata)
    turns = place.take(item, "conversation_turns", list)
    draft.follow_each(place, turns, "turn", _turn)
    draft.settle()
    return draft


def _turn(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    role = next((key for key in ("user_turn", "system_turn") if key in item), None)
    if role is None:
        raise place.wrong("neither a 'user_turn' nor a 'system_turn'")
    turn = place.check(item[role], dict, repr(role))
    rest = rest_of(turn, "prompt", "text", "images", "model_thoughts", "turn_last_modified")
    rest |= rest_of(item, role)
    if any(each.keys() - {"data"} for each in dicts(turn.get("text"))):
        rest["text"] = turn["text"]
    parts: list[MessagePart] = []
    for each in dicts(turn.get("model_thoughts")):
        text = "\n".join(filter(None, (word(each, "headline"), word(each, "description"))))
        kept = rest_of(each, "headline", "description")
        parts.append(MessagePart(kind="thinking", text=text, metadata=kept))
    said = [MessagePart(kind="text", text=place.take(turn, "prompt", str) or "")]
    for each in dicts(turn.get("text")):
        for piece in ({"data": each.get("data")}, *dicts(each.get("cards"))):
            found = piece.get("data", piece.get("content"))
            if isinstance(found, str):
                said.append(MessagePart(kind="text", text=found))
    parts += [each for each in said if each.text]
    images = place.take(turn, "images", list) or []
    parts += [MessagePart(kind="image", name=each) for each in images if isinstance(each, str)]
    return DraftMessage(
        role="user" if role == "user_turn" else "assistant",
        content="\n".join(part.text for part in parts if part.kind == "text"),
        parts=parts,
        created_at=draft.time(None, turn, "turn_last_modified", rest),
        metadata=rest,
    )
