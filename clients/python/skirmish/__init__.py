"""Skirmish for Python: the REST API, event streams, chat, and the shared cache. See README.md beside pyproject.toml."""

from .api import AsyncClient, Client
from .cache import PROFILES, Answer, AsyncCache, Cache, Growing, Policy
from .errors import CacheUnavailable, Closed, ConnectionFailed, Problem, Refused, SkirmishError
from .realtime import AsyncChat, AsyncEventStream, Chat, EventStream, Message, Rejection

__version__ = "0.1.0"
__all__ = ["PROFILES", "Answer", "AsyncCache", "AsyncChat", "AsyncClient", "AsyncEventStream", "Cache", "CacheUnavailable",
           "Chat", "Client", "Closed", "ConnectionFailed", "EventStream", "Growing", "Message", "Policy", "Problem", "Refused",
           "Rejection", "SkirmishError"]
