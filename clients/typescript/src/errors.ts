import type { ApiError } from "./api.js";

/** Domain of the `ErrorInfo` of every error that a gateway sends. */
const domain = "parley.v1";

/** HTTP statuses, and codes without an `ErrorInfo`, by which something on the way to the gateway says that the connection failed. */
const brokenStatuses: readonly number[] = [429, 500, 502, 503, 504];
const brokenCodes: readonly string[] = ["UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED"];

/** Codes for HTTP statuses of something that is not a gateway, as gRPC maps them. */
const codes: Record<number, string> = {
  400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED",
  429: "UNAVAILABLE", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE",
};

/** An error that ended a stream, or a connection of it. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  /** Name of the `google.rpc.Code`, such as `PERMISSION_DENIED`. A connection that broke has `UNAVAILABLE`. */
  readonly code: string;
  /** Reason of the `ErrorInfo`, such as `POLICY_DENIED`; empty if the gateway did not send the error. */
  readonly reason: string;
  /** Reports whether the connection failed: it broke, was silent for too long, or something on the way to the gateway refused it. */
  readonly cut: boolean;
  /** Time after which the call may be repeated, in milliseconds; absent if it fails in the same way again. */
  readonly retryAfter: number | undefined;
  /** The error as the gateway sent it. */
  readonly details: ApiError | undefined;
  /** Token with which a new stream goes on, if there is one. */
  resumeToken: string | undefined;

  constructor(message: string, fields: Partial<Omit<StreamError, keyof Error>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = fields.code ?? "UNAVAILABLE";
    this.reason = fields.reason ?? "";
    this.cut = fields.cut ?? false;
    this.retryAfter = fields.retryAfter;
    this.details = fields.details;
    this.resumeToken = fields.resumeToken;
  }
}

/** Returns the error of a connection that broke. */
export function broken(message: string, cause?: unknown): StreamError {
  return new StreamError(message, { cut: true }, cause);
}

/** Returns the error that a gateway sent as JSON. */
export function fromApiError(sent: ApiError): StreamError {
  let reason = "";
  let retryAfter: number | undefined;
  let resumeToken: string | undefined;
  for (const detail of Array.isArray(sent.details) ? sent.details : []) {
    if (detail["@type"] === "type.googleapis.com/google.rpc.ErrorInfo" && detail["domain"] === domain) {
      reason = String(detail["reason"] ?? "");
      const metadata = detail["metadata"] as Record<string, string> | undefined;
      resumeToken = metadata?.["resume_token"] || undefined;
    }
    if (detail["@type"] === "type.googleapis.com/google.rpc.RetryInfo") {
      retryAfter = Math.ceil(1000 * Number.parseFloat(String(detail["retryDelay"] ?? "0"))) || 0;
    }
  }
  const code = String(sent.status ?? "UNKNOWN");
  const fields = { code, reason, cut: !reason && brokenCodes.includes(code), retryAfter, details: sent, resumeToken };
  return new StreamError(String(sent.message ?? code), fields);
}

/** Reads the error of a response whose status is not one of success. */
export async function fromResponse(response: Response): Promise<StreamError> {
  const text = await response.text();
  try {
    const error = fromApiError(JSON.parse(text));
    if (error.reason) return error;
  } catch {
    // Something on the way to the gateway answered.
  }
  const cut = brokenStatuses.includes(response.status);
  const retryAfter = cut ? readRetryAfter(response.headers.get("retry-after")) : undefined;
  return new StreamError(`HTTP status ${response.status}`, { code: codes[response.status] ?? "UNKNOWN", cut, retryAfter });
}

/** Returns the wait of a Retry-After header, which is a number of seconds or a date, in milliseconds. */
function readRetryAfter(header: string | null): number | undefined {
  if (!header) return undefined;
  const wait = /^\d+$/.test(header) ? 1000 * Number(header) : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}
