"""Sockets that speak HTTP and WebSocket byte by byte, as no library would: for peers that misbehave."""

import base64
import os
import socket
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
NONCE = base64.b64encode(bytes(16)).decode()


class RawClient:
    def __init__(self, server, seconds=10, receive_buffer=None, source=None):
        host, port = server.listen.split(":")
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, int(port)))
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def read_some(self):
        """False at the end of the stream, or when the server has reset it."""
        try:
            chunk = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.received += chunk
        return bool(chunk)

    def read_to_end(self):
        chunks = [self.received]
        while True:
            self.received = b""
            if not self.read_some():
                break
            chunks.append(self.received)
        self.received = b"".join(chunks)
        return self.received

    def response(self):
        """One response with Content-Length: (status, {name: value}, body)."""
        while b"\r\n\r\n" not in self.received:
            assert self.read_some(), f"the connection ended after {self.received!r}"
        head, _, rest = self.received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        size = int(headers.get("content-length", 0))
        while len(rest) < size:
            assert self.read_some(), "the connection ended within a body"
            rest = self.received.partition(b"\r\n\r\n")[2]
        self.received = rest[size:]
        return int(lines[0].split()[1]), headers, rest[:size]

    def open_websocket(self, key=None, path="/api/ws", **more):
        status, headers, _ = self.send(handshake(path, key, **more)).response()
        assert status == 101, (status, headers)
        return self

    def frame(self):
        """The next frame of the server, (opcode, payload), or None at the end."""
        while True:
            got = parse_frame(self.received)
            if got:
                op, payload, size = got
                self.received = self.received[size:]
                return op, payload
            if not self.read_some():
                return None

    def close_code(self):
        """Reads to the end: with which code the server said goodbye; None when it just went."""
        rest = memoryview(self.read_to_end())
        while got := parse_frame(rest):
            op, payload, size = got
            if op == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if len(payload) else 1005
            rest = rest[size:]
        return None


def handshake(path="/api/ws", key=None, method="GET", version="HTTP/1.1", **changed):
    """The opening handshake; header fields (with _ for -) may be changed, or left out with None."""
    fields = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": NONCE, "X-API-Key": key,
              **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"{method} {path} {version}\r\n{''.join(lines)}\r\n".encode()


def frame(op, payload=b"", final=True):
    """A client's frame, masked."""
    mask = os.urandom(4)
    size = len(payload)
    length = (bytes([0x80 | size]) if size < 126 else
              b"\xfe" + struct.pack("!H", size) if size < 65536 else b"\xff" + struct.pack("!Q", size))
    masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return bytes([(0x80 if final else 0) | op]) + length + mask + masked


def parse_frame(data):
    if len(data) < 2:
        return None
    size, start = data[1] & 0x7F, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < 2 + width:
            return None
        size, start = int.from_bytes(data[2:2 + width], "big"), 2 + width
    if len(data) < start + size:
        return None
    return data[0] & 0x0F, data[start:start + size], start + size


def resident_mb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


def metric(server, name):
    """None while the server refuses to answer, because its buffers are full for example."""
    answer = server.http("GET", "/metrics", key=None)
    if answer.status == 503:
        return None
    return float(next(line for line in answer.body.decode().splitlines() if line.startswith(name + " ")).split()[1])


def trickle(client, data, pause=0.2, seconds=15):
    """Sends byte by byte until the server ends the connection; how long that took."""
    start = time.monotonic()
    client.socket.settimeout(pause)
    for byte in data:
        try:
            client.send(bytes([byte]))
            if not client.read_some():
                break
        except TimeoutError:
            pass
        except ConnectionError:
            break
        assert time.monotonic() - start < seconds, "the server keeps a connection that trickles"
    client.socket.settimeout(10)
    return time.monotonic() - start
