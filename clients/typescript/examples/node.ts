// Reads a user's events since a time, and keeps the token from which the next run of the same request goes on.
// Usage: node node.js URL USER START-TIME [TOKEN-FILE]
import { readFile, writeFile } from "node:fs/promises";

import { EventStream, StreamError } from "../src/index.js";

const [baseUrl = "", user = "", startTime = "", tokenFile = "parley.token"] = process.argv.slice(2);
const resumeToken = await readFile(tokenFile, "utf8").catch(() => "");
const stream = new EventStream({
  baseUrl,
  request: { parent: `users/${user}`, startTime, resumeToken },
  onRetry: (error, wait) => console.error(`${error.message}; next connection in ${Math.ceil(wait)} ms`),
});
try {
  for await (const { event, notice, checkpoint } of stream.items()) {
    if (event) console.log(event.uid, event.version, event.body?.plainText ?? "");
    if (notice) console.error(notice.code, notice.message);
    if (checkpoint) await writeFile(tokenFile, checkpoint);
  }
  if (stream.resumeToken) await writeFile(tokenFile, stream.resumeToken);
  for (const gap of stream.gaps) console.error("may lack events:", gap);
  process.exitCode = stream.state === "complete" ? 0 : 2;
} catch (error) {
  if (!(error instanceof StreamError)) throw error;
  console.error(error.cut ? "cut" : `${error.code} ${error.reason}`, error.message);
  process.exitCode = 1;
}
