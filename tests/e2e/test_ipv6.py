"""Clients that have IPv6 only: requests, sockets, bans, limits by network, and a proxy's header in front."""

import asyncio
import json
import socket

import pytest
from conftest import Server, free_port, unique, wait_until
from raw_client import RawClient, handshake
from test_bans import IN_FORCE_S, ban, unban
from test_proxy_protocol import v2

DOCS = b"GET /docs HTTP/1.1\r\nHost: [::1]\r\n\r\n"


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


class Server6(Server):
    """On ::1 alone."""

    def __init__(self, data_dir, env=None, args=()):
        super().__init__(data_dir, env, args)
        self.port = free_port()
        self.listen = f"[::1]:{self.port}"


class RawClient6(RawClient):
    def __init__(self, server, seconds=10):
        self.socket = socket.create_connection(("::1", server.port), seconds)
        self.received = b""


def ask(server, request=DOCS, header=b""):
    with RawClient6(server) as peer:
        status, fields, body = peer.send(header + request).response()
        return status, fields, body


def forwarded(address, path=b"/docs"):
    return b"GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n" % (path, address.encode())


@pytest.fixture(scope="module")
def six(short_tmp):
    """::1 is a trusted proxy, as by default, so that tests can be many clients."""
    s = Server6(short_tmp / unique("six"), {"SKIRMISH_SERVER_THREADS": "1"}).start()
    yield s
    s.stop()


def test_everything_works_over_ipv6(six):
    assert six.url == f"http://[::1]:{six.port}"
    player = six.new_player()
    assert six.http("GET", f"/api/players/{player}").json["player_id"] == player
    answer = six.http("GET", "/api/leaderboards/active", key=None)
    assert answer.status == 200 and "anonymous" in answer.headers["RateLimit"]

    async def run():
        async with six.ws() as ws:
            await ws.send(json.dumps({"cid": "1", "interactions": [{"type": "move", "player_id": player, "lat": 1, "lon": 2}]}))
            assert json.loads(await asyncio.wait_for(ws.recv(), 10)) == {"cid": "1", "accepted": 1}
    asyncio.run(run())
    with RawClient6(six) as peer:  # a page of this server, and one of another
        assert peer.send(handshake(Host=f"[::1]:{six.port}", Origin=f"http://[::1]:{six.port}", key=six.key)).response()[0] == 101
    with RawClient6(six) as peer:
        assert peer.send(handshake(Host=f"[::1]:{six.port}", Origin="http://[::2]", key=six.key)).response()[0] == 403
    noted = wait_until(lambda: [c for c in six.http("GET", "/api/audit").json["items"] if c["method"] == "WEBSOCKET"], 20, "the note")
    assert noted[0]["address"] == "::1"


def test_limits_count_networks_of_64_bits(six):
    name = unique("net")
    assert six.http("PUT", f"/api/rate-limits/{name}", {"routes": ["GET /docs"], "by": "address", "rate_per_s": 0.001, "burst": 2}).status == 200
    try:
        got = [ask(six, forwarded(a))[0] for a in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3", "2001:db8:1:3::1")]
        assert got == [200, 200, 429, 200]
        # An IPv4 address in IPv6's form is that address.
        assert [ask(six, forwarded(a))[0] for a in ("::ffff:198.51.100.1", "198.51.100.1", "::ffff:198.51.100.1", "::ffff:198.51.100.2")] == [200, 200, 429, 200]
        # ::1 itself, whatever is wrong with what it sends.
        assert [ask(six)[0] for _ in range(3)] == [200, 200, 429]
    finally:
        assert six.http("DELETE", f"/api/rate-limits/{name}").status == 204


def test_bad_heads_count_by_network(six):
    name = unique("bad")
    put = {"routes": ["*"], "by": "address", "rate_per_s": 0.001, "burst": 2}
    assert six.http("PUT", f"/api/rate-limits/{name}", put).status == 200
    try:
        assert [ask(six, b"nonsense\r\n\r\n")[0] for _ in range(3)] == [400, 400, 429]
        bad = b"GET /%zz/x HTTP/1.1\r\nHost: x y\r\nX-Forwarded-For: 2001:db8:9::1\r\n\r\n"
        assert [ask(six, bad)[0] for _ in range(3)] == [400, 400, 429], "by the client that a trusted proxy names"
    finally:
        assert six.http("DELETE", f"/api/rate-limits/{name}").status == 204


def test_bans_of_addresses_and_networks(six):
    assert ban(six, "address", "2001:db8:5:6::7")["value"] == "2001:db8:5:6::"
    ban(six, "network", "2001:db8:77::-48")
    try:
        wait_until(lambda: ask(six, forwarded("2001:db8:5:6::99"))[0] == 403, IN_FORCE_S, "the ban of the address")
        wait_until(lambda: ask(six, forwarded("2001:db8:77:1::1"))[0] == 403, IN_FORCE_S, "the ban of the network")
        assert ask(six, forwarded("2001:db8:5:7::7"))[0] == ask(six, forwarded("2001:db8:78::1"))[0] == 200
    finally:
        unban(six, "address", "2001:db8:5:6::7")
        unban(six, "network", "2001:db8:77::-48")


def test_the_address_of_the_connection_is_banned(short_tmp):
    """Without a proxy, on connections and sockets that are open, too; the command line still works."""
    server = Server6(short_tmp / unique("own6"), {"SKIRMISH_HTTP_TRUSTED_PROXIES": "", "SKIRMISH_HTTP_CONNECTIONS_PER_ADDRESS": "6"}).start()
    tool = ("ban", "--data-dir", str(server.data_dir))
    try:
        with RawClient6(server) as peer, RawClient6(server) as ws:
            assert peer.send(DOCS).response()[0] == 200
            assert ws.send(handshake()).response()[0] == 101
            server.run(*tool, "add", "address", "::1", "--reason", "flood")
            wait_until(lambda: ask(server)[0] == 403, IN_FORCE_S, "the ban")
            status, _, body = peer.send(DOCS).response()
            assert status == 403 and json.loads(body)["code"] == "banned"
            assert ws.close_code() == 3503
        server.run(*tool, "remove", "address", "::1")
        wait_until(lambda: ask(server)[0] == 200, IN_FORCE_S + 5, "the end of the ban")
        held = [RawClient6(server).send(DOCS) for _ in range(6)]
        assert [c.response()[0] for c in held] == [200] * 6
        with RawClient6(server) as one_more:
            assert one_more.read_to_end() == b""
        for c in held:
            c.socket.close()
    finally:
        server.stop()


def test_a_proxy_header_names_an_ipv6_client(short_tmp):
    env = {"SKIRMISH_HTTP_PROXY_PROTOCOL": "true", "SKIRMISH_HTTP_TRUSTED_PROXIES": "::1", "SKIRMISH_HTTP_HEADER_TIMEOUT": "1s",
           "SKIRMISH_SERVER_THREADS": "1"}
    server = Server6(short_tmp / unique("pp6"), env).start()
    try:
        server.run("ban", "--data-dir", str(server.data_dir), "add", "address", "2001:db8:7:7::1", "--reason", "x")
        wait_until(lambda: ask(server, header=v2("2001:db8:7:7:1::2"))[0] == 403, IN_FORCE_S + 5, "the ban of its network")
        assert ask(server, header=v2("2001:db8:7:8::1"))[0] == 200
        assert ask(server, header=v2("198.51.100.8"))[0] == 200, "an IPv4 client behind a proxy that has IPv6"
        with RawClient6(server) as peer:
            assert peer.send(DOCS).read_to_end() == b"", "the proxy sends a header"
    finally:
        server.stop()
