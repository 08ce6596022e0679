// The form of a method: it makes the call, shows the answer as it comes, and gives the same call in every language.
import { copyButton, el } from "./dom.js";
import { pretty } from "./json.js";
import { languages } from "./snippets.js";

const most = 200_000; // characters of an answer that are shown

const page = document.body.dataset;
const tokenField = document.getElementById("token");

// The access token is in its field and nowhere else; the field is emptied when the page is left, so that no history holds it.
addEventListener("pagehide", () => { if (tokenField) tokenField.value = ""; });

function authorization() {
  const token = (tokenField?.value || "").trim().replace(/^bearer\s+/i, "");
  return token ? { Authorization: "Bearer " + token } : {};
}

// fields are the parameters of a path or query; request headers are the same everywhere and stand in the handbook.
export const fields = (operation) => (operation.parameters || []).filter((p) => p.in === "path" || p.in === "query");

// control is the input of a parameter: its choices if it has any, and a function that returns its value as a list.
function control(p, name) {
  const schema = p.schema || {};
  if (schema.type === "array" && schema.items?.enum) {
    const boxes = schema.items.enum.map((value) => [value, el("input", { type: "checkbox", name: `${name}-${value}` })]);
    const group = el("fieldset", { class: "choices" }, el("legend", {}, p.name), ...boxes.map(([value, box]) => el("label", {}, box, value)));
    return { node: group, values: () => boxes.filter(([, box]) => box.checked).map(([value]) => value) };
  }
  let input;
  if (schema.enum) {
    input = el("select", { id: name }, p.required ? undefined : el("option", { value: "" }, "default"), ...schema.enum.map((value) => el("option", {}, value)));
  } else {
    const hints = { "date-time": "2026-11-01T00:00:00Z", int32: schema.minimum === 0 ? "0 = default" : "" };
    input = el("input", {
      id: name, placeholder: p.required ? "required" : hints[schema.format] || "", spellcheck: "false", autocapitalize: "off",
      inputmode: schema.type === "integer" ? "numeric" : undefined,
      value: p.in === "path" && p.name === "user" && page.user ? page.user : undefined,
    });
  }
  return { node: el("div", { class: "field" }, el("label", { for: name }, p.name, p.required ? " *" : ""), input), values: () => (input.value.trim() ? [input.value.trim()] : []) };
}

// typeOfField returns the type of a request field as snippets tell them apart, and its value.
function asField(rpc, p, values) {
  const known = rpc.enums?.[p.name];
  const list = p.schema?.type === "array";
  const type = known ? (list ? "enums" : "enum") : p.schema?.type === "integer" ? "int" : p.schema?.format === "date-time" ? "time" : "string";
  return { name: p.name, type, value: list ? values : values[0], enum: known?.name, enumFile: known?.file };
}

export function tryIt(path, operation) {
  const id = operation.operationId;
  const controls = new Map(fields(operation).map((p) => [p, control(p, `${id}-${p.name}`)]));
  const out = el("pre", { class: "out", tabindex: "0", role: "region", "aria-label": "Answer", hidden: "" });
  const status = el("p", { class: "status", role: "status" });
  let answer = "";
  const copyAnswer = copyButton(() => answer, "Copy answer");
  copyAnswer.hidden = true;
  let running = null;
  const stop = el("button", { type: "button", class: "plain", hidden: "", onclick: () => running?.abort() }, "Stop");
  const form = el("form", { autocomplete: "off", novalidate: "" }, ...[...controls.values()].map((c) => c.node),
    el("p", { class: "actions" }, el("button", { type: "submit" }, "Send"), stop));

  const target = () => {
    let to = path;
    const query = new URLSearchParams();
    for (const [p, { values }] of controls) {
      if (p.in === "path") to = to.replace(`{${p.name}}`, values().map(encodeURIComponent)[0] || `{${p.name}}`);
      else for (const value of values()) query.append(p.name, value);
    }
    const text = query.toString();
    return to + (text ? "?" + text : "");
  };
  const call = () => {
    const { method, pattern, field, ...rest } = operation["x-parley-rpc"];
    const [service, name] = method.split("/");
    const set = [];
    if (field) {
      let resource = pattern;
      for (const [p, { values }] of controls) if (p.in === "path") resource = resource.replace(`{${p.name}}`, values()[0] || `{${p.name}}`);
      set.push({ name: field, type: "string", value: resource });
    }
    for (const [p, { values }] of controls) if (p.in === "query" && values().length) set.push(asField(rest, p, values()));
    return {
      origin: location.origin, grpc: page.grpc, tls: location.protocol === "https:", tokens: !!tokenField, reflection: page.reflection === "true",
      path: target(), csv: !!operation.responses?.["200"]?.content?.["text/csv"], rpc: { ...rest, service, method: name, fields: set },
    };
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running?.abort();
    running = new AbortController();
    const mine = running;
    out.hidden = stop.hidden = copyAnswer.hidden = false;
    out.replaceChildren();
    answer = "";
    status.textContent = "Asking …";
    let tail = "";
    try {
      const got = await fetch(target(), { signal: mine.signal, headers: authorization(), credentials: "omit", redirect: "error" });
      status.textContent = `HTTP ${got.status} ${got.statusText}`;
      const type = got.headers.get("Content-Type") || "";
      if (type.startsWith("application/json")) {
        const value = await got.json();
        answer = JSON.stringify(value, null, 2);
        out.append(...(answer.length > most ? [answer.slice(0, most), "\n(shortened; copying gives all of it)"] : pretty(value)));
      } else {
        tail = await pour(got.body, out, mine, type.startsWith("application/x-ndjson"), (text) => { answer += text; });
      }
    } catch (error) {
      if (!mine.signal.aborted) status.textContent += ` – ${error.message}`;
      else if (running === mine) tail = "stopped";
    }
    if (tail) status.textContent += ` – ${tail}`;
    if (running === mine) stop.hidden = true;
  });
  return el("details", { class: "try" }, el("summary", {}, "Try it"), form, snippets(id, form, call), status, out, copyAnswer);
}

// pour shows a body as it comes; lines of JSON are indented. It returns what there is to say of the end.
async function pour(body, out, control, lines, keep) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let shown = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return "";
    keep(value);
    shown += value.length;
    if (lines) {
      const whole = (rest + value).split("\n");
      rest = whole.pop();
      for (const line of whole) if (line) out.append(...(line.length < most / 4 ? pretty(JSON.parse(line)) : [line.slice(0, most / 4), " …"]), "\n");
    } else out.append(value);
    if (shown > most) {
      control.abort();
      return "shortened";
    }
  }
}

// snippets are the call in each language, behind a row of buttons.
function snippets(id, form, call) {
  const code = el("code", {});
  let chosen = "curl";
  const show = () => { code.textContent = languages[chosen](call()); };
  const buttons = Object.keys(languages).map((name) => el("button", {
    type: "button", class: "tab", "aria-pressed": String(name === chosen),
    onclick: (event) => {
      chosen = name;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
      show();
    },
  }, name));
  form.addEventListener("input", show);
  show();
  return el("div", { class: "snippets" },
    el("div", { class: "tabs", role: "group", "aria-label": "Language of the call" }, ...buttons),
    el("div", { class: "copyable" }, el("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "The call" }, code), copyButton(() => languages[chosen](call()))));
}
