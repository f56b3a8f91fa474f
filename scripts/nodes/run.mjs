// Runs the tests with other Nodes than the one that runs npm: npm run test:nodes [-- 22 24]. Whatever a test starts,
// brokers and commands too, is started by the Node that runs the test.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../constants.mjs";
import { installNode, withNodeFirst } from "./install.mjs";
import { nodesMeantBy } from "./lines.mjs";

/** Where Nodes have been seen to differ, or may: sockets and their paths, processes, watches, streams, whole turns. */
const SHORT = [
  "test/os",
  "test/wire",
  "test/broker/listener.test.ts",
  "test/broker/watchdog.test.ts",
  "test/lifecycle/spawn-broker.test.ts",
  "test/lifecycle/ensure.codex.test.ts",
  "test/client/turn.codex.test.ts",
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false }, only: { type: "string", multiple: true } },
});

const outcomes = nodesMeantBy(positionals).map((version) => {
  const { node, bin } = installNode(version);
  console.log(`\n=== Node ${version}`);
  const started = performance.now();
  const files = values.only ?? (values.short ? SHORT : []);
  const { status } = spawnSync(
    node,
    [join(root, "node_modules/vitest/vitest.mjs"), "run", ...files],
    {
      cwd: root,
      env: withNodeFirst(bin),
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  return {
    version,
    passed: status === 0,
    seconds: Math.round((performance.now() - started) / 1000),
  };
});

console.log("\n| Node | tests | s |\n|---|---|---|");
for (const { version, passed, seconds } of outcomes) {
  console.log(`| ${version} | ${passed ? "passed" : "FAILED"} | ${seconds} |`);
}
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;
