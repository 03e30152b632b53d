"""Chat formats that other packages offer through entry points, and those of a user's own."""

from __future__ import annotations

import importlib
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz.errors import ImportFormatError
from ecsviz.importers import (
    ChatImportWarning,
    DraftMessage,
    DraftThread,
    Source,
    format_names,
    read_chat,
)
from ecsviz.importers.chat import registry
from ecsviz.importers.following import import_changed
from tests.chat_files import EXPORT

MODULE = """
from ecsviz.importers import DraftMessage, DraftThread

LOADED = []

class Minutes:
    name = "minutes"
    title = "Minutes"

    def __init__(self):
        LOADED.append(self)

    def recognises(self, source):
        return source.head.startswith("# ")

    def read(self, source):
        first, *lines = source.text.splitlines()
        draft = DraftThread(id=first, title=first)
        for line in lines:
            name, _, text = line.partition(": ")
            draft.follow(DraftMessage(role="user", author=name, content=text))
        yield draft

class Lame:
    name = "lame"
    title = "Lame"

class Failing(Minutes):
    name = "failing"
    def recognises(self, source):
        return source.head.startswith("? ") and 1 / 0

class Raising(Minutes):
    name = "raising"
    def recognises(self, source):
        return source.head.startswith("! ")
    def read(self, source):
        yield DraftThread(id="x")
        raise KeyError("secret")
"""

TEXT = b"# Monday\nAnn: Hi\nBen: Hello"

Offer = Callable[..., None]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Install a package, as pip would, that offers formats: name="module:attribute"."""
    package = tmp_path / "site"
    info = package / "fake_chats-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "fake_chats.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-chats\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(package)

    def do(**formats: str) -> None:
        named = "".join(f"{name} = {value}\n" for name, value in formats.items())
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{named}")
        importlib.invalidate_caches()

    yield do
    sys.modules.pop("fake_chats", None)


def test_a_format_of_another_package_is_found(offer: Offer) -> None:
    offer(minutes="fake_chats:Minutes")
    assert format_names()[-1] == "minutes"
    assert "fake_chats" not in sys.modules, "listing loads nothing"
    read_chat(EXPORT)
    assert "fake_chats" not in sys.modules, "a format of ours needs no other"
    (thread,) = read_chat(TEXT)
    assert (thread.source, thread.source_id) == ("minutes", "# Monday")
    assert [(m.author, m.content) for m in thread.messages] == [("Ann", "Hi"), ("Ben", "Hello")]
    assert read_chat(TEXT, "minutes") == [thread]
    assert read_chat(TEXT)[0].messages[1].ecs_id == thread.messages[1].ecs_id


def test_packages_are_asked_anew_when_one_comes_or_goes(
    offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda **of: asked.append("once") or real(**of))
    offer(minutes="fake_chats:Minutes")
    for _ in range(3):
        read_chat(TEXT)
    assert len(asked) == 1
    shutil.move(tmp_path / "site" / "fake_chats-1.0.dist-info", tmp_path / "gone")
    with pytest.raises(ImportFormatError):
        read_chat(TEXT)
    shutil.move(tmp_path / "gone", tmp_path / "site" / "fake_chats-1.0.dist-info")
    assert len(read_chat(TEXT)) == 1
    assert len(asked) == 3


def test_without_it_the_file_is_refused() -> None:
    with pytest.raises(ImportFormatError, match="neither JSON"):
        read_chat(TEXT)
    with pytest.raises(ImportFormatError, match="No chat format 'minutes'"):
        read_chat(TEXT, "minutes")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("fake_chats:Nowhere", r"'broken' of 'fake-chats' cannot be loaded: AttributeError"),
        ("no_such_module_here:X", r"'broken' of 'fake-chats' cannot be loaded: ModuleNotFound"),
        ("fake_chats:Lame", r"'broken' lacks recognises, read"),
        ("fake_chats:TEXT.upper", "cannot be loaded"),
    ],
)
def test_a_broken_entry_point_is_told(offer: Offer, value: str, match: str) -> None:
    offer(broken=value, minutes="fake_chats:Minutes")
    with pytest.raises(ImportFormatError, match=match):
        read_chat(TEXT, "broken")
    # Where it was not asked for, others are read all the same.
    with pytest.warns(ChatImportWarning, match=match):
        assert read_chat(TEXT)[0].source == "minutes"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_chat(EXPORT)) == 1


def test_a_format_that_fails_is_named(offer: Offer) -> None:
    offer(failing="fake_chats:Failing", raising="fake_chats:Raising")
    with pytest.raises(ImportFormatError, match=r"'failing' failed on <bytes>: ZeroDivisionError"):
        read_chat(b"? x")
    with pytest.raises(ImportFormatError, match=r"'raising' failed on <bytes>: KeyError") as caught:
        read_chat(b"! x")
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)


def test_ours_cannot_be_replaced(offer: Offer) -> None:
    offer(chatgpt="fake_chats:Minutes")
    assert format_names().count("chatgpt") == 1
    assert read_chat(EXPORT, "chatgpt")[0].source == "chatgpt"
    assert "fake_chats" not in sys.modules


class Shouts:
    name = "shouts"
    title = "Shouts (.txt)"

    def recognises(self, source: Source) -> bool:
        return source.head.isupper()

    def read(self, source: Source) -> Iterator[DraftThread]:
        draft = DraftThread(title="Shouts")
        for line in source.text.split():
            draft.follow(DraftMessage(role="user", content=line))
        yield draft


def test_a_format_of_ones_own_is_passed_as_it_is(tmp_path: Path) -> None:
    for given in (Shouts(), Shouts):
        (thread,) = read_chat(b"HEY YOU", given)
        assert [m.content for m in thread.messages] == ["HEY", "YOU"]
    (tmp_path / "a.txt").write_text("HEY")
    (tmp_path / "b.txt").write_text("not this")
    found = read_chat(tmp_path, Shouts())
    assert (len(found), len(found.report().query("kind == 'not read'"))) == (1, 1)
    with pytest.raises(ImportFormatError, match="'int' lacks name, title, recognises, read"):
        read_chat(b"HEY", 5)  # type: ignore[arg-type]  # what is shown


def test_folders_of_programs_hold_no_chats(tmp_path: Path) -> None:
    said = '[{"role": "user", "content": "hello", "id": "%s"}]'
    for folder in ("mine", ".hidden", ".git", "node_modules/some", "venv/lib", "venv"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "chat.json").write_text(said % folder, encoding="utf-8")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    found = read_chat(tmp_path)
    assert (len(found), list(found.problems)) == (2, [])
    assert len(read_chat(tmp_path / "venv")) == 2  # which one has asked for
    store = ev.InMemoryEntityStorage()
    import_changed(store, tmp_path)
    assert len(store.threads()) == 2


def test_the_folder_in_which_one_is_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("[01.05.24, 10:01:00] Ann: Kommst du?", "[01.05.24, 10:03:00] Bo: Ja")
    (tmp_path / "chat.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(ChatImportWarning, match="^this folder: 1 thing could not be"):
        assert len(read_chat(".")) == 1
