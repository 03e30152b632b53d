"""Make README's pictures anew: ``python docs/pictures.py``, with Playwright and a Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib import rc_context
from matplotlib.axes import Axes
from playwright.sync_api import sync_playwright

import ecsviz as ev

FOLDER = Path(__file__).resolve().parent / "pictures"
GROUNDS = {"light": "#ffffff", "dark": "#0d1117"}


class Team(ev.Entity):
    """Who works together."""

    name: str
    lead: Person | None = ev.reference(default=None, inverse=None)


class Person(ev.Entity):
    """Somebody with a manager, who says so, too."""

    name: str
    team: Team | None = ev.reference(default=None, inverse=None)
    manager: Person | None = ev.reference(default=None, inverse="reports")
    reports: list[Person] = ev.reference(default_factory=list, inverse="manager")
    mentor: Person | None = ev.reference(default=None, inverse=None)


Team.model_rebuild()
COMPANY = {"Ada": "Bob Cleo Dan", "Bob": "Eve Finn", "Cleo": "Gus Hal Ida", "Dan": "Jo Kim"}
PICKED, EMPTY = (302, 309), (120, 200)
"""Where a message stands in the explorer, and where nothing does."""
MENTORS = {"Eve": "Finn", "Finn": "Gus", "Gus": "Eve"}


def company() -> list[Person]:
    """Return twelve people, three of whom are each other's mentors in a ring."""
    names = ["Ada", *" ".join(COMPANY.values()).split()]
    people = {name: Person(name=name) for name in names}
    for name, reports in COMPANY.items():
        for report in reports.split():
            people[report].manager = people[name]
            people[name].reports.append(people[report])
    for name, mentor in MENTORS.items():
        people[name].mentor = people[mentor]
    return list(people.values())


def save(ax: Axes, name: str, theme: str) -> None:
    """Save a picture with its legend, no larger than what is on it."""
    path = FOLDER / f"{name}-{theme}.png"
    ax.figure.savefig(path, dpi=110, bbox_inches="tight", facecolor=GROUNDS[theme])


def explorer(thread: ev.ChatThread, folder: Path) -> None:
    """Save the explorer as a page shows it, with one message picked."""
    page_file = folder / "chat.html"
    ev.EntityDependencyGraph(thread).to_html(page_file, interactive=True, pairs=False)
    with sync_playwright() as driver:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=program)
        for theme in GROUNDS:
            page = browser.new_page(
                viewport={"width": 1100, "height": 620},
                device_scale_factor=1.5,
                color_scheme="dark" if theme == "dark" else "light",
            )
            page.goto(page_file.as_uri())
            page.wait_for_timeout(2_000)
            page.mouse.click(*PICKED)
            page.mouse.move(*EMPTY, steps=5)
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / f"explorer-{theme}.png")
        browser.close()


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    people, chats = company(), ev.read_chat(ev.samples.sample_file("chats"))
    graph = ev.EntityDependencyGraph(people)
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = ev.SQLAlchemyEntityStorage(folder / "people.db")
        store.register(people)
        for theme, ground in GROUNDS.items():
            with rc_context({"figure.facecolor": ground, "axes.facecolor": ground}):
                save(graph.draw(pairs=False, figsize=(9, 5)), "company", theme)
                save(store.draw_schema(), "schema", theme)
                save(chats[0].draw_timeline(), "chat", theme)
        store.close()
        explorer(chats[0], folder)


if __name__ == "__main__":
    main()
