// Search over the whole reference: methods, parameters, messages, fields, values and reasons.
import { el, prose } from "./dom.js";

const most = 50; // hits that are shown

// normal makes page_size, pageSize and "page size" one word.
const normal = (text) => text.toLowerCase().replace(/[_\s]/g, "");

const order = ["Methods", "Parameters", "Messages", "Fields", "Values", "Reasons", "Guide"];

export class Index {
  #entries = [];

  // add takes what is found: its kind, its name, what stands beside the name, its description, and the id of its place.
  add(kind, name, beside, description, id) {
    this.#entries.push({ kind, name, beside, description: description || "", id, key: normal(name), all: normal(`${name} ${beside}`), text: (description || "").toLowerCase() });
  }

  // find returns the entries that hold every word of a query, the closest names first.
  find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const whole = normal(query);
    const hits = [];
    for (const entry of this.#entries) {
      if (!words.every((word) => entry.all.includes(normal(word)) || entry.text.includes(word))) continue;
      let rank = 4;
      if (entry.key === whole) rank = 0;
      else if (entry.key.startsWith(whole)) rank = 1;
      else if (entry.key.includes(whole)) rank = 2;
      else if (words.every((word) => entry.all.includes(normal(word)))) rank = 3;
      hits.push({ entry, rank });
    }
    hits.sort((a, b) => a.rank - b.rank || order.indexOf(a.entry.kind) - order.indexOf(b.entry.kind) || a.entry.name.length - b.entry.name.length);
    return hits.map((hit) => hit.entry);
  }
}

// attach lets a field search the index: hits take the place of the reference while there is a query.
export function attach(index, field, panel, reference, status) {
  const show = () => {
    const query = field.value.trim();
    panel.hidden = !query;
    reference.hidden = !!query;
    panel.replaceChildren();
    status.textContent = "";
    if (!query) return;
    const hits = index.find(query);
    if (!hits.length) {
      status.textContent = `Nothing found for “${query}”.`;
      panel.append(el("h2", {}, "Nothing found"), el("p", {}, `No method, parameter, field, value or reason has “${query}” in its name or description.`));
      return;
    }
    const counted = hits.length === 1 ? "One hit" : `${hits.length} hits`;
    status.textContent = `${counted} for “${query}”.`;
    panel.append(el("h2", {}, counted));
    const list = el("ul", { class: "hits" });
    for (const hit of hits.slice(0, most)) {
      list.append(el("li", {},
        el("a", { href: "#" + hit.id }, el("span", { class: "kind" }, hit.kind), el("b", {}, ...marked(hit.name, query)), " ", el("span", { class: "muted" }, hit.beside)),
        el("p", {}, ...prose(excerpt(hit.description, query)))));
    }
    panel.append(list);
    if (hits.length > most) panel.append(el("p", { class: "muted" }, `${hits.length - most} more. Another word narrows them down.`));
  };
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = ""; show(); }
    if (event.key === "Enter") panel.querySelector("a")?.click();
  });
  panel.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    field.value = "";
    show();
    go(link.getAttribute("href"));
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select")) { event.preventDefault(); field.focus(); }
  });
  show();
}

// go shows the place that a link leads to, and everything that is folded around it.
export function go(hash) {
  const place = document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!place) return;
  if (location.hash !== hash) location.hash = hash;
  for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  for (const old of document.querySelectorAll(".found")) old.classList.remove("found");
  place.classList.add("found");
  place.scrollIntoView({ behavior: "instant" });
  place.setAttribute("tabindex", "-1");
  place.focus({ preventScroll: true });
}

function marked(name, query) {
  const at = name.toLowerCase().indexOf(query.toLowerCase());
  return at < 0 ? [name] : [name.slice(0, at), el("mark", {}, name.slice(at, at + query.length)), name.slice(at + query.length)];
}

// excerpt returns the part of a description around the query, in whole words.
function excerpt(text, query) {
  const flat = text.replace(/\s+/g, " ").trim();
  if (flat.length <= 180) return flat;
  const at = Math.max(0, flat.toLowerCase().indexOf(query.toLowerCase()));
  const from = at < 120 ? 0 : flat.indexOf(" ", at - 90) + 1;
  const to = flat.indexOf(" ", from + 170);
  return (from ? "… " : "") + flat.slice(from, to < 0 ? undefined : to) + (to < 0 ? "" : " …");
}
