"""Lists the events of a user and reads their stream to its summary, by gRPC.

Usage: client.py HOST:PORT
"""

import sys

import grpc
from parley.v1 import event_service_pb2 as events
from parley.v1 import event_service_pb2_grpc as event_service
from parley.v1 import user_service_pb2 as users
from parley.v1 import user_service_pb2_grpc as user_service

TIMEOUT = 60  # seconds, for each call


def fail(text: str) -> None:
    """Ends the program with a message and exit code 1."""
    sys.exit(f"python: {text}")


def find_user(channel: grpc.Channel, client: event_service.EventServiceStub) -> tuple[str, events.ListEventsResponse]:
    """Returns the first user with events, and the first page of them."""
    page = user_service.UserServiceStub(channel).ListUsers(users.ListUsersRequest(), timeout=TIMEOUT)
    for user in page.users:
        answer = client.ListEvents(events.ListEventsRequest(parent=user.name, page_size=20), timeout=TIMEOUT)
        if answer.events:
            return user.name, answer
    fail("no user has events")


def main(address: str) -> None:
    """Talks to the gateway at address."""
    with grpc.insecure_channel(address) as channel:
        client = event_service.EventServiceStub(channel)
        user, page = find_user(channel, client)
        print(f"python: listed {len(page.events)} events, first {page.events[0].uid}")

        count, checkpoints, summary = 0, 0, None
        stream = client.StreamEvents(events.StreamEventsRequest(parent=user), timeout=TIMEOUT)
        for frame in stream:
            if summary is not None:
                fail("a frame after the summary")
            match frame.WhichOneof("frame"):
                case "batch":
                    count += len(frame.batch.events)
                case "checkpoint":
                    checkpoints += 1
                case "summary":
                    summary = frame.summary
        if summary is None:
            fail("the stream ended without a summary")
        if not summary.complete:
            fail(f"the stream is not complete: {summary}")
        if count < len(page.events) or checkpoints == 0:
            fail(f"{count} events and {checkpoints} checkpoints streamed, {len(page.events)} events listed")
        print(f"python: streamed {count} events, {checkpoints} checkpoints, complete")


if __name__ == "__main__":
    main(sys.argv[1])
