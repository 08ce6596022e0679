// The explorer of a gateway: people, their conversations, one timeline, the quality of calls, and the use of Copilot.
import "./style.css";
import { showCalls } from "./calls.js";
import { byId, h, s } from "./dom.js";
import { linkTo, readPlace } from "./place.js";
import { Side } from "./side.js";
import { showTimeline } from "./timeline.js";
import { tokenPanel } from "./token.js";
import { showUsage } from "./usage.js";

let leave = new AbortController();
const side = new Side(byId("side"), () => narrowMenu(false));

function show(): void {
  leave.abort();
  leave = new AbortController();
  const place = readPlace();
  const main = byId("main");
  main.replaceChildren();
  side.show(place);
  for (const link of document.querySelectorAll("#top nav a")) {
    if (link.getAttribute("href") === linkTo(place)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (place.view === "usage") showUsage(main, leave.signal);
  else if (place.view === "calls" && place.user) showCalls(main, place, leave.signal);
  else if (place.view === "timeline" && place.user) showTimeline(main, place, leave.signal);
  else start(main);
}

function start(main: HTMLElement): void {
  main.append(
    h("h1", {}, "Whom do you want to look at?"),
    h("p", { class: "lead" }, "Choose somebody on the left, or write an object id or user principal name. You see one timeline over Teams chats, Copilot and calls, as this gateway streams it, and whether it is complete."),
    h("p", {}, "The page reads the REST API of this gateway and nothing else. It keeps nothing: what you see is gone when you close it."),
  );
}

/** Opens or closes people and conversations where the window is too narrow for both. */
function narrowMenu(open: boolean): void {
  document.body.toggleAttribute("data-menu", open);
  menu.setAttribute("aria-expanded", String(open));
}

const menu = h("button", { type: "button", class: "menu quiet", "aria-controls": "side", onclick: () => narrowMenu(!document.body.hasAttribute("data-menu")) }, "People");

function header(): void {
  const logo = s("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" }, s("path", { d: "M4 6h18v12H12l-5 5v-5H4z" }), s("path", { class: "second", d: "M26 12h2v12h-2v4l-4-4H13l3-3h10z" }));
  byId("top").append(
    h("a", { class: "brand", href: "#/" }, logo, h("strong", {}, "Parley"), h("span", { class: "wide" }, "Explorer")),
    menu,
    h("nav", { "aria-label": "Pages" }, h("a", { href: "#/usage" }, h("span", { class: "wide" }, "Copilot "), "usage"), h("a", { href: "/docs" }, "API", h("span", { class: "wide" }, " reference"))),
    tokenPanel(() => {
      side.reload();
      show();
    }),
  );
}

header();
addEventListener("hashchange", () => {
  show();
  byId("main").focus({ preventScroll: true });
});
narrowMenu(readPlace().view === "start");
show();
