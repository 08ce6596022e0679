"""The program on top of the helper that the conformance cases run: clients/conformance/README.md describes it.

`--asyncio` reads with `async for`.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import json_format
from parley.v1.answer_pb2 import Checkpoint, Notice
from parley.v1.event_pb2 import Event
from parley.v1.event_service_pb2 import StreamEventsRequest
from parley.v1.source_pb2 import Source

from parley_client import AsyncStream, Options, Stream, StreamCut, StreamError, events, events_async


def show(**item: Any) -> None:
    """Print an item."""
    print(json.dumps(item), flush=True)


def notice(value: Notice) -> None:
    """Print a notice."""
    show(notice={"code": value.code, **({"source": Source.Name(value.source)} if value.source else {})})


def checkpoint(value: Checkpoint) -> None:
    """Print a checkpoint."""
    show(checkpoint=value.resume_token)


def options(given: dict[str, Any]) -> Options:
    """Return the helper's options of a case."""
    tokens = list(given.get("tokens", ()))
    return Options(
        token=(lambda _refused: tokens.pop(0) if len(tokens) > 1 else tokens[0]) if tokens else None,
        on_notice=notice,
        on_checkpoint=checkpoint,
        retries=given["retries"],
        memory=given["memory"],
        backoff=given["backoffMillis"] / 1000,
        max_wait=given["maxWaitMillis"] / 1000,
        idle=given["idleMillis"] / 1000,
    )


class Program:
    """What takes events, until it has enough."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.taken = 0

    def take(self, event: Event) -> bool:
        """Take an event, and report whether the program stops."""
        self.taken += 1
        show(event={"uid": event.uid, "version": str(event.version), **({"deleted": True} if event.HasField("delete_time") else {})})
        if self.taken == self.given.get("holdAfter"):
            sys.stdin.readline()
        return self.taken == self.given.get("stopAfter")


def read(program: Program, stream: Stream[Event]) -> bool:
    """Read a stream, and report whether the program stopped."""
    with stream:
        return any(program.take(event) for event in stream)


async def read_async(program: Program, iterator: AsyncIterator[Event]) -> bool:
    """Read a stream, and report whether the program stopped."""
    async with contextlib.aclosing(iterator) as items:  # type: ignore[type-var]  # a generator
        async for event in items:
            if program.take(event):
                return True
    return False


def finish(stream: Stream[Event] | AsyncStream[Event]) -> dict[str, Any]:
    """Describe a summary."""
    if stream.summary is None:
        raise AssertionError("a stream ended without a summary")
    gaps = [{"source": Source.Name(report.source), "reason": gap.reason} for report in stream.summary.sources for gap in report.gaps]
    notices = [notice.code for notice in stream.summary.notices]
    end: dict[str, Any] = {"state": "complete" if stream.summary.complete else "incomplete"}
    return {**end, **({"gaps": gaps} if gaps else {}), **({"notices": notices} if notices else {})}


def failure(error: Exception) -> dict[str, Any]:
    """Describe the error that ended a stream."""
    if isinstance(error, StreamError):
        return {"state": "error", "code": error.code.name, "reason": error.reason}
    return {"state": "cut"}


def conclude(stream: Stream[Event] | AsyncStream[Event], end: dict[str, Any]) -> None:
    """Print the last item, and stay until the runner has seen that the call is over."""
    show(end={**end, **({"resumeToken": stream.resume_token} if stream.resume_token else {})})
    sys.stdin.read()


def main(target: str, given: dict[str, Any], request: StreamEventsRequest) -> None:
    """Read with threads."""
    with grpc.insecure_channel(target) as channel:
        stream = events(channel, request, options(given))
        try:
            end = {"state": "stopped"} if read(Program(given), stream) else finish(stream)
        except (StreamCut, StreamError) as error:
            end = failure(error)
        conclude(stream, end)


async def main_async(target: str, given: dict[str, Any], request: StreamEventsRequest) -> None:
    """Read with asyncio."""
    async with grpc.aio.insecure_channel(target) as channel:
        stream = events_async(channel, request, options(given))
        try:
            end = {"state": "stopped"} if await read_async(Program(given), aiter(stream)) else finish(stream)
        except (StreamCut, StreamError) as error:
            end = failure(error)
        await asyncio.to_thread(conclude, stream, end)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--grpc", required=True)
    parser.add_argument("--rest")
    parser.add_argument("--asyncio", action="store_true")
    arguments = parser.parse_args()
    case = json.loads(sys.stdin.readline())
    message = json_format.ParseDict(case["request"], StreamEventsRequest())
    if arguments.asyncio:
        asyncio.run(main_async(arguments.grpc, case, message))
    else:
        main(arguments.grpc, case, message)
