import type { StreamEventsResponse } from "./api.js";
import { broken, fromApiError, fromResponse, StreamError } from "./errors.js";
import { lines } from "./lines.js";

/** One call of a stream. Its methods throw a `StreamError` if it fails, and the signal's reason if that is aborted. */
export class Connection {
  readonly #controller = new AbortController();
  readonly #aborted: Promise<never>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #lines: AsyncGenerator<string, void, void> | undefined;

  constructor(
    private readonly idle: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    const { signal } = this.#controller;
    this.#aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    this.#aborted.catch(() => undefined); // nobody may be waiting
    outer?.throwIfAborted();
    outer?.addEventListener("abort", () => this.#controller.abort(outer.reason), { once: true, signal });
  }

  /** Sends the request and waits for the first bytes of the answer. */
  async open(send: typeof fetch, url: URL, headers: Record<string, string>): Promise<void> {
    await this.#watched(async () => {
      const response = await send(url, { headers, signal: this.#controller.signal });
      if (response.status !== 200) throw await fromResponse(response);
      if (!response.body) throw broken("the answer has no body");
      this.#reader = response.body.getReader();
      this.#lines = lines(this.#reader);
    });
  }

  /** Reads the next frame. An error that ends the stream is thrown. */
  async next(): Promise<StreamEventsResponse> {
    return this.#watched(async () => {
      const line = await this.#lines?.next();
      if (!line || line.done) throw broken("the stream ended without a summary");
      const frame: unknown = JSON.parse(line.value);
      if (typeof frame !== "object" || frame === null) throw broken("the stream holds something that is not a frame");
      const { error } = frame as StreamEventsResponse;
      if (error) throw fromApiError(error);
      return frame;
    });
  }

  /** Ends the call. */
  close(): void {
    this.#controller.abort(broken("the call was cancelled"));
    this.#reader?.cancel().catch(() => undefined); // a body that does not listen to the signal
  }

  /** Waits for a result until the signal is aborted, or nothing has come for too long. */
  async #watched<T>(work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#controller.abort(broken(`nothing came for ${this.idle} ms`)), this.idle);
    try {
      return await Promise.race([work(), this.#aborted]);
    } catch (error) {
      this.outer?.throwIfAborted();
      throw error instanceof StreamError ? error : broken("the connection broke", error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Does work and waits for it; throws the signal's reason if that is aborted before. */
export async function unlessAborted<T>(work: () => T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    done.abort();
  }
}

/** Waits for so many milliseconds; throws the signal's reason if that is aborted. */
export function sleep(wait: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const done = new AbortController();
    const timer = setTimeout(() => (done.abort(), resolve()), wait);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true, signal: done.signal });
  });
}
