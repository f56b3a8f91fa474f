import { createRequire } from "node:module";

/** Each is a program of its own, in a file of its own. */
const QUICK = new Set(["ensure", "status", "call", "env"]);

const [name = ""] = process.argv.slice(2);
// `import` of these would start Node's loader of modules, which takes longer than some of them.
if (QUICK.has(name)) createRequire(import.meta.filename)(`./quick/${name}.cjs`);
else void import("./whole.ts").catch(failToLoad);

/** Nothing else of the program can be loaded, so that the error of ours is spelt out here. */
function failToLoad(thrown: unknown): void {
  const message = `codex-broker could not be loaded: ${String(thrown)}.`;
  const hint =
    "If too many files are open, raise the limit (`ulimit -n 1024`); else install codex-broker anew.";
  const error = { kind: "systemLimit", message, retryable: true, hint, details: {} };
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ error })}\n`);
  process.stderr.write(`codex-broker: ${message}\n  → ${hint}\n`);
  process.exitCode = 3;
}
