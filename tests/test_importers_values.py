"""Every value of a file has a place: with another value, something else is read."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from ecsviz.errors import EcsvizError
from tests.chat_files import read, zipped
from tests.chat_formats import SAMPLES
from tests.chat_sample import lines
from tests.test_importers_malformed import mutated, put, spots

OTHERWISE: dict[str, set[str]] = {
    "deepseek": {"id"},  # a node's key says it
    "chatbot-ui": {"version", "id", "name", "content"},  # saved prompts, which the report counts
    "telegram": {"about"},
    "slack": {"user_id", "name"},  # logs, which the report counts; what stands behind real_name
    "langchain, dumps": {"lc", "type", "id"},  # the class, which is the role
    "llm, old schema": {"prompt_attachments.order", "tool_calls.id", "tools.name"},
    "llm, new schema": {"parts.id", "parts.position", "turns.parent_message_hash"},
    "langchain": {"message_store.message"},  # a type within the type
    "openai-agents, branches": {"message_structure.id", "turn_usage.id"},
    "openai-messages, response": {"type"},  # of a summary
    "codex": {"timestamp", "type"},  # of the first record, and of a summary
    "gemini-cli": {"content", "lastUpdated", "timestamp", "type"},  # of what is said again
    "vscode-chat, log": {"customTitle", "requesterUsername", "value"},  # changed below
    "lm-studio": {"stepIdentifier", "currentlySelected"},  # of one version, the selected
    "langgraph": {"checkpoints.parent_checkpoint_id"},  # the messages say it
    "grok": {"conversation_id", "id", "model"},
    "discord": {"exportedAt", "guildId", "messageCount"},
    "huggingchat": {"ancestors", "createdAt", "updatedAt", "status"},  # of the empty root, too
    "lobechat": {"exportType", "version", "sessionId", "language"},
    "lobechat, tables": {"mode", "schemaHash", "sessionId", "userId", "id"},
    "nextchat": {"theme"},
    "perplexity": {"status", "intended_usage", "thread_title", "text"},
    "sillytavern": {"model", "send_date", "swipes"},  # of the swipe that is shown
    "jan": {"object", "thread_id", "a"},
    "matrix": {"export_date", "exported_by", "room_id"},
    "mattermost": {"username", "version"},
    "teams": {"conversationid", "exportDate"},
    "teams, Graph": {"@odata.count", "contentType"},
    "telethon": {"_"},
    "imessage": {  # nanoseconds; of tapbacks; of what one wrote oneself
        *("handle.service", "message.service", "message.date", "message.handle_id"),
        *("message.associated_message_guid", "message.ROWID", "message.is_from_me"),
    },
    "open-webui": {  # the chat as it is shown repeats what stands in its history
        *("completion_tokens", "content", "model", "models", "parentId", "prompt_tokens", "role"),
        *("timestamp", "title", "type", "url"),
    },
    "open-webui, database": {  # messages stand in the chat's JSON too
        *("channel.created_at", "chat.chat", "chat_message.chat_id", "chat_message.content"),
        *("chat_message.created_at", "chat_message.output", "chat_message.role"),
        *("chat_message.user_id", "message.created_at", "user.email"),
    },
}
"""Names of what is said by the place, or twice, or is no chat."""

JSONS = [name for name, sample in SAMPLES.items() if sample.kind.startswith("JSON")]

ZIPS = [name for name, sample in SAMPLES.items() if sample.kind == "zip"]

DATABASES = [name for name, sample in SAMPLES.items() if sample.kind == "database"]


def all_of(data: bytes, name: str) -> Any:
    """Return all that reading gives: threads, problems and the report, or the error."""
    try:
        found = read(data, format=SAMPLES[name].format)
    except EcsvizError as err:
        return type(err)
    return (
        [thread.model_dump(mode="json") for thread in found],
        found.problems,
        found.report().to_csv(),
    )


def others(value: Any) -> Iterator[Any]:
    """Yield other values of the same type; none of what is no scalar, or empty."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str) and value:
        yield ("5" if value[0] == "4" else "4") + value[1:]
        if value[:1] in ("{", "["):  # JSON in JSON
            inner = json.loads(value)
            for path in spots(inner):
                for other in others(at(inner, path)):
                    yield json.dumps(mutated(inner, path, partial(put, other)))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def lost_of(name: str, values: Any, write: Any) -> set[str]:
    """Return the names of the values without which the same is read."""
    whole = all_of(write(values), name)
    assert whole == all_of(write(values), name)
    lost: set[str] = set()
    for path in spots(values):
        for other in others(at(values, path)):
            if all_of(write(mutated(values, path, partial(put, other))), name) == whole:
                lost.add(next(str(key) for key in reversed(path) if isinstance(key, str)))
    return lost


@pytest.mark.parametrize("name", JSONS)
def test_every_value_of_a_file_has_a_place(name: str) -> None:
    values = [json.loads(line) for line in SAMPLES[name].data.splitlines()]
    assert lost_of(name, values, lambda changed: lines(*changed)) == OTHERWISE.get(name, set())


@pytest.mark.parametrize("name", ZIPS)
def test_every_value_of_a_zip_has_a_place(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(SAMPLES[name].data)) as archive:
        texts = {each: archive.read(each).splitlines() for each in archive.namelist()}
    files = {each: [json.loads(line) for line in text] for each, text in texts.items()}
    lost = lost_of(
        name, files, lambda changed: zipped(*((k, lines(*v)) for k, v in changed.items()))
    )
    assert lost == OTHERWISE.get(name, set())


@pytest.mark.parametrize("name", DATABASES)
def test_every_cell_of_a_database_has_a_place(name: str) -> None:
    data, lost = SAMPLES[name].data, set()
    whole = all_of(data, name)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(data)
        listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        cells = [
            (table, row[1], number, value)
            for (table,) in listed.fetchall()
            if not table.startswith("sqlite_")
            for row in connection.execute(f"PRAGMA table_info({table})").fetchall()
            for number, value in connection.execute(f'SELECT rowid, "{row[1]}" FROM {table}')
        ]
        for table, column, number, value in cells:
            for other in others(value):
                query = f'UPDATE OR REPLACE {table} SET "{column}" = ? WHERE rowid = ?'
                connection.execute(query, (other, number))
                if all_of(connection.serialize(), name) == whole:
                    lost.add(f"{table}.{column}")
                connection.deserialize(data)
    assert lost == OTHERWISE.get(name, set())
