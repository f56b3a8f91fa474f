import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { v2 } from "../../src/app-server/generated/index.ts";
import { plainWords } from "../../src/policy/plain-words.ts";
import { answerByPolicy } from "../../src/policy/policy.ts";
import type { AllowRule } from "../../src/wire/policy.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const ACCEPT = { decision: "accept" };

async function commandAnswer(
  workspace: string,
  rule: AllowRule,
  command: string,
  more: object,
): Promise<unknown> {
  const params = { kind: "command", command, environmentId: "local", ...more };
  const method = "item/commandExecution/requestApproval";
  return await answerByPolicy({ allow: [rule] }, { method, params, item: undefined, workspace });
}

async function fileAnswer(
  workspace: string,
  rule: AllowRule,
  ...files: ReadonlyArray<readonly [path: string, to?: string]>
): Promise<unknown> {
  const changes = files.map(([path, to]) => ({
    path,
    kind: { type: "update", move_path: to ?? null },
    diff: "",
  }));
  const item = { type: "fileChange", id: "i", changes, status: "inProgress" } as v2.ThreadItem;
  const method = "item/fileChange/requestApproval";
  return await answerByPolicy({ allow: [rule] }, { method, params: {}, item, workspace });
}

/** A workspace with a directory, a link out of it, a link within it, and a directory beside it. */
async function makePlaces() {
  const dir = await makeTempDir();
  const workspace = join(dir.path, "work");
  mkdirSync(join(workspace, "packages", "a"), { recursive: true });
  mkdirSync(join(workspace, ".git", "hooks"), { recursive: true });
  mkdirSync(join(dir.path, "elsewhere"));
  symlinkSync(join(dir.path, "elsewhere"), join(workspace, "out"));
  symlinkSync(workspace, join(dir.path, "alias"));
  return {
    path: dir.path,
    workspace,
    [Symbol.asyncDispose]: async () => await dir[Symbol.asyncDispose](),
  };
}

describe("a rule for commands holds in its own directory only (F169)", () => {
  const rule: AllowRule = { kind: "command", command: ["./check"] };

  test("which is the workspace, by its real path", async () => {
    await using places = await makePlaces();
    const { path, workspace } = places;
    const asked = (cwd: unknown): Promise<unknown> =>
      commandAnswer(workspace, rule, "./check", { cwd });
    expect(await asked(workspace)).toEqual(ACCEPT);
    expect(await asked(join(path, "alias"))).toEqual(ACCEPT);
    const others = ["elsewhere", "work/packages", "work/out", "work/..", "nowhere"];
    for (const other of others) expect(await asked(join(path, other))).toBeUndefined();
    for (const none of [null, undefined, "", ".", 7]) expect(await asked(none)).toBeUndefined();
  });

  test("or the directory that the rule names", async () => {
    await using places = await makePlaces();
    const { path, workspace } = places;
    const inPackage: AllowRule = { kind: "command", command: ["npm", "test"], cwd: "packages/a" };
    const asked = (cwd: string): Promise<unknown> =>
      commandAnswer(workspace, inPackage, "npm test", { cwd: join(path, cwd) });
    expect(await asked("work/packages/a")).toEqual(ACCEPT);
    expect(await asked("work")).toBeUndefined();
    expect(await asked("work/packages")).toBeUndefined();
  });

  test("and in the local environment only", async () => {
    await using places = await makePlaces();
    const { workspace } = places;
    const asked = (environmentId: unknown): Promise<unknown> =>
      commandAnswer(workspace, rule, "./check", { cwd: workspace, environmentId });
    expect(await asked("local")).toEqual(ACCEPT);
    expect(await asked(null)).toEqual(ACCEPT);
    for (const other of ["remote", "", 0]) expect(await asked(other)).toBeUndefined();
  });

  test("with exactly its words, unless it is a prefix", async () => {
    await using places = await makePlaces();
    const { workspace } = places;
    const asked = (named: AllowRule, command: string): Promise<unknown> =>
      commandAnswer(workspace, named, command, { cwd: workspace });
    const exact: AllowRule = { kind: "command", command: ["npm", "test"] };
    const prefix: AllowRule = { kind: "command", prefix: ["npm", "test"] };
    expect(await asked(exact, "npm test")).toEqual(ACCEPT);
    expect(await asked(exact, "npm test --prefix /elsewhere")).toBeUndefined();
    expect(await asked(exact, "npm")).toBeUndefined();
    expect(await asked(prefix, "npm test --silent")).toEqual(ACCEPT);
    expect(await asked(prefix, "npm")).toBeUndefined();
  });
});

describe("a rule for changes of files holds below its directory only (F169)", () => {
  test("which is the workspace, by real paths, for every file of a change", async () => {
    await using places = await makePlaces();
    const { path, workspace } = places;
    const rule: AllowRule = { kind: "fileChange" };
    const inside = join(workspace, "new", "deep", "file");
    expect(await fileAnswer(workspace, rule, [inside])).toEqual(ACCEPT);
    expect(await fileAnswer(workspace, rule, ["packages/a/x"], [inside])).toEqual(ACCEPT);
    const outside: ReadonlyArray<readonly [string, string?]> = [
      [join(path, "elsewhere", "x")],
      ["/root/.ssh/authorized_keys"],
      [join(workspace, "out", "x")],
      [join(workspace, "..", "x")],
      ["../x"],
      [inside, join(path, "x")],
      [workspace],
      [join(workspace, ".git", "hooks", "pre-commit")],
      [join(workspace, "packages", ".GIT", "config")],
      [join(workspace, ".codex", "config.toml")],
    ];
    for (const file of outside) {
      expect(await fileAnswer(workspace, rule, file)).toBeUndefined();
      expect(await fileAnswer(workspace, rule, [inside], file)).toBeUndefined();
    }
    expect(await fileAnswer(workspace, rule)).toBeUndefined();
  });

  test("or the directory that the rule names", async () => {
    await using places = await makePlaces();
    const { workspace } = places;
    const rule: AllowRule = { kind: "fileChange", under: "packages" };
    expect(await fileAnswer(workspace, rule, ["packages/a/x"])).toEqual(ACCEPT);
    expect(await fileAnswer(workspace, rule, ["packagesx"])).toBeUndefined();
    expect(await fileAnswer(workspace, rule, ["other"])).toBeUndefined();
    const hooks: AllowRule = { kind: "fileChange", under: ".git/hooks" };
    expect(await fileAnswer(workspace, hooks, [".git/hooks/pre-commit"])).toEqual(ACCEPT);
  });
});

test("bash runs exactly the words that a rule matches, as that program in that place (F169)", async () => {
  await using dir = await makeTempDir();
  const bin = join(dir.path, "bin");
  mkdirSync(bin);
  const out = join(dir.path, "out");
  writeFileSync(
    join(bin, "program"),
    `#!/bin/sh\nprintf '%s\\0' "$(pwd -P)" "$0" "$@" > '${out}'\n`,
  );
  chmodSync(join(bin, "program"), 0o755);
  const env = { PATH: bin, HOME: dir.path };
  const piece = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom(..." '\"=:;&|<>$`\\(){}!*?[]~#^,+%@-./\t\n".split("")),
    fc.constantFrom("A=b", "./x", "--", "-c", "'a b'", '"c d"', "''", "{a,b}", "$HOME", "program"),
  );
  let compared = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.boolean(), (pieces, spaced) => {
      const script = `program ${pieces.join(spaced ? " " : "")}`;
      const words = plainWords(script);
      if (words === undefined) return;
      compared += 1;
      execFileSync("/bin/bash", ["-c", script], { cwd: bin, env, stdio: "ignore" });
      const [cwd, program, ...args] = execFileSync("/bin/cat", [out], { encoding: "utf8" })
        .split("\0")
        .slice(0, -1);
      expect([cwd, program, ...args]).toEqual([bin, join(bin, "program"), ...words.slice(1)]);
    }),
    { numRuns: 150 },
  );
  expect(compared).toBeGreaterThan(10);
});
