"""What can be kept as a page: the method, for classes further down."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from ecsviz.errors import file_path


class ToHtml:
    """Offers `to_html` to what has a picture and tables."""

    __slots__ = ()

    @overload
    def to_html(self, path: None = None, **options: Any) -> str: ...
    @overload
    def to_html(self, path: str | Path, **options: Any) -> Path: ...
    def to_html(self, path: str | Path | None = None, **options: Any) -> str | Path:
        """Return, or write, a page with the picture and the tables; see ``ecsviz.pages``.

        Parameters
        ----------
        path
            Where to write. None returns the text.
        **options
            ``title``, and those of ``draw``.
        """
        from ecsviz import pages

        text = pages.page_of(self, **options)
        if path is None:
            return text
        file_path(path).write_text(text, encoding="utf-8")
        return Path(path)
