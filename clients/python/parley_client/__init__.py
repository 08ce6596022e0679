"""Reads streams of a Parley gateway through any trouble.

>>> stream = events(channel, StreamEventsRequest(parent="users/me"), Options(token=token))  # doctest: +SKIP
>>> for event in stream:  # doctest: +SKIP
...     store(event)
>>> stream.summary.complete  # doctest: +SKIP
True
"""

from parley_client._reader import Method, Options, StreamCut, StreamError
from parley_client._stream import AsyncStream, Stream, events, events_async

__all__ = ["AsyncStream", "Method", "Options", "Stream", "StreamCut", "StreamError", "events", "events_async"]
