"""Texts in which thoughts and calls of tools stand between tags → parts."""

from __future__ import annotations

import re
from typing import Final

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import as_json
from ecsviz.importers.chat.html_text import unescaped
from ecsviz.importers.chat.parts import parts_of

_OPEN: Final = re.compile(r'<details type="(reasoning|tool_calls|code_interpreter)"|<think>')

_CLOSE: Final = ("</details>", "</think>")

_ATTRIBUTE: Final = re.compile(r'(?<![\w-])([\w-]+)="([^"]*)"')

_SUMMARY: Final = re.compile(r"<summary>[^<]*</summary>\s*")


def tagged_parts(text: str) -> list[MessagePart]:
    """Return the parts of a text with ``<think>``, or ``<details type="reasoning">`` and the like.

    Parameters
    ----------
    text
        What a model wrote, as chat programs keep it.

    Notes
    -----
    O(length of the text). A tag that is not closed is a text.

    Examples
    --------
    >>> tagged_parts("<think>Hm.</think>Yes.")
    [MessagePart(kind='thinking', text='Hm.'), MessagePart(kind='text', text='Yes.')]
    >>> [part.kind for part in tagged_parts("See <details>this</details>")]
    ['text']
    """
    parts: list[MessagePart] = []
    done = at = 0
    unclosed: set[str] = set()
    while len(unclosed) < len(_CLOSE) and (found := _OPEN.search(text, at)) is not None:
        at = found.end()
        close = _CLOSE[found[1] is None]
        end = -1 if close in unclosed else text.find(close, at)
        if end < 0:
            unclosed.add(close)
            continue
        parts += _plain(text[done : found.start()])
        parts += _tagged(found[1], text[found.start() : end])
        done = at = end + len(close)
    if not parts:
        return [MessagePart(kind="text", text=text)] if text else []
    return parts + _plain(text[done:])


def _plain(text: str) -> list[MessagePart]:
    """Return the part of what stands between, if it is more than the lines around a tag."""
    stripped = text.strip("\n")
    return [MessagePart(kind="text", text=stripped)] if stripped.strip() else []


def _tagged(kind: str | None, piece: str) -> list[MessagePart]:
    """Return the parts of what stands between two tags, with the first of them."""
    opening, _, inner = piece.partition(">")
    if kind is None:
        return [MessagePart(kind="thinking", text=inner.strip())] if inner.strip() else []
    about = {name: unescaped(value) for name, value in _ATTRIBUTE.findall(opening)}
    inner = _SUMMARY.sub("", inner, count=1).strip()
    inner = unescaped(inner)
    if kind == "reasoning":
        lines = [line.removeprefix(">").removeprefix(" ") for line in inner.split("\n")]
        return [MessagePart(kind="thinking", text="\n".join(lines))]
    if kind == "code_interpreter":
        told = as_json(about["output"]) if about.get("output") else None
        return [
            MessagePart(kind="code", text=inner),
            *(parts_of({"type": "tool_result", "output": told}) if told else []),
        ]
    call = {"name": about.get("name"), "id": about.get("id")}
    parts = parts_of({"type": "tool_call", **call, "arguments": as_json(about.get("arguments"))})
    if result := as_json(about.get("result") or ""):
        parts += parts_of({"type": "tool_result", **call, "output": result})
    return parts
