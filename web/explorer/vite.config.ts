import { defineConfig } from "vite";

// The built files have fixed names and are committed: a rebuild writes the same bytes.
export default defineConfig({
  base: "/explorer/",
  build: {
    outDir: "site",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: { output: { entryFileNames: "explorer.js", assetFileNames: "explorer.[ext]" } },
    target: "es2022",
  },
});
