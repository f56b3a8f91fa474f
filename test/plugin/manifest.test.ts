import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import type { CommandSpec } from "../../src/cli/line/option-spec.ts";
import { readPlainly } from "../../src/cli/line/read-plainly.ts";
import { COMMANDS, HOOKS, hookLine, PLUGIN } from "./installed.ts";

type Fields = Readonly<Record<string, unknown>>;

function json(path: string): Fields {
  return JSON.parse(readFileSync(path, "utf8")) as Fields;
}

/** The head of a page: one `name: value` a line. */
function frontMatter(page: string): Readonly<Record<string, string>> {
  const [, head = ""] = /^---\n(.*?)\n---\n/s.exec(readFileSync(join(PLUGIN, page), "utf8")) ?? [];
  return Object.fromEntries(head.split("\n").map((line) => line.split(/: (.*)/s, 2)));
}

const manifest = json(join(PLUGIN, ".claude-plugin/plugin.json"));
const { version } = json("package.json");

describe("the manifests", () => {
  test("have what the host wants of a plugin", () => {
    expect(manifest["name"]).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(manifest["version"]).toBe(version);
    expect(manifest["description"]).toEqual(expect.any(String));
    expect(manifest["author"]).toEqual({ name: expect.any(String) as string });
    // Folders with their usual names are found without being named.
    const known = ["name", "version", "description", "author", "license", "keywords"];
    expect(Object.keys(manifest).filter((key) => !known.includes(key))).toEqual([]);
  });

  test("have what the host wants of a marketplace, and name this plugin", () => {
    const marketplace = json(".claude-plugin/marketplace.json");
    expect(marketplace["name"]).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(marketplace["owner"]).toEqual({ name: expect.any(String) as string });
    const [plugin, ...others] = marketplace["plugins"] as Fields[];
    expect(others).toEqual([]);
    expect(plugin).toMatchObject({ name: manifest["name"], source: "./plugin", version });
  });

  test("only the manifest lies beside itself, and everything else at the plugin's root", () => {
    expect(readdirSync(join(PLUGIN, ".claude-plugin"))).toEqual(["plugin.json"]);
    expect(readdirSync(PLUGIN).toSorted()).toEqual(
      [".claude-plugin", "agents", "bin", "commands", "hooks", "program"].toSorted(),
    );
  });
});

describe("the pages", () => {
  test("are the commands that there are", () => {
    const pages = readdirSync(join(PLUGIN, "commands")).map((name) => name.replace(/\.md$/, ""));
    expect(pages.toSorted()).toEqual([...COMMANDS]);
  });

  test.each(COMMANDS)(
    "%s says what it is for, and may run this program and little else",
    (name) => {
      const head = frontMatter(`commands/${name}.md`);
      expect(head["description"]?.length).toBeGreaterThan(10);
      expect(head["argument-hint"]).toMatch(/^'.*'$/);
      expect(head["disable-model-invocation"]).toBe("true");
      const tools = (head["allowed-tools"] ?? "").split(", ");
      expect(tools[0]).toBe("Bash(${CLAUDE_PLUGIN_ROOT}/bin/codex-broker:*)");
      const others = ["AskUserQuestion", "Bash(npm install -g @openai/codex)"];
      expect(tools.slice(1).filter((tool) => !others.includes(tool))).toEqual([]);
    },
  );

  test.each(COMMANDS)("F94: in %s nothing that was typed is a part of a line of shell", (name) => {
    const page = readFileSync(join(PLUGIN, "commands", `${name}.md`), "utf8");
    const shells = [...page.matchAll(/```(?:!|bash)\n.*?```|!`[^`]*`/gs)].map(([text]) => text);
    expect(shells.length).toBeGreaterThan(0);
    for (const shell of shells) {
      const outside = shell.replaceAll(/<<'(\w+)'\n.*?\n\1\n/gs, "<<\n");
      expect(outside).not.toContain("$ARGUMENTS");
      expect(outside).not.toMatch(/\$(?!\{CLAUDE_PLUGIN_ROOT\})/);
    }
  });

  test("the agent may use a shell and no other tool", () => {
    const head = frontMatter("agents/codex-rescue.md");
    expect(head).toMatchObject({ name: "codex-rescue", tools: "Bash" });
    expect(head["description"]?.length).toBeGreaterThan(40);
  });
});

describe("the hooks", () => {
  test("are those three, each a command with a bound", () => {
    const { hooks, ...rest } = json(join(PLUGIN, "hooks/hooks.json"));
    expect(Object.keys(rest)).toEqual(["description"]);
    expect(Object.keys(hooks as Fields)).toEqual([...HOOKS]);
    for (const event of HOOKS) {
      const line = hookLine(PLUGIN, event);
      expect(Object.keys(line).toSorted()).toEqual(["command", "timeout", "type"]);
      expect(line.type).toBe("command");
    }
  });

  test.each(HOOKS)("F101: %s is done before the host loses patience", (event) => {
    const { command, timeout } = hookLine(PLUGIN, event);
    const [, words = ""] = /codex-broker\.mjs" hook (.*)$/.exec(command) ?? [];
    const spec: CommandSpec | undefined = commands.find(({ name }) => name === "hook");
    const read = readPlainly(spec!, words.split(" "));
    const within = Number(read?.options["within"]);
    expect(within).toBeGreaterThan(0);
    expect(within).toBeLessThan(timeout);
    // All hooks of a session's end together have a second and a half, whatever each of them says.
    if (event === "SessionEnd") expect(within).toBeLessThan(1.5);
  });
});

test("what starts the program can be started", () => {
  for (const name of ["codex-broker", "codex-broker.mjs"]) {
    expect(statSync(join(PLUGIN, "bin", name)).mode & 0o111).not.toBe(0);
  }
  for (const file of ["cli.cjs", "broker.cjs", "watchdog-thread.cjs", "THIRD_PARTY_LICENSES.txt"]) {
    expect(existsSync(join(PLUGIN, "program", file))).toBe(true);
  }
});
