import { readError, StreamError } from "../../../clients/typescript/src/index.js";

/** The access token of the caller. It is in this variable and nowhere else: closing or reloading the page forgets it. */
let token = "";

/** Takes a pasted access token, with or without `Bearer`; empty forgets the one before. */
export function setToken(pasted: string): void {
  token = pasted.trim().replace(/^bearer\s+/i, "");
}

export const hasToken = (): boolean => token !== "";

/** Returns the options that every stream of the client helper has here. */
export function streamBase(): { baseUrl: string; token?: () => string } {
  return token ? { baseUrl: location.origin, token: () => token } : { baseUrl: location.origin };
}

/** Reads one answer of the REST API; throws a `StreamError` for an error of the gateway. */
export async function get<T>(path: string, query: Record<string, string | number | undefined> = {}, signal?: AbortSignal): Promise<T> {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  let response: Response;
  try {
    response = await fetch(url, { headers, credentials: "omit", redirect: "error", ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new StreamError("The gateway was not reached.", { cut: true }, error);
  }
  if (!response.ok) throw await readError(response);
  return (await response.json()) as T;
}

/** Returns the path of a resource name, each segment of it escaped. */
export function pathOf(name: string): string {
  return "/v1/" + name.split("/").map(encodeURIComponent).join("/");
}

/** What to say of a failure: its reason and message, and whether a token may help. */
export function problem(error: unknown): { reason: string; message: string; signIn: boolean } {
  if (error instanceof StreamError) return { reason: error.reason || (error.cut ? "CUT" : error.code), message: error.message, signIn: error.code === "UNAUTHENTICATED" };
  return { reason: "ERROR", message: error instanceof Error ? error.message : String(error), signIn: false };
}
