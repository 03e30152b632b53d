"""The history that aider keeps of its chats: ``.aider.chat.history.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    read_time,
)
from ecsviz.importers.chat.source import Source

_START = re.compile(r"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*")

_SAID, _TOLD = "#### ", "> "
"""How lines begin that the user wrote, and that the program told."""

_MODEL = re.compile(r"(?:Main model|Model|Models?): (\S+)")

_TOKENS = re.compile(r"Tokens: ([\d.]+)(k?) sent,.{0,200}?([\d.]+)(k?) received")


class Aider(Claiming):
    """Reads the Markdown: ``####`` for what the user said, ``>`` for what the program told.

    Notes
    -----
    Each session is a thread; what stands between is the model's answer. Times are the wall clock
    at which a session was started, read as UTC or in the ``timezone=`` of `read_chat`. What the
    program told has the role ``"system"``; the model and the tokens are taken from there.
    """

    name = "aider"
    title = "aider's .aider.chat.history.md"

    def claims(self, source: Source) -> Claim:
        """Tell whether the text begins with the start of a session."""
        found = _START.match(source.head.lstrip("\ufeff \r\n"))
        return claim(found, "'# aider chat started at'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        session: _Lines | None = None
        for number, raw in enumerate(source.text.split("\n"), 1):
            line = raw.removesuffix("\r")
            if (found := _START.fullmatch(line)) is not None:
                if session is not None:
                    yield session.done()
                session = _Lines(found[1])
            elif session is not None:
                session.add(line)
            elif line.strip():
                raise source.place(number).wrong("no line of a session: none has started")
        if session is None:
            raise source.place().wrong("no session has started")
        yield session.done()


class _Lines:
    """A thread, and the lines of the message that is being read."""

    def __init__(self, started: str) -> None:
        self.draft = DraftThread(created_at=read_time(started, wall=True))
        if self.draft.created_at is None:
            self.draft.metadata["started"] = started
            self.draft.tell(None, "when it started", "not a time; the value is in the metadata")
        self.role = "assistant"
        self.lines: list[str] = []
        self.model: str | None = None

    def add(self, line: str) -> None:
        role, text = "assistant", line
        if line.startswith(_SAID) or line == _SAID.rstrip():
            role, text = "user", line[len(_SAID) :]
        elif line.startswith(_TOLD) or line == _TOLD.rstrip():
            role, text = "system", line[len(_TOLD) :]
        if role != self.role and line.strip():
            self.end()
            self.role = role
        self.lines.append(text.removesuffix("  ") if role != "assistant" else text)

    def end(self) -> None:
        text = "\n".join(self.lines).strip("\n")
        self.lines.clear()
        if not text.strip():
            return
        message = DraftMessage(role=self.role, content=text)
        if self.role == "system":
            if (model := _MODEL.search(text)) is not None:
                self.model = model[1]
            self._count(text)
        elif self.role == "assistant":
            message.model = self.model
        self.draft.follow(message)

    def _count(self, text: str) -> None:
        """Give the last answer the tokens that the program tells of it."""
        answers = [m for m in self.draft.messages[-1:] if m.role == "assistant"]
        if answers and (told := _TOKENS.search(text)) is not None:
            answers[0].tokens_in = _thousands(told[1], told[2])
            answers[0].tokens_out = _thousands(told[3], told[4])

    def done(self) -> DraftThread:
        self.end()
        self.draft.settle()
        return self.draft


def _thousands(number: str, unit: str) -> int | None:
    try:
        return round(float(number) * (1000 if unit else 1))
    except (OverflowError, ValueError):
        return None
