import { type Event, EventStream, type EventsRequest, type Notice, StreamError, type Summary } from "../../../clients/typescript/src/index.js";
import { streamBase } from "./api.js";

/** How a reading stands. `waiting` = the connection is gone and another one follows by itself. */
export type ReaderState = "reading" | "waiting" | "stopped" | "complete" | "incomplete" | "cut" | "failed";

/** A line of the stream as it came, its end left out where it is long. */
export interface Frame {
  kind: string;
  bytes: number;
  text: string;
}

const framesKept = 40;
const frameShown = 20_000;

/**
 * Reads one stream of events by the client helper, which resumes by itself, and lets people stop it, cut its connection, and
 * resume it. It also keeps the newest frames for looking at.
 */
export class Reader {
  state: ReaderState = "reading";
  summary: Summary | undefined;
  error: StreamError | undefined;
  /** What the helper waits for, in words. */
  waiting = "";
  readonly notices: Notice[] = [];
  readonly frames: Frame[] = [];
  events = 0;
  bytes = 0;
  connections = 0;
  checkpoints = 0;
  resumeToken: string | undefined;
  #stop = new AbortController();
  #connection = new AbortController();

  constructor(
    private readonly request: EventsRequest,
    private readonly leave: AbortSignal,
    private readonly took: (event: Event) => void,
    private readonly changed: () => void,
  ) {}

  /** Reads to the end, from the last token if there is one. It resolves when the stream has ended in any way. */
  async read(): Promise<void> {
    this.#stop = new AbortController();
    this.state = "reading";
    this.error = undefined;
    this.summary = undefined;
    this.changed();
    const stream = new EventStream({
      ...streamBase(),
      request: this.resumeToken ? { ...this.request, resumeToken: this.resumeToken } : this.request,
      signal: AbortSignal.any([this.leave, this.#stop.signal]),
      fetch: (input, init) => this.#fetch(input, init),
      onRetry: (error, wait) => {
        this.state = "waiting";
        this.waiting = `${error.reason || "The connection broke"}. Going on from the last checkpoint in ${(wait / 1000).toFixed(1)} s.`;
        this.changed();
      },
    });
    try {
      for await (const item of stream.items()) {
        this.state = "reading";
        if (item.event) {
          this.events++;
          this.took(item.event);
        } else if (item.notice) this.notices.push(item.notice);
        else this.checkpoints++;
        this.changed();
      }
      this.summary = stream.summary;
      this.state = stream.state === "complete" ? "complete" : "incomplete";
    } catch (error) {
      if (this.leave.aborted) return;
      if (this.#stop.signal.aborted) this.state = "stopped";
      else {
        this.error = error instanceof StreamError ? error : new StreamError(String(error));
        this.state = this.error.cut ? "cut" : "failed";
      }
    } finally {
      this.resumeToken = stream.resumeToken;
      this.changed();
    }
  }

  /** Ends the stream; another `read` goes on. */
  stop(): void {
    this.#stop.abort(new DOMException("stopped", "AbortError"));
  }

  /** Breaks the connection, as a network would: the helper goes on by itself. */
  cut(): void {
    this.#connection.abort(new TypeError("the connection was cut"));
  }

  async #fetch(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    this.connections++;
    this.#connection = new AbortController();
    const signals = [this.#connection.signal, ...(init?.signal ? [init.signal] : [])];
    const response = await fetch(input, { ...init, credentials: "omit", redirect: "error", signal: AbortSignal.any(signals) });
    if (!response.ok || !response.body) return response;
    return new Response(response.body.pipeThrough(this.#watch()), { status: response.status, headers: response.headers });
  }

  /** Counts bytes and keeps the newest lines on their way to the helper. */
  #watch(): TransformStream<Uint8Array, Uint8Array> {
    const decoder = new TextDecoder();
    let rest = "";
    return new TransformStream({
      transform: (chunk, controller) => {
        controller.enqueue(chunk);
        this.bytes += chunk.length;
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (!line) continue;
          this.frames.push({ kind: /^\{"(\w+)"/.exec(line)?.[1] ?? "frame", bytes: line.length, text: line.slice(0, frameShown) });
          if (this.frames.length > framesKept) this.frames.shift();
        }
      },
    });
  }
}
