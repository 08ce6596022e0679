// Lists the events of a user and reads their stream to its summary, by gRPC.
//
// Usage: client.js HOST:PORT

import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { EventService } from "./gen/parley/v1/event_service_pb.js";
import type { ListEventsResponse } from "./gen/parley/v1/event_service_pb.js";
import { UserService } from "./gen/parley/v1/user_service_pb.js";

const timeoutMs = 60_000;
const transport = createGrpcTransport({ baseUrl: `http://${process.argv[2]}`, defaultTimeoutMs: timeoutMs });
const events = createClient(EventService, transport);

// Finds the first user with events, and the first page of them.
async function findUser(): Promise<[string, ListEventsResponse]> {
  const { users } = await createClient(UserService, transport).listUsers({});
  for (const user of users) {
    const page = await events.listEvents({ parent: user.name, pageSize: 20 });
    if (page.events.length > 0) {
      return [user.name, page];
    }
  }
  throw new Error("no user has events");
}

const [user, page] = await findUser();
console.log(`typescript: listed ${page.events.length} events, first ${page.events[0]?.uid}`);

let count = 0;
let checkpoints = 0;
let complete: boolean | undefined;
for await (const { frame } of events.streamEvents({ parent: user })) {
  if (complete !== undefined) {
    throw new Error("a frame after the summary");
  }
  switch (frame.case) {
    case "batch":
      count += frame.value.events.length;
      break;
    case "checkpoint":
      checkpoints++;
      break;
    case "summary":
      complete = frame.value.complete;
      break;
  }
}
if (complete !== true) {
  throw new Error(complete === undefined ? "the stream ended without a summary" : "the stream is not complete");
}
if (count < page.events.length || checkpoints === 0) {
  throw new Error(`${count} events and ${checkpoints} checkpoints streamed, ${page.events.length} events listed`);
}
console.log(`typescript: streamed ${count} events, ${checkpoints} checkpoints, complete`);
