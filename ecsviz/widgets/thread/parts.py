"""The parts of a message as a page shows them: texts, what is folded, pictures that it carries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ecsviz.basics.html import readable
from ecsviz.basics.text import plain
from ecsviz.domain.chat import ChatMessage, MessagePart, told_parts, whole_text

TEXT: Final = 4_000
"""How many characters of a message stand in its bubble until the whole is asked for."""
WHOLE: Final = 1_000_000
"""How many characters of a message are shown at the most."""
PARTS: Final = 200
"""How many parts of a message are shown."""
PICTURE: Final = 200_000
"""How many characters the pictures in a bubble may have, as they are written, until the whole is
asked for."""
PICTURES: Final = 8_000_000
"""How many they may have then."""
KINDS: Final = frozenset(
    {
        *("text", "thinking", "tool_call", "tool_result", "image", "audio", "video", "file"),
        *("code", "citation", "refusal", "other"),
    }
)

_PICTURE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
"""Pictures that a page may show: formats without scripts, and nothing that is loaded."""
_LINK: Final = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\ud800-\udfff]{1,2000}", re.IGNORECASE)


class _Room:
    """How many characters of texts and of pictures may still be sent."""

    def __init__(self, texts: int, pictures: int) -> None:
        self.texts, self.pictures = texts, pictures
        self.cut = False

    def text(self, text: str) -> str:
        shown = text[: self.texts]
        self.cut = self.cut or len(shown) < len(text)
        self.texts -= len(shown)
        return readable(shown, max(len(shown), 1))

    def picture(self, url: str | None) -> str | None:
        if url is None or len(url) > PICTURES or not _PICTURE.fullmatch(url):
            return None
        if len(url) > self.pictures:
            self.cut = True
            return None
        self.pictures -= len(url)
        return url


def parts_of(message: ChatMessage, *, whole: bool = False) -> tuple[list[dict[str, Any]], bool]:
    """Return the parts of a message for the page, and whether something of them is left out.

    Parameters
    ----------
    message
        The message.
    whole
        Whether all of it is asked for, or what stands in a bubble at first.

    Returns
    -------
    list of dict
        ``kind``, ``name`` (of a tool, a file, a language), ``text``, ``link`` (an address for
        the reader, or None) and ``picture`` (a data URL, or None).

    Examples
    --------
    >>> import ecsviz as ev, json
    >>> call = ev.MessagePart(kind="tool_call", tool="look_up", data={"plant": "fern"})
    >>> message = ev.ChatThread().say("assistant", [call])
    >>> parts, cut = parts_of(message)
    >>> parts[0]["name"], json.loads(parts[0]["text"]), cut
    ('look_up', {'plant': 'fern'}, False)
    """
    room = _Room(WHOLE, PICTURES) if whole else _Room(TEXT, PICTURE)
    parts = told_parts(message)
    told = [_part(part, room) for part in parts[:PARTS]]
    return told, room.cut or len(parts) > PARTS


def _part(part: MessagePart, room: _Room) -> dict[str, Any]:
    kind = part.kind if part.kind in KINDS else "other"
    url = part.url if part.url and _LINK.fullmatch(part.url) else None
    name = part.tool if kind.startswith("tool") else part.mime if kind == "code" else part.name
    return {
        "kind": kind,
        "name": plain(name or "", 120),
        "text": room.text(whole_text(part)),
        "link": url,
        "picture": room.picture(part.url) if kind == "image" else None,
    }


def folded_text(parts: Iterable[MessagePart]) -> tuple[str, list[tuple[str, str]]]:
    """Return what was said, and what stands beside it folded: pairs of a title and a text."""
    said, folded = [], []
    for part in parts:
        if part.kind in ("thinking", "tool_call", "tool_result"):
            what = part.kind.replace("_", " ")
            folded.append((f"{what}: {part.tool}" if part.tool else what, whole_text(part)))
        else:
            said.append(part.readable)
    return "\n".join(filter(None, said)), folded
