import type { Event, Summary } from "../../../clients/typescript/src/index.js";
import { h, s } from "./dom.js";
import { count, shortDayOf, sourceClass, sources } from "./format.js";

const width = 1000;
const height = 84;
const most = 92; // bars
const dayMs = 86_400_000;

/** Draws how many events there are on each day, in the colours of the sources, with gaps hatched. */
export function drawDensity(root: HTMLElement, events: readonly Event[], from: number | undefined, to: number, summary: Summary | undefined): void {
  root.replaceChildren();
  if (!events.length) return;
  const times = events.map((event) => Date.parse(event.eventTime ?? "")).filter((time) => !Number.isNaN(time));
  const start = Math.floor((from ?? times.reduce((least, time) => Math.min(least, time), to)) / dayMs) * dayMs;
  const step = Math.max(1, Math.ceil((to - start) / dayMs / most)) * dayMs;
  const bars = Math.max(1, Math.ceil((to - start) / step));
  const classes = [...sources.map(sourceClass), "other"];
  const counts = classes.map(() => new Array<number>(bars).fill(0));
  for (const event of events) {
    const bar = Math.floor((Date.parse(event.eventTime ?? "") - start) / step);
    const row = counts[classes.indexOf(sourceClass(event.source?.source))];
    if (row && bar >= 0 && bar < bars) row[bar] = (row[bar] ?? 0) + 1;
  }
  const total = (bar: number): number => counts.reduce((sum, row) => sum + (row[bar] ?? 0), 0);
  const greatest = Math.max(1, ...Array.from({ length: bars }, (_, bar) => total(bar)));
  const wide = width / bars;
  const chart = s("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label(classes, counts, start, to) });
  chart.append(s("defs", {}, s("pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, s("rect", { width: 2.5, height: 7, class: "hatch" }))));
  for (let bar = 0; bar < bars; bar++) {
    let y = height;
    counts.forEach((row, i) => {
      const tall = ((row[bar] ?? 0) / greatest) * (height - 4);
      if (!tall) return;
      y -= tall;
      chart.append(s("rect", { x: bar * wide + wide * 0.12, y, width: wide * 0.76, height: tall, class: classes[i] ?? "" }));
    });
  }
  for (const gap of (summary?.sources ?? []).flatMap((report) => report.gaps)) {
    const x = ((Math.max(start, Date.parse(gap.interval?.startTime ?? "") || start) - start) / (to - start)) * width;
    const end = ((Math.min(to, Date.parse(gap.interval?.endTime ?? "") || to) - start) / (to - start)) * width;
    chart.append(s("rect", { x, y: 0, width: Math.max(4, end - x), height, fill: "url(#hatch)" }, s("title", {}, `gap: ${gap.reason ?? ""}`)));
  }
  root.append(chart, h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, shortDayOf(new Date(start).toISOString())), h("span", {}, `most in ${step === dayMs ? "a day" : `${step / dayMs} days`}: ${greatest}`), h("span", {}, shortDayOf(new Date(to).toISOString()))));
}

function label(classes: string[], counts: number[][], start: number, to: number): string {
  const sums = classes.map((name, i) => [name, (counts[i] ?? []).reduce((a, b) => a + b, 0)] as const).filter(([, sum]) => sum > 0);
  return `Events by day from ${shortDayOf(new Date(start).toISOString())} to ${shortDayOf(new Date(to).toISOString())}: ${sums.map(([name, sum]) => `${name} ${count(sum, "event")}`).join(", ")}`;
}
