"""What all our widgets share: the bundle, messages, the selection, and what stands in for them.

The JavaScript lies in ``js/`` and is bundled when the package is built, see
``js/hatch_build.py``. It makes elements and texts only, never markup.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias
from uuid import UUID, uuid4

import anywidget
import traitlets
from IPython.display import display
from ipywidgets import VBox

from ecsviz.basics.html import Child, Element, block, element, picture
from ecsviz.errors import EcsvizError, InvalidIdError, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph

STATIC: Final = Path(__file__).parent / "static"
LIBRARIES: Final = frozenset({"cytoscape", "markup"})
"""What a page may ask for: bundles that are saved in no notebook."""
_brought: Final[set[str]] = set()
"""Those that this kernel has sent with a widget."""
NESTED: Final = anywidget.WidgetTrait().metadata
"""Tags a trait that names another widget, which a page shows inside this one."""
EDITIONS: Final = 4
"""So many times things may be numbered anew before a click of a page is heard."""
RUN_IT: Final = "Run this cell to explore it live."

Message: TypeAlias = Mapping[str, Any]
"""What a page sends: ``{"do": name, …}``; an answer is ``{"told": name, …}``."""


class WidgetFilesMissingError(EcsvizError, FileNotFoundError):
    """The JavaScript of the widgets was not built."""


@cache
def static_text(name: str) -> str:
    """Return a file that the build has made.

    Parameters
    ----------
    name
        Such as ``"explorer.js"``.

    Raises
    ------
    WidgetFilesMissingError
        If it is not there.
    """
    try:
        return (STATIC / name).read_text(encoding="utf-8")
    except FileNotFoundError as err:
        raise WidgetFilesMissingError(
            f"The widgets' file {name!r} is missing in {STATIC}. It is made when ecsviz is"
            " installed: run `pip install .` (or `pip install -e .`) where its source lies.",
            name=name,
        ) from err


def uuid_of(text: str) -> UUID:
    """Return the UUID that a text says.

    Raises
    ------
    InvalidIdError
        If it is none.
    """
    try:
        return UUID(text)
    except ValueError as err:
        raise InvalidIdError(
            f"{short_repr(text)} is not a UUID. Give an entity, its ecs_id, or that as text.",
            value=text,
        ) from err


class EntityId(traitlets.Unicode[Any, Any]):
    """A trait: an ``ecs_id`` as text; takes the UUID and the entity as well."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the text."""
        return super().validate(obj, self.text_of(value, str(self.name)))

    @staticmethod
    def text_of(value: Any, name: str = "it") -> str:
        """Return an entity's ``ecs_id`` as text.

        Raises
        ------
        InvalidIdError
            If the value is neither an entity nor a UUID nor a text.
        """
        # An entity, or what stands for one that a store did not load.
        ecs_id = value if isinstance(value, UUID) else getattr(value, "ecs_id", None)
        text = str(ecs_id) if isinstance(ecs_id, UUID) else value
        if isinstance(text, str):
            return text
        raise InvalidIdError(
            f"{name} is {short_repr(value)}. Give an entity, its ecs_id, that as text, or None.",
            value=value,
        )


class LiveWidget(anywidget.AnyWidget):
    """The base of our widgets.

    A subclass names its ``bundle`` and what it ``answers``, and says what stands in for it where
    it is not alive: ``__repr__`` as text, `_still` as HTML.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of what is selected as text, or None. Set it (an entity will do),
        ``observe`` it, or ``traitlets.link`` it with that of another widget.
    bundle
        The name of its files in ``static/``, without their endings.
    answers
        What a page may ask for by ``model.send({"do": name, …})`` → the method that takes the
        message. A method raises `EcsvizError` to have its message shown.

    Examples
    --------
    >>> class Greeting(LiveWidget):
    ...     bundle = "explorer"
    ...     answers = {"greet": "_greet"}
    ...     greeted = ""
    ...
    ...     def __repr__(self):
    ...         return "Greeting()"
    ...
    ...     def _greet(self, message):
    ...         self.greeted = str(message.get("name"))
    >>> greeting = Greeting()
    >>> greeting._take(greeting, {"do": "greet", "name": "Ada"}, [])
    >>> greeting.greeted
    'Ada'
    """

    bundle: ClassVar[str]
    answers: ClassVar[Mapping[str, str]] = {}
    _own_layout: Any = None

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    _mark = traitlets.Unicode(help="names what stands in for it").tag(sync=True)
    _library = traitlets.Bytes(help="what the page is about to ask for").tag(sync=True)
    selected = EntityId(None, allow_none=True, help="the ecs_id of what is selected").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._still_id = uuid4()
        self.settling = False
        super().__init__(
            _esm=static_text(f"{self.bundle}.js"),
            _css=static_text(f"{self.bundle}.css"),
            _mark=self._still_id.hex,
            **traits,
        )
        self.on_msg(self._take)
        self._own_layout = self.layout

    def close(self) -> None:
        """End the widget, what it shows within itself, and its layout: ipywidgets leaves them."""
        traits = self.traits(sync=True).items()
        within = [getattr(self, name) for name, t in traits if isinstance(t, traitlets.Instance)]
        super().close()
        for part in within:
            if isinstance(part, LiveWidget):
                part.close()
        if self._own_layout is not None:
            self._own_layout.close()

    # -- traits ------------------------------------------------------------------------------

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str | None:
        return None if proposal.value is None else str(uuid_of(proposal.value))

    def settle(self, **traits: Any) -> None:
        """Set traits while `settling` says that what they change is not to be shown yet."""
        before, self.settling = self.settling, True
        try:
            for name, value in traits.items():
                setattr(self, name, value)
        finally:
            self.settling = before

    @property
    def is_in_marimo(self) -> bool:
        """Whether marimo shows it: there only a cell can make widgets, no answer to a page."""
        return type(self.comm).__module__.startswith("marimo.")

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return traits as a page gets them; of marimo, which calls all of them its value, ours."""
        if key is None and self.is_in_marimo:
            key = [name for name in self.keys if not name.startswith("_")]
        return super().get_state(key, drop_defaults)

    # -- messages ----------------------------------------------------------------------------

    def _take(self, widget: Any, message: Any, buffers: Any) -> None:  # noqa: ARG002  # ipywidgets' signature
        """Answer a message; what is malformed is passed over, as it comes from no page of ours."""
        if not isinstance(message, Mapping):
            return
        name = message.get("do")
        try:
            if name == "library":
                self._send_library(message)
            elif name == "alive":  # a page asks whether there is a kernel
                self.tell("alive")
            elif isinstance(name, str) and name in self.answers:
                answer: Callable[[Message], None] = getattr(self, self.answers[name])
                answer(message)
        except EcsvizError as error:
            self.complain(str(error))

    def tell(self, name: str, **facts: Any) -> None:
        """Send an answer to all pages that show this widget."""
        self.send({"told": name, **facts})

    def complain(self, text: str) -> None:
        """Show what went wrong, on all pages that show this widget."""
        self.tell("error", text=text)

    def _send_library(self, message: Message) -> None:
        name = message.get("name")
        if name in LIBRARIES:
            text = static_text(f"{name}.js").encode("utf-8")
            self.send({"told": "library", "name": name}, buffers=[text])

    def _first_library(self) -> str | None:
        """Return the library that a page needs to show this at first, if any."""
        return None

    def _bring_library(self) -> None:
        """Send a page its library with the widget, once a kernel.

        A kernel answers no page while a cell runs, which is until the picture is made that
        stands in.
        """
        name = self._first_library()
        if name is not None and name not in _brought:
            _brought.add(name)
            self._library = static_text(f"{name}.js").encode("utf-8")

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        raise NotImplementedError

    @cached_property
    def _poster(self) -> tuple[bytes, str]:
        return self._poster_png()

    def _poster_png(self) -> tuple[bytes, str]:
        """Return a picture of what is explored, as PNG, and what it shows; or two empty ones."""
        return b"", ""

    def _still(self) -> list[Child]:
        """Return what is shown below the picture where the widget is not alive."""
        return []

    def still(self) -> Element:
        """Return what a saved notebook shows without a kernel: a picture, a summary, a hint."""
        children = self._still()
        data, alt = self._poster
        if data:
            children.insert(0, picture(data, alt))
        return block(*children, element("p", RUN_IT, look="note"), mark=self._still_id)

    def _ipython_display_(self) -> None:
        """Show the widget, and then as an output of its own what stands in for it.

        The page hides the second where the first is alive. In one output there would only be the
        first, with JupyterLab's "model not found" in a notebook that is trusted but was not run;
        and it would come later, since a picture takes longer than the widget.
        """
        shown = super()._repr_mimebundle_()
        if shown is not None:
            self.show_within(*shown)

    def show_within(self, data: Any, metadata: Any) -> None:
        """Show what this widget is a part of, and then what stands in for it; no promise."""
        show: Any = display
        self._bring_library()
        show(data, metadata=metadata, raw=True)
        show({"text/html": str(self.still())}, raw=True)
        self._library = b""  # it is not for the notebook's file

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None or self.is_in_marimo:  # which asks, and shows nothing of it
            return shown
        data, metadata = shown
        return {**data, "text/html": str(self.still())}, metadata


class OneBox(VBox):  # type: ignore[misc]  # ipywidgets carries no types
    """Widgets below each other that are one: what ends it ends them, which ipywidgets leaves.

    Examples
    --------
    >>> from ipywidgets import Button
    >>> button = Button()
    >>> OneBox([button]).close()
    >>> button.comm is None
    True
    """

    def close(self) -> None:
        """Take it off all pages, with what it holds."""
        parts = [*self.children, self.layout]
        super().close()
        for part in parts:
            close_all(part)


def close_all(shown: Any) -> None:
    """Take a widget of ipywidgets off all pages, with what it holds; a page is heard no more.

    Examples
    --------
    >>> from ipywidgets import Button, HBox
    >>> button = Button()
    >>> close_all(HBox([button]))
    >>> button.comm is None
    True
    """
    looks = [getattr(shown, name) for name in ("layout", "style") if hasattr(shown, name)]
    for part in getattr(shown, "children", ()):
        close_all(part)
    for part in (*looks, shown):
        part.close()


def whole_number(message: Message, name: str, least: int, most: int) -> int | None:
    """Return an integer of a message, or None where there is none in this range.

    Examples
    --------
    >>> whole_number({"first": 5}, "first", 0, 9), whole_number({"first": 5}, "first", 0, 4)
    (5, None)
    """
    value = message.get(name)
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return value if fits else None


def id_in(message: Message) -> UUID | None:
    """Return the ``ecs_id`` that a page tells, or None.

    Examples
    --------
    >>> id_in({"id": "0190b5a0-0000-7000-8000-000000000000"}), id_in({"id": "7"}), id_in({"id": 7})
    (UUID('0190b5a0-0000-7000-8000-000000000000'), None, None)
    """
    text = message.get("id")
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def named_in(message: Message, shown: Sequence[str]) -> int | None:
    """Return the place of what a page names: where it saw it, else the only one of that name.

    Parameters
    ----------
    message
        ``name`` is what is meant, and ``n`` where it stood.
    shown
        What pages are told now, which may be other things at other places.

    Examples
    --------
    >>> shown = ["new", "a", "b", "b"]
    >>> named_in({"n": 0, "name": "a"}, shown), named_in({"n": 3, "name": "b"}, shown)
    (1, 3)
    >>> named_in({"n": 0, "name": "gone"}, shown), named_in({"n": 0, "name": "b"}, shown)
    (None, None)
    """
    number, name = whole_number(message, "n", 0, len(shown) - 1), message.get("name")
    if number is not None and shown[number] == name:
        return number
    alike = [place for place, each in enumerate(shown) if each == name]
    return alike[0] if len(alike) == 1 else None


class Numbers:
    """What numbers stand for, now and a little while ago: a page may not know the new ones yet.

    Attributes
    ----------
    edition
        Which numbers pages are told now; they send it back with what they ask for.

    Examples
    --------
    >>> numbers = Numbers()
    >>> numbers.renew(["a", "b"]), numbers.renew(["b"])
    (1, 2)
    >>> numbers.meant({"node": 1, "edition": 1}), numbers.meant({"node": 1, "edition": 2})
    ('b', None)
    """

    def __init__(self) -> None:
        self.edition = 0
        self._told: dict[int, Sequence[Any]] = {}

    def renew(self, ids: Sequence[Any]) -> int:
        """Take the places of things for their numbers, and return the new edition."""
        self.edition += 1
        self._told[self.edition] = ids
        self._told.pop(self.edition - EDITIONS, None)
        return self.edition

    def meant(self, message: Message, name: str = "node") -> Any:
        """Return the id of what a page means by a number, or None."""
        edition = message.get("edition", self.edition)
        ids = self._told.get(edition, ()) if isinstance(edition, int) else ()
        number = whole_number(message, name, 0, len(ids) - 1)
        return None if number is None else ids[number]


SIZE: Final = (9.8, 6.4)
"""Width and height in inches, at the most: what a notebook shows without scrolling."""

DETAILED: Final = 150
"""Up to how many nodes stand one by one: what can be told apart in that size, in some 0.2 s."""

LABELLED: Final = 40
"""Up to how many carry labels: what can be read in that size."""


def poster(
    graph: EntityDependencyGraph,
    *,
    pairs: bool = True,
    color_by: str = "type",
    hide: Sequence[str] = (),
) -> tuple[bytes, str]:
    r"""Return a picture of a graph as PNG, and what it shows as text.

    Parameters
    ----------
    graph
        Of any size: above `DETAILED` nodes it is drawn in groups.
    pairs, color_by, hide
        As of ``graph.draw``.

    Examples
    --------
    >>> import ecsviz as ev
    >>> png, alt = poster(ev.EntityDependencyGraph(ev.sample("chain", n=3)))
    >>> png[:4], alt
    (b'\x89PNG', 'The dependency graph: 3 entities, 2 references, no cycle.')
    """
    from ecsviz.draw.frame import FreeRoom
    from ecsviz.draw.graph import draw_picture, picture_of

    picture = picture_of(
        graph,
        pairs=pairs,
        color_by=color_by,
        hide=hide or None,
        label=None if len(graph) <= LABELLED or len(graph) > DETAILED else False,
        highlight=None,
        max_nodes=DETAILED,
        group_by=None,
    )
    figure: Any = draw_picture(picture, FreeRoom(*SIZE), named=color_by).get_figure()
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=96)
    note = f" {picture.note}" if picture.note else ""
    return file.getvalue(), f"The dependency graph: {picture.counts}.{note}"
