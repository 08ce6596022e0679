/** What the page shows. It stands behind the # of the address, which browsers do not send. */
export interface Place {
  /** `users/{user}`; absent = the first page. */
  user?: string | undefined;
  /** `users/{user}/conversations/{conversation}`. */
  conversation?: string | undefined;
  view: "timeline" | "calls" | "usage" | "start";
}

export function readPlace(): Place {
  const [view = "", user, conversation] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  if (view === "usage") return { view };
  if ((view !== "timeline" && view !== "calls") || !user) return { view: "start" };
  return { view, user: `users/${user}`, conversation: conversation ? `users/${user}/conversations/${conversation}` : undefined };
}

export function linkTo(place: Place): string {
  if (!place.user) return `#/${place.view}`;
  const parts = [place.view, place.user.split("/")[1] ?? ""];
  const conversation = place.conversation?.split("/").slice(3).join("/");
  if (conversation) parts.push(conversation);
  return "#/" + parts.map(encodeURIComponent).join("/");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
