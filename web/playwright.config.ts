import { defineConfig, type PlaywrightTestOptions, type PlaywrightWorkerOptions } from "@playwright/test";

const chromium = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const browser: Partial<PlaywrightTestOptions & PlaywrightWorkerOptions> = {
  browserName: "chromium",
  launchOptions: { executablePath: chromium, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] },
  permissions: ["clipboard-read", "clipboard-write"],
  trace: "off",
};

export default defineConfig({
  testDir: "tests",
  outputDir: "../.cache/playwright",
  forbidOnly: true,
  reporter: "line",
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 60_000 },
  projects: [
    { name: "desktop", use: { ...browser, viewport: { width: 1440, height: 900 } }, testIgnore: "pictures.ts" },
    { name: "phone", use: { ...browser, viewport: { width: 390, height: 844 }, hasTouch: true }, testIgnore: "pictures.ts" },
    { name: "pictures", use: { ...browser, viewport: { width: 1280, height: 800 } }, testMatch: "pictures.ts" },
  ],
});
