package io.github.parleygateway.parley.client;

import io.github.parleygateway.parley.v1.Checkpoint;
import io.github.parleygateway.parley.v1.Notice;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** Settings of an {@link EventStream}. Each method sets one and returns the same options. */
public final class StreamOptions {
  UnaryOperator<String> tokenProvider;
  int retries = 10;
  int memory = 65_536;
  Duration backoff = Duration.ofMillis(500);
  Duration maxWait = Duration.ofMinutes(10);
  Duration idle = Duration.ofSeconds(60);
  Consumer<Notice> onNotice = notice -> { };
  Consumer<Checkpoint> onCheckpoint = checkpoint -> { };
  BiConsumer<StreamException, Duration> onRetry = (failure, wait) -> { };

  /**
   * Gives the access token of each connection; none by default. If the gateway has refused the token of the connection before, the
   * provider is given that one, and must not return it from a cache; else null. An exception of the provider ends the stream.
   */
  public StreamOptions tokenProvider(UnaryOperator<String> provider) { tokenProvider = provider; return this; }

  /** How many failures in a row are followed by another connection; 10 by default. A delivered event begins the count anew. */
  public StreamOptions retries(int count) { retries = count; return this; }

  /** How many uids are remembered to drop events that come again; 65,536 by default, 0 drops nothing. */
  public StreamOptions memory(int uids) { memory = uids; return this; }

  /** The wait after the first failure, doubled by each further one up to 30 s; half a second by default. */
  public StreamOptions backoff(Duration first) { backoff = first; return this; }

  /** The longest wait that a gateway may ask for; ten minutes by default. A longer one ends the stream. */
  public StreamOptions maxWait(Duration longest) { maxWait = longest; return this; }

  /** How long a connection may bring no frame; a minute by default. A gateway sends a checkpoint at least every 15 s. */
  public StreamOptions idle(Duration longest) { idle = longest; return this; }

  /** Is called with each notice, in its place between the events. */
  public StreamOptions onNotice(Consumer<Notice> listener) { onNotice = listener; return this; }

  /** Is called with each checkpoint, when the program asks for the event after it: the program is done with all events before it. */
  public StreamOptions onCheckpoint(Consumer<Checkpoint> listener) { onCheckpoint = listener; return this; }

  /** Is called after each failure that is followed by another connection, with the wait before it. */
  public StreamOptions onRetry(BiConsumer<StreamException, Duration> listener) { onRetry = listener; return this; }
}
