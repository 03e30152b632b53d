"""DeepSeek's data export: ``conversations.json``, or the zip that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import arrange

_ROLES = {"REQUEST": "user", "RESPONSE": "assistant", "THINK": "assistant"}


class DeepSeek(Claiming):
    """Reads a list of conversations with a ``mapping`` of nodes, whose messages are fragments.

    Notes
    -----
    Who speaks is told by the fragments: a request is a user's. Of a message without fragments, as
    older exports have it, by the message that it answers. The text is that of requests and
    responses; fragments are parts, and as the file has them they stand in the metadata's
    ``"fragments"``.
    """

    name = "deepseek"
    title = "DeepSeek export (conversations.json or its zip)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first conversation has messages with a model and fragments."""
        mapping = source.first_item.get("mapping")
        nodes = islice(mapping.values(), 20) if isinstance(mapping, dict) else ()
        said = [node.get("message") for node in nodes if isinstance(node, dict)]
        found = any(
            isinstance(each, dict)
            and "author" not in each
            and ("fragments" in each or {"model", "inserted_at"} <= each.keys())
            for each in said
        )
        return claim(found, "a 'mapping' of nodes whose messages have 'fragments'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    ident = place.ident(item, "id")
    draft = DraftThread(id=ident, title=place.take(item, "title", str) or "", within="")
    draft.metadata = rest_of(item, "id", "title", "inserted_at", "updated_at", "mapping")
    draft.created_at = draft.time(None, item, "inserted_at", draft.metadata)
    draft.updated_at = draft.time(None, item, "updated_at", draft.metadata)
    nodes: dict[str, dict[str, Any]] = {}
    parents: dict[str, str] = {}
    children: dict[str, list[str]] = {}
    for key, node in (place.take(item, "mapping", dict) or {}).items():
        here = place.at("node", key)
        with here.trying():
            nodes[key] = here.check(node, dict, "it")
            if (parent := here.ident(nodes[key], "parent")) is not None:
                parents[key] = parent
            kids = here.take(nodes[key], "children", list) or []
            children[key] = [kid for kid in kids if isinstance(kid, str)]
    at: dict[str, int | None] = {}  # the position of the message at, or above, a node
    for key, above in arrange(list(nodes), parents, children, draft.tell):
        here = place.at("node", key)
        at[key] = up = at[above] if above is not None else None
        with here.trying():
            raw = here.take(nodes[key], "message", dict)
            if raw is not None:
                before = None if up is None else draft.messages[up].role
                message = _message(draft, here, key, raw, before)
                message.parent = up
                at[key] = draft.add(message)
    draft.settle()
    return draft


def _message(
    draft: DraftThread, place: Place, key: str, raw: dict[str, Any], before: str | None
) -> DraftMessage:
    rest = rest_of(raw, "model", "inserted_at", "fragments", "content")
    rest = {name: value for name, value in rest.items() if value not in (None, [])}
    texts = [place.take(raw, "content", str) or ""]
    role = "assistant" if before == "user" else "user"
    kinds: list[str | None] = []
    for number, fragment in enumerate(place.take(raw, "fragments", list) or [], 1):
        here = place.at("fragment", number)
        found = here.check(fragment, dict, "it")
        kinds.append(kind := here.take(found, "type", str))
        if kind != "THINK" and isinstance(text := found.get("content"), str):
            texts.append(text)
    parts = [_part(each) for each in raw.get("fragments") or [] if isinstance(each, dict)]
    if kinds:
        role = next((_ROLES[kind] for kind in kinds if kind in _ROLES), role)
        if kinds not in (["REQUEST"], ["RESPONSE"]):
            rest["fragments"] = raw["fragments"]
        if raw.get("content"):
            parts.insert(0, MessagePart(kind="text", text=texts[0]))
    return DraftMessage(
        id=key,
        role=role,
        content="\n".join(filter(None, texts)),
        parts=parts,
        model=place.take(raw, "model", str),
        created_at=draft.time(key, raw, "inserted_at", rest),
        metadata=rest,
    )


_KINDS = {"REQUEST": "text", "RESPONSE": "text", "THINK": "thinking"}


def _part(fragment: dict[str, Any]) -> MessagePart:
    """Return the part of a fragment: a text, a thought, or what was searched, read or attached."""
    kind = fragment.get("type")
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    text = fragment.get("content")
    if known and isinstance(text, str):
        return MessagePart(kind=known, text=text)
    name = fragment.get("file_name")
    return MessagePart(
        kind="file" if isinstance(name, str) else "other",
        text=text if isinstance(text, str) else "",
        name=name if isinstance(name, str) else kind if isinstance(kind, str) else None,
    )
