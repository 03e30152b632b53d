"""The widget of a walkthrough: the graph, the state beside it, forth and back, and questions."""

from __future__ import annotations

import io
from typing import Any, ClassVar, Final

import traitlets
from ipywidgets import (
    HTML,
    Button,
    Dropdown,
    HBox,
    IntSlider,
    Label,
    Layout,
    Play,
    ToggleButton,
)

from ecsviz.basics.arguments import flag
from ecsviz.basics.html import Cell, Child, Element, block, element, picture, shown_of, table
from ecsviz.basics.text import counted
from ecsviz.draw.frame import FreeRoom
from ecsviz.draw.walkthrough import draw_step
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.graph.walkthrough import Walkthrough, checked_walk
from ecsviz.widgets.base import SIZE, LiveWidget, OneBox, close_all

SPEEDS: Final = {"slow": 4_000, "normal": 2_000, "fast": 1_000}
"""How long a step stands, in milliseconds: what one sentence takes to be read, and a picture."""
LISTED: Final = 30
"""How many steps are listed where there is no kernel."""
WIDE: Final = 7.4
"""How wide the picture is made, in inches, at 100 dots."""


class LessonPage(LiveWidget):
    """What a page tells of a lesson: whether it is dark, and that it is alive.

    Attributes
    ----------
    dark
        A trait: whether the page is.
    """

    bundle: ClassVar[str] = "lesson"
    dark = traitlets.Bool(False).tag(sync=True)

    def __init__(self, walk: Walkthrough, **traits: Any) -> None:
        self.walk, self.number = walk, 0
        super().__init__(**traits)

    def __repr__(self) -> str:
        return f"LessonPage({self.walk!r})"

    def _poster_png(self) -> tuple[bytes, str]:
        return _png(self.walk, self.number, FreeRoom(*SIZE)), _said(self.walk, self.number)

    def _still(self) -> list[Child]:
        return [_steps_table(self.walk)]


class StepsExplorer(OneBox):
    """The widget of a walkthrough, which ``walk.explore()`` returns.

    Attributes
    ----------
    walk
        The walkthrough.
    step
        A trait: the number of the step that is shown.
    predicting
        A trait: whether one is asked before a step is shown.
    asked
        A trait: the number of the step that is asked for, or None.
    told
        A trait: what was said of the last answer.

    Examples
    --------
    >>> import ecsviz as ev
    >>> walk = ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
    >>> widget = walk.explore(predicting=True)
    >>> widget.go(5)
    >>> widget.step, widget.asked
    (1, 2)
    >>> widget.answer("n1")
    'Not n1: it still waits for n2.'
    >>> widget.answer("n3"), widget.step
    ('Right: n3 is next: it waits for nothing.', 2)
    """

    step = traitlets.Int()
    predicting = traitlets.Bool()
    asked = traitlets.Int(None, allow_none=True)
    told = traitlets.Unicode()

    def __init__(self, walk: Walkthrough, *, step: int = 0, predicting: bool = False) -> None:
        self.walk = walk
        self._known: set[int] = set()  # the steps whose questions are answered
        self._pictures: dict[tuple[int, bool], str] = {}
        self._page = LessonPage(walk)
        last = len(walk) - 1
        self._play = Play(min=0, max=last, interval=SPEEDS["normal"], show_repeat=False)
        self._slider = IntSlider(
            min=0,
            max=last,
            description="step",
            layout=Layout(flex="1 1 160px", width="auto", min_width="120px"),
            style={"description_width": "initial"},
        )
        narrow = Layout(width="auto")
        self._back = Button(icon="step-backward", tooltip="one step back", layout=narrow)
        self._next = Button(icon="step-forward", tooltip="one step forth", layout=narrow)
        self._speed = Dropdown(options=list(SPEEDS), value="normal", layout=Layout(width="90px"))
        self._predict = ToggleButton(
            description="Predict", tooltip="ask before a step is shown", layout=narrow
        )
        self._picture = HTML(layout=Layout(flex="3 1 380px", width="auto", min_width="0"))
        self._words = HTML(layout=Layout(flex="2 1 280px", width="auto", min_width="0"))
        self._verdict = HTML()
        self._open: int | None = None  # the step that `_asking` asks for
        bar = [self._play, self._back, self._next, self._slider, self._speed, self._predict]
        self._asking = _row([])
        super().__init__(
            [
                self._page,
                _row(bar),
                self._asking,
                self._verdict,
                _row([self._picture, self._words], "flex-start"),
            ],
            step=walk.number_of(step),
            predicting=predicting,
            layout=Layout(width="100%"),
        )
        self._link()
        self._show()
        self._ask()

    def _link(self) -> None:
        for control in (self._play, self._slider):
            control.observe(self._moved, "value")
        traitlets.link((self, "predicting"), (self._predict, "value"))
        self._back.on_click(lambda _: self.go(max(self.step - 1, 0)))
        self._next.on_click(lambda _: self.go(min(self.step + 1, len(self.walk) - 1)))
        self._speed.observe(self._set_speed, "value")
        self.observe(lambda _: self._show(), "step")
        self.observe(lambda _: self._ask(), ["asked", "told", "predicting"])
        self._page.observe(lambda _: self._show(), "dark")

    def _moved(self, change: Any) -> None:
        if change["new"] != self.step and not (self.asked and change["new"] == self.asked - 1):
            self.go(change["new"])

    def _set_speed(self, change: Any) -> None:
        self._play.interval = SPEEDS[change["new"]]

    @traitlets.validate("step")
    def _check_step(self, proposal: Any) -> int:
        return self.walk.number_of(proposal.value)

    def go(self, step: int) -> None:
        """Go to a step, but not beyond one that is to be predicted first.

        Parameters
        ----------
        step
            Its number.

        Raises
        ------
        NoSuchStepError, InvalidArgumentError
            If there is no such step.
        """
        wanted = self.walk.number_of(step)
        ahead = range(self.step + 1, wanted + 1)
        asked = next((number for number in ahead if self._asks(number)), None)
        self.told, self.asked = "", asked
        if asked is not None:
            self._play.playing = False
            wanted = asked - 1
        self.step = wanted
        self._slider.value = self._play.value = wanted  # where they had gone too far

    def _asks(self, number: int) -> bool:
        return self.predicting and number not in self._known and bool(self.walk[number].question)

    def answer(self, answer: str) -> str:
        """Return what is to be said of an answer to what is asked; a right one shows the step.

        Parameters
        ----------
        answer
            One of the step's choices.

        Raises
        ------
        InvalidArgumentError
            If nothing is asked, or there is no such answer.
        """
        if self.asked is None:
            raise InvalidArgumentError(
                f"Nothing is asked, so {short_repr(answer)} answers nothing. Set predicting=True"
                " and go forth.",
                argument="answer",
                value=answer,
            )
        told = self.walk.predict(self.asked, answer)
        if self.walk[self.asked].choices[answer].right:
            self.reveal()
        self.told = told
        return told

    def reveal(self) -> None:
        """Show the step that is asked for."""
        if self.asked is not None:
            number = self.asked
            self._known.add(number)
            self.go(number)

    def _show(self) -> None:
        self._page.number = number = self.step
        self._slider.value = self._play.value = number
        key = number, self._page.dark
        if key not in self._pictures:
            theme = "dark" if self._page.dark else "light"
            png = _png(self.walk, number, FreeRoom(WIDE, SIZE[1]), theme=theme, words=False)
            self._pictures[key] = str(block(picture(png, _said(self.walk, number))))
        self._picture.value = self._pictures[key]
        self._words.value = str(_words(self.walk, number))

    def _ask(self) -> None:
        number = self.asked if self.predicting else None
        self._asking.layout.display = "none" if number is None else ""
        if number != self._open:
            # A page that shows another question answers that one: it is heard no more.
            gone, self._open = self._asking.children, number
            self._asking.children = [] if number is None else self._questions(number)
            for each in gone:
                close_all(each)
        self._verdict.value = str(block(element("p", self.told, look="line", role="status")))

    def _questions(self, number: int) -> list[Any]:
        step, narrow = self.walk[number], Layout(width="auto")
        self._question = Label(step.question)
        self._choice = Dropdown(
            options=tuple(step.choices), layout=Layout(width="auto", min_width="120px")
        )
        self._check = Button(description="Check", layout=narrow)
        self._reveal = Button(description="Show it", layout=narrow)
        self._check.on_click(lambda _: self.answer(self._choice.value))
        self._reveal.on_click(lambda _: self.reveal())
        return [self._question, self._choice, self._check, self._reveal]

    def __repr__(self) -> str:
        return f"StepsExplorer({self.walk!r}, step {self.step})"

    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        self._page.show_within(super()._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return {**super()._repr_mimebundle_(**kwargs), "text/html": str(self._page.still())}


def explore_steps(walk: Walkthrough, *, step: int = 0, predicting: bool = False) -> StepsExplorer:
    """Return a widget that goes through the steps of a walkthrough.

    Parameters
    ----------
    walk
        What ``graph.walkthrough(…)`` gave.
    step
        The number of the step that is shown first.
    predicting
        Whether one is asked before a step is shown, wherever there is something to predict.

    Raises
    ------
    NoSuchStepError, InvalidArgumentError
        If there is no such step.

    Examples
    --------
    >>> import ecsviz as ev
    >>> walk = ev.EntityDependencyGraph(ev.sample("two_cycle")).walkthrough("cycles")
    >>> explore_steps(walk, step=3)
    StepsExplorer(Walkthrough('cycles': 9 steps, 2 nodes), step 3)
    """
    return StepsExplorer(checked_walk(walk), step=step, predicting=flag(predicting, "predicting"))


def _row(children: list[Any], align: str = "center") -> HBox:
    return HBox(children, layout=Layout(flex_flow="row wrap", align_items=align, width="100%"))


def show(walk: Walkthrough) -> None:
    """Show a walkthrough in a notebook."""
    StepsExplorer(walk)._ipython_display_()


def still_html(walk: Walkthrough) -> str:
    """Return what a walkthrough is without a kernel: a picture, and its steps as a table."""
    png = _png(walk, len(walk) - 1, FreeRoom(*SIZE))
    return str(block(picture(png, _said(walk, len(walk) - 1)), _steps_table(walk)))


def _png(walk: Walkthrough, number: int, room: FreeRoom, **options: Any) -> bytes:
    figure: Any = draw_step(walk, number, room, **options).get_figure()
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def _said(walk: Walkthrough, number: int) -> str:
    step = walk[number]
    held = "; ".join(f"{name}: {value}" for name, value in step.state.items())
    return f"{walk.script.title}, step {number:,} of {len(walk) - 1:,}: {step.text} {held}"


def _words(walk: Walkthrough, number: int) -> Element:
    step = walk[number]
    code = [
        element(
            "div",
            _indented(line),
            look="code-now" if place == step.line else "code-line",
        )
        for place, line in enumerate(walk.script.code, 1)
    ]
    return block(
        element("p", element("strong", step.text), look="line", aria_live="polite"),
        table(("what it holds", ""), list(step.state.items())),
        element("div", *code, look="line"),
    )


def _indented(line: str) -> str:
    return line.replace("    ", "\u2003\u2003")  # which a page does not drop


def _steps_table(walk: Walkthrough) -> Element:
    shown = list(enumerate(walk.steps[:LISTED]))
    note = shown_of(len(shown), len(walk), "steps") if len(shown) < len(walk) else None
    names = list(walk[0].state)
    rows: list[tuple[Cell, ...]] = [
        (number, step.text, *(step.state[name] for name in names)) for number, step in shown
    ]
    steps = table(("step", "what happens", *names), rows, note=note)
    code = [element("div", _indented(line), look="code-line") for line in walk.script.code]
    return element(
        "details",
        element("summary", f"{counted(len(walk), 'step')}, one by one"),
        block(*code),
        steps,
    )
