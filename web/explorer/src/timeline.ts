import type { Event, EventsRequest, Source } from "../../../clients/typescript/src/index.js";
import { drawBanner, drawFacts } from "./banner.js";
import { drawDensity } from "./density.js";
import { showDetail } from "./detail.js";
import { h } from "./dom.js";
import { clockOf, dayOf, lineOf, sourceClass, sourceNames, sources, words } from "./format.js";
import { nameOf, people, whoIs } from "./people.js";
import { linkTo, type Place } from "./place.js";
import { Reader } from "./reader.js";

const pageOf = 200; // events that are drawn at a time

/** Heads a page about a user: who it is, and what there is to look at. */
export function heading(place: Place): HTMLElement {
  const id = place.user?.split("/")[1] ?? "";
  const name = h("h1", {}, id);
  const under = h("p", { class: "muted id" }, id);
  people().then(() => (name.textContent = nameOf(id)), () => undefined);
  const tab = (view: Place["view"], label: string): HTMLElement => h("a", { href: linkTo({ view, user: place.user }), "aria-current": place.view === view ? "page" : undefined }, label);
  return h("div", { class: "heading" }, h("div", {}, name, under), h("nav", { class: "tabs", "aria-label": "Views" }, tab("timeline", "Timeline"), tab("calls", "Call quality")));
}

/** Shows a user's or a conversation's events as one timeline, while they are read. */
export function showTimeline(root: HTMLElement, place: Place, leave: AbortSignal): void {
  const interval = h("select", { id: "interval" }, ...[["7", "7 days"], ["28", "28 days"], ["90", "90 days"], ["", "everything"]].map(([value, label]) => h("option", { value: value ?? "", selected: value === "28" }, label)));
  const order = h("select", { id: "order" }, h("option", { value: "event_time desc" }, "newest first"), h("option", { value: "event_time" }, "oldest first"));
  const chips = sources.map((source) => {
    const box = h("input", { type: "checkbox", checked: true, value: source });
    return { box, node: h("label", { class: `chip ${sourceClass(source)}` }, box, h("i", { class: `dot ${sourceClass(source)}`, "aria-hidden": "true" }), sourceNames[source]) };
  });
  const search = h("input", { id: "search", type: "search", placeholder: "Words, a name, a kind", autocomplete: "off" });
  const banner = h("div", { role: "status" });
  const density = h("div", { class: "density" });
  const facts = h("div", { class: "facts" });
  const list = h("ol", { class: "events" });
  const more = h("button", { type: "button", class: "quiet more", hidden: true }, "Show more");
  const nothing = h("p", { class: "hint", role: "status" });
  const again = h("button", { type: "button" }, "Read again");
  const stop = h("button", { type: "button", class: "quiet" }, "Stop");
  const cut = h("button", { type: "button", class: "quiet", title: "Breaks the connection as a network would; the client goes on by itself" }, "Cut the connection");
  const resume = h("button", { type: "button", class: "quiet" }, "Resume");

  let reader: Reader | undefined;
  let events: Event[] = [];
  let at = new Map<string, number>();
  let from: number | undefined;
  let to = Date.now();
  let shown = pageOf;
  let drawn = 0; // events of the list that were looked at for drawing
  let rows = 0; // of them, in the list
  let lastDay = "";
  let planned = 0;

  const matches = (event: Event): boolean => {
    const wanted = search.value.trim().toLowerCase();
    return !wanted || [lineOf(event), whoIs(event.actor), words(event.kind, "EVENT_KIND_"), event.copilot?.appClass ?? ""].some((text) => text.toLowerCase().includes(wanted));
  };
  const redraw = (): void => {
    list.replaceChildren();
    drawn = rows = 0;
    lastDay = "";
    draw();
  };
  const draw = (): void => {
    planned = 0;
    const fresh = document.createDocumentFragment();
    for (; drawn < events.length && rows < shown; drawn++) {
      const event = events[drawn];
      if (!event || !matches(event)) continue;
      const day = dayOf(event.eventTime);
      if (day !== lastDay) fresh.append(h("li", { class: "day" }, h("h2", {}, day)));
      lastDay = day;
      fresh.append(row(event));
      rows++;
    }
    list.append(fresh);
    more.hidden = drawn >= events.length;
    const settled = reader && !["reading", "waiting"].includes(reader.state);
    nothing.textContent = rows || !settled ? "" : events.length ? "No event matches." : "There are no events in this interval.";
    if (!reader) return;
    drawBanner(banner, reader);
    drawFacts(facts, reader);
    drawDensity(density, events, from, to, reader.summary);
    stop.disabled = cut.disabled = !!settled;
    const ended = reader.state === "complete" || reader.state === "incomplete";
    const oldestFirst = order.value === "event_time"; // what is new stands at the end
    resume.hidden = !(reader.state === "stopped" || reader.state === "cut" || (reader.resumeToken && (ended ? oldestFirst : settled)));
    resume.textContent = ended ? "Read what is new" : "Resume";
  };
  const plan = (): void => {
    planned ||= requestAnimationFrame(draw);
  };
  const took = (event: Event): void => {
    const known = at.get(event.uid ?? "");
    if (known !== undefined) {
      events[known] = event;
      return;
    }
    at.set(event.uid ?? "", events.length);
    events.push(event);
  };
  const begin = (): void => {
    reader?.stop();
    events = [];
    at = new Map();
    shown = pageOf;
    to = Date.now();
    from = interval.value ? to - Number(interval.value) * 86_400_000 : undefined;
    const request: EventsRequest = { parent: place.conversation ?? place.user ?? "", orderBy: order.value as "event_time", view: "EVENT_VIEW_BASIC" };
    if (from !== undefined) request.startTime = new Date(from).toISOString();
    const chosen = chips.filter(({ box }) => box.checked).map(({ box }) => box.value as Source);
    if (!place.conversation && chosen.length && chosen.length < sources.length) request.sources = chosen;
    const mine = new Reader(request, leave, (event) => reader === mine && took(event), () => reader === mine && plan());
    reader = mine;
    redraw();
    void mine.read();
  };

  for (const control of [interval, order, ...chips.map(({ box }) => box)]) control.addEventListener("change", begin);
  search.addEventListener("input", redraw);
  again.addEventListener("click", begin);
  stop.addEventListener("click", () => reader?.stop());
  cut.addEventListener("click", () => reader?.cut());
  resume.addEventListener("click", () => void reader?.read());
  more.addEventListener("click", () => {
    shown += pageOf;
    draw();
  });
  root.append(
    heading(place),
    place.conversation ? h("p", {}, "One conversation. ", h("a", { href: linkTo({ view: "timeline", user: place.user }) }, "Back to everything")) : "",
    h("form", { class: "controls", onsubmit: (event: SubmitEvent) => event.preventDefault() },
      h("div", {}, h("label", { for: "interval" }, "Interval"), interval),
      h("div", {}, h("label", { for: "order" }, "Order"), order),
      place.conversation ? null : h("fieldset", {}, h("legend", {}, "Sources"), ...chips.map(({ node }) => node)),
      h("div", { class: "grow" }, h("label", { for: "search" }, "Search what was read"), search)),
    h("div", { class: "row stream", role: "group", "aria-label": "Stream" }, again, stop, cut, resume),
    banner, density, facts, list, nothing, more,
  );
  begin();
}

/** A line of the timeline; pressing it shows all of the event. */
function row(event: Event): HTMLElement {
  const kind = words(event.kind, "EVENT_KIND_");
  return h("li", {}, h("button", { type: "button", class: `event ${sourceClass(event.source?.source)}`, onclick: () => showDetail(event) },
    h("time", { datetime: event.eventTime ?? "" }, clockOf(event.eventTime)),
    h("span", { class: "who" }, whoIs(event.actor) || (event.kind === "EVENT_KIND_SYSTEM" ? "Teams" : "unknown")),
    h("span", { class: "kind" }, kind),
    h("span", { class: "text" }, lineOf(event)),
    event.outOfWindow ? h("span", { class: "mark" }, "out of window") : null,
    event.deleteTime ? h("span", { class: "mark" }, "deleted") : null));
}
