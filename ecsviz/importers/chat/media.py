"""Files that a chat names → parts of a message."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

from ecsviz.domain.chat import MessagePart

MARKS = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*+"
"""Marks of direction, which phones put between the numbers."""

NOUNS = {
    "image": "image|photo|bild|foto|imagen|immagine|imagem|afbeelding|sticker|figurinha|"
    "изображение|стикер|图片|貼圖|圖片|画像|사진|이미지|صورة|الصورة",
    "video": "video|vidéo|vídeo|gif|видео|视频|影片|動画|동영상|비디오|فيديو",
    "audio": "audio|áudio|voice message|аудио|音频|語音|音声|오디오|음성|صوت",
    "file": "document|dokument|documento|document|contact card|kontaktkarte|документ|文件|文档|"
    "ドキュメント|문서",
}
"""What stands for a file that was not exported, in several languages."""

_WORDS = (
    "omit|weggelass|ausgelass|ausgeschloss|omess|esclus|ocult|weggelat|uitgeslot|absent|manquant|"
    "omis|retiré|pomini|utelämn|udelad|utelat|пропущ|без медиа|без файл|省略|忽略|略过|생략|제외|"
    "dahil edilm|atlan|diabaikan|dihilangkan|محذوف|استبعاد"
)
"""Beginnings of words for what is left out."""

LEFT_OUT = re.compile(
    rf"{MARKS}(?:<[^<>\n]{{0,30}}?(?:{_WORDS})[^<>\n]{{0,30}}>|"
    rf"(?P<name>[^\n]{{1,200}}? • [^\n]{{0,40}}?)?{MARKS}"
    "(?:" + "|".join(rf"(?P<{kind}>{nouns})" for kind, nouns in NOUNS.items()) + ")"
    rf"[^\n<>]{{0,20}}?\s?(?:{_WORDS})\w{{0,6}})\.?",
    re.IGNORECASE,
)
"""A line of WhatsApp that stands for a file: ``<Media omitted>``, ``image omitted``."""

_SHORT = 400
"""Characters of a line at the most that stands for a file."""

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


def tells_less(said: object, before: object) -> bool:
    """Tell whether parts only stand for files that were left out, of which others have the names.

    Parameters
    ----------
    said, before
        Parts as the metadata keep them.

    Examples
    --------
    >>> named, left_out = {"kind": "image", "name": "1.jpg"}, {"kind": "other"}
    >>> left_out["text"] = "<Media omitted>"
    >>> tells_less([left_out], [named]), tells_less([named], [left_out])
    (True, False)
    """
    now, then = _files(said), _files(before)
    return bool(now) and all(map(_is_left_out, now)) and not all(map(_is_left_out, then))


def _files(parts: object) -> list[dict[str, Any]]:
    listed = parts if isinstance(parts, list) else []
    found = [each for each in listed if isinstance(each, dict)]
    return [each for each in found if each.get("kind") in (*_ENDINGS, "file", "other")]


def _is_left_out(part: dict[str, Any]) -> bool:
    text, url = part.get("text"), part.get("url")
    if isinstance(url, str) and url.startswith("("):  # as Telegram says that it is not there
        return True
    return isinstance(text, str) and len(text) < _SHORT and LEFT_OUT.fullmatch(text) is not None
