"""ChatGPT's data export: ``conversations.json``, or the zip that holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.errors import ImportFormatError, short_repr
from ecsviz.export.chat_files import KEY
from ecsviz.importers.chat.drafts import (
    LIKELY,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    read_time,
)
from ecsviz.importers.chat.exported import restore
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.json_values import JsonValues
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import arrange

_LINKS = frozenset({"id", "message", "parent", "children"})
"""The keys of a node that say where it stands; others go to the metadata."""

_PLACED = frozenset({"id", "author", "content", "create_time"})
"""The keys of a message that have a field of their own; all others go to the metadata."""

_AUTHOR = frozenset({"role", "name"})

_USUAL: dict[str, dict[str, object]] = {
    role: {"role": role, "name": None, "metadata": {}} for role in ("user", "assistant", "system")
}
"""The authors that most messages have, by role."""

_FAR = 1e11
"""Seconds of a time; what is more is counted otherwise."""

_TEXT = frozenset({str})

_THREAD = frozenset({"mapping", "title", "create_time", "update_time"})

_PLAIN = frozenset({"content_type", "parts"})

_PAGE = "var jsonData = "
"""Behind what an export's ``chat.html`` has the same JSON as its ``conversations.json``."""

_LOOKED_AT = 20
"""Nodes of a conversation by which it is recognised."""

_TEXTS = (
    "parts",  # text, multimodal_text
    "text",  # code, execution_output, tether_quote, system_error
    "result",  # tether_browsing_display
    "thoughts",
    "content",  # reasoning_recap
    "user_profile",  # user_editable_context
    "user_instructions",
    "model_set_context",
)
"""Where the content types keep what a person reads, in reading order."""


class ChatGPT(Claiming):
    """Reads a list of conversations, a single one, or an object that holds several.

    Notes
    -----
    A conversation has a ``mapping`` from node ids to nodes; a node has ``parent``, ``children``
    and ``message``. Any of them may be missing. A node without a message becomes no entity: what
    hangs on it is linked to the nearest node above that has one, and the node itself stands in
    the thread's ``metadata["null_nodes"]``. A message's ``source_id`` is the id of its node, for
    that is what ``metadata["current_node"]`` and the links name.

    In a message's metadata, ``"content"`` is the source's content object where it is more than
    one text, ``"metadata"`` the source's own, ``"node"`` what else the node says. An export
    split into ``conversations-000.json`` and so on is read from its folder or zip. Of an export
    without these, the JSON inside ``chat.html`` is read.
    """

    name = "chatgpt"
    title = "ChatGPT export (conversations.json or its zip)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first value is, or holds, a conversation."""
        if _PAGE in source.head and not any(map(_is_export, source.beside)):
            return Claim(1, f"a page with {_PAGE.strip()!r}")
        first = source.first
        listed = first if isinstance(first, list) else [first]
        if isinstance(first, dict) and "mapping" not in first:
            inside = first.get("conversations")
            listed = inside if isinstance(inside, list) else list(first.values())
            listed = [each for each in listed if _has_mapping(each)] or [first]
        found = [each for each in listed if isinstance(each, dict)]
        if any(_has_author(each) for each in found):
            return Claim(1, "a 'mapping' of nodes whose messages have an author")
        kinds = ("mapping" in each and not _is_anothers(each) for each in found)
        if any(kinds):
            return Claim(LIKELY, "a 'mapping', without messages")
        empty = any({"title", "current_node"} <= each.keys() for each in found)
        return claim(empty, "'current_node', without a 'mapping'", LIKELY)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in _values(source):
            with place.trying():
                for where, name, item in _conversations(source, place, value):
                    with where.trying():
                        draft = _thread(where, name, where.check(item, dict, "a conversation"))
                        draft.is_shallow = source.is_shallow
                        yield draft


def _values(source: Source) -> Iterator[tuple[Place, Any]]:
    """Yield conversations with their places: of the file, or of the JSON in a page."""
    if source.looks_like_json:
        yield from source.items("conversation")
        return
    start = source.text.find(_PAGE)
    if start < 0:
        raise source.place().wrong(f"no JSON, and no page with {_PAGE.strip()!r}")
    bear = None if source.strict else source.bear
    text = source.text[start + len(_PAGE) :]
    values = JsonValues([text], source.name, source.limits, source.tell, bear, one=True)
    for item in values.items():
        yield source.place().at("conversation", item.number or 1), item.value


def _is_export(name: str) -> bool:
    return re.fullmatch(r"(.*/)?conversations(-\d+)?\.json", name) is not None


def _messages(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the first messages of a conversation."""
    mapping = item.get("mapping")
    for node in islice(mapping.values(), _LOOKED_AT) if isinstance(mapping, dict) else ():
        message = node.get("message") if isinstance(node, dict) else None
        if isinstance(message, dict):
            yield message


def _has_author(item: dict[str, Any]) -> bool:
    return any(
        "author" in message or isinstance(message.get("content"), dict)
        for message in _messages(item)
    )


def _is_anothers(item: dict[str, Any]) -> bool:
    """Tell whether a conversation has messages as DeepSeek has them."""
    return any({"fragments", "inserted_at"} & message.keys() for message in _messages(item))


def _is_conversation(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return "mapping" in value or (
        # An empty one, as some exports have it.
        "title" in value and bool({"current_node", "update_time"} & value.keys())
    )


def _has_mapping(value: object) -> bool:
    return isinstance(value, dict) and "mapping" in value


def _conversations(
    source: Source, place: Place, value: Any
) -> Iterator[tuple[Place, str | None, Any]]:
    """Yield the conversations that a value holds, with the name under which it holds them."""
    if not isinstance(value, dict) or _is_conversation(value):
        yield place, None, value
    elif "conversations" in value:
        for key in value:
            if key != "conversations":
                source.tell(
                    f"{short_repr(key)} beside 'conversations'", "no conversation; not read"
                )
        for number, item in enumerate(place.take(value, "conversations", list) or [], 1):
            yield source.place().at("conversation", number), None, item
    elif any(_has_mapping(item) for item in value.values()):
        for key, item in value.items():
            if _has_mapping(item):
                yield source.place().at("conversation", key), key, item
            else:
                source.tell(f"{short_repr(key)} beside conversations", "no conversation; not read")
    else:
        raise place.wrong("no conversation: it has neither 'mapping' nor 'title' and times")


def _thread(place: Place, name: str | None, item: dict[str, Any]) -> DraftThread:
    ids = [place.take(item, key, str) for key in ("id", "conversation_id")]
    ident = ids[0] or ids[1] or name or None
    here = place.at("id", ident) if ident and ident != name else place
    draft = DraftThread(id=ident, title=here.take(item, "title", str) or "")
    draft.within = "" if ident and ident != name else None
    draft.is_json = True
    draft.metadata = {
        key: value
        for key, value in item.items()
        if key not in _THREAD and not (key in ("id", "conversation_id") and value == ident)
    }
    draft.created_at = draft.time(None, item, "create_time", draft.metadata)
    draft.updated_at = draft.time(None, item, "update_time", draft.metadata)
    mapping = here.take(item, "mapping", dict)
    if mapping is None:
        draft.tell(None, "'mapping'", "missing; the thread has no messages")
        return draft
    nodes: dict[str, dict[str, Any]] = {key: {} for key in mapping}
    for key, node in mapping.items():
        if isinstance(node, dict):
            nodes[key] = node
        elif node is not None:
            with here.trying():
                here.check(node, dict, f"node {short_repr(key)}")
    _fill(draft, here, nodes)
    if KEY in item:
        restore(draft, item[KEY], _record_of)
    default = item.get("default_model_slug")
    for message in draft.messages:
        if message.role == "assistant" and message.model is None and isinstance(default, str):
            message.model = default
    with here.trying():
        current = here.take(item, "current_node", str)
        if current is not None and current not in nodes:
            draft.tell(None, "'current_node'", "not in the file")
    mapping.clear()  # nobody asks for it again, and the collector would look through it
    return draft


def _record_of(message: DraftMessage) -> Any:
    said = message.metadata.get("metadata")
    return said.get(KEY) if isinstance(said, dict) else None


def _links(
    place: Place, nodes: dict[str, dict[str, Any]]
) -> tuple[dict[str, str], dict[str, list[str]], set[str]]:
    """Return what nodes say of parents and of children; and which have nothing else beside them."""
    parents: dict[str, str] = {}
    children: dict[str, list[str]] = {}
    plain: set[str] = set()
    for key, node in nodes.items():
        parent, kids = node.get("parent"), node.get("children") or []
        if type(parent) is str and type(kids) is list and _TEXT.issuperset(map(type, kids)):
            parents[key], children[key] = parent, kids  # as they nearly always are
            if len(node) == 4 and node.get("id") == key and "children" in node:
                plain.add(key)
            continue
        here = place.at("node", key)
        with here.trying():
            if (parent := here.take(node, "parent", str)) is not None:
                parents[key] = parent
            kids = here.take(node, "children", list) or []
            children[key] = [here.check(kid, str, "a member of 'children'") for kid in kids]
    return parents, children, plain


def _fill(draft: DraftThread, place: Place, nodes: dict[str, dict[str, Any]]) -> None:
    parents, children, plain = _links(place, nodes)
    astray: set[str | None] = set()

    def tell(node: str | None, what: str, why: str) -> None:
        astray.add(node)
        draft.tell(node, what, why)

    nulls: list[Any] = []
    nearest: dict[str, int | None] = {}  # the position of the message at, or above, a node
    for key, above in arrange(list(nodes), parents, children, tell):
        node = nodes[key]
        parent_at = nearest[above] if above is not None else None
        raw = node.get("message")
        message = _usual_message(key, raw) if type(raw) is dict else None
        if message is not None and key in plain and not astray:
            message.parent = parent_at
            nearest[key] = len(draft.messages)
            draft.messages.append(message)
            continue
        message = message or _message_in(draft, place, key, node)
        if message is None:
            without = {k: v for k, v in node.items() if k != "message" or v is not None}
            nulls.append({"id": key, **without})
            nearest[key] = parent_at
            continue
        message.parent = parent_at
        rest = {} if node.keys() <= _LINKS else {k: v for k, v in node.items() if k not in _LINKS}
        if node.get("id", key) != key:
            rest["id"] = node["id"]
        if key in astray:  # what could not be placed must not be lost
            rest |= {k: node[k] for k in ("parent", "children") if k in node}
        if rest:
            message.metadata[free_name(message.metadata, "node")] = rest
        nearest[key] = len(draft.messages)
        draft.messages.append(message)
    if nulls:
        draft.metadata[free_name(draft.metadata, "null_nodes")] = nulls


def _message_in(
    draft: DraftThread, place: Place, key: str, node: dict[str, Any]
) -> DraftMessage | None:
    """Return the message of a node; None if it has none, or none that can be read."""
    told = len(draft.problems)
    try:
        raw = place.take(node, "message", dict)
        return None if raw is None else _message(draft, place, key, raw)
    except ImportFormatError:
        del draft.problems[told:]
    here = place.at("node", key)  # of which only an error needs to know
    with here.trying():
        raw = here.take(node, "message", dict)
        return None if raw is None else _message(draft, here, key, raw)
    return None


def _usual_message(key: str, raw: dict[str, Any]) -> DraftMessage | None:
    """Return a message that is one text with a time, as nearly all are; None for any other."""
    try:
        author, content, said, when = (
            raw["author"],
            raw["content"],
            raw["metadata"],
            raw["create_time"],
        )
        role, kind, parts = author["role"], content["content_type"], content["parts"]
    except (KeyError, TypeError):
        return None
    if type(role) is not str or author != _USUAL.get(role) or type(said) is not dict:
        return None
    if len(content) != 2 or kind != "text" or type(parts) is not list or len(parts) != 1:
        return None
    text, model = parts[0], said.get("model_slug")
    if type(text) is not str or type(when) is not float or not 0 < when < _FAR:
        return None
    if raw.get("id") != key or "attachments" in said:
        return None
    del raw["id"], raw["author"], raw["content"], raw["create_time"]  # which have fields
    return DraftMessage(
        id=key,
        role=role,
        content=text,
        model=model if type(model) is str else None,
        created_at=read_time(when),
        hidden=said.get("is_visually_hidden_from_conversation") is True,
        metadata=raw,
    )


def _message(draft: DraftThread, place: Place, key: str, raw: dict[str, Any]) -> DraftMessage:
    rest = raw.copy()
    for placed in _PLACED:
        rest.pop(placed, None)
    if raw.get("id", key) != key:
        rest["id"] = raw["id"]
    author = place.take(raw, "author", dict) or {}
    role, name = place.take(author, "role", str), place.take(author, "name", str)
    if not role:
        draft.tell(key, "'role'", "missing; the role is 'unknown'")
    if [value for k, value in author.items() if value and k not in _AUTHOR]:
        rest["author"] = author
    said = place.take(raw, "metadata", dict) or {}
    model = said.get("model_slug")
    text, whole = _content(place, raw.get("content"))
    parts: list[MessagePart] = []
    if not whole:
        rest["content"] = raw["content"]
        parts = _parts(raw["content"], raw.get("recipient"), name)
    if role == "tool" and name and text and not any(part.kind != "text" for part in parts):
        parts = [MessagePart(kind="tool_result", text=text, tool=name)]
    parts += _files(said.get("attachments"))
    if parts and whole and text and parts[0].kind == "file":
        parts.insert(0, MessagePart(kind="text", text=text))
    return DraftMessage(
        id=key,
        role=role or "unknown",
        content=text,
        parts=parts,
        author=name,
        model=model if isinstance(model, str) else None,
        created_at=draft.time(key, raw, "create_time", rest),
        hidden=said.get("is_visually_hidden_from_conversation") is True,
        metadata=rest,
    )


def _content(place: Place, raw: Any) -> tuple[str, bool]:
    """Return the text that a person reads, and whether that is all that `raw` holds."""
    if raw is None or isinstance(raw, str):
        return raw or "", True
    content = place.check(raw, dict, "'content'")
    parts = place.take(content, "parts", list)
    plain = content.keys() <= _PLAIN and content.get("content_type", "text") == "text"
    if plain and parts is not None and len(parts) == 1 and isinstance(parts[0], str):
        return parts[0], True
    texts = [text for key in _TEXTS for text in _texts(content.get(key))]
    return "\n".join(filter(None, texts)), False


def _texts(value: Any) -> Iterator[str]:
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            # A part {"content_type", "text"}, or a thought {"summary", "content"}.
            inner = (part.get(key) for key in ("text", "summary", "content"))
            yield from (text for text in inner if isinstance(text, str))


_KINDS = {
    "code": "code",
    "execution_output": "tool_result",
    "computer_output": "tool_result",
    "tether_browsing_display": "tool_result",
    "tether_quote": "citation",
    "sonic_webpage": "citation",
    "thoughts": "thinking",
    "reasoning_recap": "thinking",
    "refusal": "refusal",
    "audio_transcription": "audio",
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "video_container_asset_pointer": "video",
    "real_time_user_audio_video_asset_pointer": "audio",
}
"""What kind of part a content is, by its ``content_type``; others are texts."""


def _parts(content: dict[str, Any], recipient: object, tool: str | None) -> list[MessagePart]:
    """Return the parts of a content: its own texts, and what stands between them."""
    kind = _kind(content, "text")
    called = recipient if isinstance(recipient, str) and recipient != "all" else None
    if kind == "code" and called:
        text = "\n".join(filter(None, _texts(content.get("text"))))
        return [MessagePart(kind="tool_call", tool=called, data=text)]
    found: list[MessagePart] = []
    for key in _TEXTS:
        value = content.get(key)
        for each in value if isinstance(value, list) else [value]:
            text = "\n".join(filter(None, _texts(each)))
            inner = _kind(each, kind) if isinstance(each, dict) else kind
            pointer = each.get("asset_pointer") if isinstance(each, dict) else None
            name = pointer if isinstance(pointer, str) else None
            if text or name or inner not in ("text", kind):
                own = tool if inner == "tool_result" else None
                found.append(MessagePart(kind=inner, text=text, name=name, tool=own))
    for part in found[:1]:
        names = {"name": content.get("title") or content.get("domain"), "url": content.get("url")}
        if kind == "code":
            names = {"mime": content.get("language")}
        said = {key: value for key, value in names.items() if isinstance(value, str) and value}
        if kind in ("citation", "code"):
            found[0] = part.model_copy(update=said)
    return found


def _kind(content: dict[str, Any], otherwise: str) -> str:
    named = content.get("content_type")
    return _KINDS.get(named, otherwise) if isinstance(named, str) else otherwise


def _files(attachments: object) -> list[MessagePart]:
    """Return the parts of attached files."""
    parts: list[MessagePart] = []
    for each in attachments if isinstance(attachments, list) else []:
        if isinstance(each, dict):
            name, mime = (each.get(key) for key in ("name", "mime_type"))
            parts.append(
                MessagePart(
                    kind="image" if str(mime).startswith("image/") else "file",
                    name=name if isinstance(name, str) and name else None,
                    mime=mime if isinstance(mime, str) and mime else None,
                )
            )
    return parts
