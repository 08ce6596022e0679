/** What an element may hold. Text is always set as text, never as markup. */
export type Child = Node | string | number | false | null | undefined;

type Attributes = Record<string, string | number | boolean | undefined | ((event: never) => void)>;

/** Makes an HTML element. A function is a listener of the event that its key names behind `on`; true is an attribute without a value. */
export function h<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(name), attributes, children);
}

/** Makes an SVG element, like `h`. */
export function s<K extends keyof SVGElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill<E extends Element>(node: E, attributes: Attributes, children: Child[]): E {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value as EventListener);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== false && child !== null && child !== undefined).map((child) => (typeof child === "number" ? String(child) : child)));
  return node;
}

/** Returns the element with an id; the page has it. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** Makes a button that copies a text and says so. */
export function copyButton(text: () => string, label = "Copy"): HTMLButtonElement {
  const button = h("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text()).then(() => (button.textContent = "Copied"), () => (button.textContent = "Not allowed"));
  });
  button.addEventListener("blur", () => (button.textContent = label));
  return button;
}

const token = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Makes the JSON of a value for reading: indented, with keys, texts and other values told apart. */
export function json(value: unknown): HTMLPreElement {
  const text = JSON.stringify(value, null, 2);
  const pre = h("pre", { class: "json", tabindex: 0, role: "region", "aria-label": "JSON" });
  let end = 0;
  for (const match of text.matchAll(token)) {
    pre.append(text.slice(end, match.index));
    const [whole, string, colon] = match;
    if (string) pre.append(h("span", { class: colon ? "key" : "text" }, string), colon ?? "");
    else pre.append(h("span", { class: "value" }, whole));
    end = match.index + whole.length;
  }
  pre.append(text.slice(end));
  return pre;
}
