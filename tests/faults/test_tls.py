"""Certificates that are not accepted: rows N08 to N10. No byte of ours is sent, and after three tries a feed ends."""

from __future__ import annotations

import datetime as dt
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


@pytest.mark.parametrize("row", ["N08 expired", "N09 another name", "N10 unknown authority"])
def test_a_certificate_that_is_not_accepted_ends_the_feed_after_three_tries(row: str, tmp_path: Path) -> None:
    ours, other = trustme.CA(), trustme.CA()
    served = {
        "N08 expired": lambda: context(ours, "127.0.0.1", not_after=YESTERDAY),
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
