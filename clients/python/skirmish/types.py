"""The shapes of the REST API's JSON. `/openapi.json` of a running server has every bound and format."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

Item = TypeVar("Item")

#: An event: {"type": "attack" | "move" | …}; docs/api.md lists them.
Event = dict[str, Any]


class Page(TypedDict, Generic[Item]):
    items: list[Item]
    next_cursor: NotRequired[str | None]


class Player(TypedDict):
    player_id: str
    name: str
    email: str
    level: int
    created_at: str


class Position(TypedDict):
    lat: float
    lon: float
    alt: float
    ts: str


class PlayerState(TypedDict):
    hp: int
    mp: int
    stamina: int
    interaction: str
    damage_dealt: int
    target: str
    position: Position | None
    last_actions: list[dict[str, Any]]
    updated_at: str


class Session(TypedDict):
    token: str
    session_id: str
    player_id: str
    expires_at: str


class Ticket(TypedDict):
    ticket: str
    expires_in_s: int


class Rejected(TypedDict):
    index: int
    code: str
    detail: str


class GivenId(TypedDict):
    index: int
    id: str


class Committed(TypedDict):
    accepted: int
    rejected: list[Rejected]
    ids: NotRequired[list[GivenId]]  # of attacks that came without one


class EventLog(TypedDict):
    items: list[Event]
    cursor: str | None
    next_cursor: str | None
    trimmed: bool


class Attack(TypedDict):
    attacker_id: str
    target_id: str
    id: str
    damage: int
    ts: str


class Level(TypedDict):
    level_id: str
    name: str
    difficulty: str
    description: str
    created_at: str
    completions: NotRequired[int]


class Completion(TypedDict):
    level_id: str
    player_id: str
    score: float
    repeated: bool
    completion_id: NotRequired[str]


class Entry(TypedDict):
    rank: int
    player_id: str
    score: float
    subscore: NotRequired[float]
    metadata: NotRequired[Any]


class Leaderboard(TypedDict):
    items: list[Entry]
    next_cursor: str | None
    previous_cursor: str | None
    total: int
    version: int


class Inventory(TypedDict):
    player_id: str
    items: dict[str, int]


class Unlocked(TypedDict):
    achievement: str
    unlocked_at: str


class SentTask(TypedDict):
    id: str
    name: str
    queue: str
    state: str


class Notification(TypedDict):
    id: str
    text: str
    ts: str


JobState = Literal["pending", "processing", "done", "failed"]


class Job(TypedDict):
    job_id: str
    kind: str
    payload: Any
    state: JobState
    worker_id: str | None
    created_at: str
    assigned_at: str | None
    ended_at: str | None


class Assignment(TypedDict):
    job_id: str
    worker_id: str
    state: JobState
    task_id: str


# `from` is a word of Python's.
ChatMessage = TypedDict("ChatMessage", {"channel": str, "id": str, "from": str, "text": str, "ts": str})


class ChatHistory(TypedDict):
    items: list[ChatMessage]
    next_cursor: str | None
    recovered: NotRequired[bool]
