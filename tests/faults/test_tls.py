"""Certificates that are not accepted: rows N08 to N10. No byte of ours is sent."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from btfeeds.errors import TlsError
from tests.e2e.helpers import accepted
from tests.faults.rig import Listener, Rig
from tests.live.scripted import Peer, Scripted


def context(authority: trustme.CA, *names: str, **more: object) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(made)  # type: ignore[arg-type]
    return made


YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


def test_n08_an_expired_certificate_is_tried_every_minute_until_it_is_renewed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = trustme.CA()
    ca = tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(str(ca))
    served = context(ours, "127.0.0.1", not_after=YESTERDAY)
    with Scripted(Peer.stay, ssl=served) as server, Rig(server.url, ca_file=str(ca)) as rig:
        for tries in range(1, 6):
            rig.until(lambda tries=tries: len(rig.losses()) == tries, tick=5_000)  # type: ignore[misc]
        assert server.connects == 0 and not rig.stream.finished
        ours.issue_cert("127.0.0.1").configure_cert(served)
        rig.until(lambda: rig.words[-1:] == ["LIVE"], tick=5_000)
    assert {(loss.reason, loss.retry_in_ms >= 60_000) for loss in rig.losses()} == {("tls", True)}
    said = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(said) == len(rig.losses()) and all(words.count("\n") == 2 and "expired" in words for words in said)
    assert accepted([*rig.words, "DISCONNECTED"])


def test_a_venue_that_hangs_up_in_the_midst_of_tls_has_no_bad_certificate() -> None:
    def hangs_up(sock: socket.socket, _: int) -> None:
        sock.recv(4096)

    with Listener(hangs_up) as server, Rig(f"wss://127.0.0.1:{server.port}") as rig:
        rig.until(lambda: len(rig.losses()) > 5, tick=1_000)
        assert not rig.stream.finished and rig.stream.error is None


@pytest.mark.parametrize("row", ["N09 another name", "N10 unknown authority"])
def test_a_certificate_that_is_not_accepted_ends_the_feed_after_three_tries(row: str, tmp_path: Path) -> None:
    ours, other = trustme.CA(), trustme.CA()
    served = {
        "N09 another name": lambda: context(ours, "example.org"),
        "N10 unknown authority": lambda: context(other, "127.0.0.1"),
    }[row]()
    ca = tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(str(ca))
    said: list[bytes] = []

    def handle(sock: socket.socket, _: int) -> None:
        with served.wrap_socket(sock, server_side=True) as secure:
            said.append(secure.recv(4096))

    with Listener(handle) as server:
        url = f"wss://127.0.0.1:{server.port}"
        with Rig(url, ca_file=str(ca), start=None) as rig:
            rig.until(rig.losses)
            rig.advance(59_000)
            rig.rest()
            assert server.accepted == 1, "a minute between the tries"
            rig.until(lambda: rig.stream.finished, tick=1_000)
        assert server.accepted == 3
    assert b"".join(said) == b""
    assert isinstance(rig.stream.error, TlsError) and "SSL_CERT_FILE" in str(rig.stream.error)
    assert accepted(rig.words)


def test_a_good_certificate_of_a_named_authority_is_accepted(tmp_path: Path) -> None:
    ours = trustme.CA()
    ca = tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(str(ca))
    with Scripted(Peer.stay, ssl=context(ours, "127.0.0.1")) as server, Rig(server.url, ca_file=str(ca)) as rig:
        rig.until_live()
    assert rig.minutes == [97, 98, 99]
