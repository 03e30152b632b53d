"""Threads of Perplexity, as its own interface gives them and exporters keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    dicts,
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source

_PLACED = frozenset(
    {
        *("uuid", "query_str", "text", "blocks", "display_model", "thread_title", "attachments"),
        *("entry_created_datetime", "entry_updated_datetime", "updated_datetime", "backend_uuid"),
    }
)


class Perplexity(Claiming):
    """Reads ``{"entries": [{"query_str", "blocks" or "text"}]}``, or a list of entries.

    Notes
    -----
    An entry is a question and its answer; each answers what stands before it. Sources are
    citations.
    """

    name = "perplexity"
    title = "Perplexity thread (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first entry has a query."""
        first = next(iter(_entries(source.first_item)), {})
        return claim(_is_entry(first), "entries with 'query_str'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every object with entries, and one for entries that stand alone."""
        alone: list[tuple[Place, dict[str, Any]]] = []
        for place, value in source.items("thread"):
            with place.trying():
                item = place.check(value, dict, "it")
                if "entries" not in item:
                    alone.append((place, item))
                    continue
                listed = place.take(item, "entries", list) or []
                entries = [(place.at("entry", n), raw) for n, raw in enumerate(listed, 1)]
                yield _thread(entries, item)
        if alone:
            yield _thread(alone, {})


def _entries(item: dict[str, Any]) -> list[dict[str, Any]]:
    return dicts(item["entries"]) if "entries" in item else [item]


def _is_entry(item: dict[str, Any]) -> bool:
    return isinstance(item.get("query_str"), str) and bool({"blocks", "text"} & item.keys())


def _thread(entries: list[tuple[Place, Any]], item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(metadata=said_of(item, "entries", "status"))
    for place, raw in entries:
        with place.trying():
            entry = place.check(raw, dict, "an entry")
            if not draft.messages:
                draft.id = word(entry, "context_uuid", "thread_url_slug", "backend_uuid", "uuid")
                draft.within = ""
                draft.title = word(entry, "thread_title") or ""
            for message in _messages(draft, place, entry):
                draft.follow(message)
    draft.settle()
    return draft


def _messages(draft: DraftThread, place: Place, entry: dict[str, Any]) -> list[DraftMessage]:
    """Return a question and its answer."""
    ident = place.ident(entry, "uuid") or place.ident(entry, "backend_uuid")
    rest = said_of(entry, *_PLACED)
    other: dict[str, Any] = {}
    asked = place.take(entry, "query_str", str) or ""
    parts = [MessagePart(kind="text", text=asked)] if asked else []
    files = place.take(entry, "attachments", list) or []
    parts += [attached(None, each) for each in files if isinstance(each, str)]
    made = draft.time(ident, entry, "entry_created_datetime", rest)
    question = DraftMessage(role="user", content=asked, parts=parts, created_at=made)
    question.id = f"{ident}-query" if ident else None
    told, cited = _answer(place, entry)
    answer = DraftMessage(
        role="assistant",
        content=told,
        parts=([MessagePart(kind="text", text=told)] if told else []) + cited,
        id=ident,
        model=word(entry, "display_model"),
        created_at=draft.time(ident, entry, "entry_updated_datetime", other)
        or draft.time(ident, entry, "updated_datetime", other)
        or made,
        metadata=rest | other,
    )
    return [question, *([answer] if answer.parts else [])]


def _answer(place: Place, entry: dict[str, Any]) -> tuple[str, list[MessagePart]]:
    """Return the answer and what it cites: of blocks, or else of the steps in a text."""
    texts: dict[str, None] = {}
    cited: dict[str | None, MessagePart] = {}
    for block in dicts(place.take(entry, "blocks", list)):
        if text := word(block.get("markdown_block"), "answer"):
            texts[text] = None
        held = block.get("web_result_block")
        _cite(cited, held.get("web_results") if isinstance(held, dict) else None)
    if not texts:
        steps = as_json(entry.get("text"))
        if isinstance(steps, str) and steps:
            texts[steps] = None
        for step in dicts(steps if isinstance(steps, list) else [steps]):
            inner = step.get("content", step)
            told = as_json(word(inner, "answer"))
            _cite(cited, inner.get("web_results") if isinstance(inner, dict) else None)
            if isinstance(told, dict):
                _cite(cited, told.get("web_results"))
                told = word(told, "answer")
            if isinstance(told, str) and told:
                texts[told] = None
    return "\n".join(texts), list(cited.values())


def _cite(cited: dict[str | None, MessagePart], results: object) -> None:
    for each in dicts(results):
        url = word(each, "url")
        more = said_of(each, "name", "url", "title")
        cited[url] = MessagePart(
            kind="citation", name=word(each, "name", "title"), url=url, metadata=more
        )
