"""What this package raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SkirmishError(Exception):
    """The base of all exceptions of this package."""


class Problem(SkirmishError):
    """The server refused: application/problem+json (RFC 9457).

    `code` is one of those that docs/api.md lists (`not_found`, `conflict`, `rate_limited`, …), `errors` the places in a bad
    body, `retry_after_s` what a Retry-After header said.
    """

    def __init__(self, status: int, code: str, detail: str, *, request_id: str | None = None,
                 errors: list[dict[str, Any]] | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.errors = errors or []
        self.retry_after_s = retry_after_s

    @property
    def is_temporary(self) -> bool:
        """True when the same request may succeed later."""
        return self.code in ("unavailable", "deadline_exceeded", "rate_limited")

    @classmethod
    def from_answer(cls, status: int, headers: Mapping[str, str], body: Any) -> Problem:
        """From a parsed body, or from whatever a proxy in between has answered."""
        told = body if isinstance(body, dict) else {}
        errors = told.get("errors")
        return cls(status, str(told.get("code", "unavailable" if status in (502, 503, 504) else "internal")),
                   str(told.get("detail") or told.get("title") or "no problem+json in the answer"),
                   request_id=told.get("request_id"), errors=errors if isinstance(errors, list) else None,
                   retry_after_s=_seconds(headers.get("retry-after")))


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:  # a date
        return None


class ConnectionFailed(SkirmishError):
    """No answer came. The request may or may not have been carried out."""


class Closed(SkirmishError):
    """The server ended a WebSocket for good; `code` is the close code (docs/api.md), 3500 to 3999."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with {code}, do not try again{': ' + reason if reason else ''}")
        self.code = code


class Refused(SkirmishError):
    """The server answered a WebSocket message with an error that is not temporary."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class CacheUnavailable(SkirmishError):
    """The source failed a moment ago, did not answer in time, or another process did not end its load in time."""
