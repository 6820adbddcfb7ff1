"""WebSockets that survive lost connections: event streams that are applied exactly once, and chat without gaps.

    async with AsyncEventStream("http://127.0.0.1:8090", "match-1", key="sk_…") as stream:
        await stream.send([{"type": "attack", "attacker_id": "ann", "target_id": "bob", "damage": 27}])
        await stream.flush()          # everything is committed

EventStream and Chat are the same for threads. docs/api.md and docs/chat.md describe the protocol.
"""

from __future__ import annotations

import asyncio
import collections
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import websockets
import websockets.exceptions

from .api import _headers
from .errors import Closed, ConnectionFailed, Problem, Refused, SkirmishError
from .types import Event

__all__ = ["AsyncChat", "AsyncEventStream", "Chat", "EventStream", "Message", "Rejection"]

T = TypeVar("T")

RETRY_FIRST_S = 0.1
RETRY_LIMIT_S = 5.0
OPEN_TIMEOUT_S = 10.0
# Answers to messages of one connection that may be outstanding.
ANSWER_LIMIT = 1_000
# Debian 12 has version 10 of websockets, Debian 13 has 15, which named the headers anew.
_WEBSOCKETS: Any = websockets  # its names are loaded lazily, which type checkers do not see
_HEADERS_ARGUMENT = "additional_headers" if int(_WEBSOCKETS.__version__.split(".")[0]) >= 14 else "extra_headers"


@dataclass(frozen=True)
class Rejection:
    """One event that was refused while the rest of its frame was committed. A lost connection may lose these."""

    seq: int
    index: int
    code: str
    detail: str


@dataclass(frozen=True)
class Message:
    channel: str
    id: str
    speaker: str
    text: str
    ts: str


class _Connection:
    """Connects, and connects again after every loss until stop(), or until the server says not to."""

    def __init__(self, url: str, path: str, key: str | None, token: str | None) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + path
        self._key_headers = _headers(key, token)
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # set at each change that somebody may wait for
        self._problem: Exception | None = None
        self.connections = 0  # made so far

    async def _start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What a kind of connection does.
    async def _opened(self, socket: Any) -> None: ...
    async def _received(self, message: dict[str, Any]) -> None: ...
    def _lost(self) -> None: ...

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait_until(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        async def wait() -> None:
            while True:
                if condition():
                    return
                if self._problem:
                    raise self._problem
                await self._changed.wait()

        try:
            await asyncio.wait_for(wait(), timeout_s)
        except asyncio.TimeoutError:
            raise ConnectionFailed(f"not within {timeout_s} s") from None

    async def _run(self) -> None:
        pause = RETRY_FIRST_S
        try:
            while True:
                was_open, at_least = await self._connect_once()
                pause = RETRY_FIRST_S if was_open else min(pause * 2, RETRY_LIMIT_S)
                await asyncio.sleep(max(at_least, pause * random.uniform(0.5, 1.0)))
        except asyncio.CancelledError:
            raise
        except Exception as e:
            self._problem = e
        finally:
            self._socket = None
            self._problem = self._problem or SkirmishError("this connection was closed")
            self._lost()
            self._notify()

    async def _connect_once(self) -> tuple[bool, float]:
        """Returns when the connection is lost: whether there was one, and how long to wait at least."""
        self._retry_after_s = 0.0
        was_open = False
        try:
            options: dict[str, Any] = {_HEADERS_ARGUMENT: self._key_headers, "open_timeout": OPEN_TIMEOUT_S, "max_size": 16 << 20,
                                       "close_timeout": 1}
            async with _WEBSOCKETS.connect(self._url, **options) as socket:
                was_open = True
                self.connections += 1
                self._socket = socket
                self._notify()
                await self._opened(socket)
                async for text in socket:
                    await self._received(json.loads(text))
                code, reason = getattr(socket, "close_code", None), getattr(socket, "close_reason", None)
                self._check_close(code, reason)
        except websockets.exceptions.ConnectionClosed as e:
            self._check_close(e.rcvd.code if e.rcvd else None, e.rcvd.reason if e.rcvd else None)
        except websockets.exceptions.InvalidHandshake as e:
            self._check_refusal(e)
        except (OSError, asyncio.TimeoutError, _Reconnect):
            pass
        finally:
            self._socket = None
            self._lost()
        return was_open, self._retry_after_s

    @staticmethod
    def _check_close(code: int | None, reason: str | None) -> None:
        # 1002, 1003 and 1007 mean that this client is wrong; 1009 that its message is too big.
        if code and (3500 <= code < 4000 or code in (1002, 1003, 1007, 1009)):
            raise Closed(code, reason or "")

    @staticmethod
    def _check_refusal(e: Exception) -> None:
        response = getattr(e, "response", None)
        status = getattr(e, "status_code", None) or getattr(response, "status_code", None)
        if status and 400 <= status < 500 and status not in (408, 429):
            raise Problem(status, "forbidden" if status == 403 else "unauthenticated" if status == 401 else "invalid_argument",
                          "the WebSocket's handshake was refused") from e

    def _check_error(self, error: dict[str, Any]) -> None:
        """An error that says nothing about one message: temporary ones end the connection, the others everything."""
        if not error.get("temporary"):
            raise Refused(str(error.get("code")), str(error.get("detail")))
        self._retry_after_s = min(float(error.get("retry_after_ms", 0)) / 1000, RETRY_LIMIT_S)
        raise _Reconnect


class _Reconnect(Exception):
    pass


class AsyncEventStream(_Connection):
    """A stream of numbered frames; each is applied exactly once, however often the connection is lost.

    Frames that are not acknowledged are held in memory, at most `max_pending`; then send() waits. They survive lost
    connections and restarts of the server, and not the end of this process (examples/game_server.py shows how to survive
    that too). One writer at a time: a newer one takes the stream over, and this one raises Closed 3501.
    """

    def __init__(self, url: str, stream_id: str, *, key: str | None = None, token: str | None = None, max_pending: int = 1_000,
                 on_rejected: Callable[[Rejection], None] | None = None) -> None:
        super().__init__(url, f"/api/ws?stream={quote(stream_id, safe=':')}", key, token)
        if max_pending < 1:
            raise ValueError("max_pending must be at least 1")
        self._max_pending = max_pending
        self._on_rejected = on_rejected
        self._pending: collections.deque[tuple[int, str]] = collections.deque()
        self._sent = 0  # seq of the last frame on this connection
        self._can_send = False
        self._write_lock = asyncio.Lock()
        self._seq: int | None = None
        self._committed = 0

    @property
    def committed(self) -> int:
        """The number of the last frame that is known to be committed."""
        return self._committed

    @property
    def pending(self) -> int:
        """How many frames are not acknowledged."""
        return len(self._pending)

    async def __aenter__(self) -> AsyncEventStream:
        await self._start()
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Waits for all acknowledgements, unless an exception ends the block."""
        try:
            if kind is None:
                await self.flush()
        finally:
            await self._stop()

    async def send(self, events: Iterable[Event], timeout_s: float | None = None) -> int:
        """Queues one frame, which is one atomic commit, and returns its number. Waits while too much is pending, and for
        the first connection. With a timeout_s it raises ConnectionFailed then, and nothing was queued."""
        events = list(events)
        await self._wait_until(lambda: self._seq is not None and len(self._pending) < self._max_pending, timeout_s)
        if self._problem:
            raise self._problem
        assert self._seq is not None
        frame = json.dumps({"seq": self._seq + 1, "interactions": events}, allow_nan=False)
        self._seq += 1
        seq = self._seq
        self._pending.append((seq, frame))
        await self._write()
        return seq

    async def flush(self, timeout_s: float | None = None) -> None:
        """Waits until every frame is committed."""
        await self._wait_until(lambda: not self._pending, timeout_s)

    async def _write(self) -> None:
        """Sends what this connection has not sent, in order."""
        async with self._write_lock:
            while self._can_send and self._pending and self._sent < self._pending[-1][0]:
                at = max(0, self._sent + 1 - self._pending[0][0])
                seq, frame = self._pending[at]
                try:
                    await self._socket.send(frame)
                except (websockets.exceptions.ConnectionClosed, AttributeError):
                    return  # the next connection sends it
                self._sent = max(self._sent, seq)

    async def _received(self, message: dict[str, Any]) -> None:
        if "ack" in message:
            self._settle(int(message["ack"]))
        elif "stream" in message:  # the first message of each connection
            committed = int(message["stream"]["committed"])
            if self._seq is not None and committed > self._seq:
                raise Refused("conflict", f"somebody else wrote this stream: {committed} frames are committed, {self._seq} were sent")
            self._seq = committed if self._seq is None else self._seq
            self._settle(committed)
            if self._pending and self._pending[0][0] != committed + 1:
                raise Refused("conflict", f"the server forgot the stream: it has {committed} frames, this process {self._committed}")
            self._sent, self._can_send = committed, True
            self._notify()
            # Not awaited here: acknowledgements must be read meanwhile.
            self._resend = asyncio.create_task(self._write())
        elif "reject" in message:
            told = message["reject"]
            if self._on_rejected:
                self._on_rejected(Rejection(int(told.get("seq", 0)), int(told["index"]), told["code"], told["detail"]))
        elif "error" in message:
            self._check_error(message["error"])

    def _lost(self) -> None:
        self._can_send = False

    def _settle(self, committed: int) -> None:
        self._committed = max(self._committed, committed)
        while self._pending and self._pending[0][0] <= committed:
            self._pending.popleft()
        self._notify()


class AsyncChat(_Connection):
    """Channels of chat, in order, without gaps or repeats across lost connections.

        async with AsyncChat(url, ["general"], key=key) as chat:
            await chat.send("general", "hello", speaker="ann")
            async for message in chat: …

    `since`: channel → id of the last message that you have. `on_gap` gets the name of a channel whose history no longer has
    all that was missed.
    """

    def __init__(self, url: str, channels: Iterable[str], *, key: str | None = None, token: str | None = None,
                 since: dict[str, str] | None = None, speaker: str | None = None, max_queued: int = 10_000,
                 on_gap: Callable[[str], None] | None = None) -> None:
        super().__init__(url, "/api/ws", key, token)
        self._channels = list(channels)
        self._last: dict[str, str] = dict(since or {})
        self._speaker = speaker
        self._on_gap = on_gap
        # A reader that is slow lets the socket wait; the server then closes it, and the next one resumes.
        self._queue: asyncio.Queue[Message] = asyncio.Queue(max_queued)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._subscribing: dict[str, str] = {}
        self._cid = 0
        self._is_ready = False

    async def __aenter__(self) -> AsyncChat:
        """Returns when all channels are subscribed."""
        await self._start()
        try:
            await self._wait_until(lambda: self._is_ready, OPEN_TIMEOUT_S)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def send(self, channel: str, text: str, *, speaker: str | None = None, timeout_s: float = 10) -> str:
        """The message's id. Raises ConnectionFailed when no answer came: it may or may not have been sent."""
        await self._wait_until(lambda: self._is_ready, timeout_s)
        if len(self._answers) >= ANSWER_LIMIT:
            raise ConnectionFailed("too many messages wait for their answer")
        self._cid += 1
        cid = str(self._cid)
        answer = self._answers[cid] = asyncio.get_running_loop().create_future()
        chat = {"channel": channel, "text": text, **({"from": speaker} if speaker else {})}
        try:
            await self._socket.send(json.dumps({"cid": cid, "chat": chat}))
            told = await asyncio.wait_for(answer, timeout_s)
        except (asyncio.TimeoutError, websockets.exceptions.ConnectionClosed, AttributeError) as e:
            raise ConnectionFailed("no answer came: the message may or may not have been sent") from e
        finally:
            self._answers.pop(cid, None)
        if "error" in told:
            raise Refused(told["error"]["code"], told["error"]["detail"])
        return str(told["sent"]["id"])

    async def receive(self, timeout_s: float | None = None) -> Message:
        """The next message; ConnectionFailed when none came in time."""
        if self._queue.empty():
            await self._wait_until(lambda: not self._queue.empty(), timeout_s)
        return self._queue.get_nowait()

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            yield await self.receive()

    def last_ids(self) -> dict[str, str]:
        """What to pass as `since` after a restart, once all received messages have been dealt with."""
        return dict(self._last)

    async def _opened(self, socket: Any) -> None:
        self._subscribing = {}
        for channel in self._channels:
            self._cid += 1
            self._subscribing[str(self._cid)] = channel
            wanted = {"channel": channel, **({"since": self._last[channel]} if channel in self._last else {}),
                      **({"as": self._speaker} if self._speaker else {})}
            await socket.send(json.dumps({"cid": str(self._cid), "subscribe": wanted}))
        self._is_ready = not self._channels

    async def _received(self, message: dict[str, Any]) -> None:
        cid = message.get("cid")
        if "message" in message:
            await self._put(message["message"])
        elif cid in self._subscribing:
            channel = self._subscribing.pop(cid)
            if "error" in message:
                self._check_error(message["error"])
            told = message["subscribed"]
            if told.get("recovered") is False and channel in self._last:
                self._gap(channel)
            for missed in told.get("messages", []):
                await self._put(missed)
            if told.get("last_id") and channel not in self._last:
                self._last[channel] = told["last_id"]
            self._is_ready = not self._subscribing
            self._notify()
        elif cid in self._answers:
            if not self._answers[cid].done():
                self._answers[cid].set_result(message)
        elif "gap" in message:
            self._gap(message["gap"]["channel"])
        elif "unsubscribed" in message:
            raise Refused("forbidden", f"removed from {message['unsubscribed']['channel']}")
        elif "error" in message:
            self._check_error(message["error"])

    def _gap(self, channel: str) -> None:
        if self._on_gap:
            self._on_gap(channel)

    async def _put(self, told: dict[str, Any]) -> None:
        await self._queue.put(Message(told["channel"], told["id"], told["from"], told["text"], told["ts"]))
        self._last[told["channel"]] = told["id"]
        self._notify()

    def _lost(self) -> None:
        self._is_ready = False
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(asyncio.TimeoutError())


# ---- for threads ----------------------------------------------------------------------------------------------------------
class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _made(make: Callable[[], T]) -> T:
    return make()


class EventStream:
    """AsyncEventStream for threads."""

    def __init__(self, url: str, stream_id: str, *, key: str | None = None, token: str | None = None, max_pending: int = 1_000,
                 on_rejected: Callable[[Rejection], None] | None = None) -> None:
        """`on_rejected` is called on a thread of this package."""
        self._make = lambda: AsyncEventStream(url, stream_id, key=key, token=token, max_pending=max_pending,
                                              on_rejected=on_rejected)

    def __enter__(self) -> EventStream:
        self._thread = _LoopThread("skirmish-stream")
        self._stream = self._thread.run(_made(self._make))
        self._thread.run(self._stream.__aenter__())
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._thread.run(self._stream.__aexit__(kind))
        finally:
            self._thread.stop()

    @property
    def committed(self) -> int:
        return self._stream.committed

    @property
    def pending(self) -> int:
        return self._stream.pending

    def send(self, events: Iterable[Event], timeout_s: float | None = None) -> int:
        return self._thread.run(self._stream.send(events, timeout_s))

    def flush(self, timeout_s: float | None = None) -> None:
        self._thread.run(self._stream.flush(timeout_s))


class Chat:
    """AsyncChat for threads."""

    def __init__(self, url: str, channels: Iterable[str], *, key: str | None = None, token: str | None = None,
                 since: dict[str, str] | None = None, speaker: str | None = None,
                 on_gap: Callable[[str], None] | None = None) -> None:
        self._make = lambda: AsyncChat(url, channels, key=key, token=token, since=since, speaker=speaker, on_gap=on_gap)

    def __enter__(self) -> Chat:
        self._thread = _LoopThread("skirmish-chat")
        try:
            self._chat = self._thread.run(_made(self._make))
            self._thread.run(self._chat.__aenter__())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.run(self._chat.__aexit__())
        finally:
            self._thread.stop()

    def send(self, channel: str, text: str, *, speaker: str | None = None, timeout_s: float = 10) -> str:
        return self._thread.run(self._chat.send(channel, text, speaker=speaker, timeout_s=timeout_s))

    def receive(self, timeout_s: float | None = None) -> Message:
        return self._thread.run(self._chat.receive(timeout_s))

    def __iter__(self) -> Iterator[Message]:
        while True:
            yield self.receive()

    def last_ids(self) -> dict[str, str]:
        return self._chat.last_ids()
