import type { Conversation, ListConversationsResponse, User } from "../../../clients/typescript/src/index.js";
import { get, pathOf, problem } from "./api.js";
import { h } from "./dom.js";
import { shortDayOf, words } from "./format.js";
import { forgetPeople, people } from "./people.js";
import { linkTo, type Place } from "./place.js";

const mostShown = 60;

/** The people of the tenant, and the conversations of the chosen one. */
export class Side {
  #people: User[] = [];
  #more = false;
  #place: Place = { view: "start" };
  #conversationsOf = "";
  #conversations: Conversation[] = [];
  readonly #find = h("input", { id: "find-user", type: "search", placeholder: "Name, principal name or id", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  readonly #list = h("ul", { class: "people" });
  readonly #said = h("p", { class: "hint", role: "status" });
  readonly #chats = h("section", { hidden: true, "aria-labelledby": "chats-title" });

  constructor(root: HTMLElement, private readonly chosen: () => void) {
    const form = h("form", { role: "search", onsubmit: (event: SubmitEvent) => (event.preventDefault(), this.#open()) }, h("label", { for: "find-user" }, "Find a user"), this.#find);
    this.#find.addEventListener("input", () => this.#draw());
    root.append(h("section", {}, form, this.#said, this.#list), this.#chats);
    void this.#load();
  }

  /** Reads everything again, as another caller. */
  reload(): void {
    this.#conversationsOf = "";
    forgetPeople();
    void this.#load();
  }

  show(place: Place): void {
    const moved = place.user !== this.#place.user || place.conversation !== this.#place.conversation || place.view !== this.#place.view;
    this.#place = place;
    if (moved && place.view !== "start") this.chosen();
    this.#draw();
    void this.#showConversations();
  }

  async #load(): Promise<void> {
    this.#said.textContent = "Reading people …";
    try {
      const { users, more } = await people();
      this.#people = users;
      this.#more = more;
      this.#said.textContent = "";
    } catch (error) {
      this.#people = [];
      const { reason, message, signIn } = problem(error);
      this.#said.textContent = signIn ? "Sign in to read people." : `People cannot be listed (${reason}): ${message} Write an id, or “me” for yourself.`;
    }
    this.#draw();
  }

  #matching(): User[] {
    const wanted = this.#find.value.trim().toLowerCase();
    return this.#people.filter((user) => [user.displayName, user.userPrincipalName, user.id].some((text) => text?.toLowerCase().includes(wanted)));
  }

  #draw(): void {
    const found = this.#matching();
    const open = this.#place.user;
    this.#list.replaceChildren(...found.slice(0, mostShown).map((user) => {
      const href = linkTo({ view: this.#place.view === "calls" ? "calls" : "timeline", user: user.name });
      return h("li", {}, h("a", { href, "aria-current": user.name === open ? "true" : undefined }, h("b", {}, user.displayName || user.id || ""), h("span", {}, user.userPrincipalName ?? "")));
    }));
    if (!this.#people.length) return;
    if (!found.length) this.#said.textContent = "Nobody found. Enter opens what you wrote as an id.";
    else if (found.length > mostShown || this.#more) this.#said.textContent = `The first ${Math.min(mostShown, found.length)} are shown. Write more of a name, or an id and Enter.`;
    else this.#said.textContent = "";
  }

  /** Opens the only user who matches, or what was written as an id. */
  #open(): void {
    const found = this.#matching();
    const wanted = this.#find.value.trim();
    const name = found.length && wanted ? found[0]?.name : wanted ? `users/${wanted}` : undefined;
    if (name) location.hash = linkTo({ view: "timeline", user: name });
  }

  async #showConversations(): Promise<void> {
    const { user } = this.#place;
    this.#chats.hidden = !user;
    if (!user) return;
    if (this.#conversationsOf !== user) {
      this.#conversationsOf = user;
      this.#conversations = [];
      this.#chats.replaceChildren(h("p", { class: "hint" }, "Reading conversations …"));
      try {
        const answer = await get<ListConversationsResponse>(`${pathOf(user)}/conversations`, { pageSize: 200, orderBy: "last_message_time desc" });
        if (this.#conversationsOf !== user) return;
        this.#conversations = answer.conversations ?? [];
      } catch (error) {
        if (this.#conversationsOf !== user) return;
        const { reason, message } = problem(error);
        this.#chats.replaceChildren(h("h2", { id: "chats-title" }, "Conversations"), h("p", { class: "hint" }, `${reason}: ${message}`));
        return;
      }
    }
    this.#drawConversations(user);
  }

  #drawConversations(user: string): void {
    const link = (label: string, under: string, conversation?: string): HTMLElement => {
      const current = this.#place.conversation === conversation && this.#place.view === "timeline";
      return h("li", {}, h("a", { href: linkTo({ view: "timeline", user, conversation }), "aria-current": current ? "true" : undefined }, h("b", {}, label), h("span", {}, under)));
    };
    this.#chats.replaceChildren(
      h("h2", { id: "chats-title" }, "Conversations"),
      h("ul", { class: "people" }, link("Everything", "one timeline over all sources"),
        ...this.#conversations.map((c) => link(titleOf(c, user), [words(c.kind, "CONVERSATION_KIND_"), shortDayOf(c.lastMessageTime)].filter(Boolean).join(" · "), c.name))),
    );
    if (!this.#conversations.length) this.#chats.append(h("p", { class: "hint" }, "This user has no chats."));
  }
}

/** Returns what to call a conversation: its topic, or its other members. */
function titleOf(conversation: Conversation, user: string): string {
  if (conversation.topic) return conversation.topic;
  const others = (conversation.members ?? []).filter((m) => !user.endsWith(m.userId ?? "-")).map((m) => m.displayName).filter(Boolean);
  return others.slice(0, 3).join(", ") || "Without a topic";
}
