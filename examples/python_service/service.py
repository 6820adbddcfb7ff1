#!/usr/bin/env python3
"""A web service beside Skirmish: it caches users from SQL, and enqueues tasks through Celery and reads them back.

    SKIRMISH_KEY=sk_… REDIS_URL=redis://127.0.0.1:6379/0 examples/python_service/service.py --database data/skirmish.db

| route | what it does |
|---|---|
| GET /users/{id} | a player from SQL, by the cache that Skirmish's servers use: both read each other's entries |
| POST /jobs/{id}/assignment {"worker_id"} | sends the task process_assignment; GET /jobs/{id} shows what became of the job |
| POST /users/{id}/notifications {"text", "delay_s"} | sends the task send_notification, which Skirmish carries out after delay_s |
| GET /users/{id}/notifications, GET /tasks/{id} | what has arrived; the state and the result of a task |

README.md beside this file says what it needs. It listens on loopback and has no users of its own: put your login in front.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from celery import Celery

import skirmish

BODY_LIMIT_BYTES = 16 << 10
DELAY_LIMIT_S = 7 * 24 * 3600
ID = r"([A-Za-z0-9_.:-]{1,64})"


class BadInput(Exception):
    pass


class Service:
    def __init__(self, database: str, redis_url: str, broker_url: str, url: str, key: str) -> None:
        self.database = database
        self.users = skirmish.Cache(redis_url, skirmish.PROFILES)
        self.api = skirmish.Client(url, key=key)
        self.celery: Any = Celery("python_service", broker=broker_url, backend=broker_url)

    def load_user(self, player_id: str) -> dict[str, str] | None:
        """What the server stores for a player, field by field, because both read it."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5) as sql:
            row = sql.execute("SELECT name, email, level, created_at, version FROM players WHERE player_id = ?",
                              (player_id,)).fetchone()
        if row is None:
            return None
        name, email, level, created_ms, version = row
        created = datetime.fromtimestamp(created_ms / 1000, timezone.utc).isoformat(timespec="milliseconds")
        return {"name": name, "email": email or "", "level": str(level), "created_at": created.replace("+00:00", "Z"),
                "version": str(version)}

    def user(self, player_id: str) -> tuple[int, Any]:
        found = self.users.get_or_load(f"user:{player_id}", lambda: self.load_user(player_id))
        if found.value is None:
            return 404, {"detail": "there is no such user"}
        return 200, {"user_id": player_id, "name": found.fields["name"], "level": int(found.fields["level"]),
                     "cache": found.source}

    def assign(self, job_id: str, body: dict[str, Any]) -> tuple[int, Any]:
        worker_id = text_of(body, "worker_id")
        sent = self.celery.send_task("process_assignment", [job_id, worker_id], queue="skirmish")
        return 202, {"task_id": sent.id}

    def notify(self, player_id: str, body: dict[str, Any]) -> tuple[int, Any]:
        text, delay_s = text_of(body, "text"), body.get("delay_s", 0)
        if not isinstance(delay_s, (int, float)) or isinstance(delay_s, bool) or not 0 <= delay_s <= DELAY_LIMIT_S:
            raise BadInput(f"delay_s must be a number from 0 to {DELAY_LIMIT_S}")
        sent = self.celery.send_task("send_notification", [player_id, text], queue="skirmish", countdown=delay_s)
        return 202, {"task_id": sent.id}

    def task(self, task_id: str) -> tuple[int, Any]:
        found = self.celery.AsyncResult(task_id)
        state = found.state
        return 200, {"task_id": task_id, "state": state, "result": found.result if state == "SUCCESS" else None}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        routes: list[tuple[str, str, Callable[[str], tuple[int, Any]]]] = [
            ("GET", rf"/users/{ID}", lambda i: self.user(i)),
            ("GET", rf"/users/{ID}/notifications", lambda i: (200, self.api.notifications(i))),
            ("POST", rf"/users/{ID}/notifications", lambda i: self.notify(i, body)),
            ("GET", rf"/jobs/{ID}", lambda i: (200, self.api.job(i))),
            ("POST", rf"/jobs/{ID}/assignment", lambda i: self.assign(i, body)),
            ("GET", rf"/tasks/{ID}", lambda i: self.task(i)),
        ]
        for wanted, pattern, act in routes:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return act(match[1])
        return 404, {"detail": "there is no such route"}


def text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 2000:
        raise BadInput(f"{name} must be a text of 1 to 2,000 characters")
    return value


class Handler(BaseHTTPRequestHandler):
    service: Service
    timeout = 30

    def body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_LIMIT_BYTES:
            raise BadInput(f"a body has at most {BODY_LIMIT_BYTES} bytes")
        try:
            parsed = json.loads(self.rfile.read(int(length)))
        except ValueError:
            raise BadInput("the body is no JSON") from None
        if not isinstance(parsed, dict):
            raise BadInput("the body must be an object")
        return parsed

    def handle_any(self) -> None:
        try:
            body = self.body() if self.command == "POST" else {}
            status, told = self.service.answer(self.command, self.path.partition("?")[0], body)
        except BadInput as e:
            status, told = 400, {"detail": str(e)}
        except skirmish.Problem as e:
            status, told = e.status, {"detail": e.detail, "code": e.code}
        except (skirmish.SkirmishError, sqlite3.OperationalError) as e:
            status, told = 503, {"detail": str(e)}
        except Exception as e:  # the broker is away: kombu's and redis' exceptions have no common base
            status, told = 503, {"detail": type(e).__name__}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = handle_any  # the names that http.server wants

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:8095")
    parser.add_argument("--database", required=True, help="the SQLite file of Skirmish, which is only read")
    arguments = parser.parse_args()
    key = os.environ.get("SKIRMISH_KEY")
    if not key:
        sys.exit("SKIRMISH_KEY must hold an API key of role server")
    redis_url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    Handler.service = Service(arguments.database, redis_url, os.environ.get("BROKER_URL", redis_url),
                              os.environ.get("SKIRMISH_URL", "http://127.0.0.1:8090"), key)
    host, _, port = arguments.listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    print(f"ready http://{arguments.listen}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
