import assert from "node:assert/strict";
import { test } from "node:test";

import { EventStream, StreamError, type Item, type StreamOptions } from "../src/index.js";

type Answer = (call: { url: URL; headers: Headers; signal: AbortSignal }) => Response | Promise<Response>;

/** Returns a stream whose connections are answered in turn, and the calls that it made. */
function streamOf(answers: Answer[], options: Partial<StreamOptions> = {}) {
  const calls: { url: URL; headers: Headers; signal: AbortSignal }[] = [];
  const stream = new EventStream({
    baseUrl: "http://parley.example/",
    request: { parent: "users/u" },
    backoff: 1,
    fetch: async (input, init) => {
      const call = { url: input as URL, headers: new Headers(init?.headers), signal: init?.signal as AbortSignal };
      const answer = answers[calls.push(call) - 1];
      assert.ok(answer, "a connection too many");
      return answer(call);
    },
    ...options,
  });
  return { stream, calls };
}

const frames = (...frames: object[]): Answer => () => new Response(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(""));
const batch = (...uids: string[]) => ({ batch: { events: uids.map((uid) => ({ name: uid, uid, version: "1" })) } });
const checkpoint = (resumeToken: string) => ({ checkpoint: { resumeToken, sources: [] } });
const summary = (complete: boolean, more = {}) => ({ summary: { complete, notices: [], sources: [], resumeToken: "end", ...more } });
const failure = (status: string, reason: string, retryDelay?: string, metadata = {}) => ({
  code: 1, status, reason, message: "no",
  details: [
    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", domain: "parley.v1", reason, metadata },
    ...(retryDelay ? [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }] : []),
  ],
});

async function all(stream: EventStream): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream.items()) items.push(item);
  return items;
}

test("a request is sent as query parameters and headers", async () => {
  const { stream, calls } = streamOf([frames(summary(true))], {
    request: { parent: "users/u@x.example/conversations/19:a@thread.v2", sources: ["SOURCE_CHAT", "SOURCE_CALL"], filter: "kind = A", endTime: "2026-11-02T00:00:00Z", resumeToken: "t+/=" },
    headers: { "parley-tenant": "contoso" },
    token: () => "secret",
  });
  for await (const event of stream) assert.fail(event.name);
  const call = calls[0];
  assert.equal(call?.url.href, "http://parley.example/v1/users/u%40x.example/conversations/19%3Aa%40thread.v2/events:stream" +
    "?sources=SOURCE_CHAT&sources=SOURCE_CALL&filter=kind+%3D+A&endTime=2026-11-02T00%3A00%3A00Z&resumeToken=t%2B%2F%3D");
  assert.deepEqual(Object.fromEntries(call.headers), { accept: "application/x-ndjson", authorization: "Bearer secret", "parley-tenant": "contoso" });
});

test("a stream goes on after a cut and tells what its summary says", async () => {
  const gap = { interval: { startTime: "2026-11-01T00:00:00Z" }, reason: "PAGING_LOOP" };
  const notice = { code: "PAGING_LOOP" };
  const { stream, calls } = streamOf([
    () => new Response(`${JSON.stringify(batch("a"))}\n${JSON.stringify(checkpoint("t1"))}\n${JSON.stringify(batch("b"))}\n{"batch":{"eve`),
    frames(batch("b", "c"), { unknown: {} }, summary(false, { notices: [notice], sources: [{ source: "SOURCE_CHAT", gaps: [gap] }, { source: "SOURCE_CALL" }] })),
  ]);
  const names: string[] = [];
  for await (const event of stream) names.push(event.name);
  assert.deepEqual(names, ["a", "b", "c"]);
  assert.equal(calls[1]?.url.searchParams.get("resumeToken"), "t1");
  assert.equal(stream.state, "incomplete");
  assert.equal(stream.resumeToken, "end");
  assert.deepEqual(stream.gaps, [{ source: "SOURCE_CHAT", ...gap }]);
  assert.deepEqual(stream.notices, [notice]);
});

test("a wait is the one that was asked for", async () => {
  const waits: [string, number][] = [];
  const { stream } = streamOf([
    () => Response.json(failure("RESOURCE_EXHAUSTED", "GRAPH_THROTTLED", "0.0205s"), { status: 429 }),
    () => new Response("busy", { status: 503, headers: { "Retry-After": "0" } }),
    () => Promise.reject(new TypeError("fetch failed")),
    frames(batch("a"), checkpoint("t"), { error: failure("UNAVAILABLE", "STREAM_ENDED", "0s", { resume_token: "t" }) }),
    frames(summary(true)),
  ], { onRetry: (error, wait) => waits.push([error.reason || error.message, wait]) });
  await all(stream);
  assert.deepEqual(waits.map(([what]) => what), ["GRAPH_THROTTLED", "HTTP status 503", "the connection broke"]);
  assert.equal(waits[0]?.[1], 21);
});

test("a date in Retry-After, and a wait that is too long", async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const { stream } = streamOf([() => new Response("", { status: 503, headers: { "Retry-After": date } })], { maxWait: 60_000 });
  await assert.rejects(all(stream), (error) => error instanceof StreamError && error.cut && (error.retryAfter ?? 0) > 3_500_000);
  assert.equal(stream.state, "cut");
});

test("an error that stays has its code, its reason and the latest token", async () => {
  const { stream } = streamOf([frames(batch("a"), checkpoint("t1"), { error: failure("PERMISSION_DENIED", "POLICY_DENIED") })]);
  await assert.rejects(all(stream), { name: "StreamError", code: "PERMISSION_DENIED", reason: "POLICY_DENIED", resumeToken: "t1", cut: false });
  assert.equal(stream.state, "error");
});

test("what is not a gateway is told from one", async () => {
  for (const [status, code] of [[400, "INTERNAL"], [401, "UNAUTHENTICATED"], [403, "PERMISSION_DENIED"], [404, "UNIMPLEMENTED"], [418, "UNKNOWN"]] as const) {
    const { stream } = streamOf([() => new Response("<html>", { status })]);
    await assert.rejects(all(stream), { code, reason: "", cut: false });
  }
  for (const body of ["<html>\n", "null\n", "7\n", ""]) {
    const { stream } = streamOf([() => new Response(body), () => new Response(null)], { retries: 1 });
    await assert.rejects(all(stream), { code: "UNAVAILABLE", reason: "", cut: true });
  }
});

test("a token provider learns which token was refused", async () => {
  const asked: (string | undefined)[] = [];
  const refusing: Answer = () => Response.json(failure("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED"), { status: 401 });
  const { stream, calls } = streamOf([refusing, frames(batch("a")), refusing, refusing], { token: (refused) => `token ${asked.push(refused)}` });
  await assert.rejects(all(stream), { code: "UNAUTHENTICATED", cut: false });
  assert.deepEqual(asked, [undefined, "token 1", undefined, "token 3"]);
  assert.equal(calls[3]?.headers.get("authorization"), "Bearer token 4");
});

test("an error of the token provider ends the stream", async () => {
  const { stream } = streamOf([], { token: () => Promise.reject(new Error("signed out")) });
  await assert.rejects(all(stream), /signed out/);
  assert.equal(stream.state, "error");
});

test("a signal ends a read, a wait and a stream that has not begun", async () => {
  const silent: Answer = () => new Response(new ReadableStream());
  const refusing: Answer = () => new Response("", { status: 503, headers: { "Retry-After": "60" } });
  for (const answer of [silent, refusing]) {
    const controller = new AbortController();
    const { stream, calls } = streamOf([answer], { signal: controller.signal, onRetry: () => controller.abort("enough") });
    const reading = all(stream);
    if (answer === silent) setImmediate(() => controller.abort("enough"));
    await assert.rejects(reading, (reason) => reason === "enough");
    assert.equal(stream.state, "stopped");
    assert.ok(calls[0]?.signal.aborted);
  }
  const { stream, calls } = streamOf([], { signal: AbortSignal.abort("before") });
  await assert.rejects(all(stream), (reason) => reason === "before");
  assert.equal(calls.length, 0);
});

test("a signal ends the wait for a token, and what comes of it is of no matter", async () => {
  const controller = new AbortController();
  let refuse: (reason: Error) => void = assert.fail;
  const { stream, calls } = streamOf([], {
    signal: controller.signal,
    token: () => {
      setImmediate(() => controller.abort("enough"));
      return new Promise((_, reject) => (refuse = reject));
    },
  });
  await assert.rejects(all(stream), (reason) => reason === "enough");
  assert.equal(stream.state, "stopped");
  assert.equal(calls.length, 0);
  refuse(new Error("signed out")); // an unhandled rejection would fail the test
  await new Promise(setImmediate);
});

test("a stream that was aborted asks for no token", async () => {
  const { stream } = streamOf([], { signal: AbortSignal.abort("before"), token: () => assert.fail("it was asked") });
  await assert.rejects(all(stream), (reason) => reason === "before");
  assert.equal(stream.state, "stopped");
});

test("a program that stops cancels the call", async () => {
  const { stream, calls } = streamOf([() => new Response(new ReadableStream({
    pull: (body) => body.enqueue(new TextEncoder().encode(`${JSON.stringify(batch("a", "b"))}\n`)),
  }))]);
  for await (const event of stream) {
    assert.equal(event.name, "a");
    break;
  }
  assert.ok(calls[0]?.signal.aborted);
  assert.equal(stream.state, "stopped");
});

test("a connection that brings no frame is given up, however many bytes come", async () => {
  const { stream } = streamOf([
    () => new Response(new ReadableStream({
      async pull(body) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        body.enqueue(new TextEncoder().encode(" "));
      },
    })),
    frames(summary(true)),
  ], { idle: 20 });
  await all(stream);
  assert.equal(stream.state, "complete");
});

test("a line may come in pieces, within a character too", async () => {
  const bytes = new TextEncoder().encode(`${JSON.stringify({ notice: { code: "é€😀" } })}\n${JSON.stringify(summary(true))}\n`);
  const { stream } = streamOf([() => new Response(new ReadableStream({
    start(body) {
      for (const byte of bytes) body.enqueue(Uint8Array.of(byte));
      body.close();
    },
  }))]);
  assert.deepEqual(await all(stream), [{ notice: { code: "é€😀" } }]);
});

test("nothing is read ahead of the program", async () => {
  let pulled = 0;
  const { stream } = streamOf([() => new Response(new ReadableStream({
    pull(body) {
      if (++pulled > 100) throw new Error("read ahead");
      body.enqueue(new TextEncoder().encode(`${JSON.stringify(batch(`a${pulled}`, `b${pulled}`))}\n`));
    },
  }, { highWaterMark: 0 }))]);
  let taken = 0;
  for await (const event of stream) {
    assert.equal(event.name, `${taken % 2 ? "b" : "a"}${pulled}`);
    await new Promise(setImmediate);
    assert.equal(pulled, Math.floor(taken / 2) + 1);
    if (++taken === 20) break;
  }
});
