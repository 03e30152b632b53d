"""A little of each part of the campaign, and each part broken by hand, which it has to notice."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.campaign import __main__ as campaign
from tests.campaign import disk, interrupts, isolation, kernels, kills, ledger, writers
from tests.campaign.tally import Tally
from tests.conftest import require_all

# Ctrl-C may come while Python lets go of something, which can but warn of it.
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEED = 20261130
LITTLE: dict[str, dict[str, int]] = {
    "kills": {},
    "power cuts": {"states": 10},
    "disk faults": {},
    "allocations": {},
    "interrupts": {"steps": 6},
    "kernels": {"steps": 3},
    "bit flips": {"flips": 8},
    "repairs": {"times": 10},
    "writers": {"steps": 4},
    "isolation": {"times": 6},
    "imports": {"files": 30},
    "strangers": {"files": 2, "calls": 6},
    "growth": {"times": 60},
}
BROKEN = {
    "kills": "lost",  # acknowledged before it is saved
    "power cuts": "lost",  # syncs forgotten
    "disk faults": "silent",  # an error swallowed
    "allocations": "silent",  # an error swallowed
    "interrupts": "partial",  # a version left raised
    "kernels": "partial",  # a version left raised
    "bit flips": "silent",  # what verify() says not heard
    "repairs": "lost",  # what it tells not heard
    "writers": "lost",  # a refused save taken for done
    "isolation": "lost",  # a refused save taken for done
    "imports": "partial",  # a foreign error
    "strangers": "partial",  # a foreign error
    "growth": "silent",  # something left behind each time
}


def draw(part: str, folder: Path, seed: int = SEED, **more: Any) -> Tally:
    if part in campaign.NEED_DISK and disk.compiler() is None:
        assert not require_all(), "a C compiler is missing"
        pytest.skip("needs Linux and a C compiler")
    found: Tally = campaign.PARTS[part](seed, folder, **LITTLE[part], **more)  # type: ignore[call-arg]  # each has its own options
    return found


@pytest.mark.parametrize("part", LITTLE)
def test_nothing_is_found(part: str, tmp_path: Path) -> None:
    found = draw(part, tmp_path)
    assert found.tried
    assert found.found == []


@pytest.mark.parametrize("part", BROKEN)
def test_what_is_broken_is_found(part: str, tmp_path: Path) -> None:
    for seed in range(SEED, SEED + 12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        if getattr(draw(part, folder, seed, broken=True), BROKEN[part]):
            return
    pytest.fail(f"{part} notices nothing")


@pytest.mark.parametrize("part", [kills, interrupts, kernels, writers, isolation])
def test_nothing_is_found_on_postgresql(part: Any, postgres_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    name = part.__name__.rpartition(".")[2]
    with engine.begin() as conn:
        conn.execute(sa.schema.CreateSchema(f"{name}_{SEED}"))
    options = {} if part is kills else {"times": 6} if part is isolation else {"steps": 4}
    try:
        found = part.run(SEED, tmp_path, url=postgres_url, **options)
    finally:
        with engine.begin() as conn:
            conn.execute(sa.schema.DropSchema(f"{name}_{SEED}", cascade=True))
    assert found.tried
    assert found.found == []


def test_every_step_is_told_from_every_other() -> None:
    made = ledger.opened()
    for step in range(12):
        assert ledger.step_of(made) == step
        ledger.go_on(made)
    spoils: list[Callable[[Any], object]] = [
        lambda made: made.left.entries.reverse(),
        lambda made: setattr(made.right, "balance", 7),
        lambda made: setattr(made.left.entries[0], "text", "another"),
        lambda made: setattr(made, "step", 11),
    ]
    for spoil in spoils:
        spoilt = copy.deepcopy(made)
        assert ledger.step_of(spoilt) == made.step
        spoil(spoilt)
        with pytest.raises(ledger.NotWholeError):
            ledger.step_of(spoilt)


def test_the_table_says_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Tally(3, lost=["seed 7: gone"])
    monkeypatch.setattr(campaign, "PARTS", {"kills": lambda seed, folder: wrong})
    report = tmp_path / "report.md"
    report.write_text(f"before\n{campaign.BEGIN}\nold\n{campaign.END}\nafter\n")
    given = ["--seed", "7", "--rounds", "2", "--minutes", "1", "--report", str(report)]
    assert campaign.main(given) == 1
    assert "lost: seed 7: gone" in capsys.readouterr().out
    written = report.read_text()
    assert "| kills | 6 | 2 | 0 | 0 | 0 |" in written
    assert (written[:6], written[-6:], "old" in written) == ("before", "after\n", False)
    monkeypatch.setattr(campaign, "PARTS", {"kills": lambda seed, folder: Tally(3)})
    assert campaign.main(given) == 0
    monkeypatch.setattr(campaign, "PARTS", {"kills": lambda seed, folder: 1 / 0})
    assert campaign.main(given) == 1, "what fails by itself is found, and the others go on"
    (tmp_path / "notes.md").write_text("# mine")
    wrong = (["--rounds", "0"], ["--minutes", "nan"], ["--report", str(tmp_path / "no/a.md")])
    for more in (*wrong, ["--report", str(tmp_path / "notes.md")]):
        with pytest.raises(SystemExit, match="2"):
            campaign.main([*given, *more])
    assert (tmp_path / "notes.md").read_text() == "# mine"
    monkeypatch.setenv("HOURS", "x")
    with pytest.raises(SystemExit, match="2"):
        campaign.main(given)
