"""Counts a user's events with asyncio. Usage: asynchronous.py HOST:PORT users/USER."""

import asyncio
import sys

import grpc
from parley.v1.event_service_pb2 import StreamEventsRequest

from parley_client import events_async


async def main(target: str, user: str) -> None:
    """Count events, and say whether they are all."""
    async with grpc.aio.insecure_channel(target) as channel:
        stream = events_async(channel, StreamEventsRequest(parent=user))
        count = 0
        async for _ in stream:
            count += 1
        print(f"{count} events, complete: {stream.summary is not None and stream.summary.complete}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
