"""The text in a typedstream, Apple's old archive of objects, in which messages are kept."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

_MAGIC: Final = b"streamtyped"

_CLASSES: Final = (b"NSString", b"NSMutableString")

_END: Final = b"\x86\x84"
"""What stands behind the text: the end of the string, and what comes next."""

_NEAR: Final = 24
"""Bytes between the name of a string's class and its text: version, base class, type."""

_WIDE: Final = {0x81: 2, 0x82: 4}
"""What stands before a length that takes two bytes, or four."""


def typedstream_text(data: bytes) -> str | None:
    r"""Return the first string of a typedstream; None if there is none.

    Parameters
    ----------
    data
        The bytes of an attributed string, such as ``attributedBody`` of a message.

    Notes
    -----
    Only the text is read, as data: no object is made. Behind the class's name stands the type
    ``+``, a length, and the text in UTF-8. O(length).

    Examples
    --------
    >>> head = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84"
    >>> typedstream_text(head + b"\x08NSString\x01\x94\x84\x01+\x04Fern\x86")
    'Fern'
    >>> typedstream_text(b"other") is None
    True
    """
    if _MAGIC not in data[:20]:
        return None
    for name in _CLASSES:
        start = data.find(name)
        if start < 0:
            continue
        start += len(name)
        mark = data.find(b"+", start, start + _NEAR)
        if mark < 0:
            continue
        size, start = data[mark + 1 : mark + 2], mark + 2
        if not size:
            continue
        width = _WIDE.get(size[0], 0)
        length = int.from_bytes(data[start : start + width], "little") if width else size[0]
        start += width
        ends = (start + length, data.find(_END, start))  # some archives have the wrong length
        for end in ends:
            if start <= end <= len(data):
                with suppress(UnicodeDecodeError):
                    return data[start:end].decode("utf-8")
    return None
