package io.github.parleygateway.parley.client;

import io.github.parleygateway.parley.v1.EventServiceGrpc;
import io.github.parleygateway.parley.v1.StreamEventsRequest;
import io.github.parleygateway.parley.v1.StreamEventsResponse;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One call of a stream. */
final class Connection extends ClientCall.Listener<StreamEventsResponse> {
  private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final ClientCall<StreamEventsRequest, StreamEventsResponse> call;
  /** What has arrived and was not taken: at most the frame that was asked for, and the end. */
  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();

  Connection(Channel channel, StreamEventsRequest request, String accessToken) {
    Metadata headers = new Metadata();
    if (accessToken != null) {
      headers.put(AUTHORIZATION, "Bearer " + accessToken);
    }
    call = channel.newCall(EventServiceGrpc.getStreamEventsMethod(), CallOptions.DEFAULT);
    call.start(this, headers);
    call.sendMessage(request);
    call.halfClose();
  }

  @Override
  public void onMessage(StreamEventsResponse frame) { arrived.add(frame); }

  @Override
  public void onClose(Status status, Metadata trailers) { arrived.add(StreamException.of(status, trailers)); }

  /** Asks for the next frame and waits for it. */
  StreamEventsResponse next(Duration idle) {
    call.request(1);
    Object next;
    try {
      next = arrived.poll(idle.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      throw StreamException.interrupted(interrupted);
    }
    if (next instanceof StreamEventsResponse) {
      return (StreamEventsResponse) next;
    }
    throw next == null ? StreamException.cut("nothing came for " + idle) : (StreamException) next;
  }

  void cancel() { call.cancel("the program needs no more of the stream", null); }
}
