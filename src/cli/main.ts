import { createRequire } from "node:module";

/** Each is a program of its own, in a file of its own. */
const QUICK = new Set(["ensure", "status", "call", "env"]);

const [name = ""] = process.argv.slice(2);
// `import` of these would start Node's loader of modules, which takes longer than some of them.
if (QUICK.has(name)) createRequire(import.meta.filename)(`./quick/${name}.cjs`);
else void import("./whole.ts");
