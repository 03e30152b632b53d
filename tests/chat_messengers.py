"""Samples of formats in which people talk: see `tests.chat_formats`, which collects them."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode
from tests.chat_sample import Sample


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


SAMPLES: dict[str, Sample] = {
    "discord": Sample("discord", discord, 1, 5, 2, 3, 1, 4),
    "messenger": Sample("messenger", messenger, 1, 4, 0, 4, 0, 4),
}
