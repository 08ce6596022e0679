import type { Event, IdentitySet } from "../../../clients/typescript/src/index.js";

/** The sources in the order of their colours. */
export const sources = ["SOURCE_CHAT", "SOURCE_COPILOT", "SOURCE_CALL"] as const;
export type KnownSource = (typeof sources)[number];

export const sourceNames: Record<KnownSource, string> = { SOURCE_CHAT: "Chat", SOURCE_COPILOT: "Copilot", SOURCE_CALL: "Calls" };

/** Returns the class of a source, which gives its colour. */
export function sourceClass(source: string | undefined): string {
  const known = source === "SOURCE_RETAINED_CHAT" ? "SOURCE_CHAT" : source;
  return sources.includes(known as KnownSource) ? (known as string).replace("SOURCE_", "").toLowerCase() : "other";
}

/** Returns an enumeration's value as words: `EVENT_KIND_PROMPT` without `EVENT_KIND_` is "prompt". */
export function words(value: string | undefined, prefix: string): string {
  return (value ?? "").replace(prefix, "").replaceAll("_", " ").toLowerCase();
}

const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

const at = (time: string | undefined): Date | undefined => {
  const date = new Date(time ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
};
const write = (format: Intl.DateTimeFormat, time: string | undefined): string => {
  const date = at(time);
  return date ? format.format(date) : "";
};

export const dayOf = (time: string | undefined): string => write(day, time);
export const shortDayOf = (time: string | undefined): string => write(shortDay, time);
export const clockOf = (time: string | undefined): string => write(clock, time);
export const momentOf = (time: string | undefined): string => (at(time) ? `${shortDayOf(time)} ${clockOf(time)} UTC` : "");

/** Returns whom a set of identities names. */
export function personOf(set: IdentitySet | undefined): string {
  const one = set?.user ?? set?.application ?? set?.phone ?? set?.guest ?? set?.device;
  return one?.displayName || one?.userPrincipalName || one?.id || "";
}

/** Returns the one line that a list says of an event. */
export function lineOf(event: Event): string {
  const text = event.body?.plainText?.trim() || event.summary?.text;
  if (text) return text;
  // A note of a sort that this version does not know has no summary.
  if (event.system?.eventType) return event.system.eventType.replace(/EventMessageDetail$/, "").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return event.deleteTime ? "deleted" : "no text";
}

/** Returns how long it is from a start to an end, in minutes and seconds. */
export function durationOf(start: string | undefined, end: string | undefined): string {
  const [from, to] = [at(start), at(end)];
  if (!from || !to) return "";
  const seconds = Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Returns a number of things: "1 event", "2 events". */
export const count = (n: number, thing: string): string => `${n.toLocaleString("en-GB")} ${thing}${n === 1 ? "" : "s"}`;
