// Builds ../viewer.js and ../viewer.css from src/. Run `npm ci && npm run build` here after a change.
// The first line of viewer.js says what is inside: versions, and the SHA-256 of the sources that a test compares.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const pinned = JSON.parse(readFileSync(here("package.json"), "utf8"));

function digest() {
  const hash = createHash("sha256");
  const sources = readdirSync(here("src")).sort().map((name) => `src/${name}`);
  for (const name of ["build.mjs", "package-lock.json", "package.json", ...sources]) {
    hash.update(`${name}\n`).update(readFileSync(here(name), "utf8").replaceAll("\r\n", "\n"));
  }
  return hash.digest("hex");
}

const shared = { bundle: true, minify: true, target: "es2020", charset: "ascii", legalComments: "none", write: false };
const script = await build({ ...shared, entryPoints: [here("src/main.js")], format: "iife" });
const style = await build({ ...shared, entryPoints: [here("src/style.css")] });
const versions = Object.entries({ ...pinned.dependencies, ...pinned.devDependencies }).map((pair) => pair.join("@"));
const licence = readFileSync(here("node_modules/three/LICENSE"), "utf8").trim().replaceAll("\u00a9", "(c)");
const banner = `/*! viewer of vid2three (Apache-2.0): ${versions.join(" ")} sources ${digest()}\n\nthree.js: ${licence} */\n`;
writeFileSync(here("../viewer.js"), banner + script.outputFiles[0].text);
writeFileSync(here("../viewer.css"), style.outputFiles[0].text);
