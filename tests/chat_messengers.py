"""Samples of formats in which people talk: see `tests.chat_formats`, which collects them."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode
from tests.chat_sample import Sample, database, lines


def discord_message(ident: str, text: str, who: str, **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "type": "Default",
        "timestamp": f"2025-01-01T10:{ident}:00.5+00:00",
        "timestampEdited": None,
        "isPinned": False,
        "content": text,
        "author": {"id": f"user-{who}", "name": who, "nickname": who.title(), "isBot": False},
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        **more,
    }


def discord_answer(ident: str, text: str, who: str, to: str, **more: Any) -> dict[str, Any]:
    about = {"messageId": to, "channelId": "200", "guildId": "100"}
    return discord_message(ident, text, who, type="Reply", reference=about, **more)


def discord(longer: bool) -> bytes:
    file = {"id": "7", "url": "https://cdn.example/f.png", "fileName": "f.png", "fileSizeBytes": 9}
    likes = [{"emoji": {"name": "leaf"}, "count": 2}]
    card = {
        "title": "Ferns",
        "url": "https://example.org",
        "description": "Old plants",
        "fields": [],
    }
    bot = {"id": "user-bot", "name": "bot", "isBot": True}
    said = [
        discord_message("10", "", "ann", type="GuildMemberJoin"),
        discord_message("11", "Name a fern.", "ann", isPinned=True),
        discord_answer("12", "", "ben", "11", attachments=[file], reactions=likes),
        discord_answer("13", "Bracken", "cem", "11"),
        discord_message("14", "", "bot", author=bot, embeds=[card]),
    ]
    if longer:
        said.append(discord_answer("15", "Thanks", "ann", "13"))
    return encode(
        {
            "guild": {"id": "100", "name": "Garden"},
            "channel": {"id": "200", "type": "GuildTextChat", "name": "ferns", "topic": None},
            "dateRange": {"after": None, "before": None},
            "exportedAt": "2025-01-02T00:00:00+00:00",
            "messages": said,
            "messageCount": len(said),
        }
    )


def messenger(longer: bool) -> bytes:
    def message(number: int, who: str, **more: Any) -> dict[str, Any]:
        flags = {"is_geoblocked_for_viewer": False, "type": "Generic"}
        return {"sender_name": who, "timestamp_ms": 1735689600000 + number, **flags, **more}

    said = [
        message(4, "Ann", type="Subscribe"),
        message(3, "Ann", photos=[{"uri": "messages/inbox/x/photos/1.jpg"}]),
        message(
            2, "JÃ¶rg", content="SchÃ¶n", reactions=[{"reaction": "ð\x9f\x91\x8d", "actor": "Ann"}]
        ),
        message(1, "Ann", content="Hi", share={"link": "https://example.org"}),
    ]
    if longer:
        said.insert(0, message(5, "Ann", content="Bye"))
    people = [{"name": "JÃ¶rg"}, {"name": "Ann"}]
    whole = {"participants": people, "title": "JÃ¶rg", "thread_path": "inbox/joerg_1"}
    return encode(whole | {"messages": said, "is_still_participant": True, "magic_words": []})


def matrix_event(key: str, who: str, content: Any, kind: str = "m.room.message") -> dict[str, Any]:
    when = 1735689600000 + len(key)
    own = {"event_id": f"${key}", "sender": f"@{who}:example.org", "room_id": "!r:example.org"}
    return {"type": kind, **own, "origin_server_ts": when, "content": content}


def matrix_text(text: str, **relation: Any) -> dict[str, Any]:
    about = {"m.relates_to": relation} if relation else {}
    return {"msgtype": "m.text", "body": text, **about}


def matrix(longer: bool) -> bytes:
    file = {"msgtype": "m.image", "body": "fern.png", "url": "mxc://example.org/1"}
    file |= {"info": {"mimetype": "image/png", "size": 9}}
    edit = matrix_text("* Moss", rel_type="m.replace", event_id="$ccc")
    like = {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$bb", "key": "leaf"}}
    asked = {"m.text": "Tea?", "msgtype": "m.text"}
    poll = {
        "question": asked,
        "answers": [{"id": "1", "m.text": "Yes"}, {"id": "2", "m.text": "No"}],
    }
    said = [
        matrix_event("a", "ann", {"membership": "join", "displayname": "Ann"}, "m.room.member"),
        matrix_event("bb", "ann", matrix_text("Name a fern.")),
        matrix_event("ccc", "ben", matrix_text("Mos", **{"m.in_reply_to": {"event_id": "$bb"}})),
        matrix_event("dddd", "ben", edit | {"m.new_content": matrix_text("Moss")}),
        matrix_event("eeeee", "cem", like, "m.reaction"),
        matrix_event(
            "ffffff", "cem", file | {"m.relates_to": {"m.in_reply_to": {"event_id": "$bb"}}}
        ),
        matrix_event("ggggggg", "cem", {"org.matrix.msc3381.poll.start": poll}, "m.poll.start"),
    ]
    if longer:
        said.append(matrix_event("hhhhhhhh", "ann", matrix_text("Thanks")))
    room = {"room_name": "Garden", "room_creator": "@ann:example.org", "topic": "Ferns"}
    made = {"export_date": "January 1, 2025", "exported_by": "@ann:example.org"}
    return encode(room | made | {"messages": said})


def mattermost(longer: bool) -> bytes:
    def message(who: str, number: int, text: str, **more: Any) -> dict[str, Any]:
        return {"user": who, "message": text, "create_at": 1735689600000 + number, **more}

    where = {"team": "garden", "channel": "ferns"}
    likes = [{"user": "ben", "emoji_name": "leaf", "create_at": 1735689600009}]
    replies = [message("ben", 2, "Bracken"), message("cem", 3, "Moss", reactions=likes)]
    if longer:
        replies.append(message("ann", 5, "Thanks"))
    first = message("ann", 1, "Name a fern.", replies=replies, attachments=[{"path": "a/fern.png"}])
    joined = message("cem", 0, "cem joined.", type="system_join_channel")
    posts = [where | joined, where | first]
    direct = message("ann", 4, "psst") | {"channel_members": ["ben", "ann"]}
    return lines(
        {"type": "version", "version": 1},
        {
            "type": "channel",
            "channel": {"team": "garden", "name": "ferns", "display_name": "Ferns"},
        },
        {"type": "user", "user": {"username": "ann"}},
        *({"type": "post", "post": post} for post in posts),
        {"type": "direct_post", "direct_post": direct},
    )


def telethon(longer: bool) -> bytes:
    def message(number: int, text: str, who: int, **more: Any) -> dict[str, Any]:
        peer = {"_": "PeerChannel", "channel_id": 77}
        own = {"_": "Message", "id": number, "peer_id": peer, "message": text, "out": False}
        when = f"2025-01-01T10:00:0{number}+00:00"
        return (
            own | {"date": when, "from_id": {"_": "PeerUser", "user_id": who}, "media": None} | more
        )

    def answer(to: int) -> dict[str, Any]:
        return {"_": "MessageReplyHeader", "reply_to_msg_id": to}

    voice = [{"_": "DocumentAttributeAudio", "voice": True, "duration": 3}]
    heard = {"id": 5, "mime_type": "audio/ogg", "attributes": voice}
    place = {"_": "MessageMediaGeo", "geo": {"_": "GeoPoint", "lat": 52.5, "long": 13.25}}
    made = {"_": "MessageActionChatCreate", "title": "Garden"}
    said = [
        message(5, "", 2, media=place),
        message(
            4, "", 2, media={"_": "MessageMediaDocument", "document": heard}, reply_to=answer(2)
        ),
        message(
            3, "Bracken", 2, reply_to=answer(2), sender={"first_name": "Ben", "last_name": "B"}
        ),
        message(2, "Name a fern.", 1, media={"_": "MessageMediaPhoto", "photo": {"id": 9}}),
        message(1, "", 1, _="MessageService", action=made),
    ]
    if longer:
        said.insert(0, message(6, "Thanks", 1, reply_to=answer(3)))
    return lines(*said)


def teams(longer: bool) -> bytes:
    def message(number: int, who: str, text: str, kind: str = "RichText/Html") -> dict[str, Any]:
        when = f"2025-01-01T10:00:0{number}.000Z"
        own = {"id": f"173568960{number}", "originalarrivaltime": when, "messagetype": kind}
        own |= {"displayName": who.title(), "content": text, "from": f"8:live:{who}"}
        return own | {"conversationid": "19:x@thread.v2", "properties": None}

    about = 'type="Picture.1" uri="https://example.org/1"'
    file = f'<URIObject {about}><OriginalName v="f.png"/></URIObject>'
    said = [
        message(4, "ben", file, "RichText/UriObject"),
        message(3, "ben", "Bracken", "Text"),
        message(2, "ann", "<p>Name a <b>fern</b>.</p>"),
        message(
            1, "ann", "<addmember><target>8:ben</target></addmember>", "ThreadActivity/AddMember"
        ),
    ]
    if longer:
        said.insert(0, message(5, "ann", "Thanks"))
    talk = {"id": "19:x@thread.v2", "displayName": "Garden", "version": 1, "properties": {"a": "b"}}
    alone = {
        "id": "8:live:cem",
        "displayName": None,
        "MessageList": [message(6, "cem", "Hi", "Text")],
    }
    listed = [talk | {"MessageList": said}, alone]
    return encode({"userId": "8:live:ann", "exportDate": "2025-01-02", "conversations": listed})


def teams_graph(longer: bool) -> bytes:
    def message(number: int, who: str, text: str, **more: Any) -> dict[str, Any]:
        sender = {"user": {"id": f"id-{who}", "displayName": who.title()}}
        own = {"id": str(number), "messageType": "message", "from": sender, "chatId": "19:y"}
        when = f"2025-01-01T10:00:0{number}Z"
        body = {"contentType": "html", "content": text}
        return own | {"createdDateTime": when, "body": body, "attachments": [], **more}

    file = {"id": "1", "name": "plan.pdf", "contentUrl": "https://example.org/plan.pdf"}
    event = {"@odata.type": "#microsoft.graph.membersAddedEventMessageDetail"}
    said = [
        message(1, "ann", "<p>Tea?</p>", attachments=[file]),
        message(2, "ben", "Yes", replyToId="1"),
        message(
            3, "ann", "<systemEventMessage/>", messageType="systemEventMessage", eventDetail=event
        ),
    ]
    if longer:
        said.append(message(4, "ben", "Now", replyToId="1"))
    return encode({"@odata.count": len(said), "value": said})


IMESSAGE = """
CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT, service TEXT);
CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid TEXT, chat_identifier TEXT, service_name TEXT,
    display_name TEXT, account_login TEXT);
CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid TEXT, text TEXT, attributedBody BLOB,
    handle_id INTEGER, service TEXT, date INTEGER, is_from_me INTEGER, item_type INTEGER,
    group_title TEXT, associated_message_guid TEXT, associated_message_type INTEGER,
    thread_originator_guid TEXT, payload_data BLOB);
CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);
CREATE TABLE chat_handle_join (chat_id INTEGER, handle_id INTEGER);
CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, guid TEXT, filename TEXT, mime_type TEXT,
    transfer_name TEXT);
CREATE TABLE message_attachment_join (message_id INTEGER, attachment_id INTEGER);
"""


def attributed(text: str) -> bytes:
    """Return a text as Messages keeps it: an attributed string in a typedstream."""
    said = text.encode()
    size = bytes([len(said)]) if len(said) < 128 else b"\x81" + len(said).to_bytes(2, "little")
    head = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00"
    head += b"\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+"
    return head + size + said + b"\x86\x84\x02iI\x01\x05\x86"


def imessage(longer: bool) -> bytes:
    def message(
        number: int, text: str | bytes | None, by: int | None, **more: Any
    ) -> tuple[str, Any]:
        said, body = (None, text) if isinstance(text, bytes) else (text, None)
        when = 757_382_400 * 10**9 + number * 10**9
        own = (number, f"guid-{number}", said, body, by or 0, "iMessage", when, int(by is None))
        names = ("item_type", "group_title", "of", "tapback", "thread", "payload")
        return "message", own + tuple(more.get(name) for name in names)

    long = "A fern, " + "or moss, " * 20
    said = [
        message(1, attributed("Schön?"), 1),
        message(2, "\ufffcSee", None, thread="guid-1", payload=b"bplist"),
        message(3, None, 2, of="p:0/guid-1", tapback=2000),
        message(4, None, 1, item_type=2, group_title="Garden"),
        message(5, attributed(long), 2, thread="guid-1"),
        message(6, "alone", 2),
    ]
    joins = [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    if longer:
        said.append(message(7, "Bye", None))
        joins.append((1, 7))
    return database(
        IMESSAGE,
        ("handle", (1, "+491", "iMessage")),
        ("handle", (2, "ben@example.org", "iMessage")),
        ("chat", (1, "iMessage;+;chat1", "chat1", "iMessage", None, "E:me@example.org")),
        ("chat_handle_join", (1, 1)),
        ("chat_handle_join", (1, 2)),
        ("attachment", (1, "at-1", "~/Library/a.heic", "image/heic", "fern.heic")),
        ("message_attachment_join", (2, 1)),
        *said,
        *(("chat_message_join", join) for join in joins),
    )


SAMPLES: dict[str, Sample] = {
    "discord": Sample("discord", discord, 1, 5, 2, 3, 1, 4),
    "imessage": Sample("imessage", imessage, 2, 5, 2, 3, 1, 4),
    "matrix": Sample("matrix", matrix, 1, 5, 2, 3, 1, 4),
    "mattermost": Sample("mattermost", mattermost, 2, 5, 2, 3, 1, 4),
    "teams": Sample("teams", teams, 2, 5, 0, 5, 0, 5),
    "teams, Graph": Sample("teams", teams_graph, 1, 3, 1, 2, 0, 2),
    "telethon": Sample("telethon", telethon, 1, 5, 2, 3, 1, 4),
    "messenger": Sample("messenger", messenger, 1, 4, 0, 4, 0, 4),
}
