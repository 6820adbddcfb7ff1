"""The PROXY protocol in front of plain and TLS connections: who a client is when a proxy says so, and bad headers."""

import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest
from conftest import Server, free_port, unique, wait_until
from raw_client import RawClient
from test_tls import client_context, make_certificate, settings

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
WHO = b"GET /docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def v2(source, command=0x21, family=None, tail=b""):
    is_v6 = ":" in source
    packed = [socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, a) for a in (source, "::1" if is_v6 else "10.0.0.1")]
    rest = b"".join(packed) + struct.pack("!HH", 4000, 443) + tail
    return SIGNATURE + struct.pack("!BBH", command, family if family is not None else 0x21 if is_v6 else 0x11, len(rest)) + rest


def v1(source):
    return f"PROXY TCP{6 if ':' in source else 4} {source} {'::1' if ':' in source else '10.0.0.1'} 4000 443\r\n".encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxied-tls")
    make_certificate(folder, "proxied")
    return folder


@pytest.fixture(scope="module")
def proxied(short_tmp, folder):
    """A server that trusts 127.0.0.1 to send headers. Bans tell whom it takes somebody for."""
    env = {**settings(folder), "SKIRMISH_HTTP_PROXY_PROTOCOL": "true", "SKIRMISH_HTTP_TRUSTED_PROXIES": "127.0.0.1",
           "SKIRMISH_HTTP_HEADER_TIMEOUT": "1s", "SKIRMISH_SERVER_THREADS": "1", "SKIRMISH_HTTP_CONNECTIONS_PER_ADDRESS": "3"}
    s = Server(short_tmp / unique("proxied"), env).start()
    s.tls_port = int(re.search(r"listening_tls address=127\.0\.0\.1:(\d+)", s.log_text())[1])
    for kind, value in (("address", "198.51.100.7"), ("network", "2001:db8:7::-48"), ("address", "127.0.0.1")):
        s.run("ban", "--data-dir", str(s.data_dir), "add", kind, value, "--reason", "x")
    time.sleep(1)  # in force within a second, each of them
    yield s
    s.stop()


def ask(server, header, request=WHO, source=None):
    with RawClient(server, source=source) as peer:
        return peer.send(header + request).response()[0]


@pytest.mark.parametrize("make", [v1, v2])
def test_the_header_says_who_the_client_is(proxied, make):
    assert ask(proxied, make("198.51.100.7")) == 403
    assert ask(proxied, make("198.51.100.8")) == 200
    assert ask(proxied, make("2001:db8:7::5")) == 403
    assert ask(proxied, make("2001:db8:8::5")) == 200


def test_tlvs_are_skipped_and_local_is_the_proxy_itself(proxied):
    assert ask(proxied, v2("198.51.100.7", tail=b"\x04\0\x03abc" + b"\x20\x03\xe8" + bytes(1000))) == 403
    assert ask(proxied, v2("198.51.100.8", tail=b"\x04\0\x03abc")) == 200
    # The proxy's own address holds then: 127.0.0.1, which is banned here.
    for header in (v2("198.51.100.8", command=0x20), SIGNATURE + b"\x20\0\0\0", SIGNATURE + b"\x21\0\0\0", b"PROXY UNKNOWN\r\n"):
        assert ask(proxied, header) == 403, header


def test_a_header_may_come_in_pieces_and_a_websocket_behind_it(proxied):
    for header in (v1("198.51.100.8"), v2("198.51.100.8")):
        with RawClient(proxied) as peer:
            for byte in header:
                peer.send(bytes([byte]))
            assert peer.send(WHO).response()[0] == 200
        with RawClient(proxied) as peer:
            peer.send(header)
            peer.open_websocket()


def test_forwarded_fields_count_only_of_trusted_proxies(proxied):
    request = WHO.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")
    assert ask(proxied, v2("198.51.100.8"), request) == 200, "the client of the proxy may not speak for others"
    assert ask(proxied, v2("127.0.0.1"), request) == 403


def test_others_send_none_and_cannot(proxied):
    assert ask(proxied, b"", source="127.0.0.2") == 200
    for header in (v1("198.51.100.8"), v2("198.51.100.8")):
        assert ask(proxied, header, source="127.0.0.2") == 400


@pytest.mark.parametrize("sent", [
    b"", WHO, SIGNATURE[:-1] + b"x", v2("198.51.100.8", command=0x11), v2("198.51.100.8", command=0x2f), v2("198.51.100.8", family=0x21),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(70_000), b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200, b"PROXY TCP4 198.51.100.8",
    v2("198.51.100.8")[:-1], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)],
    ids=[str(n) for n in range(12)])
def test_bad_and_missing_headers_end_the_connection(proxied, sent):
    """Without a word, within the time for a header."""
    start = time.monotonic()
    with RawClient(proxied) as peer:
        try:
            peer.send(sent)
        except ConnectionError:
            pass
        assert peer.read_to_end() == b""
    assert time.monotonic() - start < 3
    assert ask(proxied, v2("198.51.100.8")) == 200


def test_connections_are_counted_by_client(proxied):
    held = [RawClient(proxied).send(v2("203.0.113.1") + WHO.replace(b"close", b"keep-alive")) for _ in range(3)]
    try:
        assert [peer.response()[0] for peer in held] == [200] * 3
        with RawClient(proxied) as one_more:
            assert one_more.send(v2("203.0.113.1")).read_to_end() == b""
        assert ask(proxied, v2("203.0.113.2")) == 200
    finally:
        for peer in held:
            peer.socket.close()

    def has_place():
        with RawClient(proxied) as peer:
            peer.send(v2("203.0.113.1") + WHO)
            return bool(peer.read_to_end())
    wait_until(has_place, 5, "a place")


def test_it_stands_in_front_of_tls(proxied, folder):
    for header, wanted in ((v1("198.51.100.7"), 403), (v2("198.51.100.7"), 403), (v1("198.51.100.8"), 200), (v2("198.51.100.8"), 200)):
        with socket.create_connection(("localhost", proxied.tls_port), 10) as plain:
            plain.sendall(header)
            with client_context(folder).wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(WHO)
                assert int(tls.recv(1000).split()[1]) == wanted
    with socket.create_connection(("localhost", proxied.tls_port), 10) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        client_context(folder).wrap_socket(plain, server_hostname="localhost")


# ---- nginx ----------------------------------------------------------------------------------------------------------

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
STREAM_MODULE = pathlib.Path(os.environ.get("NGINX_STREAM_MODULE", "/usr/lib/nginx/modules/ngx_stream_module.so"))


def test_with_nginx_in_front(proxied, short_tmp):
    if not NGINX or not STREAM_MODULE.exists():
        pytest.skip("skipped: nginx has no stream module (apt install nginx-light libnginx-mod-stream)")
    port = free_port()
    conf = short_tmp / f"{unique('stream')}.conf"
    conf.write_text(f"load_module {STREAM_MODULE};\ndaemon off;\nerror_log stderr;\npid {conf}.pid;\nevents {{}}\n"
                    f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {proxied.listen}; proxy_protocol on; }} }}\n")
    nginx = subprocess.Popen([NGINX, "-c", str(conf), "-p", str(short_tmp)], stderr=subprocess.PIPE)

    def through_nginx(source):
        try:
            with socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)) as s:
                s.sendall(WHO)
                return int((s.recv(1000).split() or [0, 0])[1])
        except ConnectionError:
            return 0
    try:
        wait_until(lambda: nginx.poll() is not None or through_nginx("127.0.0.3") == 200, 10, "nginx")
        proxied.run("ban", "--data-dir", str(proxied.data_dir), "add", "address", "127.0.0.4", "--reason", "x")
        wait_until(lambda: through_nginx("127.0.0.4") == 403, 2, "the ban of the client behind nginx")
        assert through_nginx("127.0.0.3") == 200
    finally:
        nginx.terminate()
        nginx.wait(10)
