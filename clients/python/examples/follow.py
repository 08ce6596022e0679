"""Reads a user's events into a file, and goes on where the last run ended.

Usage: follow.py HOST:PORT users/USER FILE
"""

import sys
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToJson
from parley.v1.answer_pb2 import Checkpoint
from parley.v1.event_service_pb2 import StreamEventsRequest

from parley_client import Options, StreamCut, StreamError, events


def main(target: str, user: str, path: Path) -> int:
    """Append events to a file, one a line, and keep the token beside it."""
    kept = path.with_suffix(".token")
    request = StreamEventsRequest(parent=user, resume_token=kept.read_text() if kept.exists() else "")
    with path.open("a") as file, grpc.insecure_channel(target, [("grpc.keepalive_time_ms", 30_000)]) as channel:

        def keep(checkpoint: Checkpoint) -> None:
            file.flush()  # events first, then the token that stands for them
            kept.write_text(checkpoint.resume_token)

        options = Options(on_checkpoint=keep, on_notice=lambda notice: print(f"notice: {notice.code}", file=sys.stderr))
        with events(channel, request, options) as stream:
            try:
                for event in stream:
                    file.write(MessageToJson(event, indent=None) + "\n")
            except (StreamCut, StreamError) as error:
                print(f"{error}; the next run goes on", file=sys.stderr)
                return 1
        file.flush()
        kept.write_text(stream.resume_token)
    if stream.summary and not stream.summary.complete:
        for report in stream.summary.sources:
            for gap in report.gaps:
                span = gap.interval
                print(f"gap: {gap.reason}, {span.start_time.ToJsonString()} to {span.end_time.ToJsonString()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
