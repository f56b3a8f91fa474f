// Finds the program: the copy that the build puts beside this folder, since a host copies the plugin's
// folder and nothing else; or that of the package around it.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const NODE = "20.19";

const program = ["../program/cli.cjs", "../../dist/cli.cjs"]
  .map((place) => new URL(place, import.meta.url))
  .find((url) => existsSync(url));

if (isOlder(process.versions.node, NODE)) {
  fail(`this is Node ${process.versions.node}`, `Install Node ${NODE} or newer.`);
} else if (program === undefined) {
  const project = fileURLToPath(new URL("../..", import.meta.url));
  fail(
    "the plugin was not built",
    `Type \`npm ci && npm run build\` where it came from (${project}), and install it again.`,
  );
} else {
  await import(program.href);
}

/** A host takes other codes than 0 of a hook for a refusal, and says nothing of what a slash command failed with. */
function fail(what, hint) {
  const [command] = process.argv.slice(2);
  const stream = command === "slash" ? process.stdout : process.stderr;
  stream.write(`codex-broker: ${what}\n  → ${hint}\n`);
  process.exitCode = command === "hook" || command === "slash" ? 0 : 3;
}

function isOlder(version, least) {
  const [[major, minor], [leastMajor, leastMinor]] = [version, least].map((text) =>
    text.split(".").map(Number),
  );
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
