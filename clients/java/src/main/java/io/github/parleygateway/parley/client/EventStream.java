package io.github.parleygateway.parley.client;

import io.github.parleygateway.parley.v1.Event;
import io.github.parleygateway.parley.v1.StreamEventsRequest;
import io.github.parleygateway.parley.v1.StreamEventsResponse;
import io.github.parleygateway.parley.v1.Summary;
import io.grpc.Channel;
import io.grpc.Status;
import java.time.Duration;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * The events of one query, read through cuts, planned ends and throttling, each once per version. Iteration ends after the summary, and
 * throws a {@link StreamException} if there is none. At most one frame is held: a slow program holds the gateway back.
 *
 * <p>One thread reads a stream, once; any thread may close it.
 */
public final class EventStream implements Iterator<Event>, AutoCloseable {
  private static final double LONGEST_BACKOFF = Duration.ofSeconds(30).toNanos();

  /** How a stream stands: CUT is an end without a summary and an error, STOPPED the end by {@link #close}. */
  public enum State { OPEN, COMPLETE, INCOMPLETE, CUT, ERROR, STOPPED }

  private final Channel channel;
  private final StreamEventsRequest request;
  private final StreamOptions options;
  private final Map<String, Long> versions = new LinkedHashMap<>(16, 0.75f, true); // of uids in the order of their last arrival
  private final CountDownLatch closed = new CountDownLatch(1);

  private volatile Connection connection;
  private volatile State state = State.OPEN;
  private Iterator<Event> batch = Collections.emptyIterator();
  private Event next;
  private String resumeToken;
  private Summary summary;
  private int failures; // in a row
  private boolean begun; // the connection has brought a frame
  private String sent; // the last access token
  private String refused; // the last access token, if it was refused and no frame has come since

  /** Makes a stream of a request, which may carry a resume token of an earlier run. The first call of {@link #hasNext} sends it. */
  public EventStream(Channel channel, StreamEventsRequest request, StreamOptions options) {
    this.channel = channel;
    this.request = request;
    this.options = options;
    resumeToken = request.getResumeToken();
  }

  /** Waits for the next event. */
  @Override
  public boolean hasNext() {
    while (next == null && state == State.OPEN) {
      try {
        advance();
      } catch (RuntimeException | Error failure) { // of the stream, of a listener, or of the token provider
        end(failure instanceof StreamException && ((StreamException) failure).isCut() ? State.CUT : State.ERROR);
        throw failure;
      }
    }
    return next != null;
  }

  @Override
  public Event next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Event event = next;
    next = null;
    return event;
  }

  /** Ends the call at once. A thread that waits in {@link #hasNext} goes on with false. */
  @Override
  public void close() {
    closed.countDown();
    end(State.STOPPED);
  }

  public State state() { return state; }

  /** Returns the summary: what is complete, gaps and notices; empty until the stream has ended with one. */
  public Optional<Summary> summary() { return Optional.ofNullable(summary); }

  /** Returns the latest resume token, which stands for all events before it: the program has taken them. Empty if there is none. */
  public String resumeToken() { return resumeToken; }

  /** Goes on by one step: an event, a frame, or a connection. */
  private void advance() {
    if (batch.hasNext()) {
      Event event = batch.next();
      if (isNew(event)) {
        failures = 0;
        next = event;
      }
      return;
    }
    if (connection == null) {
      connect();
    }
    StreamEventsResponse frame;
    try {
      frame = connection.next(options.idle);
    } catch (StreamException failure) {
      connection.cancel();
      connection = null;
      recover(failure);
      return;
    }
    begun = true;
    refused = null;
    take(frame);
  }

  private void connect() {
    sent = options.tokenProvider == null ? null : options.tokenProvider.apply(refused);
    begun = false;
    connection = new Connection(channel, request.toBuilder().setResumeToken(resumeToken).build(), sent);
    if (closed.getCount() == 0) {
      connection.cancel();
    }
  }

  private void take(StreamEventsResponse frame) {
    switch (frame.getFrameCase()) {
      case BATCH:
        batch = frame.getBatch().getEventsList().iterator();
        break;
      case NOTICE:
        options.onNotice.accept(frame.getNotice());
        break;
      case CHECKPOINT:
        resumeToken = frame.getCheckpoint().getResumeToken();
        options.onCheckpoint.accept(frame.getCheckpoint());
        break;
      case SUMMARY:
        summary = frame.getSummary();
        resumeToken = summary.getResumeToken();
        end(summary.getComplete() ? State.COMPLETE : State.INCOMPLETE);
        break;
      default: // a frame of a later version
    }
  }

  /** Reports whether an event is new: its uid is not remembered, or its version is higher. */
  private boolean isNew(Event event) {
    if (options.memory <= 0 || event.getUid().isEmpty()) {
      return true;
    }
    Long known = versions.get(event.getUid());
    if (known != null && known >= event.getVersion()) {
      return false;
    }
    versions.put(event.getUid(), event.getVersion());
    if (versions.size() > options.memory) {
      versions.remove(versions.keySet().iterator().next());
    }
    return true;
  }

  /** Prepares another connection after a failure, and waits for its time; throws the failure if there is to be none. */
  private void recover(StreamException failure) {
    if (closed.getCount() == 0) {
      return;
    }
    resumeToken = failure.errorInfo().getMetadataOrDefault("resume_token", resumeToken);
    if (begun && failure.reason().equals("STREAM_ENDED")) {
      return;
    }
    Optional<Duration> delay = failure.retryDelay();
    if (sent != null && refused == null && delay.isEmpty() && failure.status().getCode() == Status.Code.UNAUTHENTICATED) {
      refused = sent;
      return;
    }
    Duration asked = delay.orElse(Duration.ZERO);
    if (!failure.isCut() && delay.isEmpty() || asked.compareTo(options.maxWait) > 0 || ++failures > options.retries) {
      throw failure;
    }
    Duration wait = asked.isZero() ? backoff() : asked;
    options.onRetry.accept(failure, wait);
    try {
      closed.await(wait.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      throw StreamException.interrupted(interrupted);
    }
  }

  private Duration backoff() {
    double first = options.backoff.toNanos();
    double longest = Math.min(first * Math.pow(2, failures - 1), Math.max(first, LONGEST_BACKOFF));
    return Duration.ofNanos((long) (longest * (0.5 + ThreadLocalRandom.current().nextDouble() / 2)));
  }

  private void end(State how) {
    Connection running = connection;
    if (running != null) {
      running.cancel();
    }
    state = state == State.OPEN ? how : state;
  }
}
