import { type ChildProcess, spawn } from "node:child_process";
import { request as httpsRequest } from "node:https";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A running `parley demo` on free ports. */
export interface Demo {
  rest: string;
  sim: string;
  user: string;
  /** Replaces the faults of the simulator. */
  faults(list: object[]): Promise<void>;
  /** Returns an access token of the simulated directory. */
  token(query: string): Promise<string>;
}

/** Starts the demo and waits until it has said where it serves. */
async function start(flags: string[]): Promise<{ demo: Demo; process: ChildProcess }> {
  const free = "127.0.0.1:0";
  const child = spawn(`${root}/.bin/parley`, ["demo", ...flags], {
    env: { ...process.env, PARLEY_GRPC_ADDR: free, PARLEY_HTTP_ADDR: free, PARLEY_ADMIN_ADDR: free, PARLEY_SIM_ADDR: free, PARLEY_LOG_LEVEL: "error", PARLEY_AUDIT_FILE: "/dev/null" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`parley demo ended with ${code}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
      if (said.includes("Ctrl-C")) resolve();
    });
  });
  const find = (line: RegExp): string => line.exec(said)?.[1] ?? "";
  const sim = find(/simulator\s+(https:\/\/[^\s,]+)/);
  const demo = {
    rest: find(/REST\s+(http:\/\/[^/\s]+)/), sim, user: find(/demo user\s.*\s(\S+)$/m),
    faults: async (list: object[]) => void (await send(`${sim}/_sim/faults`, "POST", JSON.stringify(list))),
    token: (query: string) => send(`${sim}/_sim/token?${query}`, "GET"),
  };
  await send(`${sim}/_sim/clock`, "POST", JSON.stringify({ now: quietHour() }));
  return { demo, process: child };
}

/** The last Sunday night: no record appears between what a page has read and what a test reads to compare. */
function quietHour(): Date {
  const at = new Date();
  at.setUTCHours(-24 * at.getUTCDay() - (at.getUTCDay() === 0 ? 7 * 24 : 0) + 2, 0, 0, 0);
  return at;
}

/** Asks the simulator, whose certificate is its own. */
function send(url: string, method: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(url, { method, rejectUnauthorized: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk));
      response.on("end", () => (response.statusCode === 200 || response.statusCode === 204 ? resolve(text.trim()) : reject(new Error(`${response.statusCode} ${text}`))));
    });
    call.on("error", reject);
    call.end(body);
  });
}

const running = (flags: string[]) => [
  async ({}, use: (demo: Demo) => Promise<void>) => {
    const { demo, process: child } = await start(flags);
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await use(demo);
    child.kill("SIGTERM");
    await ended;
  },
  { scope: "worker" },
] as const;

/** Tests over a demo, `demo`, and over one that asks who calls, `guarded`. No page may log an error or ask another host. */
export const test = base.extend<{ quiet: void }, { demo: Demo; guarded: Demo }>({
  demo: running([]) as never,
  guarded: running(["--auth"]) as never,
  quiet: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(error.message));
      page.on("console", (message) => {
        // The browser itself logs every answer that is an error.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
      });
      page.on("request", (request) => {
        if (!/^(http:\/\/127\.0\.0\.1:|data:)/.test(request.url())) wrong.push(`asks ${request.url()}`);
      });
      await use();
      expect(wrong).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Expects that a page, or parts of it, have no serious fault of accessibility in light and dark, and need no scrolling sideways. */
export async function expectUsable(page: Page, ...parts: string[]): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await parts.reduce((axe, part) => axe.include(part), new AxeBuilder({ page })).analyze();
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`)).toEqual([]);
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), "sideways").toBeLessThanOrEqual(0);
}
