"""Messages of macOS and iOS: the database ``chat.db``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.database_rows import Row, grouped
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, word
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow
from ecsviz.importers.chat.typedstream import typedstream_text

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)

_COLUMNS = ("guid", "text", "handle_id", "date", "is_from_me")

_TAPBACKS = ("loved", "liked", "disliked", "laughed", "emphasized", "questioned")

_FILE = "\ufffc"
"""What stands in a text where an attachment is shown."""

_PLACED = frozenset(
    {
        *("ROWID", "guid", "text", "attributedBody", "handle_id", "date", "is_from_me"),
        *("associated_message_guid", "associated_message_type", "thread_originator_guid"),
    }
)

_EVENTS = {
    (1, 0): "added",
    (1, 1): "removed",
    (2, 0): "named the chat",
    (3, 0): "left the chat",
    (3, 1): "changed the picture",
    (3, 2): "removed the picture",
    (4, 0): "shared a location",
    (5, 0): "kept an audio message",
}
"""What happened, by ``item_type`` and ``group_action_type``, where nobody wrote anything."""


class IMessage(Claiming):
    """Reads the tables of chats, messages, handles and attachments.

    Notes
    -----
    Texts that stand only in ``attributedBody`` are read from there. A message answers the one that
    began its thread, and no other. Tapbacks stand in the metadata of what they are of. The author
    of what one wrote oneself is ``"me"``; others go by number or address.
    """

    name = "imessage"
    title = "Messages of macOS and iOS (chat.db)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are such tables."""
        found = (
            source.is_database
            and source.has_table("message", *_COLUMNS)
            and source.has_table("chat_message_join", "chat_id", "message_id")
        )
        return claim(found, "tables 'message' and 'chat_message_join'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every chat, and one for messages that are in none."""
        with source.place().trying(), source.database() as connection:
            handles = {r.get("ROWID"): word(r, "id") for _, r in source.rows(connection, "handle")}
            people = grouped(connection, source, "chat_handle_join", "chat_id")
            files = {r.get("ROWID"): r for _, r in source.rows(connection, "attachment")}
            held = grouped(connection, source, "message_attachment_join", "message_id")
            chats = {row.get("ROWID"): row for _, row in source.rows(connection, "chat", "ROWID")}
            of: dict[Any, list[Any]] = {}
            for _, row in source.rows(connection, "chat_message_join"):
                of.setdefault(row.get("message_id"), []).append(row.get("chat_id"))
            said: dict[Any, list[tuple[Place, Row, list[Row]]]] = {key: [] for key in chats}
            for place, row in source.rows(connection, "message", "date"):
                joins = held.get(row.get("ROWID"), [])
                mine = [f for j in joins if (f := files.get(j.get("attachment_id"))) is not None]
                for chat in of.get(row.get("ROWID")) or [None]:
                    said.setdefault(chat if chat in chats else None, []).append((place, row, mine))
            for key, rows in said.items():
                chat = chats.get(key, {})
                names = [handles.get(join.get("handle_id")) for join in people.get(key, [])]
                with source.place().trying():
                    yield _thread(source.place(), chat, [n for n in names if n], rows, handles)


def _thread(
    place: Place,
    chat: Row,
    people: list[str],
    rows: list[tuple[Place, Row, list[Row]]],
    handles: dict[Any, str | None],
) -> DraftThread:
    draft = DraftThread(id=place.ident(chat, "guid"))
    draft.title = place.take(chat, "display_name", str) or ", ".join(people)
    draft.title = draft.title or place.take(chat, "chat_identifier", str) or ""
    draft.within = word(chat, "account_login", "account_id")
    draft.metadata = _said(chat, "ROWID", "guid", "display_name")
    nodes: list[Node] = []
    messages: dict[str, DraftMessage] = {}
    tapbacks: list[tuple[Place, Row]] = []
    for here, row, files in rows:
        with here.trying():
            if 2000 <= (here.take(row, "associated_message_type", int) or 0) < 4000:
                tapbacks.append((here, row))
                continue
            said = _message(draft, here, row, files, handles)
            nodes.append(Node(said.id, here.ident(row, "thread_originator_guid"), said))
            messages.setdefault(said.id or "", said)
    for here, row in tapbacks:
        with here.trying():
            of = here.take(row, "associated_message_guid", str) or ""
            target = of.rpartition("/")[2]
            if (message := messages.get(target.removeprefix("bp:"))) is not None:
                _tapped(message, row, handles)
            else:
                nodes.append(Node(None, None, _message(draft, here, row, [], handles)))
    grow(draft, nodes, "thread_originator_guid")
    draft.settle()
    return draft


def _tapped(message: DraftMessage, row: Row, handles: dict[Any, str | None]) -> None:
    """Add a tapback to a message, or take one away again."""
    number = _number(row, "associated_message_type") or 0
    name = _TAPBACKS[number % 1000] if number % 1000 < len(_TAPBACKS) else None
    kind = name or word(row, "associated_message_emoji") or f"tapback {number % 1000}"
    author = "me" if row.get("is_from_me") == 1 else handles.get(row.get("handle_id"))
    tapback = {"kind": kind, "author": author}
    listed = message.metadata.setdefault("tapbacks", [])
    if number < 3000:
        listed.append(tapback | {"guid": row.get("guid"), "date": row.get("date")})
    else:
        same = (each for each in reversed(listed) if each.items() >= tapback.items())
        if (taken := next(same, None)) is not None:
            listed.remove(taken)


def _message(
    draft: DraftThread,
    place: Place,
    row: Row,
    files: list[Row],
    handles: dict[Any, str | None],
) -> DraftMessage:
    ident = place.ident(row, "guid")
    rest = _said(row, *_PLACED)
    body = place.take(row, "attributedBody", bytes)
    text = place.take(row, "text", str) or None
    if text is None and body:
        text = typedstream_text(body)
        if text is None:
            draft.tell(ident, "'attributedBody'", "its text cannot be read; kept as it is")
            rest["attributedBody"] = {"hex": body.hex()}
    parts = _parts(text or "", [_file(each) for each in files])
    author = "me" if place.take(row, "is_from_me", int) else handles.get(row.get("handle_id"))
    if author is None and row.get("handle_id"):
        rest["handle_id"] = row["handle_id"]
    if subject := rest.pop("subject", None):
        parts.insert(0, MessagePart(kind="text", text=str(subject)))
    event = _number(row, "item_type") or 0
    if event:
        who = handles.get(row.get("other_handle"))
        kind = event, _number(row, "group_action_type") or 0
        told = [_EVENTS.get(kind, f"event {event}"), word(row, "group_title"), who]
        parts.insert(0, MessagePart(kind="other", text=": ".join(filter(None, told))))
    if not parts:
        unsent = "unsent message" if row.get("date_retracted") else None
        app = word(row, "balloon_bundle_id")
        parts = [MessagePart(kind="other", text=unsent or app or "message")]
    return DraftMessage(
        id=ident,
        role="system" if event else "user",
        content="\n".join(part.text for part in parts if part.kind == "text"),
        parts=parts,
        author=author,
        created_at=_time(draft, ident, row, rest),
        metadata=rest,
    )


def _parts(text: str, files: list[MessagePart]) -> list[MessagePart]:
    """Return a text with the files where it shows them; those that it does not, behind it."""
    parts: list[MessagePart] = []
    left = list(files)
    for number, piece in enumerate(text.split(_FILE)):
        if number and left:
            parts.append(left.pop(0))
        if piece.strip():
            parts.append(MessagePart(kind="text", text=piece))
    return parts + left


def _file(row: Row) -> MessagePart:
    name, path = word(row, "transfer_name"), word(row, "filename")
    more = _said(row, "ROWID", "transfer_name", "filename", "mime_type")
    return attached(name or path, path, row.get("mime_type"), more=more)


def _said(row: Row, *placed: str) -> Row:
    """Return what of a row says something: no zeros and nulls; of bytes, how many there are."""
    return {
        key: f"{len(value):,} bytes" if isinstance(value, bytes) else value
        for key, value in row.items()
        if key not in placed and value not in (None, 0, "", b"")
    }


def _number(row: Row, key: str) -> int | None:
    found = row.get(key)
    return found if isinstance(found, int) else None


def _time(draft: DraftThread, ident: str | None, row: Row, rest: dict[str, Any]) -> datetime | None:
    """Return a time that is counted from 2001: in nanoseconds, of old in seconds."""
    raw = row.get("date")
    if raw in (None, 0):
        return None
    try:
        if isinstance(raw, int) and abs(raw) > 10**11:
            return _EPOCH + timedelta(microseconds=raw // 1000)
        if isinstance(raw, int | float):
            return _EPOCH + timedelta(seconds=raw)
    except (OverflowError, ValueError):
        pass
    rest["date"] = raw
    draft.tell(ident, "'date'", "not a time; the value is in the metadata")
    return None
