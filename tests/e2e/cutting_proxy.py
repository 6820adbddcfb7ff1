"""A TCP proxy that cuts connections: on demand, or in the middle of what is sent."""

import contextlib
import random
import socket
import struct
import threading

# close() sends a reset, and whatever has not left yet is lost.
ABORT = struct.pack("ii", 1, 0)


class CuttingProxy:
    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.cut_count = 0
        self.lock = threading.Lock()
        self.connections = []
        self.planned = []  # (marker, bytes): one cut each
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def plan(self, count, marker, low=500, high=12_000, seed=1):
        """The next `count` connections whose request contains `marker` are cut after so many bytes of the client."""
        sizes = random.Random(seed)
        self.planned = [(marker, sizes.randint(low, high)) for _ in range(count)]

    def cut(self):
        """Cuts all connections that are open."""
        with self.lock:
            connections, self.connections = self.connections, []
        for pair in connections:
            self.abort(pair)
        return len(connections)

    def close(self):
        self.listener.close()
        self.cut()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream_port))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self.lock:
                self.connections.append(pair)
            threading.Thread(target=self.pump, args=(pair, client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(pair, server, client, False), daemon=True).start()

    def pump(self, pair, source, target, is_upward):
        left = None  # bytes until the cut
        with contextlib.suppress(OSError):
            while chunk := source.recv(4_096):
                if is_upward and left is None and self.planned and self.planned[0][0] in chunk:
                    # The request itself passes whole.
                    left = len(chunk) + self.planned.pop(0)[1]
                if left is not None and len(chunk) >= left:
                    target.sendall(chunk[:left])
                    self.cut_count += 1
                    break
                left = None if left is None else left - len(chunk)
                target.sendall(chunk)
        self.abort(pair)

    @staticmethod
    def abort(pair):
        for end in pair:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
