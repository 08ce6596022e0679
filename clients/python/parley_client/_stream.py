"""Streams of events, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
from parley.v1.event_service_pb2 import StreamEventsRequest, StreamEventsResponse
from parley.v1.event_service_pb2_grpc import EventServiceStub

from parley_client._reader import Method, Options, Reader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable

    from parley.v1.event_pb2 import Event
    from typing_extensions import Self

T = TypeVar("T")


class Stream(Reader[T]):
    """One query, read through any trouble: iterate over it once.

    The iteration ends at the summary; it raises StreamCut or StreamError, or what a function of the options raises. To stop early, leave
    the loop and call `close`, or use the stream as a context manager. `close` may come from another thread.
    """

    def __init__(self, method: Method[T], resume_token: str = "", options: Options | None = None) -> None:
        super().__init__(method, resume_token, options)
        self._closed = threading.Event()
        self._call: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream and its call."""
        self._closed.set()
        if call := self._call:
            call.cancel()

    def __iter__(self) -> Generator[T, None, None]:
        """Read connection after connection."""
        while not self._closed.is_set() and self._summary is None:
            error, brought = None, False
            token = self.options.token
            self._call = self.method.open(self._token, self._authorization(cast("str", token(self._refused))) if token else [])
            try:
                while (frame := self._receive()) is not None:
                    brought = True
                    yield from filter(self._fresh, self.method.items(frame))
                    self._take(frame)
                    if self._summary is not None:
                        return
            except grpc.RpcError as caught:
                # The error is the call itself: with its traceback, it would be a cycle. Collected when the interpreter ends,
                # it would wait for ever for a lock that a thread of grpc held.
                error = caught.with_traceback(None)
            finally:
                self._call.cancel()
            if not self._closed.is_set():
                self._closed.wait(self._next(error, brought=brought))

    def _receive(self) -> Any:
        """Return the next frame; None if the call ended without an error."""
        if self._closed.is_set():
            self._call.cancel()
        idle = threading.Timer(self.options.idle, self._call.cancel)
        idle.daemon = True
        idle.start()
        try:
            return next(self._call, None)
        finally:
            idle.cancel()

    def _take(self, frame: Any) -> None:
        """Tell the program what a frame says."""
        kind = frame.WhichOneof("frame")
        if kind == "notice" and self.options.on_notice:
            self.options.on_notice(frame.notice)
        elif kind == "checkpoint":
            self._token = frame.checkpoint.resume_token
            if self.options.on_checkpoint:
                self.options.on_checkpoint(frame.checkpoint)
        elif kind == "summary":
            self._summary, self._token = frame.summary, frame.summary.resume_token


class AsyncStream(Reader[T]):
    """One query, read through any trouble: iterate over it once, with `async for`.

    It raises what Stream raises. To stop early, call `aclose` on the iterator (contextlib.aclosing does), or cancel the task.
    """

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Read connection after connection."""
        while self._summary is None:
            error, brought = None, False
            token = self.options.token
            metadata = self._authorization(await settled(token(self._refused))) if token else []
            call = self.method.open(self._token, metadata)
            try:
                while (frame := await asyncio.wait_for(call.read(), self.options.idle)) is not grpc.aio.EOF:
                    brought = True
                    for item in filter(self._fresh, self.method.items(frame)):
                        yield item
                    await self._take(frame)
                    if self._summary is not None:
                        return
            except grpc.aio.AioRpcError as caught:
                error = caught
            except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
                pass
            finally:
                call.cancel()
            await asyncio.sleep(self._next(error, brought=brought))

    async def _take(self, frame: Any) -> None:
        """Tell the program what a frame says."""
        kind = frame.WhichOneof("frame")
        if kind == "notice" and self.options.on_notice:
            await settled(self.options.on_notice(frame.notice))
        elif kind == "checkpoint":
            self._token = frame.checkpoint.resume_token
            if self.options.on_checkpoint:
                await settled(self.options.on_checkpoint(frame.checkpoint))
        elif kind == "summary":
            self._summary, self._token = frame.summary, frame.summary.resume_token


async def settled(value: T | Awaitable[T]) -> T:
    """Return a value that may have to be awaited."""
    return await value if inspect.isawaitable(value) else value


def _events_method(channel: grpc.Channel | grpc.aio.Channel, request: StreamEventsRequest) -> Method[Event]:
    stub = EventServiceStub(channel)  # type: ignore[no-untyped-call]  # generated without types

    def call(resume_token: str, metadata: list[tuple[str, str]]) -> Any:
        asked = StreamEventsRequest()
        asked.CopyFrom(request)
        asked.resume_token = resume_token
        return stub.StreamEvents(asked, metadata=metadata)

    def items(frame: StreamEventsResponse) -> Iterable[Event]:
        return frame.batch.events

    return Method(call, items, lambda event: (event.uid, event.version))


def events(channel: grpc.Channel, request: StreamEventsRequest, options: Options | None = None) -> Stream[Event]:
    """Return the stream of the events of a request, which may carry a resume token of an earlier run."""
    return Stream(_events_method(channel, request), request.resume_token, options)


def events_async(channel: grpc.aio.Channel, request: StreamEventsRequest, options: Options | None = None) -> AsyncStream[Event]:
    """Return the stream of the events of a request for `async for`."""
    return AsyncStream(_events_method(channel, request), request.resume_token, options)
