"""The builder of HTML: what goes in as text comes out as text."""

from __future__ import annotations

import pytest

from ecsviz.basics.html import (
    LOOKS,
    MAX_TEXT,
    Element,
    block,
    element,
    picture,
    readable,
    shown_of,
    table,
)
from tests.hostile import HOSTILE, assert_harmless, shape, texts

many = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


@many
def test_text_stays_text_in_every_place(text: str) -> None:
    def make(slot: str) -> Element:
        return block(
            element("p", slot, title=slot, aria_label=slot),
            table([slot], [[slot], [element("li", slot)]], caption=slot, note=slot),
            element("details", element("summary", slot), slot),
            picture(b"PNG", slot),
        )

    made, harmless = str(make(text)), str(make("harmless"))
    assert_harmless(made)
    assert shape(made) == shape(harmless)
    assert texts(made) == texts(harmless).replace("harmless", readable(text))


@many
def test_readable_text_can_be_sent_and_is_short(text: str) -> None:
    shown = readable(text)
    shown.encode("utf-8")
    assert len(shown) <= MAX_TEXT + 30
    assert not set(shown) & {*map(chr, range(9)), "\x0b", "\x1b", "\x7f", "\r", "\ud800"}


def test_readable_keeps_what_is_readable() -> None:
    assert readable("Ünï — 漢字 שלום\n\ttab 👩‍👩‍👧") == "Ünï — 漢字 שלום\n\ttab 👩‍👩‍👧"
    assert readable("a\r\nb\rc") == "a\nb\nc"
    assert readable("\x00\x1f\x7f\x9b\ud800") == "␀␟␡\ufffd\ufffd"
    assert readable("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert readable("x" * (MAX_TEXT + 1)).endswith("x… (2,001 characters)")


def test_an_element_writes_itself() -> None:
    made = element("td", "1 < 2 & 3", element("br"), "\"'", look="cell", colspan=2, title=None)
    style = LOOKS["cell"]
    assert str(made) == (f'<td style="{style}" colspan="2">1 &lt; 2 &amp; 3<br>&quot;&#x27;</td>')
    assert made._repr_html_() == str(made)
    assert "<td" not in repr(made)
    assert str(element("details", open=True)) == '<details open="open"></details>'
    assert str(element("details", open=False)) == "<details></details>"


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", {}),
        ("a", {}),
        ("iframe", {}),
        ("svg", {}),
        ("style", {}),
        ("p onclick", {}),
        ("p", {"look": "color:red"}),
        ("p", {"style": "color:red"}),
        ("p", {"onclick": "alert(1)"}),
        ("img", {"src": "https://example.org/x.png"}),
        ("img", {"src": "data:image/png;base64,AAAA"}),
        ("p", {"class_": "x"}),
        ("p", {"id": "x"}),
        ("p", {"role": "button"}),
        ("p", {"title": 3}),
        ("td", {"colspan": "2"}),
        ("details", {"open": "x"}),
    ],
)
def test_what_is_not_in_the_tables_is_refused(tag: str, attributes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is not one of|is no attribute"):
        element(tag, **attributes)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("child", [b"<b>", 3, None, ["<b>"]])
def test_a_child_is_text_or_an_element(child: object) -> None:
    with pytest.raises(TypeError, match="a child is an element or text, not"):
        element("p", child)  # type: ignore[arg-type]  # on purpose


def test_an_object_that_offers_html_is_not_asked_for_it() -> None:
    class Sly(str):
        __slots__ = ()

        def __html__(self, *args: object) -> Sly:
            return self

        _repr_html_ = replace = __str__ = __getitem__ = __html__  # type: ignore[assignment]  # on purpose

    made = str(element("p", Sly("<b>"), title=Sly('">')))
    assert made == '<p title="&quot;&gt;">&lt;b&gt;</p>'


def test_void_elements_take_no_children() -> None:
    assert str(element("br")) == "<br>"
    with pytest.raises(ValueError, match="takes no children"):
        element("br", "x")


def test_a_table_aligns_numbers_and_says_what_is_missing() -> None:
    made = str(
        table(
            ["name", "count", "share", "known"],
            [["a", 1200, 0.5, True], ["b", -3, 2.25, None]],
            caption="Things",
            note="showing 2 of 9",
        )
    )
    assert texts(made) == "Thingsnamecountshareknowna1,2000.5yesb-32.25–showing 2 of 9"
    assert made.count(LOOKS["number"]) == 4
    assert made.count(LOOKS["head-number"]) == 2
    assert [tag for tag, _ in shape(made)].count("tr") == 3
    assert shape(str(table(["a"], [])))[-1] == ("/div", ())


def test_formulas_are_not_typeset() -> None:
    assert str(block("$x$")).startswith("<div ")
    assert 'class="mathjax_ignore"' in str(block("$x$"))
    assert 'class="mathjax_ignore"' in str(table(["$x$"], [["$y$"]]))


def test_a_picture_carries_its_data_and_says_what_it_shows() -> None:
    made = str(picture(b"\x89PNG", 'a "graph"'))
    assert 'src="data:image/png;base64,iVBORw=="' in made
    assert 'alt="a &quot;graph&quot;"' in made
    assert 'src="data:image/svg+xml;base64,' in str(picture(b"<svg/>", "x", kind="svg"))
    with pytest.raises(ValueError, match="an image needs data"):
        picture(b"", "x")
    with pytest.raises(KeyError):
        picture(b"x", "x", kind="text/html")


def test_nothing_is_left_out_unsaid() -> None:
    assert shown_of(0, 0, "cycles") == "no cycles"
    assert shown_of(5, 5, "cycles") == "showing 5 of 5 cycles"
    assert shown_of(5, 6000, "cycles") == "showing 5 of 6,000 cycles"


# -- what is left of looks where a notebook is not trusted -----------------------------------

INHERITED = {("block", "color"), ("block", "font-family")}


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_a_declaration_with_a_variable_comes_after_one_without(look: str) -> None:
    plain: set[str] = set()
    for declaration in LOOKS[look].split(";"):
        name, _, value = declaration.partition(":")
        if "var(" not in value:
            plain.add(name)
        else:
            assert name in plain or (look, name) in INHERITED
            assert value.endswith(")"), "a variable has a fallback and stands last"
