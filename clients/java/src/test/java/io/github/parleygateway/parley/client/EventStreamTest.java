package io.github.parleygateway.parley.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.parleygateway.parley.v1.Checkpoint;
import io.github.parleygateway.parley.v1.Event;
import io.github.parleygateway.parley.v1.EventBatch;
import io.github.parleygateway.parley.v1.EventServiceGrpc;
import io.github.parleygateway.parley.v1.StreamEventsRequest;
import io.github.parleygateway.parley.v1.StreamEventsResponse;
import io.github.parleygateway.parley.v1.Summary;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the conformance cases cannot show: threads, listeners and providers of the program. */
@Timeout(60)
final class EventStreamTest {
  private Server server;
  private ManagedChannel channel;

  /** Serves streams that are answered in turn; the last answer again and again. */
  @SafeVarargs
  private EventStream stream(StreamOptions options, Consumer<ServerCallStreamObserver<StreamEventsResponse>>... answers) throws IOException {
    String name = InProcessServerBuilder.generateName();
    AtomicInteger calls = new AtomicInteger();
    server = InProcessServerBuilder.forName(name).addService(new EventServiceGrpc.EventServiceImplBase() {
      @Override
      public void streamEvents(StreamEventsRequest request, StreamObserver<StreamEventsResponse> out) {
        answers[Math.min(calls.getAndIncrement(), answers.length - 1)].accept((ServerCallStreamObserver<StreamEventsResponse>) out);
      }
    }).build().start();
    channel = InProcessChannelBuilder.forName(name).build();
    return new EventStream(channel, StreamEventsRequest.newBuilder().setParent("users/u").build(), options.backoff(Duration.ofMillis(1)));
  }

  @AfterEach
  void stop() throws InterruptedException {
    channel.shutdownNow();
    assertTrue(server.shutdownNow().awaitTermination(30, TimeUnit.SECONDS));
  }

  private static StreamEventsResponse batch(String... uids) {
    EventBatch.Builder batch = EventBatch.newBuilder();
    for (String uid : uids) {
      batch.addEvents(Event.newBuilder().setUid(uid).setVersion(1));
    }
    return StreamEventsResponse.newBuilder().setBatch(batch).build();
  }

  private static StreamEventsResponse checkpoint(String token) {
    return StreamEventsResponse.newBuilder().setCheckpoint(Checkpoint.newBuilder().setResumeToken(token)).build();
  }

  private static void finish(StreamObserver<StreamEventsResponse> out) {
    out.onNext(StreamEventsResponse.newBuilder().setSummary(Summary.newBuilder().setComplete(true).setResumeToken("end")).build());
    out.onCompleted();
  }

  @Test
  void closingWakesTheReader() throws Exception {
    CountDownLatch called = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    try (EventStream stream = stream(new StreamOptions(), out -> {
      out.setOnCancelHandler(cancelled::countDown);
      called.countDown();
    })) {
      CompletableFuture<Boolean> reading = CompletableFuture.supplyAsync(stream::hasNext);
      called.await();
      stream.close();
      assertFalse(reading.get());
      assertEquals(EventStream.State.STOPPED, stream.state());
      cancelled.await();
    }
  }

  @Test
  void closingEndsAWait() throws Exception {
    CountDownLatch waiting = new CountDownLatch(1);
    StreamOptions options = new StreamOptions().onRetry((failure, wait) -> waiting.countDown());
    try (EventStream stream = stream(options, out -> out.onError(Status.UNAVAILABLE.asException()))) {
      options.backoff(Duration.ofHours(1));
      CompletableFuture<Boolean> reading = CompletableFuture.supplyAsync(stream::hasNext);
      waiting.await();
      stream.close();
      assertFalse(reading.get());
    }
  }

  @Test
  void anInterruptEndsTheStream() throws Exception {
    CountDownLatch called = new CountDownLatch(1);
    try (EventStream stream = stream(new StreamOptions(), out -> called.countDown())) {
      CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
      Thread reader = new Thread(() -> {
        StreamException failure = assertThrows(StreamException.class, stream::hasNext);
        interrupted.complete(Thread.currentThread().isInterrupted() && failure.status().getCode() == Status.Code.CANCELLED);
      });
      reader.start();
      called.await();
      reader.interrupt();
      assertTrue(interrupted.get());
      assertEquals(EventStream.State.ERROR, stream.state());
      reader.join();
    }
  }

  @Test
  void aTokenProviderLearnsWhichTokenWasRefused() throws Exception {
    List<String> asked = new ArrayList<>();
    StreamOptions options = new StreamOptions().tokenProvider(refused -> {
      asked.add(refused);
      return "token " + asked.size();
    });
    Consumer<ServerCallStreamObserver<StreamEventsResponse>> refusing = out -> out.onError(Status.UNAUTHENTICATED.asException());
    try (EventStream stream = stream(options, refusing, out -> {
      out.onNext(batch("a"));
      out.onCompleted();
    }, refusing)) {
      assertEquals("a", stream.next().getUid());
      StreamException failure = assertThrows(StreamException.class, stream::hasNext);
      assertEquals(Status.Code.UNAUTHENTICATED, failure.status().getCode());
      assertFalse(stream.hasNext());
    }
    List<String> expected = new ArrayList<>();
    expected.add(null);
    expected.add("token 1");
    expected.add(null);
    expected.add("token 3");
    assertEquals(expected, asked);
  }

  @Test
  void exceptionsOfTheProgramEndTheStream() throws Exception {
    CountDownLatch cancelled = new CountDownLatch(1);
    StreamOptions options = new StreamOptions().onCheckpoint(checkpoint -> {
      throw new IllegalStateException("disk full");
    });
    try (EventStream stream = stream(options, out -> {
      out.setOnCancelHandler(cancelled::countDown);
      out.onNext(batch("a"));
      out.onNext(checkpoint("t1"));
    })) {
      assertEquals("a", stream.next().getUid());
      assertEquals("disk full", assertThrows(IllegalStateException.class, stream::hasNext).getMessage());
      assertEquals(EventStream.State.ERROR, stream.state());
      cancelled.await();
    }
  }

  @Test
  void oneFrameIsAskedForAtATime() throws Exception {
    AtomicInteger sent = new AtomicInteger();
    try (EventStream stream = stream(new StreamOptions(), out -> out.setOnReadyHandler(() -> {
      while (out.isReady() && sent.get() < 1000) {
        out.onNext(batch("a" + sent.get(), "b" + sent.getAndIncrement()));
        out.onNext(checkpoint("t" + sent.get()));
      }
      if (sent.get() == 1000 && out.isReady()) {
        finish(out);
      }
    }))) {
      assertTrue(stream.hasNext());
      // The transport holds one message, and a call in this process is ready as long as it holds none.
      assertTrue(sent.get() <= 4, sent + " frames were sent to a program that took one event");
      int taken = 0;
      for (; stream.hasNext(); taken++) {
        assertEquals((taken % 2 == 0 ? "a" : "b") + taken / 2, stream.next().getUid());
      }
      assertEquals(2000, taken);
      assertEquals(EventStream.State.COMPLETE, stream.state());
      assertEquals("end", stream.resumeToken());
      assertTrue(stream.summary().orElseThrow().getComplete());
    }
  }
}
