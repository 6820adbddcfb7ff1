"""Operator tools, documents and limits."""

import re
import socket
import time

from conftest import Server, unique, wait_until


def test_keys_are_created_listed_and_revoked(server):
    own = ["--data-dir", str(server.data_dir)]
    made = server.run("apikey", *own, "create", "--role", "server", "--label", "eu-1").stdout.strip()
    assert re.fullmatch(r"sk_[0-9a-f]{12}_[0-9a-f]{64}", made)
    key_id = made.split("_")[1]
    assert server.http("POST", "/api/players", {"name": "x"}, key=made).status == 201
    assert server.http("POST", "/api/levels", {"name": "x"}, key=made).status == 403
    listed = server.run("apikey", *own, "list").stdout
    assert key_id in listed and "eu-1" in listed and made.split("_")[2] not in listed

    def line():
        return next(x for x in server.run("apikey", *own, "list").stdout.splitlines() if key_id in x)

    assert "revoked" not in line()
    server.run("apikey", *own, "revoke", key_id)
    assert "revoked" in line()
    wait_until(lambda: server.http("POST", "/api/players", {"name": "x"}, key=made).status == 401, 15)
    assert server.run("apikey", *own, "revoke", "nonesuch", check=False).returncode == 2
    assert server.run("apikey", *own, "create", "--role", "god", check=False).returncode == 2


def test_no_secret_is_stored_in_clear(server):
    secret = server.key.split("_")[2]
    database = server.data_dir / "skirmish.db"
    if database.exists():
        assert secret.encode() not in database.read_bytes()
    assert (server.data_dir / "admin.key").stat().st_mode & 0o777 == 0o600
    assert secret not in server.log_text()


def test_check_masks_secrets_and_names_typos(short_tmp):
    server = Server(short_tmp / unique("check"))
    shown = server.run("check", env={"REDIS_URL": "redis://:hunter2@cache:7000/3", "DB_HOST": "db", "DB_PASSWORD": "s3cret"})
    assert "hunter2" not in shown.stdout and "s3cret" not in shown.stdout
    assert "cache:7000" in shown.stdout and "http.listen = 127.0.0.1:8090" in shown.stdout
    typo = server.run("check", "--set", "http.lisen=x", check=False)
    assert typo.returncode == 2 and "http.listen" in typo.stderr
    typo = server.run("check", check=False, env={"SKIRMISH_HTTP_LISEN": "x"})
    assert typo.returncode == 2 and "SKIRMISH_HTTP_LISTEN" in typo.stderr
    assert "environment: SKIRMISH_REDIS_URL, REDIS_URL" in server.run("check", "--list").stdout


def test_key_shows_any_key(server):
    player = server.new_player()
    args = ["--data-dir", str(server.data_dir)]
    shown = server.run("key", *args, f"player:{player}").stdout
    assert "type: hash" in shown and "hp = 100" in shown and "ttl: none" in shown
    assert server.run("key", *args, unique("absent"), check=False).returncode == 2


def test_documents(server):
    page = server.http("GET", "/docs", key=None)
    assert page.status == 200 and b"docs/docs.js" in page.body
    assert b"openapi.json" in server.http("GET", "/docs/docs.js", key=None).body
    document = server.http("GET", "/openapi.json", key=None).json
    assert document["openapi"] == "3.1.0" and "/api/players/{id}" in document["paths"]
    metrics = server.http("GET", "/metrics", key=None).body.decode()
    assert "skirmish_http_responses_total{status=\"2xx\"}" in metrics
    assert "skirmish_commit_duration_seconds_count" in metrics


def test_head_and_request_ids(server):
    answer = server.http("HEAD", "/healthz", key=None)
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Length"] == "3"
    ids = {server.http("GET", "/healthz").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_slow_headers_and_connection_limit(short_tmp):
    server = Server(short_tmp / unique("slow"), args=["--set", "http.header_timeout=3s", "--threads", "1",
                                                      "--set", "http.connection_limit=5"]).start()
    host, port = server.url.removeprefix("http://").split(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost")
        assert s.recv(100) == b"", "a header that never ends is cut off"
    assert 2.9 < time.monotonic() - started < 20
    open_ones = [socket.create_connection((host, int(port)), timeout=10) for _ in range(8)]
    refused = 0
    for s in open_ones:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            refused += s.recv(100) == b""
        except ConnectionError:
            refused += 1
    assert refused == 3
    for s in open_ones:
        s.close()
    server.stop()


def test_a_stop_lets_requests_end_and_tells_sockets(own_server):
    import asyncio

    async def session():
        import websockets
        async with own_server.ws() as socket_:
            stopping = asyncio.to_thread(own_server.stop)
            try:
                await asyncio.gather(stopping, socket_.recv())
                raise AssertionError("the socket got a message")
            except websockets.ConnectionClosed as e:
                assert e.rcvd.code == 3001

    asyncio.run(session())
