"""Text in pictures: never read as math, no glyph that is missing, measured before it is placed."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

from ecsviz.domain.labels import clean_text

SUBSTITUTES: Final = ("□", "?")
"""What stands for a character that no font has."""
FALLBACKS: Final = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Source Han Sans",
    "WenQuanYi Micro Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Heiti SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Meiryo",
    "Microsoft YaHei",
    "SimHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Symbols 2",
    "Noto Emoji",
    "Segoe UI Symbol",
    "Apple Symbols",
    "Symbola",
    "Arial Unicode MS",
)
"""Fonts to look for a character in that the user's fonts lack. No colour fonts: matplotlib
cannot draw them."""
FONTS: Final = {
    "cjk": "Noto Sans CJK",
    "hiragana": "Noto Sans CJK",
    "katakana": "Noto Sans CJK",
    "hangul": "Noto Sans CJK",
    "face": "Noto Emoji",
    "": "Noto Sans or, for emoji, Noto Emoji",
}
"""What to install for a character, by a part of its name."""
MANY: Final = 300
"""In so many other fonts that are installed a character is looked up at the most."""
HINTED: Final = 1.06
"""How much wider letters are on a screen of 100 dots per inch than they were designed."""
_GENERIC: Final = frozenset({"serif", "sans-serif", "cursive", "fantasy", "monospace"})


class Writer:
    """The fonts of one picture: what they can show, and how wide it is.

    Notes
    -----
    matplotlib warns for every glyph that it does not find, and its own fallback is only what
    ``rcParams`` name. Here a character is looked up first: in the user's fonts, then in
    well-known ones that are installed, then in all others; what none of them has becomes a box,
    and `note` says so.
    """

    def __init__(self) -> None:
        self.families = _user_families()
        self.paths = [path for path in map(_font_path, self.families) if path is not None]
        if not self.paths:
            self.families, self.paths = ["DejaVu Sans"], [_font_path("DejaVu Sans")]
        self.known: set[int] = set().union(*(_characters(path) for path in self.paths))
        self._fallbacks: list[str] | None = None
        self._missing: dict[str, None] = {}
        self._widths: dict[tuple[str, float], float] = {}

    def clean(self, text: str, limit: int) -> str:
        """Return one line, cut to `limit` columns, of characters that can be drawn."""
        return self.drawable(clean_text(text, limit))

    def drawable(self, text: str) -> str:
        """Return the text with a box for every character that no font has."""
        if all(ord(character) in self.known for character in text):
            return text
        return "".join(self._shown(character) for character in text)

    def _shown(self, character: str) -> str:
        if character == "\n" or self._has(character):
            return character
        if unicodedata.category(character)[0] == "M":
            return ""  # an accent, or a choice between forms: the letter alone is readable
        self._missing[character] = None
        return self._substitute()

    @property
    def note(self) -> str:
        """What is to be said of characters that could not be drawn; empty if all could.

        Examples
        --------
        >>> writer = Writer()
        >>> writer.drawable("plain"), writer.note
        ('plain', '')
        >>> text = writer.drawable(chr(0x13000))  # a hieroglyph
        >>> writer.note
        '□ stands for what no installed font has: egyptian hieroglyph a001. A font that has it, ...'
        """
        if not self._missing:
            return ""
        names = [unicodedata.name(character, "").lower() for character in self._missing]
        named = next((name for name in names if name), "a character without a name")
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        font = next((font for part, font in FONTS.items() if part in named), FONTS[""])
        mark = self._substitute()
        return (
            f"{mark} stands for what no installed font has: {named}{more}. A font that has"
            f" {'them' if more else 'it'}, such as {font}, is found once it is installed."
        )

    def _substitute(self) -> str:
        return next((mark for mark in SUBSTITUTES if ord(mark) in self.known), " ")

    def _has(self, character: str) -> bool:
        if ord(character) in self.known:
            return True
        if character in self._missing:
            return False
        if self._fallbacks is None:
            others = dict.fromkeys((*FALLBACKS, *_installed()))
            self._fallbacks = [name for name in others if name not in self.families]
        for name in list(self._fallbacks):
            path = _font_path(name)
            if path is None or ord(character) in _characters(path):
                self._fallbacks.remove(name)
            if path is not None and ord(character) in _characters(path):
                self.families.append(name)
                self.paths.append(path)
                self.known |= _characters(path)
                return True
        return False

    def width(self, text: str, size: float) -> float:
        """Return how wide a line is, in inches, at a size in points; measured once."""
        from matplotlib.font_manager import get_font

        known = self._widths.get((text, size))
        if known is not None:
            return known
        font = get_font(self.paths)
        # Large, so that hinting does not round every letter; on the screen it widens them.
        font.set_size(10 * size, 72)
        font.set_text(text, 0.0)
        wide = HINTED * float(font.get_width_height()[0]) / 64 / 72 / 10
        self._widths[text, size] = wide
        return wide

    def options(self) -> dict[str, Any]:
        """Return what every text is made with."""
        return {"fontfamily": list(self.families), "parse_math": False, "usetex": False}


def _user_families() -> list[str]:
    from matplotlib import rcParams

    settings: Any = rcParams  # its type knows no names that are put together
    names: list[str] = []
    for name in settings["font.family"]:
        generic = name.lower() in _GENERIC
        names.extend(settings[f"font.{name.lower()}"] if generic else [name])
    return list(dict.fromkeys(name for name in names if _font_path(name) is not None))


@lru_cache(maxsize=1)
def _installed() -> list[str]:
    """Return the families that are installed, those for texts first; none with colours."""
    from matplotlib.font_manager import fontManager

    names = {
        font.name
        for font in fontManager.ttflist
        if not re.search("color|last ?resort", font.name.lower())  # the latter: boxes alone
        # Of others matplotlib would log that they are not what it looked for.
        and (font.style, font.weight, font.stretch) == ("normal", 400, "normal")
    }
    return sorted(names, key=lambda name: ("Sans" not in name, name))[:MANY]


@lru_cache(maxsize=128 + MANY)
def _font_path(family: str) -> Any:
    """Return where the font of a family is, or None where it is not installed."""
    from matplotlib.font_manager import FontProperties, fontManager

    # Asked here first: findfont would write to the log for every family that is missing.
    if all(font.name != family for font in fontManager.ttflist):
        return None
    return fontManager.findfont(FontProperties(family=[family]))


@lru_cache(maxsize=64 + MANY)
def _characters(path: Any) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a file that is gone, or that FreeType cannot read
        return frozenset()
