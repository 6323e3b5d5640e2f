"""Where configuration comes from, what is refused, and that no secret is ever shown."""

from __future__ import annotations

import base64
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds import settings
from btfeeds.errors import ConfigError

CANARY = "canary/Sup3r+S3cret=42"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No BTFEEDS_ variables, an empty working directory with no `.env` above it, nothing remembered."""
    for name in [name for name in os.environ if name.startswith("BTFEEDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings._warned.clear()
    settings._last.clear()
    yield
    settings._last.clear()


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _refused(match: str | None = None) -> str:
    with pytest.raises(ConfigError, match=match) as caught:
        settings.hosts("binance")
    assert len(str(caught.value).splitlines()) == 3
    return str(caught.value)


def test_without_settings_the_venue_uses_its_own_hosts() -> None:
    assert settings.hosts("binance") == ("", "")


def test_an_argument_comes_before_the_environment_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(Path(".env"), "BTFEEDS_BINANCE_REST_URL=https://file\nBTFEEDS_BINANCE_STREAM_URL=wss://file\n")
    assert settings.hosts("binance") == ("https://file", "wss://file")
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", "https://environment:8443/")
    assert settings.hosts("binance") == ("https://environment:8443", "wss://file")
    assert settings.hosts("binance", "http://127.0.0.1:80") == ("http://127.0.0.1:80", "wss://file")


def test_each_venue_has_hosts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCEUS_REST_URL", "https://us")
    assert settings.hosts("binance") == ("", "")
    assert settings.hosts("binanceus") == ("https://us", "")


def test_the_nearest_file_above_the_working_directory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(Path(".env"), "BTFEEDS_BINANCE_REST_URL=https://above\n")
    below = Path("a/b")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert settings.hosts("binance")[0] == "https://above"
    _write(Path(".env"), "BTFEEDS_BINANCE_REST_URL=https://here\n")
    assert settings.hosts("binance")[0] == "https://here"


def test_a_named_file_is_read_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(Path(".env"), "BTFEEDS_BINANCE_REST_URL=https://found\n")
    _write(Path("other"), "BTFEEDS_BINANCE_REST_URL=https://named\n")
    monkeypatch.setenv("BTFEEDS_ENV_FILE", "other")
    assert settings.hosts("binance")[0] == "https://named"


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_ENV_FILE", "nowhere")
    _refused("BTFEEDS_ENV_FILE .* names no file: nowhere")


def test_reading_a_file_leaves_the_environment_alone() -> None:
    _write(Path(".env"), f"BTFEEDS_BINANCE_API_KEY={CANARY}\nOTHER=1\n")
    before = dict(os.environ)
    assert settings.secret("binance", "API_KEY") == CANARY
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "text",
    [
        '\ufeffexport BTFEEDS_BINANCE_REST_URL="https://host"\r\n',
        "# a comment\n\n  BTFEEDS_BINANCE_REST_URL = 'https://host'  # why\n",
        "NAME=host\nBTFEEDS_BINANCE_REST_URL=https://${NAME}\n",
    ],
)
def test_files_may_be_written_in_the_usual_ways(text: str) -> None:
    _write(Path(".env"), text)
    assert settings.hosts("binance")[0] == "https://host"


def test_a_secret_is_taken_as_it_is_written() -> None:
    _write(Path(".env"), "BTFEEDS_BINANCE_API_SECRET='a${HOME}b'\n")
    assert settings.secret("binance", "API_SECRET") == "a${HOME}b"


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(Path(".env"), "BTFEEDS_BINANCE_REST_URL=https://file\n")
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", " ")
    assert settings.hosts("binance")[0] == "https://file"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("api.binance.com", "is not a URL"),
        ("https://", "is not a URL"),
        ("https://host:port", "is not a URL"),
        ("https://host:99999", "is not a URL"),
        ("https://ho st", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("wss://host", "has the wrong scheme: it must be https or http"),
        ("file://host", "has the wrong scheme"),
        ("https://host/api/v3", "holds more than a host"),
        ("https://host?x=1", "holds more than a host"),
    ],
)
def test_a_bad_host_is_refused_with_name_and_source(monkeypatch: pytest.MonkeyPatch, value: str, why: str) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", value)
    assert _refused().splitlines()[0].startswith(f"BTFEEDS_BINANCE_REST_URL (the environment) {why}")


def test_a_stream_wants_a_websocket_scheme() -> None:
    _write(Path(".env"), "\n\nBTFEEDS_BINANCE_STREAM_URL=https://host\n")
    assert f"{Path.cwd() / '.env'}:3" in _refused("wrong scheme: it must be wss or ws")


def test_a_bad_argument_is_refused_too() -> None:
    with pytest.raises(ConfigError, match="the argument rest_url"):
        settings.hosts("binance", "nonsense")


def test_a_bad_setting_of_another_venue_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_KRAKEN_REST_URL", "nonsense")
    _refused("BTFEEDS_KRAKEN_REST_URL")


@pytest.mark.parametrize(
    "line", [f"BTFEEDS_BINANCE_API_SECRET='{CANARY}", f"BTFEEDS_BINANCE_API_KEY {CANARY}", "BTFEEDS_BINANCE_API_KEY"]
)
def test_a_malformed_line_is_named_but_not_shown(line: str) -> None:
    _write(Path(".env"), f"# first\n\nA=1\n{line}\n")
    message = _refused(r"Line 4 of .*\.env cannot be read")
    assert CANARY not in message


def test_a_file_that_is_not_text_is_refused_with_the_line() -> None:
    Path(".env").write_bytes(b"A=1\nB=\xff\n")
    _refused(r"Line 2 of .* is not UTF-8")


def test_a_bad_key_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_KEY", f"{CANARY}\r\nX-Header: 1")
    assert CANARY not in _refused("BTFEEDS_BINANCE_API_KEY")


def test_a_secret_may_have_several_lines() -> None:
    _write(Path(".env"), 'BTFEEDS_COINBASE_API_SECRET="-----BEGIN-----\nabc\n-----END-----"\n')
    assert settings.secret("coinbase", "API_SECRET") == "-----BEGIN-----\nabc\n-----END-----"


def test_an_unknown_name_is_warned_about_once_without_its_value(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_APIKEY", CANARY)
    settings.check(["binance"])
    settings.hosts("binance")
    assert [record.getMessage() for record in caplog.records] == [
        "BTFEEDS_BINANCE_APIKEY (the environment) is not a setting of btfeeds and is ignored; "
        "did you mean BTFEEDS_BINANCE_API_KEY?"
    ]


def test_a_name_of_an_unknown_venue_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BTFEEDS_BINNANCE_REST_URL", "https://host")
    settings.check(["kraken", "binance"])
    assert "did you mean BTFEEDS_BINANCE_REST_URL?" in caplog.text


def test_known_names_are_not_warned_about(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_US_REST_URL", "https://host")
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", "bars")
    settings.check(["binance-us"])
    assert caplog.text == ""


@pytest.mark.skipif(os.name != "posix", reason="permissions of this kind exist on POSIX systems only")
def test_a_secret_that_others_may_read_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    path = _write(Path(".env"), f"BTFEEDS_BINANCE_API_KEY={CANARY}\n")
    settings.hosts("binance")
    assert caplog.text == ""
    path.chmod(0o644)
    settings.hosts("binance")
    assert f"chmod 600 {path.absolute()}" in caplog.text
    assert CANARY not in caplog.text


def test_without_a_secret_others_may_read_the_file(caplog: pytest.LogCaptureFixture) -> None:
    _write(Path(".env"), "BTFEEDS_WAREHOUSE=bars\n").chmod(0o644)
    settings.hosts("binance")
    assert caplog.text == ""


def test_the_level_of_the_log_is_one_of_loggings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.log_level() == "WARNING"
    monkeypatch.setenv("BTFEEDS_LOG_LEVEL", "debug")
    assert settings.log_level() == "DEBUG"
    assert settings.log_level("error") == "ERROR"
    with pytest.raises(ConfigError, match="DEBUG, INFO"):
        settings.log_level("loud")


def test_the_warehouse_is_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.warehouse() is None
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", "~/bars")
    assert settings.warehouse() == Path.home() / "bars"
    assert settings.warehouse("here") == Path("here")
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", str(_write(Path("file"), "").absolute()))
    _refused("BTFEEDS_WAREHOUSE .* names a file")


@pytest.mark.parametrize(
    "shown",
    [
        CANARY,
        "canary%2FSup3r%2BS3cret%3D42",
        "canary%2fSup3r%2bS3cret%3d42",
        "canary/Sup3r%2BS3cret%3D42",
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_masked_in_every_spelling(monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_SECRET", CANARY)
    masked = settings.mask(f"before {shown} after")
    # base64 may leave the letters at the end that the neighbours decide
    assert re.fullmatch(r"before \*\*\*[\w=]{0,3} after", masked)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
def test_a_secret_is_masked_in_base64_together_with_its_neighbours(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_SECRET", CANARY)
    whole = base64.b64encode(f"{before}{CANARY}:x".encode()).decode()
    masked = settings.mask(whole)
    assert "***" in masked
    assert len(masked) <= len(whole) - len(CANARY) * 4 // 3 + 6


def test_secrets_of_the_file_are_masked_once_it_was_read() -> None:
    _write(Path(".env"), f"BTFEEDS_BINANCE_API_KEY={CANARY}\n")
    settings.hosts("binance")
    assert settings.mask(f"key={CANARY}") == "key=***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://user:pass@proxy:3128/x", "http://***@proxy:3128/x"),
        ("http://user:p@ss@proxy", "http://***@proxy"),
        ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_credentials_inside_urls_are_masked(text: str, masked: str) -> None:
    assert settings.mask(text) == masked


@given(st.text())
def test_without_secrets_text_without_urls_stays_as_it_is(text: str) -> None:
    if "://" not in text:
        assert settings.mask(text) == text


def test_a_setting_does_not_show_its_value() -> None:
    assert CANARY not in repr(settings.Setting("BTFEEDS_BINANCE_API_KEY", CANARY, "the environment"))


def test_a_log_record_is_masked_with_its_arguments_and_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_API_KEY", CANARY)
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Lines()
    handler.addFilter(settings.Redact())
    logger = logging.Logger("probe")
    logger.addHandler(handler)
    logger.warning("sent %s", {"key": CANARY})
    logger.warning("too many arguments", CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("failed", stack_info=True)
    assert lines[0] == "sent {'key': '***'}"
    assert "ValueError: ***" in lines[2]
    assert CANARY not in "".join(lines)
