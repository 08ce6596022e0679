package io.github.parleygateway.parley.client;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;

/** The error that ended a stream, or one connection of it. */
public final class StreamException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final String DOMAIN = "parley.v1";
  private static final EnumSet<Code> BROKEN = EnumSet.of(Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED);

  private final transient Status status;
  private final transient ErrorInfo info;
  private final transient Duration retryDelay;
  private final boolean cut;

  private StreamException(Status status, ErrorInfo info, Duration retryDelay, boolean cut) {
    super(status.getCode() + (status.getDescription() == null ? "" : ": " + status.getDescription()), status.getCause());
    this.status = status;
    this.info = info;
    this.retryDelay = retryDelay;
    this.cut = cut;
  }

  /** Returns the error by which a call ended; OK stands for an end without a summary. */
  static StreamException of(Status status, Metadata trailers) {
    if (status.isOk()) {
      return cut("the stream ended without a summary");
    }
    ErrorInfo info = ErrorInfo.getDefaultInstance();
    Duration retryDelay = null;
    com.google.rpc.Status sent = StatusProto.fromStatusAndTrailers(status, trailers);
    for (var detail : sent.getDetailsList()) {
      try {
        if (detail.is(ErrorInfo.class) && DOMAIN.equals(detail.unpack(ErrorInfo.class).getDomain())) {
          info = detail.unpack(ErrorInfo.class);
        } else if (detail.is(RetryInfo.class)) {
          var delay = detail.unpack(RetryInfo.class).getRetryDelay();
          retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        }
      } catch (InvalidProtocolBufferException malformed) {
        continue; // nothing that a gateway sends
      }
    }
    return new StreamException(status, info, retryDelay, info.getReason().isEmpty() && BROKEN.contains(status.getCode()));
  }

  /** Returns the error of a connection that broke. */
  static StreamException cut(String message) {
    return new StreamException(Status.UNAVAILABLE.withDescription(message), ErrorInfo.getDefaultInstance(), null, true);
  }

  /** Returns the error of a thread that was interrupted, after which nothing is tried again. */
  static StreamException interrupted(InterruptedException cause) {
    Thread.currentThread().interrupt();
    Status status = Status.CANCELLED.withDescription("the thread was interrupted").withCause(cause);
    return new StreamException(status, ErrorInfo.getDefaultInstance(), null, false);
  }

  /** Returns the status of the call. */
  public Status status() { return status; }

  /** Returns the reason of the error, such as {@code POLICY_DENIED}; empty if the gateway did not send the error. */
  public String reason() { return info.getReason(); }

  /** Returns the error's ErrorInfo; an empty one if the gateway did not send the error. */
  public ErrorInfo errorInfo() { return info; }

  /** Returns the time after which the call may be repeated; empty if it fails in the same way again. */
  public Optional<Duration> retryDelay() { return Optional.ofNullable(retryDelay); }

  /** Reports whether the connection failed: it broke, was silent for too long, or something on the way to the gateway refused it. */
  public boolean isCut() { return cut; }
}
