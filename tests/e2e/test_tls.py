"""The listener that speaks TLS: https and wss, the renewal of its certificate, and peers that speak something else."""

import asyncio
import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from conftest import Server, unique, wait_until


def make_certificate(folder, name):
    """A certificate for localhost that signs itself, renamed into place."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem"), "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    (folder / "new.key").rename(folder / "key.pem")
    (folder / "new.pem").rename(folder / "cert.pem")


def settings(folder):
    return {"SKIRMISH_HTTP_TLS_LISTEN": "127.0.0.1:0", "SKIRMISH_HTTP_TLS_CERTIFICATE_FILE": str(folder / "cert.pem"),
            "SKIRMISH_HTTP_TLS_KEY_FILE": str(folder / "key.pem"), "SKIRMISH_HTTP_HEADER_TIMEOUT": "2s"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "first")
    return folder


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("own"), settings(folder)).start()
    s.tls_port = int(re.search(r"listening_tls address=127\.0\.0\.1:(\d+)", s.log_text())[1])
    yield s
    s.stop()


def client_context(folder, **more):
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    for name, value in more.items():
        setattr(context, name, value)
    return context


def https(server, folder):
    return http.client.HTTPSConnection("localhost", server.tls_port, timeout=20, context=client_context(folder))


def common_name(sock):
    return dict(part[0] for part in sock.getpeercert()["subject"])["commonName"]


def test_requests_are_answered_on_one_connection(server, folder):
    connection = https(server, folder)
    for path in ("/healthz", "/server/status", "/openapi.json", "/api/levels"):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 503) and body, path
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    # A body larger than what TLS and the session read at once.
    connection.request("POST", "/api/players", json.dumps({"name": "x" * 100_000}),
                       {"X-API-Key": server.key, "Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 400 and answer.read()
    assert "Strict-Transport-Security" not in server.http("GET", "/healthz").headers


def test_many_pipelined_requests_and_a_closed_connection(server, folder):
    with client_context(folder).wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port), 20),
                                            server_hostname="localhost") as s:
        one = b"GET /api/levels HTTP/1.1\r\nHost: localhost\r\n\r\n"
        s.sendall(one * 200 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = b""
        while piece := s.recv(65536):
            got += piece
        assert got.count(b"HTTP/1.1 200 OK\r\n") == 201  # and the end was said: no SSLEOFError


def test_a_websocket(server, folder):
    async def run():
        async with server.ws(url=f"https://localhost:{server.tls_port}", ssl=client_context(folder)) as ws:
            await ws.send(json.dumps({"subscribe": {"channel": "general"}, "cid": "1"}))
            assert "subscribed" in await asyncio.wait_for(ws.recv(), 20)
            # Larger than a record of TLS, so that a part of it waits decrypted.
            await ws.send(json.dumps({"cid": "2", "unknown": "x" * 60_000}))
            while "error" not in (answer := json.loads(await asyncio.wait_for(ws.recv(), 20))):
                pass  # what others say on the channel
            assert answer["cid"] == "2"
            await asyncio.wait_for(await ws.ping(), 20)

    asyncio.run(run())


def test_old_versions_and_other_protocols_are_refused(server, folder):
    old = client_context(folder)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    other = client_context(folder)
    other.set_alpn_protocols(["h2"])
    for context in (old, other):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port), 20), server_hostname="localhost")
    both = client_context(folder)
    both.set_alpn_protocols(["h2", "http/1.1"])
    with both.wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port), 20), server_hostname="localhost") as s:
        assert s.selected_alpn_protocol() == "http/1.1" and s.version() in ("TLSv1.2", "TLSv1.3")
    with socket.create_connection(("127.0.0.1", server.tls_port), 20) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.recv(1000)


def test_silence_ends_after_the_time_for_a_header(server, folder):
    silent = [socket.create_connection(("127.0.0.1", server.tls_port), 20) for _ in range(200)]
    half = silent[100:]
    for s in half:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a client's hello
    start = time.monotonic()
    for s in silent:
        s.settimeout(20)
        try:
            assert s.recv(100) == b""
        except ConnectionError:
            pass
    assert time.monotonic() - start < 15
    for s in silent:
        s.close()


def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(server, folder):
    old = https(server, folder)
    old.request("GET", "/healthz")
    old.getresponse().read()
    assert common_name(old.sock) == "first"

    (folder / "cert.pem").write_text("no certificate")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "certificate_not_read" in server.log_text())

    make_certificate(folder, "second")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "certificate_read" in server.log_text())
    fresh = https(server, folder)
    fresh.request("GET", "/healthz")
    assert fresh.getresponse().read() and common_name(fresh.sock) == "second"

    # Without a signal too.
    make_certificate(folder, "third")
    wait_until(lambda: server.log_text().count("certificate_read") >= 2, 30)
    fresh = https(server, folder)
    fresh.request("GET", "/healthz")
    assert fresh.getresponse().read() and common_name(fresh.sock) == "third"
    # What was open goes on.
    old.request("GET", "/healthz")
    assert old.getresponse().status == 200


def test_what_cannot_be_used_stops_the_start(folder, short_tmp, tmp_path):
    (tmp_path / "other.pem").write_text("no key")
    for change, said in (({"SKIRMISH_HTTP_TLS_KEY_FILE": str(tmp_path / "other.pem")}, "other.pem"),
                         ({"SKIRMISH_HTTP_TLS_CERTIFICATE_FILE": ""}, "http.tls_certificate"),
                         ({"SKIRMISH_HTTP_TLS_LISTEN": "here"}, "an address to listen on")):
        s = Server(short_tmp / unique("own"), {**settings(folder), **change})
        s.start(wait=False)
        assert s.process.wait(30) != 0
        assert said in s.log_text()


def test_it_does_not_listen_beyond_this_machine_without_a_key(folder, short_tmp):
    s = Server(short_tmp / unique("own"), {**settings(folder), "SKIRMISH_HTTP_TLS_LISTEN": "0.0.0.0:0"})
    s.start(wait=False)
    assert s.process.wait(30) != 0
    assert "refusing to listen on 0.0.0.0:0" in s.log_text()
