import type { Page } from "@playwright/test";
import { type Demo, expect, expectUsable, test } from "./demo.js";

const banner = (page: Page) => page.locator(".banner");

/** Opens the timeline of somebody by a search, as a visitor does, and returns the start of the interval that the explorer asks for. */
async function open(page: Page, demo: Demo, name: string): Promise<string> {
  await page.goto(`${demo.rest}/explorer`);
  await page.getByLabel("Find a user").fill(name);
  const asked = page.waitForRequest(/events:stream\?/);
  await page.getByRole("link", { name }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  return new URL((await asked).url()).searchParams.get("startTime") ?? "";
}

/** Returns how many events the banner counts. */
async function counted(page: Page): Promise<number> {
  return Number(/([\d,]+) events?/.exec(await banner(page).innerText())?.[1]?.replaceAll(",", ""));
}

/** Returns how many events a user has since the start of an interval. */
async function expectedEvents(demo: Demo, name: string, start: string): Promise<number> {
  const { users } = (await (await fetch(`${demo.rest}/v1/users?pageSize=1000`)).json()) as { users: { name: string; displayName: string }[] };
  const user = users.find(({ displayName }) => displayName === name)?.name;
  const lines = (await (await fetch(`${demo.rest}/v1/${user}/events:stream?startTime=${start}`)).text()).trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { batch?: { events: unknown[] } }).batch?.events.length ?? 0).reduce((a, b) => a + b, 0);
}

test.beforeEach(async ({ demo }) => demo.faults([]));

test("a user is found, and the timeline is complete", async ({ page, demo }) => {
  const start = await open(page, demo, "Mara Lindqvist");
  await expect(banner(page)).toContainText("Complete");
  expect(await counted(page)).toBe(await expectedEvents(demo, "Mara Lindqvist", start));
  await expect(page.getByRole("img", { name: /^Events by day/ })).toBeVisible();

  await page.getByLabel("Search what was read").fill("prompt");
  await expect(page.locator(".event").first()).toHaveClass(/copilot/);
  await page.getByLabel("Search what was read").fill("xyzzy");
  await expect(page.getByText("No event matches.")).toBeVisible();
});

test("nobody is found", async ({ page, demo }) => {
  await page.goto(`${demo.rest}/explorer`);
  await page.getByLabel("Find a user").fill("xyzzy");
  await expect(page.getByText("Nobody found.")).toBeVisible();
});

test("an event shows its JSON, and a body of HTML as text", async ({ page, demo }) => {
  await open(page, demo, "Mara Lindqvist");
  await expect(banner(page)).toContainText("Complete");
  await page.locator(".event.copilot").first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("region", { name: "JSON" })).toContainText('"kind": "EVENT_KIND_');
  await dialog.getByRole("button", { name: "Read it whole" }).click();
  await expect(dialog.getByRole("status")).toContainText("GetEvent");
  await dialog.getByRole("button", { name: "Close" }).click();
  await expect(dialog).toBeHidden();

  const hostile = "<img src=x onerror=\"document.title='run'\"><b>bold</b>";
  await page.route("**/events:stream?**", async (route) => {
    const event = { name: "users/a/events/b", uid: "u", version: "1", kind: "EVENT_KIND_MESSAGE", eventTime: new Date().toISOString(), createTime: new Date().toISOString(), body: { contentType: "CONTENT_TYPE_HTML", content: hostile, plainText: hostile }, source: { source: "SOURCE_CHAT" } };
    const frames = [{ batch: { events: [event] } }, { summary: { complete: true, notices: [], sources: [] } }];
    await route.fulfill({ contentType: "application/x-ndjson", body: frames.map((frame) => JSON.stringify(frame) + "\n").join("") });
  });
  await page.getByRole("button", { name: "Read again" }).click();
  await expect(page.locator(".event .text")).toHaveText(hostile);
  await page.locator(".event").click();
  await dialog.getByText("Body as sent").click();
  await expect(dialog.locator("details pre")).toHaveText(hostile);
  await expect(page.locator("#main img[src], dialog img, dialog b")).toHaveCount(0);
  await expect(page).toHaveTitle("Parley Explorer");
});

test("a conversation has a timeline of its own", async ({ page, demo }) => {
  await open(page, demo, "Mara Lindqvist");
  if (await page.getByRole("button", { name: "People" }).isVisible()) await page.getByRole("button", { name: "People" }).click();
  await page.locator("#side section").nth(1).getByRole("link").nth(1).click();
  await expect(page.getByText("One conversation.")).toBeVisible();
  await expect(banner(page)).toContainText("Complete");
  await page.getByRole("link", { name: "Back to everything" }).click();
  await expect(page.getByRole("group", { name: "Sources" })).toBeVisible();
});

test("a cut connection is resumed by itself, and nothing is lost or doubled", async ({ page, demo }, info) => {
  const name = info.project.name === "phone" ? "Priya Tanaka" : "Tomas Moreau";
  // Graph hangs until the first connection is cut, and the second one is held until the page has said so.
  await demo.faults([{ kind: "hang", match: "chat", page: 1, times: 100, delayMs: 600_000 }]);
  const start = await open(page, demo, name);
  await expect(banner(page)).toContainText("Reading");
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/events:stream?**", async (route) => {
    await released;
    await route.continue();
  });
  await page.getByRole("button", { name: "Cut the connection" }).click();
  await expect(banner(page)).toContainText("The connection is gone");
  await demo.faults([]);
  release();
  await expect(banner(page)).toContainText("Complete");
  await expect(banner(page)).toContainText("2 connections");
  expect(await counted(page)).toBe(await expectedEvents(demo, name, start));
});

test("a stopped stream is resumed", async ({ page, demo }, info) => {
  const name = info.project.name === "phone" ? "Yuki Keller" : "Oskar Silva";
  await demo.faults([{ kind: "hang", match: "chat", page: 1, times: 4, delayMs: 600_000 }]);
  const start = await open(page, demo, name);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(banner(page)).toContainText("Stopped");
  await demo.faults([]);
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(banner(page)).toContainText("Complete");
  expect(await counted(page)).toBe(await expectedEvents(demo, name, start));
});

test("a stream without a summary is called cut", async ({ page, demo }) => {
  await page.route("**/events:stream?**", (route) => route.fulfill({ contentType: "application/x-ndjson", body: '{"checkpoint":{"resumeToken":"t","sources":[]}}\n' }));
  await page.clock.install();
  await open(page, demo, "Mara Lindqvist");
  await expect(async () => {
    await page.clock.runFor(60_000); // the waits between the connections
    await expect(banner(page)).toContainText("Cut", { timeout: 200 });
  }).toPass();
  await page.unroute("**/events:stream?**");
});

test("a gap is shown where it is", async ({ page, demo }, info) => {
  await demo.faults([{ kind: "foreign_link", match: "chat", page: 1 }]);
  await open(page, demo, info.project.name === "phone" ? "Marta Osei" : "Elif Petrov");
  await expect(banner(page)).toContainText("Not complete");
  await expect(page.getByRole("list", { name: "Gaps" }).getByText("GRAPH_LINK_REFUSED").first()).toBeVisible();
  await page.getByText("What each source gave").click();
  await expect(page.getByRole("region", { name: "Sources" })).toContainText("copilot");
});

test("an error says its reason", async ({ page, demo }, info) => {
  const name = info.project.name === "phone" ? "Amara Rossi" : "Samuel Larsen";
  await demo.faults([{ kind: "status", status: 402, match: "chat", code: "PaymentRequired", message: "User needs a valid license to access this API." }]);
  await open(page, demo, name);
  await page.getByRole("checkbox", { name: "Copilot" }).uncheck();
  await page.getByRole("checkbox", { name: "Calls" }).uncheck();
  await expect(banner(page)).toContainText("Failed");
  await expect(banner(page)).toContainText("USER_NOT_LICENSED");
});

test("the quality of calls and the use of Copilot are charts with tables", async ({ page, demo }) => {
  await open(page, demo, "Mara Lindqvist");
  await page.getByRole("link", { name: "Call quality" }).click();
  await expect(banner(page)).toContainText("Complete");
  for (const chart of ["Packets lost", "Jitter", "Round trip"]) await expect(page.getByRole("img", { name: new RegExp(`^${chart}: mean`) })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Line" })).toBeVisible();
  await expect(page.getByRole("row", { name: / (good|poor|unclassified) / }).first()).toBeVisible();
  await expectUsable(page, ".heading", ".banner", ".figures", "thead", "tbody tr:nth-child(-n+3)");
  await page.getByRole("button", { name: /^Show the call of/ }).first().click();
  await expect(page.getByRole("dialog").getByRole("region", { name: "JSON" })).toContainText('"classification"');
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: /usage/i }).click();
  await expect(page.getByText("Users active in 30 days")).toBeVisible();
  await page.getByLabel("Period").selectOption("D7");
  await expect(page.getByText("Users active in 7 days")).toBeVisible();
  await expectUsable(page, ".controls", ".banner", ".figures", "thead", "tbody tr:nth-child(-n+3)");
});

test("a pasted token signs in, and is kept nowhere", async ({ page, guarded }) => {
  await page.goto(`${guarded.rest}/explorer`);
  await expect(page.getByText("Sign in to read people.")).toBeVisible();
  const token = await guarded.token(`user=${guarded.user}`);
  const signIn = async (): Promise<void> => {
    await page.locator(".token summary").click();
    await page.getByLabel("Access token").fill(`Bearer ${token}`);
    await expectUsable(page, "#top");
    await page.getByRole("button", { name: "Use this token" }).click();
  };
  await signIn();
  await expect(page.locator(".token summary")).toHaveText("Signed in");
  await expect(page.getByText("POLICY_DENIED")).toBeVisible(); // this user may not list others
  await page.getByLabel("Find a user").fill("me");
  await page.getByLabel("Find a user").press("Enter");
  await expect(banner(page)).toContainText("Complete");
  await expect(page.getByLabel("Access token")).toHaveValue("");
  expect(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, document.documentElement.outerHTML].join(" "))).not.toContain(token);
  expect(page.url()).not.toContain(token);

  await page.reload();
  await expect(page.getByText("Sign in with an access token.")).toBeVisible();
});

test("the pages are usable", async ({ page, demo }) => {
  await page.goto(`${demo.rest}/explorer`);
  await expect(page.getByRole("link", { name: "Mara Lindqvist" })).toBeVisible();
  await expectUsable(page);
  await page.getByRole("link", { name: "Mara Lindqvist" }).click();
  await expect(banner(page)).toContainText("Complete");
  await page.getByText("What each source gave").click();
  await page.getByText("Raw frames").click();
  await expectUsable(page, "#top", "#side", ".heading", ".controls", ".stream", ".banner", ".density", ".facts", ".events > li:nth-child(-n+6)");
  await page.locator(".event").first().click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await expectUsable(page, "dialog");
});

test("the keyboard alone is enough", async ({ page, demo }) => {
  await page.goto(`${demo.rest}/explorer`);
  await expect(page.getByRole("link", { name: "Mara Lindqvist" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.getByLabel("Find a user").focus();
  await page.keyboard.type("Ines");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ines Brandt");
  await expect(banner(page)).toContainText("Complete");
  await page.locator(".event").first().focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.locator(".event").first()).toBeFocused();
});
