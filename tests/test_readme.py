"""Documentation that is not run is a rumour: the README's commands, names and snippets are the real ones."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest

import btfeeds
from btfeeds import settings
from btfeeds.cli import app
from btfeeds.errors import BtfeedsError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = re.findall(r"^btfeeds (\w+)(.*?)(?:\s+#.*)?$", SHELL, re.MULTILINE)


def test_every_command_of_the_overview_is_in_the_readme() -> None:
    assert {name for name, _ in COMMANDS} == set(app.COMMANDS)


@pytest.mark.parametrize(("name", "rest"), COMMANDS)
def test_every_option_the_readme_names_is_in_the_help(
    name: str, rest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app._run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert [option for option in re.findall(r"--[\w-]+", rest) if option not in out] == []


@pytest.mark.parametrize(("name", "rest"), COMMANDS)
def test_every_command_line_in_the_readme_can_be_parsed(name: str, rest: str) -> None:
    command = app.cli.get_command(click.Context(app.cli), name)
    assert command is not None
    assert command.make_context(name, rest.split()) is not None


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)\b", README, re.MULTILINE))
    assert {"demo", "test", "check", "bench"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_what_must_pass_calls_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_name_that_a_snippet_takes_from_btfeeds_exists(snippet: str) -> None:
    tree = ast.parse(snippet)
    names = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "btfeeds"
    ]
    assert names
    assert [name for name in names if not hasattr(btfeeds, name)] == []


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    def classes(cls: type[BtfeedsError]) -> set[type[BtfeedsError]]:
        return {cls}.union(*(classes(sub) for sub in cls.__subclasses__()))

    listed = {int(code) for code in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for code in code.split(",")}
    assert listed >= {cls.exit_code for cls in classes(BtfeedsError)}
    assert listed >= {app.DEFECT, app.UNWRITABLE, app.INTERRUPTED, app.BROKEN_PIPE, app.TERMINATED}


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_variable_that_is_documented_is_known(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8").replace("<VENUE>", "BINANCE")
    named = ("binance", "binanceus", "ibkr")
    of_venues = {settings.variable(venue, name) for venue in named for name in settings.PER_VENUE}
    assert set(re.findall(r"\bBTFEEDS_\w+", text)) <= {*settings.GENERAL, *of_venues}


def test_every_setting_is_documented() -> None:
    names = {*settings.GENERAL, *(f"BTFEEDS_<VENUE>_{name}" for name in settings.PER_VENUE)}
    assert [name for name in names if f"`{name}`" not in README] == []


@pytest.mark.parametrize(
    "document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_changelog_has_the_version() -> None:
    assert f"## {btfeeds.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
