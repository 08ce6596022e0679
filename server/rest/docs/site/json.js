// JSON for reading: indented, with keys, texts and other values told apart by class.
import { el } from "./dom.js";

const token = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

// pretty returns the nodes of a value's JSON.
export function pretty(value) {
  const text = JSON.stringify(value, null, 2);
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(token)) {
    nodes.push(text.slice(end, match.index));
    const [whole, string, colon] = match;
    if (string) nodes.push(el("span", { class: colon ? "key" : "text" }, string), colon || "");
    else nodes.push(el("span", { class: "value" }, whole));
    end = match.index + whole.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((n) => n !== "");
}
