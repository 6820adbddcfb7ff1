"""The REST API. Client is for threads, AsyncClient for asyncio; both have the same methods.

    with Client("http://127.0.0.1:8090", key="sk_…") as client:
        client.create_player("Ann", player_id="ann")
        client.leaderboard("kills")["items"]

A refusal is a `Problem`, no answer a `ConnectionFailed`. Nothing is repeated by itself, because only you know what may be
carried out twice; `request()` reaches every route that has no method here.
"""

from __future__ import annotations

import json as json_
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote

import httpx

from . import types as t
from .errors import ConnectionFailed, Problem

__all__ = ["AsyncClient", "Client"]


def _path(*parts: str) -> str:
    """A path whose parts may hold any character."""
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError("an id must not be empty")
    return "/api/" + "/".join(quote(part, safe=":") for part in parts)


def _dumped(value: Any) -> bytes:
    return json_.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _headers(key: str | None, token: str | None) -> dict[str, str]:
    if key and token:
        raise ValueError("give a key or a session token, not both")
    if key:
        return {"X-API-Key": key}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _options(url: str, key: str | None, token: str | None, timeout_s: float) -> dict[str, Any]:
    return {"base_url": url.rstrip("/"), "headers": _headers(key, token), "timeout": timeout_s}


def _parsed(answer: httpx.Response) -> Any:
    is_json = "json" in answer.headers.get("content-type", "")
    body: Any = answer.content
    if is_json:
        try:
            body = answer.json()
        except ValueError:
            is_json = False
    if answer.status_code >= 300:
        raise Problem.from_answer(answer.status_code, answer.headers, body if is_json else None)
    return body if is_json else (answer.content or None)


class Client:
    """One server (or what stands in front of it: `url` may have a sub-path). `key` of a game server or operator, or the
    `token` of a player's session."""

    def __init__(self, url: str, *, key: str | None = None, token: str | None = None, timeout_s: float = 30,
                 transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(**_options(url, key, token, timeout_s), transport=transport)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, path: str, *, json: Any = None, content: bytes | None = None,
                params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Any route: its parsed JSON, its bytes, or None. Raises Problem and ConnectionFailed."""
        sent: dict[str, Any] = {"params": params or None, "headers": headers}
        if content is not None:
            sent["content"] = content
        elif json is not None:
            sent["json"] = json
        try:
            return _parsed(self._http.request(method, path, **sent))
        except httpx.HTTPError as e:
            raise ConnectionFailed(f"{method} {path}: {e or type(e).__name__}") from e

    # ---- players ------------------------------------------------------------------------------------------------------
    def create_player(self, name: str, *, player_id: str | None = None, email: str | None = None,
                      password: str | None = None) -> t.Player:
        body = _given(name=name, player_id=player_id, email=email, password=password)
        return cast(t.Player, self.request("POST", "/api/players", json=body))

    def player(self, player_id: str) -> t.Player:
        return cast(t.Player, self.request("GET", _path("players", player_id)))

    def update_player(self, player_id: str, *, name: str | None = None, email: str | None = None) -> t.Player:
        return cast(t.Player, self.request("PATCH", _path("players", player_id), json=_given(name=name, email=email)))

    def delete_player(self, player_id: str) -> None:
        self.request("DELETE", _path("players", player_id))

    def player_state(self, player_id: str) -> t.PlayerState:
        return cast(t.PlayerState, self.request("GET", _path("players", player_id, "state")))

    def set_player_state(self, player_id: str, *, hp: int | None = None, mp: int | None = None,
                         stamina: int | None = None) -> t.PlayerState:
        body = _given(hp=hp, mp=mp, stamina=stamina)
        return cast(t.PlayerState, self.request("PATCH", _path("players", player_id, "state"), json=body))

    def inventory(self, player_id: str) -> t.Inventory:
        return cast(t.Inventory, self.request("GET", _path("players", player_id, "inventory")))

    def change_inventory(self, player_id: str, item: str, quantity: int) -> int:
        """Adds, or takes away when `quantity` is negative; returns how many there are now."""
        body = {"item": item, "quantity": quantity}
        return int((self.request("POST", _path("players", player_id, "inventory"), json=body))["quantity"])

    def achievements(self, player_id: str, *, cursor: str | None = None, limit: int | None = None) -> t.Page[t.Unlocked]:
        path, params = _path("players", player_id, "achievements"), _given(cursor=cursor, limit=limit)
        return cast(t.Page[t.Unlocked], self.request("GET", path, params=params))

    # ---- sessions -----------------------------------------------------------------------------------------------------
    def log_in(self, **credentials: str) -> t.Session:
        """player_id or email with password; device_id with device_secret; or token, a JWT of a known issuer."""
        return cast(t.Session, self.request("POST", "/api/sessions", json=credentials))

    def create_session(self, player_id: str) -> t.Session:
        """A session on the word of a game server."""
        return cast(t.Session, self.request("POST", _path("players", player_id, "sessions"), json={}))

    def create_ticket(self) -> t.Ticket:
        """What a browser opens a WebSocket with (`?ticket=`), once."""
        return cast(t.Ticket, self.request("POST", "/api/sessions/tickets"))

    # ---- events -------------------------------------------------------------------------------------------------------
    def send_events(self, events: Iterable[t.Event]) -> t.Committed:
        """One atomic commit of at most 10,000 events. Events with an `id` count once; EventStream sends all exactly once."""
        return cast(t.Committed, self.request("POST", "/api/interactions", json=list(events)))

    def event_log(self, *, since: str | None = None, limit: int | None = None) -> t.EventLog:
        """What was committed, in order; pass `cursor` as the next `since`."""
        return cast(t.EventLog, self.request("GET", "/api/interactions", params=_given(since=since, limit=limit)))

    def attack(self, attacker_id: str, target_id: str) -> t.Attack:
        """The latest attack of this pair within 24 hours."""
        return cast(t.Attack, self.request("GET", _path("attacks", attacker_id, target_id)))

    # ---- levels and leaderboards --------------------------------------------------------------------------------------
    def create_level(self, name: str, *, level_id: str | None = None, difficulty: str | None = None,
                     description: str | None = None) -> t.Level:
        body = _given(name=name, level_id=level_id, difficulty=difficulty, description=description)
        return cast(t.Level, self.request("POST", "/api/levels", json=body))

    def level(self, level_id: str) -> t.Level:
        return cast(t.Level, self.request("GET", _path("levels", level_id)))

    def levels(self, *, sort: str | None = None, cursor: str | None = None, limit: int | None = None) -> t.Page[t.Level]:
        return cast(t.Page[t.Level], self.request("GET", "/api/levels", params=_given(sort=sort, cursor=cursor, limit=limit)))

    def complete_level(self, level_id: str, player_id: str, score: float, *,
                       completion_id: str | None = None) -> t.Completion:
        """With a completion_id it counts once in 24 hours, however often it is sent."""
        body = _given(player_id=player_id, score=score, completion_id=completion_id)
        return cast(t.Completion, self.request("POST", _path("levels", level_id, "completions"), json=body))

    def leaderboard(self, board: str, *, cursor: str | None = None, limit: int | None = None,
                    season: int | None = None) -> t.Leaderboard:
        params = _given(cursor=cursor, limit=limit, season=season)
        return cast(t.Leaderboard, self.request("GET", _path("leaderboards", board), params=params))

    def rank(self, board: str, player_id: str, *, around: int | None = None) -> t.Entry:
        params = _given(around=around)
        return cast(t.Entry, self.request("GET", _path("leaderboards", board, "players", player_id), params=params))

    def submit_score(self, board: str, player_id: str, score: float, *, operator: str | None = None,
                     idempotency_key: str | None = None) -> dict[str, Any]:
        """With an idempotency_key it is carried out once within 10 minutes, however often it is sent."""
        body = _given(player_id=player_id, score=score, operator=operator)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        path = _path("leaderboards", board, "scores")
        return cast(dict[str, Any], self.request("POST", path, json=body, headers=headers))

    # ---- tasks, notifications, jobs -----------------------------------------------------------------------------------
    def send_task(self, name: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, *,
                  idempotency_key: str | None = None, **options: Any) -> t.SentTask:
        """`options`: queue, countdown_s, eta, expires_s, expires, priority, retry, retry_policy (docs/tasks.md)."""
        body = {"name": name, "args": list(args), "kwargs": dict(kwargs or {}), **options}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return cast(t.SentTask, self.request("POST", "/api/tasks", json=body, headers=headers))

    def task(self, task_id: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.request("GET", _path("tasks", task_id)))

    def revoke_task(self, task_id: str, *, terminate: bool = False) -> None:
        self.request("DELETE", _path("tasks", task_id), params={"terminate": "true"} if terminate else None)

    def notifications(self, player_id: str, *, cursor: str | None = None,
                      limit: int | None = None) -> t.Page[t.Notification]:
        """The unread ones."""
        path, params = _path("players", player_id, "notifications"), _given(cursor=cursor, limit=limit)
        return cast(t.Page[t.Notification], self.request("GET", path, params=params))

    def read_notifications(self, player_id: str, up_to: str) -> int:
        """Marks as read all up to that id, which deletes them; returns how many."""
        path = _path("players", player_id, "notifications", "read")
        return int((self.request("POST", path, json={"up_to": up_to}))["read"])

    def create_job(self, kind: str, payload: Any = None, *, job_id: str | None = None) -> t.Job:
        return cast(t.Job, self.request("POST", "/api/jobs", json=_given(kind=kind, payload=payload, job_id=job_id)))

    def job(self, job_id: str) -> t.Job:
        return cast(t.Job, self.request("GET", _path("jobs", job_id)))

    def assign_job(self, job_id: str, worker_id: str) -> t.Assignment:
        path = _path("jobs", job_id, "assignment")
        return cast(t.Assignment, self.request("POST", path, json={"worker_id": worker_id}))

    def end_job(self, job_id: str, state: t.JobState = "done") -> t.Job:
        return cast(t.Job, self.request("POST", _path("jobs", job_id, "end"), json={"state": state}))

    # ---- chat ---------------------------------------------------------------------------------------------------------
    def send_chat(self, channel: str, text: str, *, speaker: str | None = None) -> t.ChatMessage:
        """A game server names the `speaker`; a player speaks as itself."""
        body = _given(text=text, **{"from": speaker})
        return cast(t.ChatMessage, self.request("POST", _path("chat", channel, "messages"), json=body))

    def chat_history(self, channel: str, *, since: str | None = None, limit: int | None = None) -> t.ChatHistory:
        """The newest messages, or those after `since`, the oldest first."""
        path, params = _path("chat", channel, "messages"), _given(since=since, limit=limit)
        return cast(t.ChatHistory, self.request("GET", path, params=params))

    # ---- state and status ---------------------------------------------------------------------------------------------
    def put_state(self, namespace: str, key: str, value: Any, *, ttl_s: int | None = None) -> None:
        """Keeps JSON, or bytes as they are, for a while."""
        path, params = _path("state", namespace, key), _given(ttl_s=ttl_s)
        if isinstance(value, bytes):
            self.request("PUT", path, content=value, params=params, headers={"Content-Type": "application/octet-stream"})
        else:
            self.request("PUT", path, content=_dumped(value), params=params, headers={"Content-Type": "application/json"})

    def get_state(self, namespace: str, key: str) -> Any:
        """As it was put: JSON or bytes. Raises Problem `not_found` when there is none."""
        return self.request("GET", _path("state", namespace, key))

    def delete_state(self, namespace: str, key: str) -> None:
        self.request("DELETE", _path("state", namespace, key))

    def server_status(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.request("GET", "/api/server/status"))


class AsyncClient:
    """One server (or what stands in front of it: `url` may have a sub-path). `key` of a game server or operator, or the
    `token` of a player's session."""

    def __init__(self, url: str, *, key: str | None = None, token: str | None = None, timeout_s: float = 30,
                 transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(**_options(url, key, token, timeout_s), transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def request(self, method: str, path: str, *, json: Any = None, content: bytes | None = None,
                      params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Any route: its parsed JSON, its bytes, or None. Raises Problem and ConnectionFailed."""
        sent: dict[str, Any] = {"params": params or None, "headers": headers}
        if content is not None:
            sent["content"] = content
        elif json is not None:
            sent["json"] = json
        try:
            return _parsed(await self._http.request(method, path, **sent))
        except httpx.HTTPError as e:
            raise ConnectionFailed(f"{method} {path}: {e or type(e).__name__}") from e

    # ---- players ------------------------------------------------------------------------------------------------------
    async def create_player(self, name: str, *, player_id: str | None = None, email: str | None = None,
                            password: str | None = None) -> t.Player:
        body = _given(name=name, player_id=player_id, email=email, password=password)
        return cast(t.Player, await self.request("POST", "/api/players", json=body))

    async def player(self, player_id: str) -> t.Player:
        return cast(t.Player, await self.request("GET", _path("players", player_id)))

    async def update_player(self, player_id: str, *, name: str | None = None, email: str | None = None) -> t.Player:
        return cast(t.Player, await self.request("PATCH", _path("players", player_id), json=_given(name=name, email=email)))

    async def delete_player(self, player_id: str) -> None:
        await self.request("DELETE", _path("players", player_id))

    async def player_state(self, player_id: str) -> t.PlayerState:
        return cast(t.PlayerState, await self.request("GET", _path("players", player_id, "state")))

    async def set_player_state(self, player_id: str, *, hp: int | None = None, mp: int | None = None,
                               stamina: int | None = None) -> t.PlayerState:
        body = _given(hp=hp, mp=mp, stamina=stamina)
        return cast(t.PlayerState, await self.request("PATCH", _path("players", player_id, "state"), json=body))

    async def inventory(self, player_id: str) -> t.Inventory:
        return cast(t.Inventory, await self.request("GET", _path("players", player_id, "inventory")))

    async def change_inventory(self, player_id: str, item: str, quantity: int) -> int:
        """Adds, or takes away when `quantity` is negative; returns how many there are now."""
        body = {"item": item, "quantity": quantity}
        return int((await self.request("POST", _path("players", player_id, "inventory"), json=body))["quantity"])

    async def achievements(self, player_id: str, *, cursor: str | None = None, limit: int | None = None) -> t.Page[t.Unlocked]:
        path, params = _path("players", player_id, "achievements"), _given(cursor=cursor, limit=limit)
        return cast(t.Page[t.Unlocked], await self.request("GET", path, params=params))

    # ---- sessions -----------------------------------------------------------------------------------------------------
    async def log_in(self, **credentials: str) -> t.Session:
        """player_id or email with password; device_id with device_secret; or token, a JWT of a known issuer."""
        return cast(t.Session, await self.request("POST", "/api/sessions", json=credentials))

    async def create_session(self, player_id: str) -> t.Session:
        """A session on the word of a game server."""
        return cast(t.Session, await self.request("POST", _path("players", player_id, "sessions"), json={}))

    async def create_ticket(self) -> t.Ticket:
        """What a browser opens a WebSocket with (`?ticket=`), once."""
        return cast(t.Ticket, await self.request("POST", "/api/sessions/tickets"))

    # ---- events -------------------------------------------------------------------------------------------------------
    async def send_events(self, events: Iterable[t.Event]) -> t.Committed:
        """One atomic commit of at most 10,000 events. Events with an `id` count once; EventStream sends all exactly once."""
        return cast(t.Committed, await self.request("POST", "/api/interactions", json=list(events)))

    async def event_log(self, *, since: str | None = None, limit: int | None = None) -> t.EventLog:
        """What was committed, in order; pass `cursor` as the next `since`."""
        return cast(t.EventLog, await self.request("GET", "/api/interactions", params=_given(since=since, limit=limit)))

    async def attack(self, attacker_id: str, target_id: str) -> t.Attack:
        """The latest attack of this pair within 24 hours."""
        return cast(t.Attack, await self.request("GET", _path("attacks", attacker_id, target_id)))

    # ---- levels and leaderboards --------------------------------------------------------------------------------------
    async def create_level(self, name: str, *, level_id: str | None = None, difficulty: str | None = None,
                           description: str | None = None) -> t.Level:
        body = _given(name=name, level_id=level_id, difficulty=difficulty, description=description)
        return cast(t.Level, await self.request("POST", "/api/levels", json=body))

    async def level(self, level_id: str) -> t.Level:
        return cast(t.Level, await self.request("GET", _path("levels", level_id)))

    async def levels(self, *, sort: str | None = None, cursor: str | None = None, limit: int | None = None) -> t.Page[t.Level]:
        return cast(t.Page[t.Level], await self.request("GET", "/api/levels", params=_given(sort=sort, cursor=cursor, limit=limit)))

    async def complete_level(self, level_id: str, player_id: str, score: float, *,
                             completion_id: str | None = None) -> t.Completion:
        """With a completion_id it counts once in 24 hours, however often it is sent."""
        body = _given(player_id=player_id, score=score, completion_id=completion_id)
        return cast(t.Completion, await self.request("POST", _path("levels", level_id, "completions"), json=body))

    async def leaderboard(self, board: str, *, cursor: str | None = None, limit: int | None = None,
                          season: int | None = None) -> t.Leaderboard:
        params = _given(cursor=cursor, limit=limit, season=season)
        return cast(t.Leaderboard, await self.request("GET", _path("leaderboards", board), params=params))

    async def rank(self, board: str, player_id: str, *, around: int | None = None) -> t.Entry:
        params = _given(around=around)
        return cast(t.Entry, await self.request("GET", _path("leaderboards", board, "players", player_id), params=params))

    async def submit_score(self, board: str, player_id: str, score: float, *, operator: str | None = None,
                           idempotency_key: str | None = None) -> dict[str, Any]:
        """With an idempotency_key it is carried out once within 10 minutes, however often it is sent."""
        body = _given(player_id=player_id, score=score, operator=operator)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        path = _path("leaderboards", board, "scores")
        return cast(dict[str, Any], await self.request("POST", path, json=body, headers=headers))

    # ---- tasks, notifications, jobs -----------------------------------------------------------------------------------
    async def send_task(self, name: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, *,
                        idempotency_key: str | None = None, **options: Any) -> t.SentTask:
        """`options`: queue, countdown_s, eta, expires_s, expires, priority, retry, retry_policy (docs/tasks.md)."""
        body = {"name": name, "args": list(args), "kwargs": dict(kwargs or {}), **options}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return cast(t.SentTask, await self.request("POST", "/api/tasks", json=body, headers=headers))

    async def task(self, task_id: str) -> dict[str, Any]:
        return cast(dict[str, Any], await self.request("GET", _path("tasks", task_id)))

    async def revoke_task(self, task_id: str, *, terminate: bool = False) -> None:
        await self.request("DELETE", _path("tasks", task_id), params={"terminate": "true"} if terminate else None)

    async def notifications(self, player_id: str, *, cursor: str | None = None,
                            limit: int | None = None) -> t.Page[t.Notification]:
        """The unread ones."""
        path, params = _path("players", player_id, "notifications"), _given(cursor=cursor, limit=limit)
        return cast(t.Page[t.Notification], await self.request("GET", path, params=params))

    async def read_notifications(self, player_id: str, up_to: str) -> int:
        """Marks as read all up to that id, which deletes them; returns how many."""
        path = _path("players", player_id, "notifications", "read")
        return int((await self.request("POST", path, json={"up_to": up_to}))["read"])

    async def create_job(self, kind: str, payload: Any = None, *, job_id: str | None = None) -> t.Job:
        return cast(t.Job, await self.request("POST", "/api/jobs", json=_given(kind=kind, payload=payload, job_id=job_id)))

    async def job(self, job_id: str) -> t.Job:
        return cast(t.Job, await self.request("GET", _path("jobs", job_id)))

    async def assign_job(self, job_id: str, worker_id: str) -> t.Assignment:
        path = _path("jobs", job_id, "assignment")
        return cast(t.Assignment, await self.request("POST", path, json={"worker_id": worker_id}))

    async def end_job(self, job_id: str, state: t.JobState = "done") -> t.Job:
        return cast(t.Job, await self.request("POST", _path("jobs", job_id, "end"), json={"state": state}))

    # ---- chat ---------------------------------------------------------------------------------------------------------
    async def send_chat(self, channel: str, text: str, *, speaker: str | None = None) -> t.ChatMessage:
        """A game server names the `speaker`; a player speaks as itself."""
        body = _given(text=text, **{"from": speaker})
        return cast(t.ChatMessage, await self.request("POST", _path("chat", channel, "messages"), json=body))

    async def chat_history(self, channel: str, *, since: str | None = None, limit: int | None = None) -> t.ChatHistory:
        """The newest messages, or those after `since`, the oldest first."""
        path, params = _path("chat", channel, "messages"), _given(since=since, limit=limit)
        return cast(t.ChatHistory, await self.request("GET", path, params=params))

    # ---- state and status ---------------------------------------------------------------------------------------------
    async def put_state(self, namespace: str, key: str, value: Any, *, ttl_s: int | None = None) -> None:
        """Keeps JSON, or bytes as they are, for a while."""
        path, params = _path("state", namespace, key), _given(ttl_s=ttl_s)
        if isinstance(value, bytes):
            await self.request("PUT", path, content=value, params=params, headers={"Content-Type": "application/octet-stream"})
        else:
            await self.request("PUT", path, content=_dumped(value), params=params, headers={"Content-Type": "application/json"})

    async def get_state(self, namespace: str, key: str) -> Any:
        """As it was put: JSON or bytes. Raises Problem `not_found` when there is none."""
        return await self.request("GET", _path("state", namespace, key))

    async def delete_state(self, namespace: str, key: str) -> None:
        await self.request("DELETE", _path("state", namespace, key))

    async def server_status(self) -> dict[str, Any]:
        return cast(dict[str, Any], await self.request("GET", "/api/server/status"))
