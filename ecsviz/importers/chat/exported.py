"""What we wrote ourselves, read back: the record that stands beside what a format has place for.

`ecsviz.export.to_chatgpt` and `to_oasst` write it; a file may come from anybody, so each value is
checked, and what does not fit is told and stays in the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Final

from ecsviz.export.chat_files import KEY, VERSION
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread, read_time
from ecsviz.importers.chat.json_text import free_name

_WRONG: Final = "not as ecsviz writes it; it is in the metadata"

_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "title": str,
    "role": str,
    "author": str,
    "hidden": bool,
    "metadata": dict,
    "source": str,
    "source_id": str,
    "linked": bool,
    "messages": int,
    "order": list,
    "created_at": (str, type(None)),
    "updated_at": (str, type(None)),
}
_OF_MESSAGE: Final = _KINDS.keys() - {"title", "updated_at", "linked", "messages", "order"}
_OF_THREAD: Final = _KINDS.keys() - {"role", "author", "hidden"}
_FIELDS: Final = frozenset({"title", "role", "author", "hidden"})
_TIMES: Final = frozenset({"created_at", "updated_at"})
_ORIGIN: Final = ("source", "source_id")


def is_record(value: object) -> bool:
    """Tell whether something is what we write of a thread.

    Examples
    --------
    >>> is_record({"version": 1, "title": "Cycles"}), is_record({"version": "2"})
    (True, False)
    """
    return isinstance(value, dict) and value.get("version") == VERSION


def restore(draft: DraftThread, record: Any, record_of: Callable[[DraftMessage], Any]) -> None:
    """Give a thread and its messages what their records say.

    Parameters
    ----------
    draft
        The thread as its format was read. It is left as it is where `record` is none of ours.
    record, record_of
        What stands under `KEY` for the thread, and for a message, or None.
    """
    if not is_record(record):
        return
    told = {key: value for key, value in record.items() if key != "version"}
    if not _fits(told, _OF_THREAD):
        draft.tell(None, repr(KEY), _WRONG)
        return
    for message in draft.messages:
        own = record_of(message)
        if own is None or _fits(own, _OF_MESSAGE):
            message.parts = []
            _take(message, own or {})
        else:
            draft.tell(message.id, repr(KEY), _WRONG)
    _take(draft, told)
    if told.get("linked") is False and told.get("messages") in (None, len(draft.messages)):
        for message in draft.messages:
            message.parent = None
    elif "order" in told and not _reordered(draft, told["order"]):
        draft.tell(None, f"'order' in {KEY!r}", "not that of the messages; kept as in the file")


def _fits(record: Any, names: Set[str]) -> bool:
    if not isinstance(record, dict):
        return False
    kinds = all(key in names and isinstance(value, _KINDS[key]) for key, value in record.items())
    return kinds and all(
        record[key] is None or read_time(record[key]) is not None for key in _TIMES & record.keys()
    )


def _take(draft: DraftThread | DraftMessage, record: dict[str, Any]) -> None:
    draft.metadata = record.get("metadata", {})
    for key in _FIELDS & record.keys():
        setattr(draft, key, record[key])
    for key in _TIMES & record.keys():
        setattr(draft, key, read_time(record[key]))
    if origin := {key: record[key] for key in _ORIGIN if key in record}:
        draft.metadata[free_name(draft.metadata, KEY)] = origin


def _reordered(draft: DraftThread, order: list[Any]) -> bool:
    """Put the messages as they stood in the thread, if they can stand so."""
    count = len(draft.messages)
    if any(type(at) is not int for at in order) or sorted(order) != list(range(count)):
        return False
    place = {at: number for number, at in enumerate(order)}
    found = [draft.messages[at] for at in order]
    above = [None if each.parent is None else place[each.parent] for each in found]
    if any(up is not None and up >= number for number, up in enumerate(above)):
        return False
    for message, up in zip(found, above, strict=True):
        message.parent = up
    draft.messages = found
    return True
