"""Files that a chat names → parts of a message."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

from ecsviz.domain.chat import MessagePart

_ENDINGS: Final = {
    "image": "jpg jpeg png gif webp heic heif avif bmp tif tiff svg",
    "audio": "mp3 m4a aac ogg oga opus wav flac amr caf weba",
    "video": "mp4 mov m4v webm mkv avi 3gp",
}

_KINDS: Final = {f".{end}": kind for kind, ends in _ENDINGS.items() for end in ends.split()}
"""The kind of a file by how its name ends: the same on every machine."""


def attached(
    name: object = None,
    url: object = None,
    mime: object = None,
    kind: str | None = None,
    text: str = "",
    more: dict[str, Any] | None = None,
) -> MessagePart:
    """Return the part of a file: an image, audio or video where type or name say so.

    Parameters
    ----------
    name, url, mime
        What the source says of it; what is no text is left out.
    kind
        What it is, where the source says so.
    text
        What one can read of it, such as a transcript.
    more
        What else the source says; what is empty is left out.

    Examples
    --------
    >>> attached("fern.JPG").readable, attached(url="https://x.org/a.mp3?x=1").readable
    ('[image: fern.JPG]', '[audio: https://x.org/a.mp3?x=1]')
    >>> attached(None, "data:image/png;base64,AA").readable
    '[image: image/png]'
    """
    called, where, type_ = _text(name), _text(url), _text(mime)
    if type_ is None and where is not None and where.startswith("data:"):
        type_ = where[5:200].partition(",")[0].partition(";")[0] or None
    if kind is None:
        kind = (type_ or "").partition("/")[0]
        if kind not in _ENDINGS:
            path = called or (where or "").partition("?")[0]
            kind = _KINDS.get(PurePosixPath(path[-300:]).suffix.lower(), "file")
    rest = {key: value for key, value in (more or {}).items() if value not in (None, "", [], {})}
    return MessagePart(kind=kind, text=text, name=called, url=where, mime=type_, metadata=rest)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
