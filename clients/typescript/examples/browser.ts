// Shows a signed-in user's own events in a page of another origin; the gateway names the origin in PARLEY_CORS_ORIGINS.
import { EventStream, StreamError } from "../src/index.js";

export async function show(baseUrl: string, list: HTMLElement, acquireToken: () => Promise<string>, signal: AbortSignal): Promise<void> {
  const stream = new EventStream({ baseUrl, request: { parent: "users/me", view: "EVENT_VIEW_BASIC" }, token: acquireToken, signal });
  try {
    for await (const event of stream) {
      const item = document.createElement("li");
      item.textContent = event.body?.plainText ?? event.kind ?? ""; // body.content is HTML that nobody has checked
      list.append(item);
    }
    list.dataset["state"] = stream.state;
  } catch (error) {
    if (signal.aborted) return;
    list.dataset["state"] = error instanceof StreamError ? error.reason || "cut" : "error";
    throw error;
  }
}
