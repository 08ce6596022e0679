// Reads a user's events of the last day and keeps the token from which the next run goes on. Usage: node node.js URL USER [TOKEN-FILE]
import { readFile, writeFile } from "node:fs/promises";

import { EventStream, StreamError } from "../src/index.js";

const [baseUrl = "", user = "", tokenFile = "parley.token"] = process.argv.slice(2);
const kept = await readFile(tokenFile, "utf8").catch(() => "");
const stream = new EventStream({
  baseUrl,
  request: { parent: `users/${user}`, ...(kept ? { resumeToken: kept } : { startTime: new Date(Date.now() - 86_400_000).toISOString() }) },
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
