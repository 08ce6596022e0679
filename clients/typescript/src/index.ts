import type { Event, Gap, Notice, Source, Summary } from "./api.js";
import { Connection, sleep, unlessAborted } from "./connection.js";
import { StreamError } from "./errors.js";
import { Memory } from "./memory.js";

export type * from "./api.js";
export { fromResponse as readError, StreamError } from "./errors.js";

/** Which events a stream reads; a `parley.v1.StreamEventsRequest`. */
export interface EventsRequest {
  /** Whose events: `users/{user}` or `users/{user}/conversations/{conversation}`. */
  parent: string;
  /** Begin of the interval, which belongs to it, in RFC 3339. */
  startTime?: string;
  /** End of the interval, which does not belong to it, in RFC 3339. */
  endTime?: string;
  sources?: readonly Source[];
  filter?: string;
  orderBy?: "event_time" | "event_time desc" | "create_time desc";
  view?: "EVENT_VIEW_METADATA" | "EVENT_VIEW_BASIC" | "EVENT_VIEW_FULL";
  /** Token of an earlier stream of the same request, from which this one goes on. */
  resumeToken?: string;
}

export interface StreamOptions {
  /** Address of the gateway, such as `https://parley.contoso.example`. */
  baseUrl: string;
  request: EventsRequest;
  /**
   * Returns the access token; it is asked at each connection. If the gateway has refused the one before, it is given that token, and
   * must not return it from a cache. An error that it throws ends the stream.
   */
  token?: (refused?: string) => string | Promise<string>;
  /** Further headers, such as `parley-tenant` and `parley-reason`. */
  headers?: Record<string, string>;
  /** Ends the stream at once, whatever it waits for; its reason is thrown. */
  signal?: AbortSignal;
  /** How many failures in a row are followed by another connection; 10 by default. A delivered event begins the count anew. */
  retries?: number;
  /** How many uids are remembered to drop what comes again; 65,536 by default, 0 drops nothing. */
  memory?: number;
  /** Wait after the first failure in milliseconds, doubled by each further one up to 30 s; 500 by default. */
  backoff?: number;
  /** The longest wait that a gateway may ask for, in milliseconds; ten minutes by default. A longer one ends the stream. */
  maxWait?: number;
  /** How long a connection may bring no frame, in milliseconds; 60 s by default. A gateway sends a checkpoint at least every 15 s. */
  idle?: number;
  /** Is called when a connection failed and another one follows, with the error and the wait in milliseconds. */
  onRetry?: (error: StreamError, wait: number) => void;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
}

/** One item of a stream. Exactly one member is set. */
export type Item =
  | { event: Event; notice?: undefined; checkpoint?: undefined }
  | { event?: undefined; notice: Notice; checkpoint?: undefined }
  /** The token with which a stream goes on behind all items before it. */
  | { event?: undefined; notice?: undefined; checkpoint: string };

/** How a stream stands: `open` = not ended, `complete` and `incomplete` = ended by a summary, `cut` = ended without one or an error. */
export type State = "open" | "complete" | "incomplete" | "cut" | "error" | "stopped";

const defaults = { retries: 10, memory: 65_536, backoff: 500, maxWait: 600_000, idle: 60_000 };
const longestBackoff = 30_000;

/**
 * Reads the events of one query through cuts, planned ends and throttling. Iterating gives each event once per version; `items` gives
 * notices and checkpoints in their places too. Iteration ends after the summary, and throws a `StreamError` if there is none.
 * A stream is iterated once. It reads no further than its program: at most one frame is held.
 */
export class EventStream implements AsyncIterable<Event> {
  readonly #options: StreamOptions & typeof defaults;
  readonly #items: AsyncGenerator<Item, void, void>;
  #resumeToken: string | undefined;
  #summary: Summary | undefined;
  #state: State = "open";

  constructor(options: StreamOptions) {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.#options = { ...defaults, ...(Object.fromEntries(given) as unknown as StreamOptions) };
    this.#resumeToken = options.request.resumeToken;
    this.#items = this.#run();
  }

  /** The latest resume token: everything before it was taken by the program. */
  get resumeToken(): string | undefined {
    return this.#resumeToken;
  }

  /** The summary, once the stream has ended with one. */
  get summary(): Summary | undefined {
    return this.#summary;
  }

  get state(): State {
    return this.#state;
  }

  /** Notices of the summary. */
  get notices(): Notice[] {
    return this.#summary?.notices ?? [];
  }

  /** Intervals that may lack something, of all sources; known once the stream has ended with a summary. */
  get gaps(): (Gap & { source?: Source })[] {
    const reports = this.#summary?.sources ?? [];
    return reports.flatMap(({ source, gaps }) => (gaps ?? []).map((gap) => ({ ...(source && { source }), ...gap })));
  }

  /** Returns all items in order; use it in place of iterating the stream itself. Returning early cancels the call. */
  items(): AsyncGenerator<Item, void, void> {
    return this.#items;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, void> {
    for await (const item of this.#items) if (item.event) yield item.event;
  }

  async *#run(): AsyncGenerator<Item, void, void> {
    const { signal, token, memory } = this.#options;
    const seen = memory > 0 ? new Memory(memory) : undefined;
    let failures = 0; // in a row
    let sent = ""; // the last access token
    let refused: string | undefined; // the last access token, if it was refused and no frame has come since
    try {
      for (;;) {
        const headers: Record<string, string> = { ...this.#options.headers, accept: "application/x-ndjson" };
        if (token) headers["authorization"] = `Bearer ${(sent = await unlessAborted(() => token(refused), signal))}`;
        const connection = new Connection(this.#options.idle, signal);
        let begun = false;
        try {
          await connection.open(this.#options.fetch ?? fetch, this.#url(), headers);
          for (;;) {
            const { batch, notice, checkpoint, summary } = await connection.next();
            begun = true;
            refused = undefined;
            for (const event of batch?.events ?? []) {
              if (seen && event.uid && !seen.isNew(event.uid, BigInt(event.version ?? 0))) continue;
              failures = 0;
              yield { event };
            }
            if (notice) yield { notice };
            const resumeToken = checkpoint?.resumeToken ?? summary?.resumeToken;
            if (resumeToken) this.#resumeToken = resumeToken;
            if (checkpoint?.resumeToken) yield { checkpoint: checkpoint.resumeToken };
            if (summary) {
              this.#summary = summary;
              this.#state = summary.complete ? "complete" : "incomplete";
              return;
            }
          }
        } catch (error) {
          if (!(error instanceof StreamError)) throw error;
          if (error.resumeToken) this.#resumeToken = error.resumeToken;
          if (begun && error.reason === "STREAM_ENDED") continue;
          if (token && refused === undefined && error.code === "UNAUTHENTICATED" && error.retryAfter === undefined) {
            refused = sent;
            continue;
          }
          await this.#wait(error, ++failures);
        } finally {
          connection.close();
        }
      }
    } catch (error) {
      if (error instanceof StreamError) error.resumeToken = this.#resumeToken;
      if (!signal?.aborted) this.#state = error instanceof StreamError && error.cut ? "cut" : "error";
      throw error;
    } finally {
      if (this.#state === "open") this.#state = "stopped";
    }
  }

  /** Waits until the call may be repeated after so many failures; throws the error if it may not. */
  async #wait(error: StreamError, failures: number): Promise<void> {
    const { retries, maxWait, backoff, onRetry, signal } = this.#options;
    const asked = error.retryAfter ?? 0;
    if ((!error.cut && error.retryAfter === undefined) || asked > maxWait || failures > retries) throw error;
    const longest = Math.min(backoff * 2 ** (failures - 1), Math.max(backoff, longestBackoff));
    const wait = asked > 0 && !error.cut ? asked : Math.max(asked, longest * (0.5 + Math.random() / 2));
    onRetry?.(error, wait);
    await sleep(wait, signal);
  }

  #url(): URL {
    const { baseUrl, request } = this.#options;
    const { parent, ...fields } = { ...request, resumeToken: this.#resumeToken };
    const path = parent.split("/").map(encodeURIComponent).join("/");
    const url = new URL(`${baseUrl.replace(/\/+$/, "")}/v1/${path}/events:stream`);
    for (const [name, values] of Object.entries(fields)) {
      for (const value of Array.isArray(values) ? values : [values]) if (value) url.searchParams.append(name, String(value));
    }
    return url;
  }
}
