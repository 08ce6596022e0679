// The program on top of the helper that the conformance cases run: clients/conformance/README.md describes it.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { EventStream, StreamError, type EventsRequest } from "../src/index.js";

interface Client {
  request: EventsRequest;
  tokens?: string[];
  retries: number;
  memory: number;
  backoffMillis: number;
  maxWaitMillis: number;
  idleMillis: number;
  stopAfter?: number;
  holdAfter?: number;
}

const { values } = parseArgs({ options: { grpc: { type: "string" }, rest: { type: "string" } } });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const client = JSON.parse((await lines.next()).value ?? "") as Client;
const print = (item: object): void => void process.stdout.write(`${JSON.stringify(item)}\n`);

let asked = 0;
const { tokens } = client;
const stream = new EventStream({
  baseUrl: values.rest ?? "",
  request: client.request,
  ...(tokens && { token: () => tokens[Math.min(asked++, tokens.length - 1)] ?? "" }),
  retries: client.retries,
  memory: client.memory,
  backoff: client.backoffMillis,
  maxWait: client.maxWaitMillis,
  idle: client.idleMillis,
});
let failure: { code: string; reason: string } | undefined;
let taken = 0;
try {
  for await (const { event, notice, checkpoint } of stream.items()) {
    if (notice) print({ notice: { code: notice.code, source: notice.source } });
    if (checkpoint) print({ checkpoint });
    if (!event) continue;
    print({ event: { uid: event.uid, version: event.version, deleted: event.deleteTime === undefined ? undefined : true } });
    if (++taken === client.holdAfter) await lines.next();
    if (taken === client.stopAfter) break;
  }
} catch (error) {
  if (!(error instanceof StreamError)) throw error;
  if (!error.cut) failure = { code: error.code, reason: error.reason };
}
const gaps = stream.gaps.map(({ source, reason }) => ({ source, reason }));
const notices = stream.notices.map(({ code }) => code);
print({
  end: {
    state: stream.state,
    ...failure,
    resumeToken: stream.resumeToken,
    gaps: gaps.length > 0 ? gaps : undefined,
    notices: notices.length > 0 ? notices : undefined,
  },
});
while (!(await lines.next()).done); // the runner looks whether the call has ended before this process does
