"""Open-Assistant: conversation trees (a prompt with nested replies), or single messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ecsviz.export.chat_files import KEY
from ecsviz.importers.chat.drafts import (
    LIKELY,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    one_line,
)
from ecsviz.importers.chat.exported import is_record, restore
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import arrange

_ROLES = {"prompter": "user"}

_PLACED = frozenset(
    {"message_id", "parent_id", "text", "role", "replies", "created_date", "model_name"}
)
"""The keys of a message that have a field of their own; all others go to the metadata."""


_SEED = {
    "tree_id": "message_tree_id",
    "user_message_id": "message_id",
    "parent_message_id": "parent_id",
}


@dataclass(slots=True)
class _Node:
    id: str | None
    parent: str | None
    item: dict[str, Any]
    place: Place


class OpenAssistant(Claiming):
    """Reads one tree, or one message, a line; or a list of them.

    Notes
    -----
    A tree is ``{"message_tree_id", "prompt": {"message_id", "text", "role", "replies": […]}}``.
    Single messages are put together by ``parent_id``, and into threads by ``message_tree_id``
    (without one: a thread for each message that answers none).
    """

    name = "open-assistant"
    title = "Open-Assistant trees or messages (.jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first item is a tree or a message."""
        first = source.first_item
        prompt = first.get("prompt")
        if isinstance(prompt, dict):
            found = bool({"message_id", "replies"} & prompt.keys())
            return claim(found, "a 'prompt' with 'message_id' or 'replies'")
        if "message_tree_id" in first:
            return Claim(1, "'message_tree_id'")
        role, keys = first.get("role"), first.keys()
        if {"tree_id", "user_message_id", "text"} <= keys:
            return Claim(1, "'tree_id' and 'user_message_id'")
        found = {"message_id", "text"} <= keys and role in ("prompter", "assistant")
        return claim(found, "messages with 'message_id', 'text' and one of its roles", LIKELY)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every tree; then those that single messages make."""
        rows: dict[str, _Node] = {}
        used: dict[str, int] = {}
        bare: list[tuple[int, DraftThread]] = []
        for place, value in source.items("item"):
            with place.trying():
                item = _as_message(place.check(value, dict, "it"))
                if "prompt" in item:
                    yield _tree(place, item)
                elif "message_id" in item or "text" in item:
                    _flatten(place, item, rows, used)
                elif is_record(_thread_record(item)):
                    draft = DraftThread(id=place.take(item, "message_tree_id", str), within="")
                    restore(draft, _thread_record(item), _record_of)
                    bare.append((len(rows), draft))
                else:
                    what = "neither a tree (no 'prompt') nor a message (no 'message_id')"
                    raise place.wrong(what)
        yield from _from_rows(rows, bare)


def _as_message(item: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the seed data under the names that others have."""
    return {_SEED.get(name, name): value for name, value in item.items()}


def _tree(place: Place, item: dict[str, Any]) -> DraftThread:
    nodes: dict[str, _Node] = {}
    _flatten(place, place.check(item["prompt"], dict, "'prompt'"), nodes, {})
    draft = DraftThread(
        id=place.take(item, "message_tree_id", str),
        within="",
        metadata={k: v for k, v in item.items() if k not in ("message_tree_id", "prompt")},
    )
    _fill(nodes, lambda _: draft)
    return draft


def _from_rows(
    rows: dict[str, _Node], bare: list[tuple[int, DraftThread]]
) -> Iterator[DraftThread]:
    """Yield the threads of single messages, and between them those without any, as they came."""
    drafts: list[DraftThread] = []
    begin: list[int] = []
    place = {id(node): number for number, node in enumerate(rows.values())} if bare else {}
    by_tree: dict[str, DraftThread] = {}

    def thread_of(root: _Node) -> DraftThread:
        tree = root.place.take(root.item, "message_tree_id", str)
        draft = by_tree.get(tree) if tree else None
        if draft is None:
            draft = DraftThread(id=tree or root.id, within="")
            drafts.append(draft)
            begin.append(place.get(id(root), 0))
            if tree:
                by_tree[tree] = draft
        return draft

    _fill(rows, thread_of)
    for draft in drafts:
        records = (_thread_record(message.metadata) for message in draft.messages)
        restore(draft, next(filter(is_record, records), None), _record_of)
    # Rows count from 0: what came before a row stands half before it.
    found = [*zip(begin, drafts, strict=True), *((row - 0.5, draft) for row, draft in bare)]
    yield from (draft for _, draft in sorted(found, key=lambda each: each[0]))


def _thread_record(item: dict[str, Any]) -> Any:
    """Return what we wrote of a thread, if an item is the first of one."""
    record = item.get(KEY)
    return record.get("thread") if isinstance(record, dict) else None


def _record_of(message: DraftMessage) -> Any:
    record = message.metadata.get(KEY)
    if not isinstance(record, dict):
        return record
    return {key: value for key, value in record.items() if key != "thread"}


def _flatten(
    place: Place, top: dict[str, Any], nodes: dict[str, _Node], used: dict[str, int]
) -> None:
    """Add a message and, each before its own replies, all messages nested in it."""
    todo: list[tuple[Any, str | None, Place]] = [(top, None, place)]
    while todo:
        raw, above, there = todo.pop()
        with there.trying():
            item = there.check(raw, dict, "a reply")
            ident = place.take(item, "message_id", str) or None
            here = place.at("message", ident) if ident else place
            said = here.take(item, "parent_id", str)
            key = free_name(nodes, ident or f"#{len(nodes) + 1}", used)
            nodes[key] = _Node(ident, said if above is None else above, item, here)
            replies = here.take(item, "replies", list) or []
            todo.extend((reply, key, here) for reply in reversed(replies))


def _fill(nodes: dict[str, _Node], thread_of: Callable[[_Node], DraftThread]) -> None:
    """Put every message into the thread of its root, and give the threads their titles."""
    told: list[tuple[str | None, str, str]] = []
    parents = {key: node.parent for key, node in nodes.items() if node.parent is not None}
    order = arrange(list(nodes), parents, {}, lambda *problem: told.append(problem))
    found: dict[str | None, tuple[DraftThread, int | None]] = {}
    for key, above in order:
        node = nodes[key]
        at = (thread_of(node), None) if above is None else found[above]
        draft, parent = at
        found[key] = at  # what answers a message that cannot be read answers what is above it
        with node.place.trying():
            message = _message(draft, node, parent)
            if not draft.messages:
                draft.title = one_line(message.content)
                draft.created_at = message.created_at
            found[key] = draft, len(draft.messages)
            draft.messages.append(message)
    for about, what, why in told:
        found[about][0].tell(about, what, why)


def _message(draft: DraftThread, node: _Node, parent: int | None) -> DraftMessage:
    item, place = node.item, node.place
    rest = {key: value for key, value in item.items() if key not in _PLACED}
    if rest.get("message_tree_id") == draft.id:
        rest.pop("message_tree_id", None)
    role = place.take(item, "role", str)
    if not role:
        draft.tell(node.id, "'role'", "missing; the role is 'unknown'")
    elif role in _ROLES:
        rest["role"] = role
    said = item.get("parent_id")
    if said is not None and (parent is None or said != draft.messages[parent].id):
        rest["parent_id"] = said
        if parent is not None:
            why = "is not the message that it is a reply of; kept there"
            draft.tell(node.id, "'parent_id'", why)
    return DraftMessage(
        id=node.id,
        parent=parent,
        role=_ROLES.get(role, role) if role else "unknown",
        content=place.take(item, "text", str) or "",
        model=place.take(item, "model_name", str),
        created_at=draft.time(node.id, item, "created_date", rest),
        metadata=rest,
    )
