import { execFileSync } from "node:child_process";
import { expect, expectUsable, root, test } from "./demo.js";

test.beforeEach(async ({ page, demo }) => {
  await page.goto(`${demo.rest}/docs`);
  await expect(page.locator("#reference")).toHaveAttribute("aria-busy", "false");
});

test("search finds methods, parameters, fields, values and reasons", async ({ page }) => {
  const search = page.getByRole("searchbox");
  const hits = page.getByRole("region", { name: "Hits" });
  for (const [query, name, kind] of [
    ["StreamEvents", "/v1/users/{user}/events:stream", "Methods"],
    ["page_size", "pageSize", "Parameters"],
    ["settledUntil", "settledUntil", "Fields"],
    ["EVENT_KIND_PROMPT", "EVENT_KIND_PROMPT", "Values"],
    ["throttled", "GRAPH_THROTTLED", "Reasons"],
  ] as const) {
    await search.fill(query);
    await expect(hits.getByRole("listitem").filter({ hasText: kind }).filter({ hasText: name }).first()).toBeVisible();
  }
  await search.fill("GRAPH_THROTTLED");
  await search.press("Enter");
  await expect(hits).toBeHidden();
  await expect(page.locator("#reason-GRAPH_THROTTLED")).toBeInViewport();
  await expect(page.locator("#reason-GRAPH_THROTTLED")).toBeFocused();
});

test("search says when nothing is found", async ({ page }) => {
  await page.getByRole("searchbox").fill("xyzzy");
  await expect(page.getByRole("heading", { name: "Nothing found" })).toBeVisible();
  await expect(page.locator("#found")).toHaveText("Nothing found for “xyzzy”.");
  await page.getByRole("searchbox").press("Escape");
  await expect(page.getByRole("heading", { name: "First calls" })).toBeVisible();
});

test("a method is tried, with its RPC, choices and the demo's user", async ({ page, demo }) => {
  const method = page.locator("#method-listEvents");
  await expect(method).toContainText("EventService.ListEvents");
  await method.getByText("Try it").click();
  await expect(method.getByLabel("user")).toHaveValue(demo.user);
  await method.getByLabel("pageSize").fill("2");
  await method.getByLabel("view").selectOption("EVENT_VIEW_METADATA");
  await method.getByRole("checkbox", { name: "SOURCE_COPILOT" }).check();
  await method.getByRole("button", { name: "Send" }).click();
  await expect(method.getByRole("status")).toContainText("HTTP 200");
  const answer = method.getByRole("region", { name: "Answer" });
  await expect(answer).toContainText('\n  "events": [\n    {\n      "name": "users/');
  await expect(answer).toContainText("SOURCE_COPILOT");
  await expect(answer).not.toContainText("plainText");
});

test("a stream is tried, and its lines are shown as they come", async ({ page }) => {
  const method = page.locator("#method-streamConversations");
  await method.getByText("Try it").click();
  await method.getByRole("button", { name: "Send" }).click();
  await expect(method.getByRole("region", { name: "Answer" })).toContainText('"summary": {');
});

test("the copied curl and grpcurl are the call of the form", async ({ page }) => {
  const method = page.locator("#method-listEvents");
  await method.getByText("Try it").click();
  await method.getByLabel("pageSize").fill("3");
  await method.getByLabel("startTime").fill("2026-01-01T00:00:00Z");
  await method.getByRole("checkbox", { name: "SOURCE_CHAT", exact: true }).check();
  const names = async (language: string): Promise<string[]> => {
    await method.getByRole("button", { name: language, exact: true }).click();
    await method.getByRole("button", { name: "Copy", exact: true }).click();
    await expect(method.getByRole("button", { name: "Copied" })).toBeVisible();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    const printed = execFileSync("bash", ["-c", command], { encoding: "utf8", env: { ...process.env, PATH: `${root}/.bin:${process.env["PATH"]}` }, stdio: ["ignore", "pipe", "ignore"] });
    await page.mouse.move(0, 0);
    await method.getByLabel("pageSize").focus();
    return (JSON.parse(printed) as { events: { name: string }[] }).events.map((event) => event.name);
  };
  const byCurl = await names("curl");
  expect(byCurl).toHaveLength(3);
  expect(await names("grpcurl")).toEqual(byCurl);
  for (const [language, part] of [["Python", "sources=[\"SOURCE_CHAT\"]"], ["TypeScript", "Source.CHAT"], ["Go", "parleyv1.Source_SOURCE_CHAT"], ["Java", "addSources(Source.SOURCE_CHAT)"], ["Kotlin", "sources += Source.SOURCE_CHAT"], ["Rust", "v1::Source::Chat as i32"]] as const) {
    await method.getByRole("button", { name: language, exact: true }).click();
    await expect(method.getByRole("region", { name: "The call" })).toContainText(part);
  }
});

test("the page is usable", async ({ page }) => {
  await page.locator("#method-listEvents").getByText("Try it").click();
  await expectUsable(page, "header", "aside", "#guide", "#method-listEvents", "#reasons-notice", "#message-Gap"); // one of each kind
  await page.getByRole("searchbox").fill("gap");
  await expectUsable(page, "header", "#hits");
});
