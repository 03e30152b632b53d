"""Chat exports for tests, made from the public descriptions of the formats; how to read them."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecsviz import ChatMessage, ChatThread
from ecsviz.errors import EcsvizError
from ecsviz.importers import ChatImport, ChatImportWarning, read_chat


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(value: Any, **options: Any) -> ChatImport:
    """Read a value, bytes or a file without the warning: for tests of what it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChatImportWarning)
        if isinstance(value, bytes | Path) or (
            isinstance(value, list) and bytes in map(type, value)
        ):
            return read_chat(value, **options)
        return read_chat(encode(value), **options)


def said(found: ChatImport) -> list[tuple[str | None, str | None, str]]:
    return [(each.thread, each.node, each.what) for each in found.problems]


def links(thread: ChatThread) -> dict[str | None, str | None]:
    return {m.source_id: m.parent.source_id if m.parent else None for m in thread.messages}


def only(data: bytes) -> ChatThread:
    (thread,) = read_chat(data)
    return thread


def shown(thread: ChatThread) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in thread.messages]


def kinds(message: ChatMessage) -> list[str]:
    return [part.kind for part in message.parts]


def at(year: int, month: int, day: int, *clock: int) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=UTC)


def is_sound(thread: ChatThread) -> bool:
    """Tell whether both ends of every link agree, and parents come before children."""
    place = {id(message): number for number, message in enumerate(thread.messages)}
    assert len({message.ecs_id for message in thread.messages}) == len(thread.messages)
    for message in thread.messages:
        assert message.thread is thread
        assert all(reply.parent is message for reply in message.replies)
        if message.parent is not None:
            assert sum(reply is message for reply in message.parent.replies) == 1
            assert place[id(message.parent)] < place[id(message)]
    return True


def outcome(data: bytes | Path, **options: Any) -> str:
    """Return how reading ends; anything but a chat or an error of ours fails the test."""
    return ending(data, **options)[0]


def ending(data: bytes | Path, **options: Any) -> tuple[str, ChatImport]:
    """Return how reading ends, and what it gives."""
    try:
        found = read(data, **options)
    except EcsvizError as err:
        return type(err).__name__, ChatImport()
    assert all(is_sound(thread) for thread in found)
    return "read", found


def strict_outcome(data: bytes | Path, **options: Any) -> str:
    """Return how strict reading ends; what else reading gives then must fit to it."""
    strict, whole = ending(data, strict=True, **options)
    loose, found = ending(data, **options)
    if loose != "read":
        assert {strict, loose} <= {"ImportFormatError", "ImportLimitError"}
    elif strict == "read":
        assert found.problems == whole.problems
    else:
        assert any(thread.messages for thread in found)
        told = [each for each in found.problems if each.why.startswith("not read: ")]
        assert told, "what was left out is told"
        assert all(each.file and each.what for each in told)
    return strict


# ---------------------------------------------------------------------------------------------
# ChatGPT
# ---------------------------------------------------------------------------------------------

NO_MESSAGE: Any = object()


def node(key: str, parent: Any = None, children: Any = None, **message: Any) -> dict[str, Any]:
    """Return a node; what is None is left out, as in some vintages."""
    text = message.pop("text", key.upper())
    role = message.pop("role", "user")
    said: dict[str, Any] | None = {
        "id": key,
        "author": {"role": role},
        "content": {"content_type": "text", "parts": [text]},
        **message,
    }
    if text is NO_MESSAGE:
        said = None
    found = {"id": key, "message": said, "parent": parent, "children": children}
    return {k: v for k, v in found.items() if v is not None or k == "message"}


def conversation(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "conv", "title": "T", "mapping": {each["id"]: each for each in nodes}, **more}


TREE = (
    node("root", None, ["s"], text=NO_MESSAGE),
    node("s", "root", ["q"], role="system", text="be kind"),
    node("q", "s", ["x", "y"]),
    node("x", "q", ["x2"], role="assistant"),
    node("x2", "x", []),
    node("y", "q", [], role="assistant"),
)


CONTENTS: list[tuple[Any, str]] = [
    ({"content_type": "text", "parts": ["one", "two"]}, "one\ntwo"),
    ({"content_type": "text", "parts": []}, ""),
    ({"content_type": "code", "language": "python", "text": "1 + 1"}, "1 + 1"),
    ({"content_type": "execution_output", "text": "2"}, "2"),
    ({"content_type": "tether_browsing_display", "result": "page", "summary": None}, "page"),
    ({"content_type": "tether_quote", "url": "u", "text": "quoted", "title": "t"}, "quoted"),
    (
        {
            "content_type": "multimodal_text",
            "parts": [
                {"content_type": "image_asset_pointer", "asset_pointer": "file://1", "width": 9},
                {"content_type": "audio_transcription", "text": "heard"},
                "look",
            ],
        },
        "[image: file://1]\nheard\nlook",
    ),
    (
        {"content_type": "thoughts", "thoughts": [{"summary": "Plan", "content": "First…"}]},
        "Plan\nFirst…",
    ),
    ({"content_type": "reasoning_recap", "content": "Thought for 3 s"}, "Thought for 3 s"),
    (
        {"content_type": "user_editable_context", "user_profile": "p", "user_instructions": "i"},
        "p\ni",
    ),
    ({"content_type": "text", "parts": ["a"], "later": 1}, "a"),
    ({"content_type": "of tomorrow", "blob": {"deep": [1]}}, ""),
    ({"content_type": "text", "text": 5}, ""),
]


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


EXPORT = encode([conversation(*TREE)])


# ---------------------------------------------------------------------------------------------
# Open-Assistant
# ---------------------------------------------------------------------------------------------


def oa(ident: str | None, *replies: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"message_id": ident, "role": "prompter", "text": f"text {ident}"}
    return {k: v for k, v in found.items() if v is not None} | more | {"replies": list(replies)}


def oa_tree(prompt: dict[str, Any], ident: str | None = "tree") -> dict[str, Any]:
    return {"message_tree_id": ident, "tree_state": "ready", "prompt": prompt}


PROMPT = oa(
    "a",
    oa("b", oa("d", parent_id="b"), role="assistant", parent_id="a", model_name="m", rank=0),
    oa("c", role="assistant", parent_id="a", created_date="2025-01-02T03:04:05+02:00"),
    lang="en",
)
