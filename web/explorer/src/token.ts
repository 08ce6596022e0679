import { hasToken, setToken } from "./api.js";
import { h } from "./dom.js";

/** Makes the panel that takes an access token. The token leaves its field at once, and is kept in memory only. */
export function tokenPanel(changed: () => void): HTMLElement {
  const field = h("textarea", { id: "token", rows: 4, autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "eyJ…" });
  const label = h("summary", {}, "Sign in");
  const panel = h("details", { class: "token" }, label);
  const use = (token: string): void => {
    setToken(token);
    field.value = "";
    label.textContent = hasToken() ? "Signed in" : "Sign in";
    panel.open = false;
    label.focus();
    changed();
  };
  const form = h("form", { autocomplete: "off", onsubmit: (event: SubmitEvent) => (event.preventDefault(), use(field.value)) },
    h("label", { for: "token" }, "Access token"),
    field,
    h("p", { class: "hint" }, "It is sent with the calls of this page and kept in its memory only: reloading forgets it. Gateways that ask nobody need none."),
    h("div", { class: "row" }, h("button", { type: "submit" }, "Use this token"), h("button", { type: "button", class: "quiet", onclick: () => use("") }, "Forget it")),
  );
  panel.append(form);
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      panel.open = false;
      label.focus();
    }
  });
  addEventListener("pagehide", () => {
    field.value = "";
    setToken("");
  });
  return panel;
}
