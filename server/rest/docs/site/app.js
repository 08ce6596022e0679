// Draws the reference from /openapi.json. Everything from the document or an answer is set as text, never as markup.
"use strict";

const most = 200_000; // characters of an answer that are shown

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== undefined && c !== null));
  return node;
}

// prose turns `code` marks into code elements.
function prose(text) {
  return (text || "").split(/(`[^`]+`)/).map((part) =>
    part.startsWith("`") && part.length > 2 ? el("code", {}, part.slice(1, -1)) : part);
}

// breakable lets a path wrap behind its slashes and before its verb.
const breakable = (path) => path.split(/(?<=\/)|(?=:)/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));

const short = (name) => name.replace(/^.*\./, "");
const schemaId = (name) => "message-" + short(name);
const methodId = (operation) => "method-" + operation.operationId;

// fields are the parameters of a path or query; request headers are the same everywhere and stand in the handbook.
const fields = (operation) => (operation.parameters || []).filter((p) => p.in === "path" || p.in === "query");

// typeOf describes a schema in words, with links to messages.
function typeOf(schema) {
  if (!schema) return [""];
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [el("a", { href: "#" + schemaId(name) }, short(name))];
  }
  if (schema.allOf && schema.allOf.length === 1) return typeOf(schema.allOf[0]);
  if (schema.oneOf) return schema.oneOf.flatMap((s, i) => (i ? [" or ", ...typeOf(s)] : typeOf(s)));
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.enum) return ["one of " + schema.enum.join(", ")];
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "any";
  return [schema.format ? `${type} (${schema.format})` : type];
}

function rows(head, lines) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, ...lines.map((cells) => el("tr", {}, ...cells.map((c) => el("td", {}, ...c))))));
}

function pathOf(path) {
  return el("p", { class: "path" }, el("span", { class: "verb" }, "GET"),
    el("span", {}, ...path.split(/(\{[^}]+\})/).map((p) => (p.startsWith("{") ? el("var", {}, p) : p))));
}

// The access token is in its field and nowhere else; the field is emptied when the page is left, so that no history holds it.
const tokenField = document.getElementById("token");
addEventListener("pagehide", () => { if (tokenField) tokenField.value = ""; });

function authorization() {
  const token = (tokenField?.value || "").trim().replace(/^bearer\s+/i, "");
  return token ? { Authorization: "Bearer " + token } : {};
}

// tryIt is a form that makes the call and shows its answer as it comes.
function tryIt(path, operation) {
  const parameters = fields(operation);
  const inputs = new Map();
  const form = el("form", { autocomplete: "off" });
  for (const p of parameters) {
    const input = el("input", { name: p.name, placeholder: p.required ? "required" : "", spellcheck: "false" });
    inputs.set(p, input);
    form.append(el("label", {}, p.name, input));
  }
  const url = el("p", { class: "url" });
  const out = el("pre", { class: "out", hidden: "" });
  let running = null;
  const stop = el("button", { type: "button", class: "plain", hidden: "", onclick: () => running?.abort() }, "Stop");
  form.append(el("span", {}, el("button", { type: "submit" }, "Send"), stop));
  const build = () => {
    let target = path;
    const query = new URLSearchParams();
    for (const [p, input] of inputs) {
      const value = input.value.trim();
      if (p.in === "path") target = target.replace(`{${p.name}}`, encodeURIComponent(value) || `{${p.name}}`);
      else if (value) for (const v of p.schema?.type === "array" ? value.split(/[\s,]+/) : [value]) query.append(p.name, v);
    }
    const text = query.toString();
    return target + (text ? "?" + text : "");
  };
  const show = () => { url.textContent = "curl " + (tokenField ? '-H "Authorization: Bearer $TOKEN" ' : "") + "'" + location.origin + build() + "'"; };
  form.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running?.abort();
    running = new AbortController();
    const mine = running;
    out.hidden = false;
    stop.hidden = false;
    out.textContent = "…";
    try {
      const answer = await fetch(build(), { signal: mine.signal, headers: authorization(), credentials: "omit", redirect: "error" });
      out.textContent = `HTTP ${answer.status}\n`;
      const json = (answer.headers.get("Content-Type") || "").startsWith("application/json");
      if (json) out.textContent += JSON.stringify(await answer.json(), null, 2);
      else await pour(answer.body, out, mine);
    } catch (error) {
      out.textContent += mine.signal.aborted ? "\n(stopped)" : `\n${error}`;
    }
    stop.hidden = true;
  });
  show();
  return el("details", {}, el("summary", {}, "Try it"), form, url, out);
}

async function pour(body, out, control) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let shown = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    out.append(value);
    shown += value.length;
    if (shown > most) {
      control.abort();
      out.append("\n(shortened)");
      return;
    }
  }
}

function method(path, operation) {
  const parameters = fields(operation);
  const ok = operation.responses?.["200"];
  const answers = Object.entries(ok?.content || {}).map(([type, media]) => [[el("code", {}, type)], typeOf(media.schema)]);
  return el("article", { id: methodId(operation), "data-find": (path + " " + operation.operationId).toLowerCase() },
    pathOf(path),
    el("p", {}, ...prose(operation.description || operation.summary)),
    parameters.length ? rows(["Parameter", "Type", "Meaning"], parameters.map((p) => [
      [el("code", {}, p.name), p.required ? " *" : ""], typeOf(p.schema), prose(p.description)])) : null,
    answers.length ? el("details", { open: "" }, el("summary", {}, "Answer"), rows(["Content type", "Message"], answers)) : null,
    tryIt(path, operation));
}

function message(name, schema) {
  const fields = Object.entries(schema.properties || {});
  return el("article", { id: schemaId(name), "data-find": name.toLowerCase() },
    el("h3", {}, short(name)),
    el("p", {}, ...prose(schema.description)),
    schema.enum ? el("p", {}, ...schema.enum.flatMap((v) => [el("code", {}, String(v)), " "])) : null,
    fields.length ? rows(["Field", "Type", "Meaning"], fields.map(([field, s]) => [
      [el("code", {}, field)], typeOf(s), prose(s.description)])) : null);
}

function draw(document_) {
  const place = document.getElementById("reference");
  const toc = document.getElementById("toc");
  place.replaceChildren();
  for (const tag of document_.tags || []) {
    const title = tag.name.replace(/Service$/, "").replace(/([a-z])([A-Z])/g, "$1 $2");
    const section = el("section", { id: "tag-" + tag.name }, el("h2", {}, title), el("p", {}, ...prose(tag.description)));
    toc.append(el("h2", {}, title));
    for (const [path, item] of Object.entries(document_.paths || {})) {
      const operation = item.get;
      if (!operation?.tags?.includes(tag.name)) continue;
      section.append(method(path, operation));
      toc.append(el("a", { href: "#" + methodId(operation), "data-find": (path + " " + operation.operationId).toLowerCase() },
        ...breakable(path.replace("/v1/", ""))));
    }
    place.append(section);
  }
  const section = el("section", { id: "messages" }, el("h2", {}, "Messages"));
  toc.append(el("h2", {}, "Messages"));
  for (const [name, schema] of Object.entries(document_.components?.schemas || {})) {
    section.append(message(name, schema));
    toc.append(el("a", { href: "#" + schemaId(name), "data-find": name.toLowerCase() }, short(name)));
  }
  place.append(section);
  place.setAttribute("aria-busy", "false");
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: "instant" });
}

document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const node of document.querySelectorAll("[data-find]")) node.hidden = !node.dataset.find.includes(wanted);
});

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`HTTP ${answer.status}`))))
  .then(draw)
  .catch((error) => {
    document.getElementById("reference").replaceChildren(el("p", {}, `/openapi.json could not be read: ${error.message}`));
  });
