"""The frame of the command line: every way to end has its exit code, and errors are three lines on stderr."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from btfeeds.cli import app
from btfeeds.errors import ConfigError, UnknownSymbol

ROOT = Path(__file__).parents[2]
CANARY = "canary-5up3r-s3cret"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("BTFEEDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[BaseException], int]]:
    """The exit code of a command that raises."""

    def run(error: BaseException) -> int:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(app.LazyGroup, "get_command", lambda *_: command)
        return app._run(["anything"])

    yield run


def _btfeeds(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "btfeeds", *args],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def _redirected(args: list[str], *, stdout: Any, stderr: Any = subprocess.PIPE, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "btfeeds", *args],
        stdout=stdout, stderr=stderr, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(app.COMMANDS))
def test_every_command_has_help_and_the_line_that_the_overview_shows(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app._run([name, "--help"]) == 0
    assert f"Usage: btfeeds {name}" in capsys.readouterr().out
    command = app.cli.get_command(click.Context(app.cli), name)
    assert command is not None
    assert command.short_help == app.COMMANDS[name]


@pytest.mark.parametrize("name", sorted(app.COMMANDS))
def test_every_option_says_what_it_is_for(name: str) -> None:
    command = app.cli.get_command(click.Context(app.cli), name)
    assert command is not None
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_overview_names_every_command_without_importing_it() -> None:
    code = (
        "import sys; from btfeeds.cli import app; app._run(['--help']);"
        "print(sorted(name for name in sys.modules if name.startswith('btfeeds.cli.')),"
        " {'pandas', 'rich', 'msgspec'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.splitlines()[-1] == "['btfeeds.cli.app'] set()"
    assert all(name in run.stdout for name in app.COMMANDS)


def test_the_module_can_be_run() -> None:
    run = _btfeeds("--version")
    assert (run.returncode, run.stdout, run.stderr) == (0, "btfeeds 0.1.0\n", "")


def test_an_error_is_three_lines_on_stderr(
    ends_with: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(UnknownSymbol("No such symbol.", "Nothing was started.", "Mind the spelling.")) == 4
    out, err = capsys.readouterr()
    assert (out, err) == ("", "No such symbol.\nNothing was started.\nMind the spelling.\n")


def test_an_error_does_not_show_a_secret(
    monkeypatch: pytest.MonkeyPatch, ends_with: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_SECRET", CANARY)
    assert ends_with(ConfigError(f"What is {CANARY}?")) == 2
    assert capsys.readouterr().err == "What is ***?\n"


def test_a_defect_shows_its_traceback_but_no_secret(
    monkeypatch: pytest.MonkeyPatch, ends_with: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_SECRET", CANARY)
    assert ends_with(ZeroDivisionError(CANARY)) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: ***" in err
    assert "defect of btfeeds" in err


def test_ctrl_c_is_130(ends_with: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_whose_exception_a_library_swallows_is_not_forgotten(number: signal.Signals, code: int) -> None:
    program = (
        "import signal, sys; from btfeeds.cli import app\n"
        "def run(_):\n"
        "    app.leave_if_told()\n"
        "    try:\n"
        f"        signal.raise_signal({number:d})\n"
        "    except BaseException:\n"
        "        pass\n"
        "    app.leave_if_told()\n"
        "    return 0\n"
        "app._run = run\n"
        "app.main([])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert run.returncode == code


def test_the_code_of_a_command_is_the_code_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> int:
        return 1

    monkeypatch.setattr(app.LazyGroup, "get_command", lambda *_: command)
    assert app._run(["anything"]) == 1


@pytest.mark.parametrize("args", [["nonsense"], ["venues", "--nonsense"], ["simulate", "binance"], ["venues", "extra"]])
def test_a_wrong_command_line_is_three_lines_that_name_the_help(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app._run(args) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("`btfeeds") and "--help` shows" in lines[2]


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_a_bad_setting_ends_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text(f"BTFEEDS_BINANCE_REST_URL={CANARY}\n", encoding="utf-8")
    assert app._run(["venues"]) == 2
    err = capsys.readouterr().err
    assert ".env:1) is not a URL" in err
    assert len(err.splitlines()) == 3
    assert CANARY not in err


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "btfeeds", "venues"],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(write)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("args", [["venues"], ["--help"], ["live", "--help"], ["--version"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_no_defect(args: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        run = _redirected(args, stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert run.returncode == 74
    lines = run.stderr.splitlines()
    assert (len(lines), lines[0]) == (3, "The output cannot be written: No space left on device.")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_error_that_cannot_be_told_keeps_its_exit_code() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        run = _redirected(["nonsense"], stdout=subprocess.PIPE, stderr=full)
    assert (run.returncode, run.stdout) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
@pytest.mark.parametrize(
    ("closed", "code", "told"), [(">&-", 74, "There is no standard output: it is closed."), ("2>&-", 0, "")]
)
def test_a_stream_that_is_closed_is_no_defect(closed: str, code: int, told: str) -> None:
    run = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m btfeeds venues {closed}'],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == code
    assert run.stderr.splitlines()[:1] == ([told] if told else [])
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
def test_a_command_finds_a_stderr_although_it_was_closed() -> None:
    program = "import sys; from btfeeds.cli import app; app._run = lambda _: sys.stderr.isatty() + 7; app.main([])"
    run = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "{program}" 2>&-'], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert run.returncode == 7


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("args", [["venues"], ["live", "--help"]])
def test_what_the_output_cannot_show_is_replaced(encoding: str, args: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "btfeeds", *args],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert len(run.stdout) > 1_000


def test_an_error_of_a_file_is_a_defect_and_not_one_of_the_output(
    ends_with: Callable[[BaseException], int],
) -> None:
    assert ends_with(OSError(28, "No space left on device", "bars.csv")) == 70


def test_warnings_go_to_stderr_once() -> None:
    run = _btfeeds("venues", "--json", BTFEEDS_BINANCE_APIKEY=CANARY)
    assert run.returncode == 0
    assert run.stderr.count("BTFEEDS_BINANCE_APIKEY") == 1
    assert CANARY not in run.stdout + run.stderr
