// Draws the reference from /openapi.json.
import { breakable, copyButton, el, prose } from "./dom.js";
import { attach, go, Index } from "./search.js";
import { fields, tryIt } from "./try.js";

const short = (name) => name.replace(/^.*\./, "");
const schemaId = (name) => "message-" + short(name);
const methodId = (operation) => "method-" + operation.operationId;
const rpcName = (operation) => operation["x-parley-rpc"]?.method.replace(/^parley\.v1\./, "").replace("/", ".") || "";

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
  if (schema.enum) return schema.enum.flatMap((v, i) => [i ? " · " : "", el("code", {}, String(v))]);
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "any";
  return [schema.format ? `${type} (${schema.format})` : type];
}

// rows is a table whose lines have ids; narrow screens show each line as a block, with the column's name before each cell.
function rows(head, lines) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, ...lines.map(({ id, cells }) => el("tr", { id }, ...cells.map((c, i) => el("td", { "data-head": head[i] }, ...c))))));
}

function pathOf(path) {
  return el("h3", { class: "path" }, el("span", { class: "verb" }, "GET"),
    el("span", {}, ...breakable(path).flatMap((part) => (typeof part === "string" ? part.split(/(\{[^}]+\})/).map((p) => (p.startsWith("{") ? el("var", {}, p) : p)) : [part]))));
}

function method(index, path, operation) {
  const id = operation.operationId;
  const rpc = rpcName(operation);
  index.add("Methods", path, rpc || id, operation.description, methodId(operation));
  const parameters = fields(operation);
  const answers = Object.entries(operation.responses?.["200"]?.content || {});
  return el("article", { id: methodId(operation) },
    pathOf(path),
    rpc ? el("p", { class: "rpc" }, el("span", { class: "verb grpc" }, "RPC"), el("code", {}, rpc), operation["x-parley-rpc"].streams ? " streams" : "") : null,
    el("p", {}, ...prose(operation.description || operation.summary)),
    parameters.length ? rows(["Parameter", "Type", "Meaning"], parameters.map((p) => {
      index.add("Parameters", p.name, `of ${rpc || path}`, p.description, `parameter-${id}-${p.name}`);
      return { id: `parameter-${id}-${p.name}`, cells: [[el("code", {}, p.name), p.required ? el("span", { class: "must", title: "required" }, " *") : ""], typeOf(p.schema), prose(p.description)] };
    })) : null,
    answers.length ? el("p", { class: "answers" }, "Answers ", ...answers.flatMap(([type, media], i) => [i ? ", " : "", ...typeOf(media.schema), " as ", el("code", {}, type)])) : null,
    tryIt(path, operation));
}

function message(index, name, schema) {
  const properties = Object.entries(schema.properties || {});
  index.add("Messages", short(name), schema.enum ? "enumeration" : "message", schema.description, schemaId(name));
  for (const value of schema.enum || []) index.add("Values", String(value), `of ${short(name)}`, "", schemaId(name));
  return el("article", { id: schemaId(name) },
    el("h3", {}, short(name)),
    el("p", {}, ...prose(schema.description)),
    schema.enum ? el("p", { class: "values" }, ...schema.enum.flatMap((v) => [el("code", {}, String(v)), " "])) : null,
    properties.length ? rows(["Field", "Type", "Meaning"], properties.map(([field, s]) => {
      index.add("Fields", field, `of ${short(name)}`, s.description, `field-${short(name)}-${field}`);
      return { id: `field-${short(name)}-${field}`, cells: [[el("code", {}, field)], typeOf(s), prose(s.description)] };
    })) : null);
}

const kinds = {
  error: ["Reasons of errors", "A call fails with one of these. Those with “gap” are reasons of gaps and of sources, too."],
  gap: ["Reasons of gaps alone", "No call fails for these: what was read is delivered, and reading goes on."],
  notice: ["Codes of notices", "A notice about a gap or a source has the reason of that as its code. The others:"],
};

function reasons(index, list) {
  const section = el("section", { id: "reasons" }, el("h2", {}, "Reasons"));
  for (const [kind, [title, text]] of Object.entries(kinds)) {
    const own = list.filter((r) => r.kind === kind);
    if (!own.length) continue;
    section.append(el("article", { id: "reasons-" + kind }, el("h3", {}, title), el("p", {}, text),
      rows(["Reason", "Code", "Meaning"], own.map((r) => {
        const id = `reason-${r.reason}${kind === "error" ? "" : "-" + kind}`;
        const beside = r.code ? `${r.code}, HTTP ${r.status}` : kind;
        index.add("Reasons", r.reason, beside, `${r.what} ${r.help}`, id);
        return { id, cells: [[el("code", {}, r.reason)], [beside, r.gap ? ", gap" : ""], [...prose(r.what), " ", el("em", {}, ...prose(r.help))]] };
      }))));
  }
  return section;
}

function draw(doc, index) {
  const place = document.getElementById("reference");
  const toc = document.getElementById("toc");
  place.replaceChildren();
  for (const tag of doc.tags || []) {
    const title = tag.name.replace(/Service$/, "").replace(/([a-z])([A-Z])/g, "$1 $2");
    const section = el("section", { id: "tag-" + tag.name }, el("h2", {}, title), el("p", {}, ...prose(tag.description)));
    toc.append(el("h2", {}, title));
    for (const [path, item] of Object.entries(doc.paths || {})) {
      for (const operation of Object.values(item)) {
        if (!operation?.tags?.includes(tag.name)) continue;
        section.append(method(index, path, operation));
        toc.append(el("a", { href: "#" + methodId(operation) }, ...breakable(path.replace("/v1/", "")), el("small", {}, rpcName(operation).replace(/^.*\./, ""))));
      }
    }
    place.append(section);
  }
  place.append(reasons(index, doc["x-parley-reasons"] || []));
  toc.append(el("h2", {}, "Reasons"), ...Object.entries(kinds).map(([kind, [title]]) => el("a", { href: "#reasons-" + kind }, title)));
  const section = el("section", { id: "messages" }, el("h2", {}, "Messages"));
  toc.append(el("h2", {}, "Messages"));
  for (const [name, schema] of Object.entries(doc.components?.schemas || {})) {
    section.append(message(index, name, schema));
    toc.append(el("a", { href: "#" + schemaId(name) }, short(name)));
  }
  place.append(section);
  place.setAttribute("aria-busy", "false");
  if (location.hash) go(location.hash);
}

const index = new Index();
for (const section of document.querySelectorAll("#guide > section")) {
  index.add("Guide", section.querySelector("h1, h2").textContent, "", section.textContent.replace(/\s+/g, " "), section.id);
}
for (const code of document.querySelectorAll("#guide pre")) {
  const frame = el("div", { class: "copyable" });
  code.replaceWith(frame);
  code.setAttribute("tabindex", "0");
  frame.append(code, copyButton(() => code.textContent));
}
// Links lead to places that search may have hidden, or that are folded.
addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link || link.classList.contains("skip") || event.defaultPrevented) return;
  event.preventDefault();
  if (matchMedia("(max-width: 56rem)").matches) document.getElementById("contents").open = false;
  go(link.getAttribute("href"));
});
addEventListener("hashchange", () => { if (location.hash) go(location.hash); });
const contents = document.getElementById("contents");
const wide = matchMedia("(min-width: 56rem)");
const fold = () => { contents.open = wide.matches; };
wide.addEventListener("change", fold);
fold();

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`HTTP ${answer.status}`))))
  .then((doc) => {
    draw(doc, index);
    attach(index, document.getElementById("find"), document.getElementById("hits"), document.getElementById("content"), document.getElementById("found"));
  })
  .catch((error) => {
    document.getElementById("reference").replaceChildren(el("p", {}, `/openapi.json could not be read: ${error.message}`));
  });
