package io.github.parleygateway.parley.client;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.util.JsonFormat;
import io.github.parleygateway.parley.v1.Event;
import io.github.parleygateway.parley.v1.Source;
import io.github.parleygateway.parley.v1.StreamEventsRequest;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** The program on top of the helper that the conformance cases run: clients/conformance/README.md describes it. */
final class Driver {
  private static final Gson GSON = new Gson();

  private Driver() { }

  public static void main(String[] args) throws Exception {
    String target = args[Arrays.asList(args).indexOf("--grpc") + 1];
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    JsonObject client = GSON.fromJson(input.readLine(), JsonObject.class);
    StreamEventsRequest.Builder request = StreamEventsRequest.newBuilder();
    JsonFormat.parser().merge(client.get("request").toString(), request);
    ManagedChannel channel = NettyChannelBuilder.forTarget(target).usePlaintext().build();
    try (EventStream stream = new EventStream(channel, request.build(), options(client))) {
      StreamException failure = null;
      try {
        read(stream, client, input);
      } catch (StreamException ended) {
        failure = ended;
      }
      print("end", end(stream, failure));
    }
    while (input.readLine() != null) { } // the runner looks whether the call has ended before this process does
    channel.shutdownNow();
  }

  private static StreamOptions options(JsonObject client) {
    StreamOptions options = new StreamOptions()
        .retries(client.get("retries").getAsInt())
        .memory(client.get("memory").getAsInt())
        .backoff(Duration.ofMillis(client.get("backoffMillis").getAsLong()))
        .maxWait(Duration.ofMillis(client.get("maxWaitMillis").getAsLong()))
        .idle(Duration.ofMillis(client.get("idleMillis").getAsLong()))
        .onCheckpoint(checkpoint -> print("checkpoint", checkpoint.getResumeToken()))
        .onNotice(notice -> {
          Map<String, Object> item = new LinkedHashMap<>(Map.of("code", notice.getCode()));
          if (notice.getSource() != Source.SOURCE_UNSPECIFIED) {
            item.put("source", notice.getSource().name());
          }
          print("notice", item);
        });
    if (client.has("tokens")) {
      List<String> tokens = new ArrayList<>();
      for (JsonElement token : client.getAsJsonArray("tokens")) {
        tokens.add(token.getAsString());
      }
      AtomicInteger asked = new AtomicInteger();
      options.tokenProvider(refused -> tokens.get(Math.min(asked.getAndIncrement(), tokens.size() - 1)));
    }
    return options;
  }

  private static void read(EventStream stream, JsonObject client, BufferedReader input) throws IOException {
    int stopAfter = client.has("stopAfter") ? client.get("stopAfter").getAsInt() : 0;
    int holdAfter = client.has("holdAfter") ? client.get("holdAfter").getAsInt() : 0;
    for (int taken = 1; stream.hasNext(); taken++) {
      Event event = stream.next();
      Map<String, Object> item = new LinkedHashMap<>();
      item.put("uid", event.getUid());
      item.put("version", Long.toString(event.getVersion()));
      if (event.hasDeleteTime()) {
        item.put("deleted", true);
      }
      print("event", item);
      if (taken == holdAfter) {
        input.readLine();
      }
      if (taken == stopAfter) {
        stream.close();
        return;
      }
    }
  }

  private static Map<String, Object> end(EventStream stream, StreamException failure) {
    Map<String, Object> end = new LinkedHashMap<>();
    end.put("state", stream.state().name().toLowerCase(Locale.ROOT));
    if (failure != null && !failure.isCut()) {
      end.put("code", failure.status().getCode().name());
      end.put("reason", failure.reason());
    }
    if (!stream.resumeToken().isEmpty()) {
      end.put("resumeToken", stream.resumeToken());
    }
    stream.summary().ifPresent(summary -> {
      List<Object> gaps = new ArrayList<>();
      summary.getSourcesList().forEach(source -> source.getGapsList().forEach(
          gap -> gaps.add(Map.of("source", source.getSource().name(), "reason", gap.getReason()))));
      if (!gaps.isEmpty()) {
        end.put("gaps", gaps);
      }
      List<Object> notices = new ArrayList<>();
      summary.getNoticesList().forEach(notice -> notices.add(notice.getCode()));
      if (!notices.isEmpty()) {
        end.put("notices", notices);
      }
    });
    return end;
  }

  private static synchronized void print(String kind, Object value) {
    System.out.println(GSON.toJson(Map.of(kind, value)));
    System.out.flush();
  }
}
