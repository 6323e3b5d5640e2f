"""The console of the commands."""

from __future__ import annotations

import pytest

from btfeeds.cli.output import console


def test_a_pipe_gets_wide_lines_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]" + "word " * 30)
    assert capsys.readouterr().out == "word " * 30 + "\n"


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console(stderr=True).print("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_a_reader_that_goes_away_is_left_to_the_frame() -> None:
    with pytest.raises(BrokenPipeError):
        console().on_broken_pipe()
