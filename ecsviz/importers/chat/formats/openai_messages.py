"""Messages and items as OpenAI's interfaces take and give them, in JSON or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    GENERAL,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    read_time,
    rest_of,
)
from ecsviz.importers.chat.parts import calls_of, parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_PLACED = frozenset({"id", "role", "content", "name", "model", "created_at", "type"})

_OBJECTS = ("chat.completion", "thread.message", "response")
"""What answers of the interfaces say that they are."""

_LISTS = ("messages", "conversations", "conversation", "input", "prompt")
"""Where a talk stands: in files for fine-tuning, data sets, requests and answers."""

THREAD_IDS = ("thread_id", "conversation_id", "session_id", "chat_id")
"""By which a message that stands alone names its thread."""

_BESIDE_NONE = frozenset(
    {"id", "thread_id", "custom_id", "session_id", "title", "metadata", "model", "created_at"}
) | {"tools", "object", "user", *_LISTS[1:]}
"""What stands beside an empty list of messages, one of these at least: others have such lists."""

_ANSWERS = ("output", "preferred_output", "non_preferred_output", "chosen", "rejected")
"""Where the answers to it stand, each a branch, beside the ``choices``."""

_HOLDERS = ("body", "response", "request", "input")
"""Where both may stand, in the rows of batches."""

_LEVELS = 2
"""How deep they are looked for: a response in a row, and its body."""

_IDS = ("id", "custom_id", "conversation_id")

_UNIQUE = re.compile(r"(?:chatcmpl-|resp_|batch_req_|thread_|conv_)[\w-]{16,}")
"""Ids that the interfaces give, which no two others have."""

_RESULTS = ("tool", "function")
"""The roles of what a tool has returned."""

_OWN = frozenset({"id", "created_at", "model"})
"""What of an item is its message's, not the part's."""

_FAKE_ID = "__fake_id__"
"""What the Agents SDK writes where a model gave no id."""


class OpenAIMessages(Claiming):
    """Reads lists of ``{"role", "content"}`` and of items: bare, in an object, a request or answer.

    Notes
    -----
    A list of messages, and lines that are messages, are one thread (those that name one, one
    each), also as a list of the interface, whatever its order; an object with ``messages``,
    ``conversation`` or ``conversations`` is one each, as in files for fine-tuning; so are a
    request, an answer with its ``choices`` or its ``output``, and the row of a batch that holds
    them. Each message answers the one before it; several choices, and answers that are preferred
    or rejected, are branches.
    """

    name = "openai-messages"
    title = "OpenAI messages (.json or .jsonl)"
    general = True

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object is, or holds, a message."""
        item = source.first_item
        if item.get("object") in _OBJECTS:
            return Claim(1, f"'object' is {item['object']!r}")
        if _page(item) is not None:
            return Claim(1, "'object' is 'list', of messages")
        found = _is_message(item) or _may_be_talk(item)
        return claim(found, "messages with 'role' and 'content'", GENERAL)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every list of messages; then those of messages that stand alone."""
        alone: dict[str | None, DraftThread] = {}
        for place, value in source.items("item"):
            if (bare := _bare(value)) is not None:
                (alone.get(None) or alone.setdefault(None, _draft(None))).follow(bare)
                continue
            with place.trying():
                if isinstance(value, list):
                    draft = DraftThread()
                    draft.follow_each(place, value, "message", message_of)
                    draft.settle()
                    yield draft
                    continue
                item = place.check(value, dict, "it")
                if (listed := _page(item)) is not None:
                    yield from _threads(place, item, listed)
                elif _is_message(item):
                    _add(alone, place, item)
                else:
                    yield _thread(place, item)
        if source.of_rows and len(alone[None].messages if None in alone else ()) > 1:
            ids = ", ".join(THREAD_IDS)
            source.tell("its threads", f"rows without any of {ids}: these are read as one thread")
        for draft in alone.values():
            draft.settle()
            yield draft


def _add(drafts: dict[str | None, DraftThread], place: Place, item: dict[str, Any]) -> None:
    """Add a message to the thread that it names."""
    named = (key for key in THREAD_IDS if isinstance(item.get(key), (str, int)))
    thread = place.ident(item, next(named, "thread_id"))
    draft = drafts.get(thread) or drafts.setdefault(thread, _draft(thread))
    draft.follow(message_of(draft, place, item))


def _page(item: dict[str, Any]) -> list[Any] | None:
    """Return what a list of the interfaces holds, if that is messages."""
    listed = item.get("data")
    is_list = item.get("object") == "list" and isinstance(listed, list)
    return listed if is_list and any(map(_is_message, listed or ())) else None


def _threads(place: Place, item: dict[str, Any], listed: list[Any]) -> Iterator[DraftThread]:
    """Yield the threads of a list of messages, which gives the last message first by default."""
    times = [when for each in dicts(listed) if (when := read_time(each.get("created_at")))]
    numbered = list(enumerate(listed, 1))
    drafts: dict[str | None, DraftThread] = {}
    for number, each in reversed(numbered) if times and times[0] > times[-1] else numbered:
        here = place.at("message", number)
        with here.trying():
            _add(drafts, here, here.check(each, dict, "it"))
    for draft in drafts.values():
        draft.metadata = rest_of(item, "object", "data")
        if item.get("has_more") is True:
            draft.tell(None, "'has_more'", "the source has more messages than this list")
        draft.settle()
        yield draft


def role_of_item(kind: str | None) -> str | None:
    """Return who speaks in an item that has a type instead of a role.

    Examples
    --------
    >>> role_of_item("web_search_call"), role_of_item("function_call_output")
    ('assistant', 'tool')
    """
    if kind is None:
        return None
    if kind.endswith(("_call_output", "_approval_response")):
        return "tool"
    return "assistant" if kind.endswith(("_call", "reasoning", "_request")) else kind


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    if isinstance(kind, str) and "role" not in item:
        return role_of_item(kind) != kind and bool({"call_id", "summary", "action"} & item.keys())
    return isinstance(item.get("role"), str) and bool({"content", "tool_calls"} & item.keys())


Talk = tuple[list[Any], list[list[Any]], list[dict[str, Any]]]
"""Messages, the branches that follow them, and the objects in which they stand."""


def _talk(item: dict[str, Any]) -> Talk | None:
    """Return the messages that an object holds; None if it holds none."""
    holders = [item, *_held(item)]
    holders += [inner for holder in holders[1:] for inner in _held(holder)]
    said: list[Any] = []
    for holder in holders:
        for key in _LISTS:
            said = said or _said(holder, key) or []
    branches = [branch for holder in holders for branch in _branches(holder)]
    branches = [each[len(said) :] if each[: len(said)] == said else each for each in branches]
    same = 0  # how much of the talk stands in each branch
    while len(branches) > 1 and all(
        len(each) > same + 1 and each[same] == branches[0][same] for each in branches
    ):
        same += 1
    told = any("messages" in holder or holder.get("object") in _OBJECTS for holder in holders)
    if not (said or branches or told):
        return None
    return said + (branches[0][:same] if same else []), [each[same:] for each in branches], holders


def _may_be_talk(item: dict[str, Any]) -> bool:
    """Tell whether an object holds messages, or an empty list for them, and not what others have.

    Examples
    --------
    >>> [_may_be_talk({"messages": each}) for each in ([], [{"role": "user"}], [{"line": 1}], {})]
    [True, True, False, False]
    >>> _may_be_talk({"messages": [], "id": "a"}), _may_be_talk({"messages": [], "filePath": "a"})
    (True, False)
    """
    talk = _talk(item)
    if talk is None:
        return False
    said, branches, holders = talk
    listed = dicts([each for some in (said, *branches) for each in some])
    if not listed:
        lists = all(isinstance(each.get("messages", []), list) for each in holders)
        beside = {key for each in holders for key in each} - {"messages"}
        return lists and (not beside or bool(beside & _BESIDE_NONE))
    return any(_is_message(each) or {"role", "content"} & each.keys() for each in listed)


def _said(holder: dict[str, Any], key: str) -> list[Any] | None:
    """Return the messages under a key; None if it holds something else."""
    found = holder.get(key)
    if key == "input" and isinstance(found, str) and "model" in holder:
        return [{"role": "user", "content": found}] if found else None
    if not isinstance(found, list):
        return None
    is_output = key == "output" and holder.get("object") == "response"
    return found if key == "messages" or is_output or any(map(_is_message, found)) else None


def _held(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [item[key] for key in _HOLDERS if isinstance(item.get(key), dict)]


def _branches(holder: dict[str, Any]) -> list[list[Any]]:
    """Return the answers that an object holds: each choice, each list of items or messages."""
    found = [[each["message"]] for each in dicts(holder.get("choices")) if "message" in each]
    return found + [said for key in _ANSWERS if (said := _said(holder, key)) is not None]


def _draft(ident: str | None) -> DraftThread:
    unique = ident is not None and _UNIQUE.fullmatch(ident) is not None
    return DraftThread(id=ident, within="" if unique else None)


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    talk = _talk(item)
    if talk is None:
        raise place.wrong("neither a message (no 'role') nor a list of them (no 'messages')")
    said, branches, holders = talk
    ident = next(filter(None, (place.ident(item, key) for key in _IDS)), None)
    draft = _draft(ident)
    draft.metadata = _about(item)
    for key in _IDS:
        if draft.metadata.get(key) == ident:
            draft.metadata.pop(key, None)
    for key in ("title", "name"):
        if not draft.title and isinstance(item.get(key), str):
            draft.title = draft.metadata.pop(key)
    first = "created" if item.get("created_at") is None else "created_at"
    draft.metadata = rest_of(draft.metadata, first, "updated_at")
    draft.created_at = draft.time(None, item, first, draft.metadata)
    draft.updated_at = draft.time(None, item, "updated_at", draft.metadata)
    for holder in holders:
        if isinstance(told := holder.get("instructions"), str) and told:
            draft.follow(DraftMessage(role="system", content=told))
    draft.follow_each(place, said, "message", message_of)
    last = len(draft.messages) - 1 if draft.messages else None
    for number, branch in enumerate(branches, 1):
        start = len(draft.messages)
        here = place.at("answer", number) if len(branches) > 1 else place
        draft.follow_each(here, branch, "message", message_of)
        if len(draft.messages) > start:
            draft.messages[start].parent = last
    for holder in holders:
        _credit(draft, holder, last)
    draft.settle()
    return draft


def _about(item: dict[str, Any], level: int = 0) -> dict[str, Any]:
    """Return what an object says besides its messages; of what it holds, two levels deep."""
    rest: dict[str, Any] = {}
    for key, value in item.items():
        if key == "choices" and isinstance(value, list):
            rest[key] = [rest_of(e, "message") if isinstance(e, dict) else e for e in value]
        elif key in _HOLDERS and isinstance(value, dict) and level < _LEVELS:
            rest[key] = _about(value, level + 1)
        elif not (key in (*_LISTS, *_ANSWERS) and _said(item, key) is not None) and not (
            key == "instructions" and isinstance(value, str)
        ):
            rest[key] = value
    return rest


def _credit(draft: DraftThread, holder: dict[str, Any], last: int | None) -> None:
    """Give answers the model and the time that an object names, and the last one the tokens."""
    if isinstance(model := holder.get("model"), str):
        for message in draft.messages:
            if message.role == "assistant" and message.model is None:
                message.model = model
    usage = holder.get("usage")
    answered = draft.messages[0 if last is None else last + 1 :]
    when = read_time(holder.get("created_at", holder.get("created")))
    for message in answered:
        message.created_at = message.created_at or when
    answers = [message for message in answered if message.role == "assistant"]
    if answers and isinstance(usage, dict):
        answers[-1].tokens_in = tokens(usage, "prompt_tokens", "input_tokens")
        answers[-1].tokens_out = tokens(usage, "completion_tokens", "output_tokens")


def message_of(
    draft: DraftThread, place: Place, item: dict[str, Any], ident: str | None = None
) -> DraftMessage:
    """Return the message of an item: one with a role, or a call, its output, or a reasoning.

    Parameters
    ----------
    draft
        The thread, which is told what could not be placed.
    place
        Where the item stands.
    item
        What the interface gave.
    ident
        The id to take instead of the item's own, which then goes to the metadata.
    """
    if ident is None and (bare := _bare(item)) is not None:
        return bare
    own = place.ident(item, "id")
    rest = {key: value for key, value in item.items() if key not in _PLACED}
    if own is not None and (ident is not None or own == _FAKE_ID):
        rest["id"], own = item["id"], None
    ident = ident or own
    kind = place.take(item, "type", str)
    role = place.take(item, "role", str) or role_of_item(kind)
    if kind is not None and kind != "message":
        rest["type"] = kind
    parts: list[MessagePart] = []
    if role != kind and "role" not in item:
        parts = parts_of({key: value for key, value in item.items() if key not in _OWN})
        text = parts[0].text
        rest = {key: value for key, value in rest.items() if key in ("id", "type")}
    elif not rest and isinstance(item.get("content"), str) and role not in _RESULTS:
        text = item["content"]
    else:
        said = parts_of(item.get("content"))
        text, parts = texts_of(said), _parts(item, rest, role, said)
    usage = rest.get("usage")
    return DraftMessage(
        id=ident,
        role=draft.role(ident, role),
        content=text,
        parts=parts,
        author=place.take(item, "name", str) if kind in (None, "message") else None,
        model=place.take(item, "model", str),
        created_at=draft.time(ident, item, "created_at", rest),
        tokens_in=tokens(usage, "prompt_tokens", "input_tokens"),
        tokens_out=tokens(usage, "completion_tokens", "output_tokens"),
        metadata=rest,
    )


def _bare(item: Any) -> DraftMessage | None:
    """Return the message of an item that is a role and a text, as very many are; else None."""
    if type(item) is not dict or len(item) != 2:
        return None
    role, text = item.get("role"), item.get("content")
    if type(role) is not str or type(text) is not str or not role or role in _RESULTS:
        return None
    return DraftMessage(role=role, content=text)


def _parts(
    item: dict[str, Any], rest: dict[str, Any], role: str | None, said: list[MessagePart]
) -> list[MessagePart]:
    """Return the parts of a message, whose thoughts and calls stand beside its content."""
    if role in _RESULTS:
        told = ("content", "name", "tool_call_id")
        result = {key: item[key] for key in told if key in item}
        rest.pop("tool_call_id", None)
        return parts_of({"type": "tool_result", **result})
    parts: list[MessagePart] = []
    for key in ("reasoning_content", "reasoning"):
        if isinstance(item.get(key), str) and item[key]:
            parts.append(MessagePart(kind="thinking", text=rest.pop(key)))
            break
    parts += said
    if isinstance(item.get("refusal"), str):
        parts += parts_of({"type": "refusal", "refusal": rest.pop("refusal")})
    if isinstance(item.get("audio"), dict):
        parts += parts_of({"type": "audio", "audio": rest.pop("audio")})
    if item.get("tool_calls"):
        parts += calls_of(rest.pop("tool_calls"))
    if isinstance(item.get("function_call"), dict):
        parts += calls_of([{"function": rest.pop("function_call")}])
    return parts
