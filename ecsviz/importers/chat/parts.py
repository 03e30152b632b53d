"""Contents that come in blocks → the parts of a message, whatever interface they are of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ecsviz.domain.chat import MessagePart, readable
from ecsviz.importers.chat.drafts import as_json

MAX_DEPTH: Final = 16
"""How deep contents within contents are looked into; what is deeper is kept as it is."""

_KINDS: Final[Mapping[str, str]] = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "summary_text": "thinking",
    "reasoning_text": "thinking",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "reasoning": "thinking",
    "thought": "thinking",
    "refusal": "refusal",
    "tool_use": "tool_call",
    "server_tool_use": "tool_call",
    "mcp_tool_use": "tool_call",
    "tool_call": "tool_call",
    "tool-call": "tool_call",
    "function_call": "tool_call",
    "function": "tool_call",
    "custom_tool_call": "tool_call",
    "mcp_call": "tool_call",
    "web_search_call": "tool_call",
    "file_search_call": "tool_call",
    "computer_call": "tool_call",
    "code_interpreter_call": "tool_call",
    "image_generation_call": "tool_call",
    "local_shell_call": "tool_call",
    "tool_result": "tool_result",
    "tool-result": "tool_result",
    "mcp_tool_result": "tool_result",
    "web_search_tool_result": "tool_result",
    "web_fetch_tool_result": "tool_result",
    "code_execution_tool_result": "tool_result",
    "function_call_output": "tool_result",
    "custom_tool_call_output": "tool_result",
    "computer_call_output": "tool_result",
    "local_shell_call_output": "tool_result",
    "image": "image",
    "image_url": "image",
    "image_file": "image",
    "input_image": "image",
    "output_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "output_audio": "audio",
    "audio_url": "audio",
    "video": "video",
    "video_url": "video",
    "input_video": "video",
    "file": "file",
    "input_file": "file",
    "document": "file",
    "document_url": "file",
    "citation": "citation",
    "url_citation": "citation",
    "source-url": "citation",
    "search_result": "citation",
    "web_search_result": "citation",
    "code": "code",
}
"""What kind of part a block is, by its ``type``, as the interfaces of several makers name it."""

_TEXTS: Final = ("text", "thinking", "reasoning", "refusal", "transcript", "summary", "code")
"""Where a block has its text."""

_NESTED: Final = ("source", "file", "image_url", "image_file", "input_audio", "audio", "audio_url")
"""Where a block says of a file what it is."""


def parts_of(content: object, kind: str = "text", depth: int = 0) -> list[MessagePart]:
    """Return the parts of a content: a text, or a list of texts and of blocks with a type.

    Parameters
    ----------
    content
        A text, None, a block, or a list of texts and blocks, as the interfaces of OpenAI,
        Anthropic and others have them.
    kind
        What a bare text is.
    depth
        How deep in others it stands.

    Notes
    -----
    Nothing is lost: what of a block has no attribute of a part stands in the part's ``metadata``.
    O(length of the content).

    Examples
    --------
    >>> blocks = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "x.png"}]
    >>> parts_of(blocks)
    [MessagePart(kind='text', text='a'), MessagePart(kind='image', url='x.png')]
    >>> parts_of({"type": "tool_use", "id": "t1", "name": "look_up", "input": {"plant": "fern"}})
    [MessagePart(kind='tool_call', tool='look_up', call_id='t1', data={'plant': 'fern'})]
    """
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [MessagePart(kind=kind, text=content)]
    if isinstance(content, dict):
        return [_part(content, depth)]
    if not isinstance(content, list):
        return [MessagePart(kind="other", data=content)]  # type: ignore[arg-type]  # of JSON
    return [
        MessagePart(kind=kind, text=each) if isinstance(each, str) else _part(each, depth)
        for each in content
        if each != ""
    ]


def calls_of(calls: object) -> list[MessagePart]:
    """Return the parts of ``tool_calls``, as OpenAI's interface and LangChain have them.

    Examples
    --------
    >>> function = {"name": "look_up", "arguments": '{"plant": "fern"}'}
    >>> calls_of([{"id": "c1", "type": "function", "function": function}])
    [MessagePart(kind='tool_call', tool='look_up', call_id='c1', data={'plant': 'fern'})]
    """
    return [
        _call({"type": "function", **each} if isinstance(each, dict) else {"data": each})
        for each in (calls if isinstance(calls, list) else [calls])
    ]


def texts_of(parts: list[MessagePart]) -> str:
    """Return the texts of parts, without calls, results, thoughts and the like.

    Examples
    --------
    >>> texts_of(
    ...     parts_of([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}])
    ... )
    'Yes.'
    """
    return "\n".join(part.text for part in parts if part.kind == "text" and part.text)


def tokens(usage: object, *keys: str) -> int | None:
    """Return how many tokens a source says there were: the sum of what some keys say; None if none.

    Examples
    --------
    >>> tokens({"input_tokens": 3, "cache_read_input_tokens": 4}, "input_tokens", "prompt_tokens")
    3
    >>> tokens({}, "input_tokens") is tokens(None, "input_tokens") is None
    True
    """
    said = [usage.get(key) for key in keys] if isinstance(usage, dict) else []
    found = [each for each in said if isinstance(each, int) and not isinstance(each, bool)]
    return sum(found) if found else None


def speaker(role: str, parts: list[MessagePart]) -> str:
    """Return who speaks: a tool, where a user is said to have sent nothing but its results.

    Examples
    --------
    >>> speaker("user", parts_of({"type": "tool_result", "content": "9"})), speaker("user", [])
    ('tool', 'user')
    """
    results = bool(parts) and all(part.kind == "tool_result" for part in parts)
    return "tool" if role == "user" and results else role


def is_plain(parts: list[MessagePart]) -> bool:
    """Tell whether parts are no more than a text."""
    return not parts or (len(parts) == 1 and parts[0].__dict__ == {**_BARE, "text": parts[0].text})


_BARE = MessagePart(kind="text").__dict__


def _part(block: object, depth: int) -> MessagePart:
    if not isinstance(block, dict):
        return MessagePart(kind="other", data=block)  # type: ignore[arg-type]  # of JSON
    named = block.get("type")
    kind = _KINDS.get(named) if isinstance(named, str) else "text" if "text" in block else None
    if kind == "tool_result":
        return _result(block, depth)
    return _MAKERS.get(kind or "", _other)(block)


def _taken(block: dict[str, Any], rest: dict[str, Any], *keys: str) -> str | None:
    """Take the first text among some keys out of the rest."""
    for key in keys:
        if isinstance(found := block.get(key), str) and found:
            rest.pop(key, None)
            return found
    return None


def _text_in(block: dict[str, Any], rest: dict[str, Any]) -> str:
    """Take the text of a block, which may stand in a ``value``, or in a list of summaries."""
    for key in _TEXTS:
        found = block.get(key)
        if isinstance(found, dict) and isinstance(found.get("value"), str):
            inner = {name: value for name, value in found.items() if name != "value" and value}
            rest.pop(key, None)
            if inner:
                rest[key] = inner
            return str(found["value"])
        if isinstance(found, str) and found:
            rest.pop(key, None)
            return found
        if isinstance(found, list) and found:
            texts = [each.get("text") if isinstance(each, dict) else each for each in found]
            words = [each for each in texts if isinstance(each, str)]
            if len(words) == len(found):
                if all(isinstance(e, str) or not e.keys() - {"text", "type"} for e in found):
                    rest.pop(key, None)
                return "\n".join(words)
    return ""


def _rest(block: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return what a block says besides; its type only where the kind does not say as much."""
    rest = {key: value for key, value in block.items() if value not in (None, [], {}, "")}
    if rest.get("type") == kind:
        del rest["type"]
    return rest


def _worded(block: dict[str, Any]) -> MessagePart:
    kind = _KINDS.get(str(block.get("type", "text")), "text")
    rest = _rest(block, kind)
    if block.get("type") in ("input_text", "output_text", "summary_text", "reasoning_text"):
        del rest["type"]
    text = _text_in(block, rest)
    mime = _taken(block, rest, "language") if kind == "code" else None
    return MessagePart(kind=kind, text=text, mime=mime, metadata=rest)


def _call(block: dict[str, Any]) -> MessagePart:
    rest = _rest(block, "tool_call")
    if rest.get("type") in ("tool_use", "function", "function_call", "tool-call"):
        del rest["type"]
    call_id = _taken(block, rest, "call_id", "toolCallId", "tool_call_id", "id")
    inner = block.get("function")
    if isinstance(inner, dict):
        rest.pop("function", None)
        more = {key: value for key, value in inner.items() if key not in ("name", "arguments")}
        rest |= more
        block = {**block, **inner}
    tool = _taken(block, rest, "name", "toolName", "tool_name", "server_label")
    data: Any = None
    for key in ("input", "arguments", "args", "action", "queries", "code"):
        if block.get(key) not in (None, ""):
            data = block[key]
            rest.pop(key, None)
            break
    named = block.get("type")
    if tool is None and isinstance(named, str) and named.endswith("_call"):
        tool = named.removesuffix("_call")
        rest.pop("type", None)
    return MessagePart(
        kind="tool_call", tool=tool, call_id=call_id, data=_arguments(data), metadata=rest
    )


def _arguments(data: Any) -> Any:
    """Return arguments that come as JSON in a text as what they are, where that is an object."""
    if isinstance(data, str) and data[:1] == "{":
        return as_json(data)
    return data


def _result(block: dict[str, Any], depth: int) -> MessagePart:
    rest = _rest(block, "tool_result")
    if rest.get("type") in ("function_call_output", "tool-result"):
        del rest["type"]
    call_id = _taken(block, rest, "tool_use_id", "call_id", "toolCallId", "tool_call_id", "id")
    tool = _taken(block, rest, "name", "toolName", "tool_name")
    data: Any = None
    text = ""
    for key in ("content", "output", "result"):
        found = block.get(key)
        if found in (None, "", []):
            continue
        rest.pop(key, None)
        if isinstance(found, str):
            text = found
        else:
            text = _inside(found, depth + 1)
            if not (isinstance(found, list) and is_plain_text(found)):
                data = found
        break
    return MessagePart(
        kind="tool_result", text=text, tool=tool, call_id=call_id, data=data, metadata=rest
    )


def is_plain_text(blocks: list[Any]) -> bool:
    """Tell whether blocks are texts alone, so that their text says all."""
    return all(
        isinstance(each, str) or (isinstance(each, dict) and each.keys() == {"type", "text"})
        for each in blocks
    )


def _inside(found: Any, depth: int) -> str:
    """Return what one can read of a result that is more than a text."""
    if depth >= MAX_DEPTH:
        return ""
    if isinstance(found, list) and any(isinstance(each, dict) and "type" in each for each in found):
        return readable(parts_of(found, depth=depth))
    if isinstance(found, dict) and isinstance(found.get("type"), str) and found["type"] in _KINDS:
        return readable(parts_of(found, depth=depth))
    return json.dumps(found, ensure_ascii=False)


def _file(block: dict[str, Any]) -> MessagePart:
    kind = _KINDS[str(block.get("type"))]
    rest = _rest(block, kind)
    if rest.get("type") in ("image_url", "input_image", "input_file", "input_audio", "document"):
        del rest["type"]
    inner: dict[str, Any] = {}
    url: str | None = None
    for key in _NESTED:
        found = block.get(key)
        if isinstance(found, dict):
            rest.pop(key, None)
            inner = {**found, **inner}
        elif isinstance(found, str) and found:
            rest.pop(key, None)
            url = url or found
    left = dict(inner)
    url = url or _taken(inner, left, "url", "uri") or _taken(block, rest, "url", "uri")
    names = ("filename", "file_name", "name", "title")
    name = _taken(block, rest, *names) or _taken(inner, left, *names)
    mimes = ("media_type", "mime_type", "mimeType", "mediaType", "mime", "format")
    mime = _taken(inner, left, *mimes) or _taken(block, rest, *mimes)
    text = _taken(inner, left, "transcript", "text") or _text_in(block, rest)
    if name is None:
        name = _taken(block, rest, "file_id") or _taken(inner, left, "file_id", "id")
    if mime and "/" not in mime and kind in ("audio", "image"):
        mime = f"{kind}/{mime}"
    rest |= {key: value for key, value in left.items() if value not in (None, "", {}, [])}
    return MessagePart(kind=kind, text=text, name=name, url=url, mime=mime, metadata=rest)


def _citation(block: dict[str, Any]) -> MessagePart:
    rest = _rest(block, "citation")
    return MessagePart(
        kind="citation",
        text=_taken(block, rest, "cited_text", "text", "snippet") or "",
        name=_taken(block, rest, "title", "document_title", "name"),
        url=_taken(block, rest, "url", "uri", "source"),
        metadata=rest,
    )


def _other(block: dict[str, Any]) -> MessagePart:
    """Return the part of a block of which nobody has told what it is."""
    rest = _rest(block, "other")
    text = _text_in(block, rest)
    if not text and isinstance(found := block.get("content"), str):
        text = found
        rest.pop("content", None)
    name, url = _taken(block, rest, "title", "name"), _taken(block, rest, "url", "uri")
    return MessagePart(kind="other", text=text, name=name, url=url, metadata=rest)


_MAKERS: Final[Mapping[str, Callable[[dict[str, Any]], MessagePart]]] = {
    "text": _worded,
    "thinking": _worded,
    "refusal": _worded,
    "code": _worded,
    "tool_call": _call,
    "image": _file,
    "audio": _file,
    "video": _file,
    "file": _file,
    "citation": _citation,
}
