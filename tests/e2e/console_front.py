"""Serves web/dist and keeps console sessions in front of a server that does not do that itself yet."""

import http.server
import json
import mimetypes
import secrets
import socket
import threading
import urllib.error
import urllib.request

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
          "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
          "require-trusted-types-for 'script'; trusted-types 'none'")


class ConsoleFront:
    """Below `prefix` of `url`: the pages, sessions, and everything else from the server."""

    def __init__(self, server, dist, prefix=""):
        self.backend = server.listen
        self.dist = dist
        self.prefix = prefix
        self.sessions = {}
        front = self

        class Handler(Request):
            site = front

        self.listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}{prefix}"
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()

    def role_of(self, key):
        """admin or viewer: both list the keys, and only one gets as far as a wrong body."""
        if self.ask("GET", "/api/keys", key).status != 200:
            return None
        return "viewer" if self.ask("POST", "/api/keys", key, b"{}").status == 403 else "admin"

    def ask(self, method, path, key=None, body=None, headers=()):
        request = urllib.request.Request(f"http://{self.backend}{path}", data=body, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers:
            request.add_header(name, value)
        if key:
            request.add_header("X-API-Key", key)
        try:
            return urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as e:
            return e


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def cookie(self):
        for part in (self.headers.get("Cookie") or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "skirmish_console":
                return self.site.sessions.get(value)
        return None

    def answer(self, status, body=b"", headers=(), content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, code):
        body = {"type": "about:blank", "title": code, "status": status, "detail": code, "code": code, "request_id": "front-1"}
        self.answer(status, json.dumps(body).encode(), content_type="application/problem+json")

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if not self.path.startswith(self.site.prefix):
            return self.problem(404, "not_found")
        self.path = self.path[len(self.site.prefix):] or "/"
        path = self.path.split("?")[0]
        files = {"/": "index.html", "/console": "console.html", "/widget.js": "widget.js"}
        if path in files or path.startswith("/assets/"):
            return self.file(files.get(path, path[1:]))
        if path == "/api/console/session":
            return self.session(body)
        if self.headers.get("Upgrade"):
            return self.tunnel()
        names = ("If-Match", "If-None-Match", "Idempotency-Key")
        session = self.cookie()
        try:
            reply = self.site.ask(self.command, self.path, session and session["key"], body,
                                  [(name, self.headers[name]) for name in names if self.headers.get(name)])
            kept = [(n, v) for n, v in reply.headers.items()
                    if n in ("ETag", "Retry-After", "X-Request-Id", "Access-Control-Allow-Origin")]
            return self.answer(reply.status, reply.read(), kept, reply.headers.get("Content-Type") or "")
        except BrokenPipeError:
            self.close_connection = True  # the page has gone
        except OSError:
            return self.problem(502, "unavailable")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = any

    def session(self, body):
        if self.command == "POST":
            key = json.loads(body)["key"]
            role = self.site.role_of(key)
            if role is None:
                return self.problem(401, "unauthenticated")
            token = secrets.token_hex(16)
            shown = {"role": role, "name": f"the {role}", "key_id": "0123456789ab", "expires_at": None}
            self.site.sessions[token] = {"key": key, "shown": shown}
            cookie = f"skirmish_console={token}; HttpOnly; SameSite=Strict; Path={self.site.prefix or '/'}"
            return self.answer(201, json.dumps(shown).encode(), [("Set-Cookie", cookie)])
        session = self.cookie()
        if self.command == "DELETE":
            return self.answer(204, headers=[("Set-Cookie", f"skirmish_console=; Max-Age=0; Path={self.site.prefix or '/'}")])
        return self.answer(200, json.dumps(session["shown"]).encode()) if session else self.problem(401, "unauthenticated")

    def file(self, name):
        path = self.site.dist / name
        if not path.is_file():
            return self.problem(404, "not_found")
        kind = f"{mimetypes.guess_type(name)[0]}; charset=utf-8"
        self.answer(200, path.read_bytes(), [("Content-Security-Policy", POLICY)], kind)

    def tunnel(self):
        host, port = self.site.backend.split(":")
        try:
            upstream = socket.create_connection((host, int(port)))
        except OSError:
            return self.problem(502, "unavailable")
        head = f"GET {self.path} HTTP/1.1\r\n"
        head += "".join(f"{n}: {v}\r\n" for n, v in self.headers.items() if n.lower() not in ("origin", "cookie"))
        session = self.cookie()
        if session:
            head += f"X-API-Key: {session['key']}\r\n"
        upstream.sendall((head + "\r\n").encode())
        threading.Thread(target=pump, args=(upstream, self.connection), daemon=True).start()
        pump(self.connection, upstream)
        self.close_connection = True


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
