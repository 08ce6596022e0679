import type { Event } from "../../../clients/typescript/src/index.js";
import { get, pathOf, problem } from "./api.js";
import { byId, copyButton, h, json } from "./dom.js";
import { clockOf, dayOf, lineOf, sourceClass, words } from "./format.js";
import { whoIs } from "./people.js";

/** Shows an event as the gateway gave it: what it says, its body as text, and its JSON. */
export function showDetail(event: Event): void {
  const dialog = byId<HTMLDialogElement>("detail");
  const raw = h("section", {}, json(event));
  let shown: unknown = event;
  const said = h("span", { class: "hint", role: "status" });
  const whole = h("button", { type: "button", class: "quiet" }, "Read it whole");
  whole.addEventListener("click", () => {
    said.textContent = "Reading …";
    get<Event>(pathOf(event.name), { view: "EVENT_VIEW_FULL" }).then((full) => {
      shown = full;
      raw.replaceChildren(json(full));
      said.textContent = "This is GetEvent with EVENT_VIEW_FULL.";
    }, (error: unknown) => {
      const { reason, message } = problem(error);
      said.textContent = `${reason}: ${message}`;
    });
  });
  const facts: [string, string | undefined][] = [
    ["Kind", words(event.kind, "EVENT_KIND_")], ["Who", whoIs(event.actor)], ["Created", event.createTime], ["Last changed", event.eventTime],
    ["uid", event.uid], ["version", event.version], ["Conversation", event.conversation?.split("/").pop()], ["Application", event.copilot?.appClass],
  ];
  dialog.replaceChildren(
    h("header", {}, h("i", { class: `dot ${sourceClass(event.source?.source)}`, "aria-hidden": "true" }), h("h2", { id: "detail-title" }, `${words(event.kind, "EVENT_KIND_")}, ${clockOf(event.createTime)}`),
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close(), "aria-label": "Close" }, "✕")),
    h("div", { class: "body" },
      h("p", { class: "muted" }, dayOf(event.createTime)),
      h("p", { class: "says" }, lineOf(event)),
      h("dl", {}, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      event.body?.content ? h("details", {}, h("summary", {}, `Body as sent, ${words(event.body.contentType, "CONTENT_TYPE_")}, shown as text`), h("pre", { class: "json", tabindex: 0 }, event.body.content)) : null,
      h("div", { class: "row" }, h("h3", {}, "JSON"), whole, copyButton(() => JSON.stringify(shown, null, 2)), said),
      raw),
  );
  dialog.addEventListener("click", (click) => {
    if (click.target === dialog) dialog.close();
  });
  if (!dialog.open) dialog.showModal();
}
