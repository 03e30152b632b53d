"""Which chat formats there are: those of ecsviz, and those that other packages offer."""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ecsviz.basics.outside import outside
from ecsviz.errors import ImportFormatError, did_you_mean, short_repr
from ecsviz.importers.chat.arrived import ChatImportWarning
from ecsviz.importers.chat.drafts import ChatFormat
from ecsviz.importers.chat.formats.ai_sdk import AISDK
from ecsviz.importers.chat.formats.ai_studio import AIStudio
from ecsviz.importers.chat.formats.aider import Aider
from ecsviz.importers.chat.formats.chatbot_ui import ChatBotUI
from ecsviz.importers.chat.formats.chatgpt import ChatGPT
from ecsviz.importers.chat.formats.claude import Claude
from ecsviz.importers.chat.formats.claude_code import ClaudeCode
from ecsviz.importers.chat.formats.cline import Cline
from ecsviz.importers.chat.formats.codex import Codex
from ecsviz.importers.chat.formats.csv_rows import Copilot, Csv
from ecsviz.importers.chat.formats.cursor import Cursor
from ecsviz.importers.chat.formats.deepseek import DeepSeek
from ecsviz.importers.chat.formats.discord import Discord
from ecsviz.importers.chat.formats.gemini_cli import GeminiCLI
from ecsviz.importers.chat.formats.gemini_contents import GeminiContents
from ecsviz.importers.chat.formats.gemini_takeout import GeminiTakeout
from ecsviz.importers.chat.formats.grok import Grok
from ecsviz.importers.chat.formats.huggingchat import HuggingChat
from ecsviz.importers.chat.formats.imessage import IMessage
from ecsviz.importers.chat.formats.jan import Jan
from ecsviz.importers.chat.formats.langchain import LangChain
from ecsviz.importers.chat.formats.langgraph import LangGraph
from ecsviz.importers.chat.formats.librechat import LibreChat
from ecsviz.importers.chat.formats.llm_logs import LLM
from ecsviz.importers.chat.formats.lm_studio import LMStudio
from ecsviz.importers.chat.formats.lobechat import LobeChat
from ecsviz.importers.chat.formats.matrix import Matrix
from ecsviz.importers.chat.formats.mattermost import Mattermost
from ecsviz.importers.chat.formats.messenger import Messenger
from ecsviz.importers.chat.formats.nextchat import NextChat
from ecsviz.importers.chat.formats.open_assistant import OpenAssistant
from ecsviz.importers.chat.formats.open_webui import OpenWebUI
from ecsviz.importers.chat.formats.openai_agents import OpenAIAgents
from ecsviz.importers.chat.formats.openai_messages import OpenAIMessages
from ecsviz.importers.chat.formats.perplexity import Perplexity
from ecsviz.importers.chat.formats.pydantic_ai import PydanticAI
from ecsviz.importers.chat.formats.sharegpt import ShareGPT
from ecsviz.importers.chat.formats.sillytavern import SillyTavern
from ecsviz.importers.chat.formats.slack import Slack
from ecsviz.importers.chat.formats.teams import Teams
from ecsviz.importers.chat.formats.telegram import Telegram
from ecsviz.importers.chat.formats.telethon import Telethon
from ecsviz.importers.chat.formats.vscode_chat import VSCodeChat
from ecsviz.importers.chat.formats.whatsapp import WhatsApp

GROUP = "ecsviz.chat_formats"
"""The group of entry points: each names a class with the names and methods of `ChatFormat`."""

FORMATS: tuple[ChatFormat, ...] = (
    OpenAssistant(),
    ChatGPT(),
    Claude(),
    ClaudeCode(),
    DeepSeek(),
    LibreChat(),
    ChatBotUI(),
    Telegram(),
    Slack(),
    ShareGPT(),
    LangChain(),
    OpenAIMessages(),
    WhatsApp(),
    LLM(),
    OpenAIAgents(),
    Discord(),
    Grok(),
    Messenger(),
    OpenWebUI(),
    GeminiTakeout(),
    GeminiContents(),
    AIStudio(),
    PydanticAI(),
    AISDK(),
    LangGraph(),
    Copilot(),
    Csv(),
    HuggingChat(),
    Jan(),
    LobeChat(),
    NextChat(),
    Perplexity(),
    SillyTavern(),
    VSCodeChat(),
    LMStudio(),
    GeminiCLI(),
    Cursor(),
    Codex(),
    Cline(),
    Aider(),
    IMessage(),
    Matrix(),
    Mattermost(),
    Teams(),
    Telethon(),
)
"""The formats of ecsviz, as they are listed; which of them reads a file does not depend on it."""


def format_names() -> list[str]:
    """Return the names that ``format=`` takes, without loading what others offer."""
    return [*(known.name for known in FORMATS), *(each.name for each in _offered())]


def format_named(name: str) -> ChatFormat:
    """Return a format by its name; one of another package is loaded now.

    Parameters
    ----------
    name
        The name of a format of ecsviz, or of an entry point.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    for each in _offered():
        if each.name == name:
            return _loaded(each)
    names = format_names()
    raise ImportFormatError(
        f"No chat format {short_repr(name)}."
        + did_you_mean(str(name), names)
        + " Or leave format= out.",
        format=name,
        formats=names,
    )


def formats_of_others() -> list[ChatFormat]:
    """Return the formats that other packages offer; one that cannot be loaded is warned of."""
    found: list[ChatFormat] = []
    for each in _offered():
        try:
            found.append(_loaded(each))
        except ImportFormatError as err:
            warnings.warn(err.message, ChatImportWarning, stacklevel=outside())
    return found


def checked(value: object, name: str) -> ChatFormat:
    """Return a format, or an instance of it if it is a class, if it has what it must have.

    Parameters
    ----------
    value
        What is to be a format.
    name
        What messages call it.
    """
    made = value() if isinstance(value, type) else value
    lacking = [
        *(each for each in ("name", "title") if not isinstance(getattr(made, each, None), str)),
        *(each for each in ("recognises", "read") if not callable(getattr(made, each, None))),
    ]
    if lacking:
        raise ImportFormatError(
            f"The chat format {short_repr(name)} lacks {', '.join(lacking)}. See"
            " ecsviz.importers.ChatFormat for what a format must offer.",
            format=name,
            lacking=lacking,
        )
    return made  # type: ignore[return-value]  # checked above


def _offered() -> tuple[EntryPoint, ...]:
    return _offered_in(tuple((path, _changed(path)) for path in map(str, sys.path)))


@lru_cache(maxsize=1)
def _offered_in(_: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """Return what packages offer: to ask hundreds of them takes longer than to read a chat.

    Whoever installs one, or removes it, changes a folder of the path, and is asked anew.
    """
    ours = {known.name for known in FORMATS}
    found = [each for each in entry_points(group=GROUP) if each.name not in ours]
    return tuple(sorted(found, key=lambda each: each.name))


def _changed(path: str) -> int:
    """Return when a folder of the path was changed, in nanoseconds; 0 if there is none."""
    try:
        return Path(path).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _loaded(point: EntryPoint) -> ChatFormat:
    try:
        return checked(point.load(), point.name)
    except ImportFormatError:
        raise
    except Exception as err:
        package = point.dist.name if point.dist is not None else point.value
        raise ImportFormatError(
            f"The chat format {short_repr(point.name)} of {short_repr(package)} cannot be loaded:"
            f" {type(err).__name__}. Mend or remove that package.",
            format=point.name,
            package=package,
        ) from err
