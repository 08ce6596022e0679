import type { Event } from "../../../clients/typescript/src/index.js";
import { drawBanner } from "./banner.js";
import { dots } from "./charts.js";
import { showDetail } from "./detail.js";
import { h } from "./dom.js";
import { durationOf, momentOf, words } from "./format.js";
import { whoIs } from "./people.js";
import type { Place } from "./place.js";
import { Reader } from "./reader.js";
import { heading } from "./timeline.js";

/** What the gateway says of the line of a call: its classification and worst mean figures; absent = Graph sent none. */
interface Line {
  verdict: string;
  loss: number | undefined;
  jitter: number | undefined;
  roundTrip: number | undefined;
  rating: string;
}

const days = 28;

/** Shows the calls of a user and how well they went. A stream with the view FULL reads each call record whole. */
export function showCalls(root: HTMLElement, place: Place, leave: AbortSignal): void {
  const banner = h("div", { role: "status" });
  const figures = h("div", { class: "figures" });
  const place_ = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Calls" });
  root.append(heading(place), h("p", { class: "lead" }, `The calls of the last ${days} days, each with the worst figures of its audio.`), banner, figures, place_);
  const calls: Event[] = [];
  let planned = 0;
  const draw = (): void => {
    planned = 0;
    drawBanner(banner, reader);
    const rated = calls.map((call) => ({ call, quality: qualityOf(call) }));
    const points = (of: (quality: Line) => number | undefined): { time: number; value: number; label: string }[] => rated.flatMap(({ call, quality }) => {
      const value = of(quality);
      return value === undefined ? [] : [{ time: Date.parse(call.eventTime ?? ""), value, label: momentOf(call.eventTime) }];
    });
    figures.replaceChildren(dots("Packets lost", "%", points((q) => q.loss && q.loss * 100), 1), dots("Jitter", "ms", points((q) => q.jitter), 0), dots("Round trip", "ms", points((q) => q.roundTrip), 0));
    place_.replaceChildren(table(rated));
  };
  const request = { parent: place.user ?? "", sources: ["SOURCE_CALL"] as const, view: "EVENT_VIEW_FULL", orderBy: "event_time desc", startTime: new Date(Date.now() - days * 86_400_000).toISOString() } as const;
  const reader = new Reader(request, leave, (event) => calls.push(event), () => (planned ||= requestAnimationFrame(draw)));
  void reader.read();
}

function table(rated: { call: Event; quality: Line }[]): HTMLElement {
  const heads = ["When", "Who called", "Length", "People", "Line", "Lost", "Jitter", "Round trip", "Rating", ""];
  const figure = (value: number | undefined, unit: string, digits = 0): string => (value === undefined ? "" : `${value.toFixed(digits)} ${unit}`);
  return h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((head) => (head ? h("th", { scope: "col" }, head) : h("td", {}))))),
    h("tbody", {}, ...rated.map(({ call, quality }) => h("tr", {},
      h("th", { scope: "row" }, momentOf(call.eventTime)),
      h("td", {}, whoIs(call.actor)),
      h("td", {}, durationOf(call.call?.startTime, call.call?.endTime)),
      h("td", {}, call.call?.participants?.length ?? ""),
      h("td", {}, quality.verdict),
      h("td", {}, figure(quality.loss && quality.loss * 100, "%", 1)),
      h("td", {}, figure(quality.jitter, "ms")),
      h("td", {}, figure(quality.roundTrip, "ms")),
      h("td", {}, quality.rating),
      h("td", {}, h("button", { type: "button", class: "quiet", onclick: () => showDetail(call), "aria-label": `Show the call of ${momentOf(call.eventTime)}` }, "Show"))))));
}

function qualityOf(event: Event): Line {
  const overall = event.call?.quality?.overall;
  return {
    verdict: words(overall?.classification, "QUALITY_CLASSIFICATION_"),
    loss: overall?.worstPacketLossRate,
    jitter: milliseconds(overall?.worstJitter),
    roundTrip: milliseconds(overall?.worstRoundTripTime),
    rating: words(overall?.feedbackRating, "USER_FEEDBACK_RATING_"),
  };
}

/** Returns a duration of proto3 JSON, such as "0.047s", in milliseconds. */
function milliseconds(duration: string | undefined): number | undefined {
  return duration ? Number.parseFloat(duration) * 1000 : undefined;
}
