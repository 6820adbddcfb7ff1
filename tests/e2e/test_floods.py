"""Peers that misbehave, each in short: none takes the server down, its memory, or its time for others."""

import json
import math
import multiprocessing
import os
import resource
import threading
import time
import typing

import pytest
from conftest import Server, unique, wait_until
from raw_client import CLOSE, PING, TEXT, RawClient, frame, handshake, metric, resident_mb, trickle

MADE_UP_KEY = "sk_" + "0" * 12 + "_" + "0" * 64
# Without its quarantine, AddressSanitizer's memory follows the program's.
SMALL_ASAN = {"ASAN_OPTIONS": "quarantine_size_mb=1:" + os.environ.get("ASAN_OPTIONS", "")}


@pytest.fixture(scope="module")
def impatient(short_tmp):
    """A server that waits a second for heads, bodies and messages, with a small budget for buffers."""
    env = {"SKIRMISH_HTTP_HEADER_TIMEOUT": "1s", "SKIRMISH_HTTP_BODY_TIMEOUT": "1s",
           "SKIRMISH_HTTP_BUFFER_BUDGET": "8MiB", "SKIRMISH_HTTP_WEBSOCKET_QUEUE_LIMIT": "64MiB",
           "SKIRMISH_HTTP_ALLOWED_ORIGINS": "https://console.example", **SMALL_ASAN}
    s = Server(short_tmp / unique("impatient"), env).start()
    yield s
    s.stop()


def post(path, key=None, length=None, body=b"", more=""):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    if key:
        lines.append(f"X-API-Key: {key}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + f"\r\n{more}\r\n").encode() + body


def test_a_key_check_that_fails_is_a_503(short_tmp):
    """SQL is away from the start: whoever shows a key learns that, and the server lives."""
    s = Server(short_tmp / unique("own"), {"DB_HOST": "127.0.0.1", "DB_PORT": "1", "DB_USER": "x"}).start(wait=False)
    s.url = f"http://{s.listen}"

    def answers():
        try:
            return s.http("GET", "/healthz", key=None).status == 200
        except OSError:
            return False
    try:
        wait_until(answers, 60, "the first answer")
        for _ in range(3):
            peers = [RawClient(s, 40).send(handshake(key=MADE_UP_KEY)) for _ in range(10)]
            for peer in peers:
                status, headers, body = peer.response()
                assert status == 503, body
                assert headers["content-type"] == "application/problem+json" and headers["retry-after"]
                assert json.loads(body)["code"] == "unavailable"
        assert s.http("GET", "/api/players/x", key=MADE_UP_KEY).status == 503
        # The sweep looks at every session twice a second; all of those are gone.
        wait_until(lambda: metric(s, "skirmish_http_connections") <= 2, 10, "the end of the connections")
        assert s.process.poll() is None
    finally:
        s.process.kill()
        s.process.wait(20)


def test_closed_connections_are_noticed(impatient):
    for i in range(500):
        path = ("/server/status", "/healthz", "/nothing")[i % 3]
        with RawClient(impatient) as peer:
            peer.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            peer.response()
    wait_until(lambda: metric(impatient, "skirmish_http_connections") <= 2, 5, "the end of 500 connections")
    port = f":{int(impatient.listen.split(':')[1]):04X}"

    def half_closed():
        with open("/proc/net/tcp") as table:  # state 08: CLOSE_WAIT
            return [line for line in table if line.split()[1].endswith(port) and line.split()[3] == "08"]
    wait_until(lambda: not half_closed(), 5, "the end of connections that the peer has closed")


def test_pings_without_reading_take_no_memory(impatient):
    with RawClient(impatient, receive_buffer=4096).open_websocket() as peer:
        before = resident_mb(impatient)
        pings = frame(PING, b"x" * 125) * 8192
        for _ in range(40):  # 43 MB
            peer.send(pings)
        peer.send(frame(PING, b"the newest"))
        assert resident_mb(impatient) - before < 20
        while True:
            op, payload = peer.frame()
            if payload == b"the newest":
                break


def test_who_never_reads_is_closed(impatient):
    with RawClient(impatient, receive_buffer=4096).open_websocket() as peer:
        wrong = frame(TEXT, json.dumps({"cid": "x" * 64, "nothing": 1}).encode()) * 500
        end = time.monotonic() + 30
        with pytest.raises((ConnectionError, TimeoutError)):
            while time.monotonic() < end:
                peer.send(wrong + frame(PING))
    wait_until(lambda: metric(impatient, "skirmish_http_buffer_bytes") == 0, 10, "the return of the buffers")


def test_who_stalls_in_the_middle_is_told_why(impatient):
    closed = metric(impatient, "skirmish_connections_closed_slow_total")
    with RawClient(impatient, receive_buffer=1 << 19).open_websocket() as peer:
        wrong = frame(TEXT, json.dumps({"cid": "x" * 64, "nothing": 1}).encode()) * 500

        def held():
            return metric(impatient, "skirmish_http_buffer_bytes")

        def is_stuck():
            peer.send(wrong)
            return held() > 500_000
        wait_until(is_stuck, 60, "a full socket")
        peer.send(wrong * 2)
        peak = max(held() for _ in range(20))
        wait_until(lambda: held() < peak - 100_000, 10, "the drop of what waits")
        assert peer.close_code() == 3008
    assert metric(impatient, "skirmish_connections_closed_slow_total") == closed + 1


def test_the_head_decides_before_the_body(impatient):
    big = 4 << 20
    for request, expected in (
            (post("/api/interactions", None, big), 401),
            (post("/api/interactions", "nonsense", big), 401),
            (post("/api/nothing", None, big), 404),
            (post("/healthz", None, big), 405),
            (post("/api/players/a%20b/inventory", impatient.key, big), 400),
            (post("/api/interactions", impatient.key, 5 << 20), 413),
            (post("/api/status/refresh", impatient.key, big), 413),
            (post("/server/status", None, big).replace(b"POST", b"GET"), 413),
            (post("/healthz", None, None, b"5000\r\n", "Transfer-Encoding: chunked\r\n").replace(b"POST", b"GET"), 413)):
        with RawClient(impatient) as peer:
            status, headers, _ = peer.send(request).response()
            assert status == expected, request
            assert headers["connection"] == "close"
    with RawClient(impatient) as peer:  # a head alone is asked for its body only when that is welcome
        status, _, _ = peer.send(post("/api/interactions", None, big, b"", "Expect: 100-continue\r\n")).response()
        assert status == 401


def test_a_refusal_keeps_the_connection_when_the_request_is_whole(impatient):
    with RawClient(impatient) as peer:
        for _ in range(3):
            status, headers, _ = peer.send(b"GET /api/players/x HTTP/1.1\r\nHost: a\r\n\r\n").response()
            assert status == 401 and "connection" not in headers


def test_trickles_end(impatient):
    with RawClient(impatient) as peer:
        assert trickle(peer, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000) < 5
    with RawClient(impatient) as peer:
        peer.send(post("/api/interactions", impatient.key, 1000))
        assert trickle(peer, b" " * 1000) < 5
    with RawClient(impatient) as peer:
        peer.open_websocket()
        trickle(peer, frame(TEXT, b" " * 1000))
        assert peer.close_code() == 3008
    with RawClient(impatient) as peer:  # a message that is never finished, with signs of life between
        peer.open_websocket().send(frame(TEXT, b"{", final=False))
        trickle(peer, frame(PING) * 100, pause=0.05)
        assert peer.close_code() == 3008


def test_signs_of_life_in_pieces_are_no_trickle(impatient):
    with RawClient(impatient) as peer:
        peer.open_websocket()
        data = frame(PING, b"hello")
        for _ in range(6):
            peer.send(data[:3])
            time.sleep(0.3)
            peer.send(data[3:])
            assert peer.frame() == (10, b"hello")


def test_unknown_callers_send_small_messages(impatient):
    for payload, key, code in ((b" " * 20_000, None, 1009), (b" " * 20_000, impatient.key, None)):
        with RawClient(impatient) as peer:
            peer.open_websocket(key).send(frame(TEXT, payload))
            if code:
                assert peer.close_code() == code
            else:
                assert "error" in json.loads(peer.frame()[1])
    with RawClient(impatient) as peer:
        peer.open_websocket().send(frame(TEXT, b" " * 9_000, final=False) + frame(0, b" " * 9_000))
        assert peer.close_code() == 1009


def test_one_budget_for_all_buffers(impatient):
    """Unfinished bodies of callers with a key: over the budget they are refused, and small requests are not."""
    peers = []
    refused = 0
    while not refused:
        assert len(peers) < 20
        peer = RawClient(impatient)
        peers.append(peer.send(post("/api/interactions", impatient.key, 3 << 20, b" " * (2 << 20))))
        for p in peers:
            p.socket.settimeout(0.05)
            try:
                status, headers, body = p.response()
            except (TimeoutError, AssertionError):
                continue
            assert status == 503 and headers["retry-after"] and json.loads(body)["code"] == "unavailable"
            refused += 1
        assert impatient.http("GET", "/healthz", key=None).status == 200
    for peer in peers:
        peer.socket.close()
    wait_until(lambda: metric(impatient, "skirmish_http_buffer_bytes") == 0, 10, "the return of the buffers")


def test_unfinished_heads_are_within_the_budget(short_tmp):
    """Of callers who are unknown, so half of the budget is theirs."""
    s = Server(short_tmp / unique("heads"), {"SKIRMISH_HTTP_BUFFER_BUDGET": "4MiB", **SMALL_ASAN}).start()
    peers, refused = [], 0
    try:
        for _ in range(200):
            head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(12))
            peers.append(RawClient(s).send(head))
        for peer in peers:
            peer.socket.settimeout(0.01)
            try:
                refused += peer.response()[0] == 503
            except (TimeoutError, AssertionError):
                pass
        assert 50 < refused < 190
        assert 0 < metric(s, "skirmish_http_buffer_bytes") <= 2 << 20
        assert s.http("GET", "/healthz", key=None).status == 200
        for peer in peers:
            peer.socket.close()
        wait_until(lambda: metric(s, "skirmish_http_buffer_bytes") == 0, 10, "the return of the buffers")
    finally:
        s.stop()


def test_answers_that_nobody_reads(impatient):
    """Pipelined requests for large answers, never read: the budget bounds what waits, and then they are gone."""
    one = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    peers = [RawClient(impatient, receive_buffer=4096).send(one * 400) for _ in range(20)]
    assert resident_mb(impatient) < 600
    assert impatient.http("GET", "/healthz", key=None).status == 200
    wait_until(lambda: metric(impatient, "skirmish_http_connections") <= 2, 60, "the end of who never reads")
    for peer in peers:
        peer.socket.close()


@pytest.mark.parametrize("changed, expected", [
    ({}, 101), ({"Upgrade": "WebSocket, x"}, 101), ({"Connection": "keep-alive, Upgrade"}, 101),
    ({"Origin": "https://evil.example"}, 101),  # without a key: public anyway
    ({"Upgrade": "websocketx"}, 426), ({"Upgrade": None}, 426), ({"Connection": "close"}, 400), ({"Connection": None}, 400),
    ({"Sec_WebSocket_Version": "8"}, 426), ({"Sec_WebSocket_Version": None}, 426),
    ({"Sec_WebSocket_Key": None}, 400), ({"Sec_WebSocket_Key": "c2hvcnQ="}, 400),
    ({"Sec_WebSocket_Key": "not*base64*at*all*no!=="}, 400), ({"version": "HTTP/1.0"}, 400), ({"method": "POST"}, 405),
    ({"Content_Length": "5"}, 400), ({"path": "/api/ws?x=%FF"}, 400), ({"path": "/api/wsx"}, 404),
])
def test_handshakes(impatient, changed, expected):
    with RawClient(impatient) as peer:
        status, headers, _ = peer.send(handshake(**changed)).response()
        assert status == expected
        if status == 426:
            assert headers["upgrade"] == "websocket"


def test_pages_of_other_sites_may_not_use_a_key(impatient):
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:81", 403),
                           ("http://localhost", 101), ("https://console.example", 101)):
        with RawClient(impatient) as peer:
            assert peer.send(handshake(key=impatient.key, Origin=origin)).response()[0] == status, origin
        read = impatient.http("GET", "/api/players/nobody", headers={"Origin": origin, "Host": "localhost"})
        assert read.status == (403 if status == 403 else 404), origin


@pytest.mark.parametrize("sent, code", [
    (frame(TEXT, b'{"a":"\xff"}'), 1007), (frame(TEXT, b'{"\xc3', False) + frame(0, b'\xa9\xa9":1}'), 1007),
    (frame(CLOSE, b"\x03\xe8\xff"), 1007), (frame(CLOSE, b"\x03"), 1002), (frame(CLOSE, b"\x03\xed"), 1002),
    (frame(CLOSE, b"\x03\xe8bye"), 1000), (frame(CLOSE), 1005), (frame(CLOSE, b"\x0f\xa0"), 4000),
    (b"\xc1\x80\0\0\0\0", 1002), (b"\x81\x00", 1002), (b"\x81\xfe\x00\x01\0\0\0\0x", 1002), (frame(2, b"x"), 1003),
], ids=[str(number) for number in range(12)])
def test_close_codes(impatient, sent, code):
    with RawClient(impatient) as peer:
        assert peer.open_websocket().send(sent).close_code() == code


def test_an_answer_is_bounded(impatient):
    many = json.dumps({f"m{i}": 0 for i in range(300_000)}).encode()
    long = json.dumps({"x" * 1_000_000: 0}).encode()
    for body in (many, long, b"[" + b"{}," * 9_999 + b"{}]"):
        path = "/api/interactions" if body.startswith(b"[") else "/api/players"
        answer = impatient.http("POST", path, raw=body)
        assert answer.status == 400
        assert len(answer.body) < 16_000
        if body is not long:
            assert answer.json["errors"][-1]["message"].startswith("and ")


# ---- everything at once ----------------------------------------------------------------------------------------------

class Mix(typing.NamedTuple):
    seconds: int
    connections: int  # new ones, over that time
    slow_heads: int  # slowloris sockets, open at once
    slow_readers: int
    bad_requests_per_s: int


SHORT = Mix(4, 1_000, 100, 25, 2_500)
LONG = Mix(60, 20_000, 2_000, 500, 50_000)
GOOD_THREADS, GOOD_PER_S = 4, 200
TICK_S = 0.01


class Target(typing.NamedTuple):
    listen: str

    def open(self, source, **more):
        return RawClient(self, 2, source=source, **more)


def addresses(network, count=10):
    return [f"127.0.{network}.{n}" for n in range(1, count + 1)]


def new_connections(target, mix, stop, made):
    """Some ask for something, some send half of it, some nothing; all go again."""
    begun, sources = time.monotonic(), addresses(1, 50)
    kinds = [b"GET /server/status HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHo", b""]
    for n in range(mix.connections):
        if stop.is_set():
            return
        try:
            with target.open(sources[n % len(sources)]) as peer:
                peer.send(kinds[n % len(kinds)])
            made[0] += 1
        except OSError:
            pass
        time.sleep(max(0.0, begun + (n + 1) * mix.seconds / mix.connections - time.monotonic()))


def slow_heads(target, mix, stop, made):
    """Sockets that send a byte of a head per second, and come again when they are thrown out."""
    sources, peers = addresses(2, 20), []
    while not stop.is_set():
        while len(peers) < mix.slow_heads and not stop.is_set():
            try:
                peers.append(target.open(sources[len(peers) % len(sources)]).send(b"GET / HTTP/1.1\r\nHost: a\r\nX: "))
                made[0] = max(made[0], len(peers))
            except OSError:
                break
        for peer in list(peers):
            try:
                peer.send(b"x")
            except OSError:
                peer.socket.close()
                peers.remove(peer)
        stop.wait(1)


def slow_readers(target, mix, stop, made):
    """Sockets that ask for much, as HTTP and as WebSocket, and read a byte per second."""
    sources, peers = addresses(3), []
    while not stop.is_set():
        while len(peers) < mix.slow_readers and not stop.is_set():
            try:
                peer = target.open(sources[len(peers) % len(sources)], receive_buffer=4096)
                if len(peers) % 2:
                    peer.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
                else:
                    peer.open_websocket().send(frame(PING, b"x" * 125) * 512)
                peers.append(peer)
                made[0] = max(made[0], len(peers))
            except (OSError, AssertionError):
                break
        for peer in list(peers):
            try:
                if not peer.socket.recv(1):
                    raise ConnectionError
            except OSError:
                peer.socket.close()
                peers.remove(peer)
            if stop.is_set():
                return
        stop.wait(1)


def bad_requests(target, mix, stop, made):
    """Pipelined: unknown paths and methods, bad queries, missing and made-up credentials; and no HTTP at all."""
    lines = [b"GET /nonesuch HTTP/1.1", b"PATCH /healthz HTTP/1.1", b"GET /api/leaderboards/kills?limit=x HTTP/1.1",
             b"GET /api/interactions HTTP/1.1", b"GET /api/players/%00 HTTP/1.1", b"GET /api/leaderboards/kills?x=%FF HTTP/1.1",
             b"POST /api/sessions HTTP/1.1\r\nContent-Length: 2", b"GET /server/status?x=%zz HTTP/1.1"]
    bodies = [b"{}" if b"Content-Length" in line else b"" for line in lines]
    block = b"".join(line + b"\r\nHost: a\r\n\r\n" + body for line, body in zip(lines, bodies)) * 5
    size, peers, sources = len(lines) * 5, [], addresses(4, 8)
    begun, sent, turn = time.monotonic(), 0, 0
    while not stop.is_set():
        try:
            while len(peers) < len(sources):
                peers.append(target.open(sources[len(peers)]))
                peers[-1].socket.setblocking(False)
            peer = peers[turn % len(peers)]
            turn += 1
            if turn % 50 == 0:  # and one that does not even begin as HTTP does
                with target.open(sources[0]) as nonsense:
                    nonsense.send(os.urandom(200)).read_to_end()
            try:
                peer.socket.sendall(block)
                sent += size
                made[1] = sent
            except BlockingIOError:  # a part of it has left: the connection is of no use any more
                peer.socket.close()
                peers.remove(peer)
                continue
            for other in peers:
                try:
                    while chunk := other.socket.recv(1 << 18):
                        made[0] += chunk.count(b"HTTP/1.1 ")
                    raise ConnectionError
                except BlockingIOError:
                    pass
            ahead = sent / mix.bad_requests_per_s - (time.monotonic() - begun)
            if ahead > TICK_S:
                stop.wait(ahead)
        except OSError:
            for peer in peers:
                peer.socket.close()
            peers.clear()
            stop.wait(TICK_S)


def well_behaved(server, end, seen):
    """Fifty requests per second on connections of ten each, from an address of its own: rate limits hold the others back."""
    peer, n, begun = None, 0, time.monotonic()
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            if peer is None or n % 10 == 0:
                if peer:
                    peer.socket.close()
                peer = RawClient(server, 5, source="127.0.0.9")
            peer.send(b"GET /api/leaderboards/kills HTTP/1.1\r\nHost: a\r\n\r\n")
            is_good = peer.response()[0] == 200
        except (OSError, AssertionError):
            is_good, peer = False, None
        n += 1
        seen.append((time.monotonic() - start, is_good))
        time.sleep(max(0.0, begun + n * GOOD_THREADS / GOOD_PER_S - time.monotonic()))


def attacker(role, target, mix, stop, made):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))
    role(target, mix, stop, made)


@pytest.mark.parametrize("mix", [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)])
def test_all_floods_together(short_tmp, mix):
    """What a well-behaved client sees meanwhile. The bounds on time and memory are for the release build: with
    sanitizers the figures are printed, and only the client's success counts."""
    processes = multiprocessing.get_context("fork")
    s = Server(short_tmp / unique("flooded"), SMALL_ASAN).start()
    stop = processes.Event()
    roles = {role: processes.Array("q", 2) for role in  # what came about, what was sent
             (new_connections, slow_heads, slow_readers, bad_requests)}
    attackers = [processes.Process(target=attacker, args=(role, Target(s.listen), mix, stop, made), daemon=True)
                 for role, made in roles.items()]
    seen, peak_mb = [], 0.0
    try:
        for one in attackers:
            one.start()
        begun = time.monotonic()
        end = begun + mix.seconds
        clients = [threading.Thread(target=well_behaved, args=(s, end, seen), daemon=True) for _ in range(GOOD_THREADS)]
        for client in clients:
            client.start()
        while time.monotonic() < end:
            peak_mb = max(peak_mb, resident_mb(s))
            time.sleep(0.1)
        for client in clients:
            client.join(10)
        took = time.monotonic() - begun
        stop.set()
        for one in attackers:
            one.join(10)
        latencies = sorted(latency for latency, _ in seen)
        p99_ms = 1000 * latencies[math.floor(0.99 * len(latencies))]
        success = sum(is_good for _, is_good in seen) / len(seen)
        connections, heads, readers, bad = (made[0] for made in roles.values())
        offered = roles[bad_requests][1]
        print(f"\n{took:.0f} s: {connections} new connections, {heads} slow heads, {readers} slow readers, "
              f"{offered / took:.0f} bad requests/s sent, of which {bad / took:.0f}/s were answered before the sender was cut "
              f"off; a well-behaved client at {len(seen) / took:.0f} requests/s: "
              f"{100 * success:.2f} % answered, p99 {p99_ms:.1f} ms; server {peak_mb:.0f} MB at most")
        assert success >= 0.999
        # The attack took place.
        assert heads == mix.slow_heads and readers >= mix.slow_readers // 2 and bad > 0 and connections > mix.connections // 10
        if b"__asan_init" not in open(f"/proc/{s.process.pid}/exe", "rb").read(1 << 26):
            assert p99_ms <= 50
            assert peak_mb <= 256
        wait_until(lambda: metric(s, "skirmish_http_buffer_bytes") == 0, 60, "the return of the buffers")
    finally:
        stop.set()
        for one in attackers:
            if one.is_alive():
                one.kill()
        s.stop()
