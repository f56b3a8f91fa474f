import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's root directory. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * What the build writes into the sources in place of these names. The build id is a hash of
 * everything that decides what the bundles do: equal sources give an equal id, on any machine.
 */
export function buildConstants() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const hash = createHash("sha256").update(version);
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `src/${path.split(sep).join("/")}`)
    .toSorted();
  const recipe = ["build", "builtins", "bundle-settings"].map((name) => `scripts/${name}.mjs`);
  for (const path of [...sources, "package-lock.json", ...recipe]) {
    hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  }
  return {
    __CODEX_BROKER_VERSION__: JSON.stringify(version),
    __CODEX_BROKER_BUILD__: JSON.stringify(hash.digest("hex").slice(0, 12)),
  };
}
