// Changes the sources one place at a time and reports the changes that no test detects:
// npm run test:mutants -- --files 'src/os/**' --sample 100 --seed 1
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { confined, copyProject, whyNotConfined } from "./mutants/confinement.mjs";

const CORES = ["lifecycle", "os", "broker", "wire", "policy", "jobs", "client"];

const USAGE = `npm run test:mutants -- [--files GLOB,…] [--sample N] [--seed S] [--project unit|codex] [--json]

Without --files: ${CORES.map((core) => `src/${core}`).join(", ")}.
A mutant that survives and is not listed in scripts/mutants/equivalent.json makes the exit code 1.`;

const { values } = parseArgs({
  options: {
    files: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    project: { type: "string", default: "unit" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const files = values.files?.split(",") ?? CORES.map((core) => `src/${core}/**/*.ts`);
const order = JSON.stringify({ ...values, files });
copyProject();
// A mutant may signal any process and remove any file: it gets neither to see.
const why = whyNotConfined();
if (why !== undefined) {
  console.error(`Mutants are not run outside of a sandbox, and there is none here: ${why}`);
  process.exit(2);
}
const [program, ...args] = confined([process.execPath, "scripts/mutants/run.mjs", order]);
const { status } = spawnSync(program, args, {
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(status ?? 1);
