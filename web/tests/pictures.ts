// The pictures of the handbook. `make pictures` writes them into docs/pictures.
import { expect, root, test } from "./demo.js";

test("the pictures of the handbook", async ({ page, demo }) => {
  const picture = async (name: string): Promise<void> => void (await page.screenshot({ path: `${root}/docs/pictures/${name}.png` }));
  const complete = () => expect(page.locator(".banner")).toContainText("Complete");

  await page.goto(`${demo.rest}/explorer`);
  await page.getByRole("link", { name: "Jonas Okafor" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Jonas Okafor");
  await complete();
  await picture("explorer");

  await page.getByRole("link", { name: "Call quality" }).click();
  await complete();
  await picture("explorer-calls");

  await demo.faults([{ kind: "foreign_link", match: "chat", page: 1, every: 3 }]);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.getByRole("link", { name: "Ines Brandt" }).first().click();
  await page.getByRole("link", { name: "Timeline", exact: true }).click();
  await expect(page.locator(".banner")).toContainText("Not complete");
  await picture("explorer-gap");
  await demo.faults([]);

  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(`${demo.rest}/explorer#/timeline/${demo.user}`);
  await complete();
  await picture("explorer-phone");

  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${demo.rest}/docs`);
  await page.getByRole("searchbox").fill("settled");
  await expect(page.getByRole("region", { name: "Hits" }).getByRole("listitem").first()).toBeVisible();
  await picture("docs-search");
});
