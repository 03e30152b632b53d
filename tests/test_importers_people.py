"""Programs in which people talk, format by format."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecsviz.importers import read_chat
from ecsviz.importers.chat.typedstream import typedstream_text
from tests.chat_files import encode, links, read, zipped
from tests.chat_formats import slack_message
from tests.chat_messengers import (
    SAMPLES,
    attributed,
    discord_answer,
    discord_message,
    matrix_event,
    matrix_text,
    messenger,
)


def test_discord() -> None:
    found = read_chat(SAMPLES["discord"].data)
    (thread,) = found
    assert (thread.title, thread.source_id) == ("ferns", "200")
    assert links(thread) == {"10": None, "11": None, "12": "11", "13": "11", "14": None}
    assert [m.role for m in thread.messages] == ["system", "user", "user", "user", "tool"]
    assert [m.author for m in thread.messages] == ["Ann", "Ann", "Ben", "Cem", "bot"]
    assert [m.content for m in thread.messages] == [
        "guild member join",
        "Name a fern.",
        "[image: f.png]",
        "Bracken",
        "Ferns\nOld plants",
    ]
    assert "reference" not in thread.messages[2].metadata
    left = found.report().query("kind == 'not read'")["what"].tolist()
    assert left == ["'exportedAt'", "'messageCount'", "'dateRange'"]


def test_discord_an_answer_to_a_message_of_another_channel() -> None:
    there = {"messageId": "11", "channelId": "201"}
    said = [discord_message("11", "a", "ann"), discord_answer("12", "b", "ann", "11")]
    said[1]["reference"] = there
    (thread,) = read({"guild": {}, "channel": {"id": "200"}, "messages": said})
    assert links(thread) == {"11": None, "12": None}
    assert thread.messages[1].metadata["reference"] == there


def test_messenger() -> None:
    (thread,) = read_chat(SAMPLES["messenger"].data)
    assert thread.title == "Jörg"
    assert [(m.author, m.role, m.content) for m in thread.messages] == [
        ("Ann", "user", "Hi\n[citation: https://example.org]"),
        ("Jörg", "user", "Schön"),
        ("Ann", "user", "[image: 1.jpg]"),
        ("Ann", "system", "subscribe"),
    ]
    assert thread.messages[1].metadata["reactions"] == [{"reaction": "👍", "actor": "Ann"}]
    assert thread.messages[0].created_at == datetime(2025, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)


def test_a_long_talk_of_messenger_comes_in_several_files(tmp_path: Path) -> None:
    def talk(*numbers: int) -> bytes:
        said = [{"sender_name": "Ann", "timestamp_ms": n, "content": f"m{n}"} for n in numbers]
        whole = {"participants": [{"name": "Ann"}], "title": "Ann", "thread_path": "inbox/ann_1"}
        return encode(whole | {"messages": said})

    folder = "your_activity/messages/inbox/ann_1/message_"
    files = [(f"{folder}{n}.json", talk(8 - 2 * n, 7 - 2 * n)) for n in (1, 2, 3)]
    other = ("your_activity/messages/inbox/joerg_1/message_1.json", messenger(False))
    found = read_chat(zipped(*files, other, ("a/photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0")))
    assert [m.content for m in found[0].messages] == [f"m{n}" for n in range(1, 7)]
    assert [len(thread.messages) for thread in found] == [6, 4]
    read_with = found.report().query("why == 'read with message_1.json'")
    assert len(read_with) == 2

    for name, data in files:
        (tmp_path / Path(name).name).write_bytes(data if "_2" not in name else data[:60])
    broken = read(tmp_path)
    assert [len(thread.messages) for thread in broken] == [4]
    assert [problem.file for problem in broken.problems] == [f"{tmp_path.name}/message_2.json"]
    (tmp_path / "message_1.json").write_bytes(b"{")
    assert [[m.content for m in t.messages] for t in read(tmp_path)] == [["m1", "m2"]]


def test_messenger_of_two_accounts() -> None:
    first, second = (
        {
            "participants": [{"name": "Ann"}, {"name": me}],
            "thread_path": "inbox/ann_1",
            "messages": [{"sender_name": me, "timestamp_ms": 5, "content": "Hi"}],
        }
        for me in ("Ben", "Cem")
    )
    found = read([encode(first), encode(second)])
    assert len({thread.ecs_id for thread in found}) == 2


def test_an_encrypted_talk_of_messenger() -> None:
    said = [
        {"senderName": "Zoë", "timestamp": 1735689602000, "isUnsent": True, "type": "text"},
        {
            "senderName": "Ann",
            "timestamp": 1735689601000,
            "isUnsent": False,
            "text": "Hi",
            "media": [{"uri": "./media/a.jpg"}],
            "type": "media",
        },
    ]
    (thread,) = read({"participants": ["Ann", "Zoë"], "threadName": "Zoë_1", "messages": said})
    assert [(m.author, m.content) for m in thread.messages] == [
        ("Ann", "Hi\n[image: a.jpg]"),
        ("Zoë", "unsent message"),
    ]


def test_imessage() -> None:
    chat, alone = read_chat(SAMPLES["imessage"].data)
    assert (chat.title, chat.source_id) == ("+491, ben@example.org", "iMessage;+;chat1")
    assert links(chat) == {"guid-1": None, "guid-2": "guid-1", "guid-4": None, "guid-5": "guid-1"}
    first, second, named, long = chat.messages
    assert [m.author for m in chat.messages] == ["+491", "me", "+491", "ben@example.org"]
    assert first.content == "Schön?"
    (loved,) = first.metadata["tapbacks"]
    assert (loved["kind"], loved["author"]) == ("loved", "ben@example.org")
    assert second.content == "[image: fern.heic]\nSee"
    assert second.metadata["payload_data"] == "6 bytes"
    assert (named.role, named.content) == ("system", "named the chat: Garden")
    assert (long.content[:15], len(long.content)) == ("A fern, or moss", 188)
    assert first.created_at == datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert [m.content for m in alone.messages] == ["alone"]


def test_a_text_in_a_typedstream() -> None:
    for text in ("", "a", "Grüße 👋", "x" * 127, "y" * 128, "z" * 40_000):
        assert typedstream_text(attributed(text)) == text
    whole = attributed("Schön")
    for end in range(len(whole)):
        assert typedstream_text(whole[:end]) in (None, "Schön")
    assert typedstream_text(whole.replace(b"\xc3", b"\xff")) is None
    assert typedstream_text(whole.replace(b"+", b"-")) is None
    assert typedstream_text(whole.replace(b"+\x06", b"+\x7f")) == "Schön"  # as some are


def test_matrix() -> None:
    (thread,) = read_chat(SAMPLES["matrix"].data)
    assert (thread.title, thread.source_id) == ("Garden", "!r:example.org")
    assert links(thread)["$ccc"] == links(thread)["$ffffff"] == "$bb"
    assert [(m.role, m.content) for m in thread.messages] == [
        ("system", "member: join"),
        ("user", "Name a fern."),
        ("user", "Moss"),
        ("user", "[image: fern.png]"),
        ("user", "Tea?\n- Yes\n- No"),
    ]
    asked, answer = thread.messages[1:3]
    assert asked.author == "@ann:example.org"
    assert [each["event_id"] for each in asked.metadata["reactions"]] == ["$eeeee"]
    assert [each["before"] for each in answer.metadata["edits"]] == ["Mos"]


def test_matrix_what_is_of_a_message_elsewhere_and_what_was_deleted() -> None:
    lost = matrix_text("* b", rel_type="m.replace", event_id="$gone")
    said = [matrix_event("a", "ann", {}), matrix_event("bb", "ann", lost)]
    found = read({"room_name": "R", "exported_by": "me", "messages": said})
    assert [m.content for m in found[0].messages] == ["redacted message", "* b"]
    assert [problem.what for problem in found.problems] == ["parent '$gone'"]


def test_mattermost() -> None:
    found = read_chat(SAMPLES["mattermost"].data)
    ferns, direct = found
    assert [(ferns.title, ferns.source_id), (direct.title, direct.source_id)] == [
        ("Ferns", "garden/ferns"),
        ("ann, ben", "direct/ann,ben"),
    ]
    assert [(m.role, m.author, m.content) for m in ferns.messages] == [
        ("system", "cem", "cem joined."),
        ("user", "ann", "Name a fern.\n[image: fern.png]"),
        ("user", "ben", "Bracken"),
        ("user", "cem", "Moss"),
    ]
    assert len(ferns.messages[1].replies) == 2
    left = found.report().query("kind == 'not read'")["what"].tolist()
    assert left == ["a line of type 'user'"]


def test_telethon() -> None:
    (thread,) = read_chat(SAMPLES["telethon"].data)
    assert (thread.source_id, links(thread)) == (
        "channel 77",
        {"1": None, "2": None, "3": "2", "4": "2", "5": None},
    )
    assert [(m.role, m.author, m.content) for m in thread.messages] == [
        ("system", "user 1", "chat create: Garden"),
        ("user", "user 1", "Name a fern.\n[image: photo 9]"),
        ("user", "Ben B", "Bracken"),
        ("user", "user 2", "[audio: voice message]"),
        ("user", "user 2", "geo, lat 52.5, long 13.25"),
    ]


def test_teams() -> None:
    group, alone = read_chat(SAMPLES["teams"].data)
    assert (group.title, alone.title) == ("Garden", "Hi")
    assert [(m.role, m.author, m.content) for m in group.messages] == [
        ("system", "Ann", "add member: 8:ben"),
        ("user", "Ann", "Name a fern."),
        ("user", "Ben", "Bracken"),
        ("user", "Ben", "[image: f.png]"),
    ]
    assert group.messages[1].metadata["content"] == "<p>Name a <b>fern</b>.</p>"


def test_messages_of_graph() -> None:
    (thread,) = read_chat(SAMPLES["teams, Graph"].data)
    assert (thread.source_id, links(thread)) == ("19:y", {"1": None, "2": "1", "3": None})
    assert [(m.role, m.author, m.content) for m in thread.messages] == [
        ("user", "Ann", "Tea?\n[file: plan.pdf]"),
        ("user", "Ben", "Yes"),
        ("system", "Ann", "members added event message detail"),
    ]


def telegram_message(**more: Any) -> dict[str, Any]:
    own = {"id": 1, "type": "message", "date": "2023-08-23T15:13:20", "from": "Ann", "text": ""}
    return own | more


POLL = {"question": "Tea?", "total_voters": 1, "answers": [{"text": "Yes", "voters": 1}]}

TELEGRAM: list[tuple[dict[str, Any], str, str]] = [
    ({"photo": "photos/photo_1.jpg", "text": "See"}, "image", "See\n[image: photo_1.jpg]"),
    ({"photo": "(File not included. Change data exporting settings.)"}, "image", "[image: photo]"),
    ({"file": "files/plan.pdf", "mime_type": "application/pdf"}, "file", "[file: plan.pdf]"),
    (
        {"file": "v/1.ogg", "media_type": "voice_message", "mime_type": "audio/ogg"},
        "audio",
        "[audio: voice message]",
    ),
    (
        {"file": "s/1.webp", "media_type": "sticker", "sticker_emoji": "🌿"},
        "image",
        "[image: sticker 🌿]",
    ),
    ({"file": "(File not included)", "file_name": "a.mp4"}, "video", "[video: a.mp4]"),
    ({"poll": POLL}, "other", "Tea?\n- Yes"),
    (
        {"location_information": {"latitude": 52.5, "longitude": 13.4}, "place_name": "Zoo"},
        "other",
        "location: 52.5, 13.4\nZoo",
    ),
    ({"contact_information": {"first_name": "Ben"}}, "other", "contact: Ben"),
    ({"type": "service", "action": "create_group", "title": "G"}, "other", "create group: G"),
    (
        {"type": "service", "action": "invite_members", "members": ["Ben", None]},
        "other",
        "invite members: Ben",
    ),
    ({}, "other", "message"),
]


@pytest.mark.parametrize(("item", "kind", "content"), TELEGRAM)
def test_what_telegram_shows_beside_texts(item: dict[str, Any], kind: str, content: str) -> None:
    chat = {"name": "A", "type": "personal_chat", "id": 5}
    (thread,) = read(chat | {"messages": [telegram_message(**item)]})
    (message,) = thread.messages
    assert message.content == content
    assert kind in [part.kind for part in message.parts]


WHATSAPP = [
    ("\u200eimage omitted", "image", None),
    ("<Media omitted>", "other", None),
    ("<Medien ausgeschlossen>", "other", None),
    ("\u200eBild weggelassen", "image", None),
    ("\u200evidéo absente", "video", None),
    ("audio omitido", "audio", None),
    ("plan.pdf • \u200e3 pages \u200edocument omitted", "file", "plan.pdf"),
    ("\u200e<attached: 0-PHOTO-2023.jpg>", "image", "0-PHOTO-2023.jpg"),
    ("See this \u200e<Anhang: 1.opus>", "audio", "1.opus"),
    ("\u200eIMG-20230815-WA0001.jpg (file attached)", "image", "IMG-20230815-WA0001.jpg"),
    ("plan v2.pdf (archivo adjunto)", "file", "plan v2.pdf"),
]


@pytest.mark.parametrize(("text", "kind", "name"), WHATSAPP)
def test_what_stands_for_a_file_in_whatsapp(text: str, kind: str, name: str | None) -> None:
    data = f"[15/8/23, 09:12:33] Ann: {text}\nMore\n[15/8/23, 09:13:33] Ben: ok\n"
    (thread,) = read(data.encode())
    first, second = thread.messages
    part, *said = first.parts
    assert (part.kind, part.name) == (kind, name)
    assert said[-1].text.endswith("More")
    assert [each.kind for each in second.parts] == ["text"]


@pytest.mark.parametrize("text", ["image", "I omitted the image", "<b>x</b>", "a (file attached)"])
def test_what_is_a_text_in_whatsapp(text: str) -> None:
    (thread,) = read(f"15.08.23, 09:12 - Ann: {text}\n".encode())
    assert [(part.kind, part.text) for part in thread.messages[0].parts] == [("text", text)]


def test_lines_of_any_length_take_no_time() -> None:
    for piece in ("image ", "• ", "a.jpg (", "<a: ", "\u200e", "x" * 399):
        for line in (piece * 50_000, piece * (400 // len(piece))):
            (thread,) = read(f"15.08.23, 09:12 - Ann: {line}\n".encode())
            assert thread.messages[0].content == line.strip("\n")


BLOCKS = [
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": "Ask "},
                    {"type": "user", "user_id": "U1"},
                    {"type": "emoji", "name": "leaf"},
                    {"type": "link", "url": "https://example.org"},
                ],
            }
        ],
    },
    {"type": "section", "text": {"type": "mrkdwn", "text": "Two"}},
    {"type": "image", "alt_text": "A fern", "image_url": "u"},
]


def test_what_slack_shows_without_a_text() -> None:
    said = [
        slack_message("1.1", "", blocks=BLOCKS),
        slack_message("1.2", "", files=[{"name": "f.png", "mimetype": "image/png"}]),
        slack_message("1.3", "", attachments=[{"blocks": BLOCKS[1:2], "fallback": "none"}]),
        slack_message("1.4", "", attachments=[{"fallback": "A card", "title": "T"}]),
        slack_message("1.5", "", subtype="pinned_item"),
        slack_message("1.6", ""),
    ]
    users = [{"id": "U1", "name": "ann"}]
    (thread,) = read(
        zipped(("users.json", encode(users)), ("general/2023-11-14.json", encode(said)))
    )
    assert [message.content for message in thread.messages] == [
        "Ask @ann:leaf:https://example.org\nTwo\n[image: A fern]",
        "[image: f.png]",
        "Two",
        "A card",
        "pinned item",
        "message",
    ]
