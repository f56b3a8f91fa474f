import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Bundles once before all suites, because tests start the programs in dist as a user would. */
export default function setup(): void {
  const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url));
  execFileSync(process.execPath, [script], { stdio: ["ignore", "inherit", "inherit"] });
}
