import type { SourceReport } from "../../../clients/typescript/src/index.js";
import { problem } from "./api.js";
import { h, json } from "./dom.js";
import { count, momentOf, sourceClass, words } from "./format.js";
import type { Reader, ReaderState } from "./reader.js";

const titles: Record<ReaderState, string> = {
  reading: "Reading", waiting: "The connection is gone", stopped: "Stopped", complete: "Complete", incomplete: "Not complete", cut: "Cut", failed: "Failed",
};

/** Draws how a stream stands: complete, not complete with its gaps, stopped, cut or failed. */
export function drawBanner(root: HTMLElement, reader: Reader): void {
  root.className = `banner ${reader.state}`;
  const connections = reader.connections > 1 ? `, ${count(reader.connections, "connection")}` : "";
  const counted = `${count(reader.events, "event")}, ${count(reader.checkpoints, "checkpoint")}${connections}, ${(reader.bytes / 1024).toFixed(0)} KiB`;
  root.replaceChildren(h("p", {}, h("strong", {}, titles[reader.state]), " ", h("span", {}, sayings(reader)), " ", h("span", { class: "muted counted" }, counted)));
  const gaps = gapsOf(reader);
  if (gaps.length) root.append(h("ul", { class: "gaps", "aria-label": "Gaps" }, ...gaps));
}

function sayings(reader: Reader): string {
  switch (reader.state) {
    case "reading":
      return "Events come as the gateway reads them.";
    case "waiting":
      return reader.waiting;
    case "stopped":
      return "Resume goes on behind the last checkpoint.";
    case "complete":
      return "Everything in the asked interval was read, without a doubt.";
    case "incomplete":
      return "Something in the asked interval may be missing:";
    case "cut":
      return `The stream ended without a summary. Resume goes on from the last checkpoint. ${reader.error?.message ?? ""}`;
    case "failed": {
      const { reason, message, signIn } = problem(reader.error);
      return `${reason}: ${message}${signIn ? " Sign in with an access token." : ""}`;
    }
  }
}

/** Lists gaps, and sources that were not read. */
function gapsOf(reader: Reader): HTMLElement[] {
  return (reader.summary?.sources ?? []).flatMap((report) => {
    const source = words(report.source, "SOURCE_").replaceAll("_", " ");
    const dot = (): HTMLElement => h("i", { class: `dot ${sourceClass(report.source)}`, "aria-hidden": "true" });
    const items = report.gaps.map((gap) => h("li", {}, dot(), `${source}: ${momentOf(gap.interval?.startTime)} to ${momentOf(gap.interval?.endTime)} `, h("code", {}, gap.reason ?? "")));
    if (report.state !== "SOURCE_STATE_READ") items.unshift(h("li", {}, dot(), `${source}: ${words(report.state, "SOURCE_STATE_")} `, h("code", {}, report.reason ?? "")));
    return items;
  });
}

/** Draws what each source gave, the notices, and the frames as they came. */
export function drawFacts(root: HTMLElement, reader: Reader): void {
  const reports = reader.summary?.sources ?? [];
  const open = new Set([...root.querySelectorAll("details[open]")].map((fold) => fold.id));
  const fold = (id: string, title: string, ...content: Node[]): HTMLElement => h("details", { id, open: open.has(id) }, h("summary", {}, title), ...content);
  root.replaceChildren();
  if (reports.length) root.append(fold("facts-sources", "What each source gave", h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sources" }, table(reports))));
  if (reader.notices.length) {
    root.append(fold("facts-notices", count(reader.notices.length, "notice"),
      h("ul", {}, ...reader.notices.map((n) => h("li", {}, h("code", {}, n.code ?? ""), ` ${words(n.source, "SOURCE_")} ${n.message ?? ""}`)))));
  }
  if (reader.frames.length) {
    const frames = reader.frames.slice().reverse().map((frame) => {
      const one = h("details", {}, h("summary", {}, `${frame.kind}, ${frame.bytes.toLocaleString("en-GB")} characters`));
      one.addEventListener("toggle", () => {
        if (one.open && one.childElementCount === 1) one.append(frame.text.length === frame.bytes ? json(JSON.parse(frame.text)) : h("pre", { class: "json", tabindex: 0 }, `${frame.text} …`));
      });
      return one;
    });
    root.append(fold("facts-frames", `Raw frames, the newest ${frames.length}`, ...frames));
  }
}

function table(reports: SourceReport[]): HTMLElement {
  const heads = ["Source", "State", "Read from", "to", "Settled until", "Events", "Pages", "Asked of Graph", "From the cache"];
  return h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...reports.map((r) => h("tr", {},
      h("th", { scope: "row" }, h("i", { class: `dot ${sourceClass(r.source)}`, "aria-hidden": "true" }), words(r.source, "SOURCE_")),
      ...[words(r.state, "SOURCE_STATE_"), momentOf(r.covered?.startTime), momentOf(r.covered?.endTime), momentOf(r.settledUntil), r.counts?.events, r.counts?.pages, r.counts?.graphRequests, r.counts?.fromCache]
        .map((cell) => h("td", {}, cell ?? ""))))));
}
