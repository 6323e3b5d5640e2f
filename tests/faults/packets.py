"""Packets that vanish, in a network of one's own: `test_packets.py` runs this behind `unshare -n`, and judges.

    unshare -Urn python -m tests.faults.packets half_open

There the loopback is ours alone, and nft drops on it what it is told to. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from websockets.protocol import State

from btfeeds.live import dialing
from btfeeds.live.transport import Dropped, Transport
from tests.faults.rig import Listener, Rig, say, shake
from tests.live.scripted import Peer, Scripted
from tests.live.toy import Toy

PATIENCE_S = 0.5
MANY_S = 20.0  # of the wall: more than a dead address may cost


def begin() -> None:
    """A loopback that is up, and a table to put rules into."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _nft("add table inet faults; add chain inet faults arriving { type filter hook input priority 0; }")


def drop(which: str) -> None:
    """Nothing that nft calls so arrives any more; nobody is told."""
    _nft(f"add rule inet faults arriving {which} drop")


def _nft(commands: str) -> None:
    subprocess.run(["nft", commands], check=True)


def half_open() -> dict[str, object]:
    """The flow of one connection is forgotten on its way, as a NAT does; other connections pass."""
    with Scripted(Peer.stay) as server, Rig(server.url, venue=Toy(stream_url=server.url)) as rig:
        rig.until_live()
        rig.advance_to(101)
        say(server.peers[0], "BTCUSDT@bars@1m", 100)
        rig.until_minute(100)
        _, port = server.peers[0].connection.remote_address
        drop(f"tcp sport {port}")
        drop(f"tcp dport {port}")
        cut = rig.clock.now()
        say(server.peers[0], "BTCUSDT@bars@1m", 101, closed=False)  # the venue has no idea
        rig.until(rig.losses, tick=250)
        noticed = rig.clock.now()
        rig.until_live(2)
        rig.advance_to(102)
        say(server.peers[1], "BTCUSDT@bars@1m", 101)
        rig.until_minute(101)
        return {
            "after_ms": noticed - cut,
            "losses": [loss.reason for loss in rig.losses()],
            "words": rig.words,
            "true": rig.proven(97, 101),
            "connects": server.connects,
            "the venue's end is open": server.peers[0].connection.state is State.OPEN,
        }


def black_hole() -> dict[str, object]:
    """No SYN is answered."""
    with Listener(lambda sock, _: shake(sock)) as server:
        drop(f"tcp dport {server.port}")
        begun = time.monotonic()
        try:
            Transport(server.url, timeout=PATIENCE_S)
            reason = "it connected"
        except Dropped as dropped:
            reason = dropped.loss.reason
        return {"reason": reason, "took_s": time.monotonic() - begun, "accepted": server.accepted}


def dead_ipv6() -> dict[str, object]:
    """The host has an IPv6 address, which leads nowhere, and an IPv4 one."""
    drop("meta nfproto ipv6")
    with Listener(lambda sock, _: shake(sock)) as server:
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        socket.getaddrinfo = lambda *args, **options: found  # type: ignore[assignment]
        begun = time.monotonic()
        sock = dialing.connect("venue.test", server.port, MANY_S, secure=False)
        took, peer = time.monotonic() - begun, sock.getpeername()[0]
        sock.close()
        return {"took_s": took, "peer": peer}


STORIES: dict[str, Callable[[], dict[str, object]]] = {
    story.__name__: story for story in (half_open, black_hole, dead_ipv6)
}

if __name__ == "__main__":
    begin()
    print(json.dumps(STORIES[sys.argv[1]]()))
