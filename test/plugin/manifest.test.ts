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

  test.each(COMMANDS)("%s says what it is for", (name) => {
    const head = frontMatter(`commands/${name}.md`);
    expect(head["description"]?.length).toBeGreaterThan(10);
    expect(head["argument-hint"]).toMatch(/^'.*'$/);
    expect(head["disable-model-invocation"]).toBe("true");
  });

  test.each(COMMANDS)("%s may run exactly the commands that it needs (F171)", (name) => {
    const page = readFileSync(join(PLUGIN, "commands", `${name}.md`), "utf8");
    const lines = [...page.matchAll(/^"\$\{CLAUDE_PLUGIN_ROOT\}\/bin\/codex-broker" (.*)$/gm)];
    const needed = lines.map(([, words = ""]) => {
      const [command, verb = "", ...more] = words.split(" ");
      // Every other command has options that name programs, sandboxes or brokers; `slash` has none.
      expect(command).toBe("slash");
      const any = more.length === 0 ? "" : ":*";
      return `Bash(\${CLAUDE_PLUGIN_ROOT}/bin/codex-broker slash ${verb}${any})`;
    });
    expect(needed.length).toBeGreaterThan(1);
    const tools = (frontMatter(`commands/${name}.md`)["allowed-tools"] ?? "").split(", ");
    const others = tools.filter((tool) => tool !== "AskUserQuestion");
    expect(others.toSorted()).toEqual([...new Set(needed)].toSorted());
    const slash: CommandSpec | undefined = commands.find((one) => one.name === "slash");
    expect(slash?.options).toEqual({});
  });

  const PAGES = [...COMMANDS.map((name) => `commands/${name}.md`), "agents/codex-rescue.md"];

  test.each(PAGES)("F94: in %s no text is a part of a line of shell (F172)", (name) => {
    const page = readFileSync(join(PLUGIN, name), "utf8");
    const shells = [...page.matchAll(/```(!|bash)\n(.*?)```|!`([^`]*)`/gs)];
    expect(shells.length).toBeGreaterThan(0);
    for (const [shell, kind] of shells) {
      expect(shell).not.toContain("$ARGUMENTS");
      // What the host runs by itself is fixed: what was typed is not in it at all.
      if (kind !== "bash") expect(shell).toMatch(/^```!\n"\S+" slash [a-z-]+\n```$/);
      const outside = shell.replaceAll(/<<'DELIMITER'\n.*?\nDELIMITER\n/gs, "<<\n");
      expect(outside).not.toMatch(/\$(?!\{CLAUDE_PLUGIN_ROOT\})/);
      expect(outside).not.toMatch(/TEXT|TASK/);
    }
    // No delimiter stands in a page, where a text could have it from.
    expect(page).not.toMatch(/<<(?!'DELIMITER')/);
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

  test.each(["SessionStart", "Stop"] as const)(
    "F101: %s is done before the host loses patience",
    (event) => {
      const { command, timeout } = hookLine(PLUGIN, event);
      const [, words = ""] = /codex-broker\.mjs" hook (.*)$/.exec(command) ?? [];
      const within = Number(readHook(words)?.options["within"]);
      expect(within).toBeGreaterThan(0);
      expect(within).toBeLessThan(timeout);
    },
  );

  test("the end of a session starts Node in the background alone, and reads its input there (F151)", () => {
    const { command } = hookLine(PLUGIN, "SessionEnd");
    expect(command).toBe('. "${CLAUDE_PLUGIN_ROOT}/bin/session-end.sh"');
    const script = readFileSync(join(PLUGIN, "bin/session-end.sh"), "utf8");
    const starts = [...script.matchAll(/^.*node .*$/gm)].map(([line]) => line);
    expect(starts).toHaveLength(2);
    for (const line of starts) {
      const [, words = ""] = / hook (.*) <&3 >\/dev\/null 2>&1 &$/.exec(line) ?? [];
      expect(readHook(words)?.operands).toEqual(["session-end"]);
    }
  });
});

function readHook(words: string): ReturnType<typeof readPlainly> {
  const spec: CommandSpec | undefined = commands.find(({ name }) => name === "hook");
  return readPlainly(spec!, words.split(" "));
}

test("what starts the program can be started", () => {
  for (const name of ["codex-broker", "codex-broker.mjs"]) {
    expect(statSync(join(PLUGIN, "bin", name)).mode & 0o111).not.toBe(0);
  }
  for (const file of ["cli.cjs", "broker.cjs", "watchdog-thread.cjs", "THIRD_PARTY_LICENSES.txt"]) {
    expect(existsSync(join(PLUGIN, "program", file))).toBe(true);
  }
});
