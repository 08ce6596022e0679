import { h, s } from "./dom.js";

/** A figure at a time, and what to say of it. */
export interface Point {
  time: number;
  value: number;
  label: string;
}

const width = 320;
const height = 110;

/** Draws figures over time as dots on stems, with the greatest and the mean named. */
export function dots(title: string, unit: string, points: readonly Point[], digits: number): HTMLElement {
  const write = (value: number): string => `${value.toFixed(digits)} ${unit}`;
  const values = points.map((point) => point.value);
  const greatest = Math.max(0, ...values);
  const mean = values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0;
  const said = values.length ? `mean ${write(mean)}, greatest ${write(greatest)}` : "no figures";
  const [first, last] = [Math.min(...points.map((p) => p.time)), Math.max(...points.map((p) => p.time))];
  const chart = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${said}` });
  chart.append(s("line", { x1: 0, y1: height - 6, x2: width, y2: height - 6, class: "base" }));
  for (const { time, value, label } of points) {
    const x = 8 + ((time - first) / Math.max(1, last - first)) * (width - 16);
    const y = height - 6 - (value / (greatest || 1)) * (height - 18);
    chart.append(s("line", { x1: x, y1: height - 6, x2: x, y2: y, class: "stem" }), s("circle", { cx: x, cy: y, r: 3.5 }, s("title", {}, `${label}: ${write(value)}`)));
  }
  return h("figure", {}, h("figcaption", {}, h("b", {}, title), h("span", {}, said)), chart);
}

/** Draws figures as bars beside their names. */
export function bars(title: string, rows: readonly { name: string; value: number; said: string }[]): HTMLElement {
  const greatest = Math.max(1, ...rows.map((row) => row.value));
  return h("figure", { class: "bars" }, h("figcaption", {}, h("b", {}, title)), h("ul", {}, ...rows.map((row) => {
    const bar = h("i", { "aria-hidden": "true" });
    bar.style.width = `${(row.value / greatest) * 100}%`;
    return h("li", {}, h("span", {}, row.name), h("span", { class: "track" }, bar), h("span", { class: "said" }, row.said));
  })));
}
