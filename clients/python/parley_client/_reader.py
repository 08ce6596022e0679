"""What reading a stream means, whatever waits for its frames: what is delivered, what is dropped, and what follows an error."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from parley.v1.answer_pb2 import Checkpoint, Notice, Summary

T = TypeVar("T")

MAX_BACKOFF = 30.0
# Errors without an ErrorInfo of the gateway that are the connection's.
FAILED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)


class StreamCut(Exception):  # noqa: N818 - not an error of the gateway
    """The connection failed more often in a row than `Options.retries` allows. The stream is not complete: go on with its resume token."""


class StreamError(Exception):
    """An error of the gateway that is not tried again, or not any more. `reason` is stable; the message is for people."""

    def __init__(self, code: grpc.StatusCode, info: ErrorInfo | None, message: str) -> None:
        super().__init__(f"{code.name} {info.reason if info else ''}: {message}")
        self.code = code
        self.reason = info.reason if info else ""
        self.metadata = dict(info.metadata) if info else {}


@dataclass(frozen=True)
class Options:
    """How a stream is read. Times are in seconds.

    token: returns the access token of the next connection. Its argument is the token that the gateway has just refused, with which a cache
        must not answer again; empty if it refused none. The channel must use TLS wherever others could listen.
    on_notice: is called for each notice, in its place between the items.
    on_checkpoint: is called for each checkpoint when the program is done with every item before it: its token may be kept now.
    retries: how often in a row a call may fail before its error ends the stream. Planned ends are no failures, and an item that is
        delivered begins the count anew.
    memory: how many uids are remembered to drop what comes twice; 0 drops nothing.
    backoff: the wait after a first failure that names none; it doubles up to 30 s.
    max_wait: the longest delay of a RetryInfo that is waited for.
    idle: how long a connection may be silent before it counts as cut; the gateway sends a checkpoint every 15 s.

    The functions may return awaitables where the stream is read with `async for`.
    """

    token: Callable[[str], str | Awaitable[str]] | None = None
    on_notice: Callable[[Notice], Awaitable[None] | None] | None = None
    on_checkpoint: Callable[[Checkpoint], Awaitable[None] | None] | None = None
    retries: int = 10
    memory: int = 65_536
    backoff: float = 0.5
    max_wait: float = 600.0
    idle: float = 60.0


@dataclass(frozen=True)
class Method(Generic[T]):
    """A streaming method of the API.

    open: calls it, with a resume token (empty = from the beginning) and metadata.
    items: returns what a frame delivers; nothing if it is no batch.
    identify: returns by what an item is recognized when it comes again, and its version. None: nothing is dropped.
    """

    open: Callable[[str, list[tuple[str, str]]], Any]
    items: Callable[[Any], Iterable[T]]
    identify: Callable[[T], tuple[str, int]] | None = None


class Reader(Generic[T]):
    """The state of a stream between frames."""

    def __init__(self, method: Method[T], resume_token: str = "", options: Options | None = None) -> None:
        self.method = method
        self.options = options or Options()
        self._token = resume_token
        self._summary: Summary | None = None
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._failures = 0
        self._sent = ""
        self._refused = ""

    @property
    def resume_token(self) -> str:
        """Token of the last checkpoint, or of the summary. It stands for every item that the program is done with."""
        return self._token

    @property
    def summary(self) -> Summary | None:
        """The end of the stream and what is complete; None until the stream has been read to its end."""
        return self._summary

    def _authorization(self, token: str) -> list[tuple[str, str]]:
        """Return the metadata of a connection with an access token."""
        self._sent = token
        return [("authorization", f"Bearer {token}")]

    def _fresh(self, item: T) -> bool:
        """Report whether an item was not delivered before, in this version or a higher one."""
        if self.method.identify and self.options.memory:
            uid, version = self.method.identify(item)
            known = self._seen.pop(uid, None)
            self._seen[uid] = version if known is None else max(known, version)
            if known is not None and known >= version:
                return False
            if len(self._seen) > self.options.memory:
                self._seen.popitem(last=False)
        self._failures = 0
        return True

    def _next(self, error: grpc.RpcError | None, *, brought: bool) -> float:
        """Return how long to wait for the next connection after one that ended by an error, or without one and without a summary.

        Raise the error that ends the stream. `brought` says whether the connection has brought a frame.
        """
        refused, self._refused = (self._refused and not brought), ""
        code = error.code() if error else grpc.StatusCode.UNKNOWN
        info, retry = details(error)
        self._token = (info.metadata["resume_token"] if info and "resume_token" in info.metadata else "") or self._token
        delay = retry.retry_delay.ToTimedelta().total_seconds() if retry else 0.0
        if info and info.reason == "STREAM_ENDED" and brought:
            return 0.0
        if code is grpc.StatusCode.UNAUTHENTICATED and not retry and self.options.token and not refused:
            self._refused = self._sent
            return 0.0
        failed = not info and code in FAILED
        again = (failed or (info and retry)) and delay <= self.options.max_wait
        if not again or self._failures >= self.options.retries:
            message = (error.details() if error else None) or "the stream ended without a summary"
            raise (StreamCut(message) if failed else StreamError(code, info, message)) from error
        self._failures += 1
        wait = min(self.options.backoff * 2.0 ** min(self._failures - 1, 16), MAX_BACKOFF)
        return delay or random.uniform(wait / 2, wait)


def details(error: grpc.RpcError | None) -> tuple[ErrorInfo | None, RetryInfo | None]:
    """Return what the gateway says about an error, and after which time the call may be repeated."""
    info, retry = None, None
    status = rpc_status.from_call(error) if error else None  # type: ignore[arg-type]  # the error is the call
    for detail in status.details if status else ():
        if detail.Is(ErrorInfo.DESCRIPTOR):
            info = ErrorInfo.FromString(detail.value)
        elif detail.Is(RetryInfo.DESCRIPTOR):
            retry = RetryInfo.FromString(detail.value)
    return (info if info and info.domain == "parley.v1" else None), retry
