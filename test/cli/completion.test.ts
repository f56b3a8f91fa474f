import { execFileSync, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { commands, SHELLS } from "../../src/cli/commands.ts";
import { bashCompletion } from "../../src/cli/completion/bash.ts";
import { completable } from "../../src/cli/completion/completable.ts";
import { fishCompletion } from "../../src/cli/completion/fish.ts";
import { zshCompletion } from "../../src/cli/completion/zsh.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { CLI, Program } from "./program.ts";
import { noTerminal } from "./pty.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 60_000 });

const table = completable(commands);
const written = {
  bash: bashCompletion(table),
  zsh: zshCompletion(table),
  fish: fishCompletion(table),
};

function has(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

test.each(SHELLS)(
  "the one for %s is what the command prints, with every command and option",
  (shell) => {
    const printed = execFileSync(process.execPath, [CLI, "completion", shell], {
      encoding: "utf8",
    });
    expect(printed).toBe(written[shell]);
    for (const { name, options } of table) {
      expect(printed).toContain(name);
      for (const { long } of options) {
        expect(printed).toContain(long.slice(shell === "fish" ? 2 : 0));
      }
    }
  },
);

test("another shell is refused with the names of those that there are", () => {
  const { status, stderr } = spawnSync(process.execPath, [CLI, "completion", "tcsh"], {
    encoding: "utf8",
  });
  expect(status).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
});

/** What is typed, with the key that completes, and what the program gets to see. */
const TYPED: ReadonlyArray<readonly [typed: string, got: string]> = [
  ["codex-broker uninst\t", "uninstall"],
  ["codex-broker run --sandb\tworkspace-w\t", "run --sandbox workspace-write"],
  ["codex-broker run --file pro\t", "run --file prompt.txt"],
  ["codex-broker completion fi\t", "completion fish"],
  ["codex-broker help rot\t", "help rotate"],
  ["codex-broker ensure --cwd di\t", "ensure --cwd dir"],
];

/** A shell on a terminal, with a `codex-broker` that says what it was called with. */
async function completeIn(shell: "bash" | "zsh"): Promise<string[]> {
  await using dir = await makeTempDir();
  const script = join(dir.path, "completion");
  await writeFile(script, written[shell]);
  await writeFile(join(dir.path, "prompt.txt"), "");
  execFileSync("mkdir", [join(dir.path, "dir")]);
  const setUp =
    shell === "zsh" ? "autoload -U compinit; compinit -u -D; " : "bind 'set bell-style none'; ";
  const program = new Program(
    "script",
    [
      "--quiet",
      "--return",
      "--flush",
      "--command",
      shell === "zsh" ? "zsh -f -i" : "bash --norc --noprofile -i",
      "/dev/null",
    ],
    {
      ...process.env,
      PS1: "ready> ",
      HOME: dir.path,
      TERM: "dumb",
      SHELL: "/bin/sh",
      INPUTRC: "/dev/null",
    },
    dir.path,
  );
  await program.shows(/ready> /, "stdout");
  program.child.stdin.write(
    `${setUp}source ${script}; codex-broker() { echo "got:" "$@"; }; echo set up\n`,
  );
  await program.shows(/^set up/m, "stdout");
  for (const [index, [typed]] of TYPED.entries()) {
    program.child.stdin.write(`${typed}\n`);
    await program.shows(new RegExp(`(?:^got: [^\\n]*\\n[^]*?){${index + 1}}`, "m"), "stdout");
  }
  program.child.stdin.end("exit\n");
  const { stdout } = await program.ended;
  // zsh attaches a value to its option, and takes the slash of a directory back.
  return [...stdout.matchAll(/^got: (.*?)\s*$/gm)].map(([, got = ""]) =>
    got.replace(/(--\w+)=/, "$1 ").replace(/\/$/, ""),
  );
}

describe.each(["bash", "zsh"] as const)("%s", (shell) => {
  test.skipIf(noTerminal !== undefined || !has(shell))(
    "completes commands, options, values and paths on a terminal",
    async () => {
      expect(await completeIn(shell)).toEqual(TYPED.map(([, got]) => got));
    },
  );
});

test.skipIf(!has("fish"))("fish completes commands, options, values and paths", async () => {
  await using dir = await makeTempDir();
  const script = join(dir.path, "completion.fish");
  await writeFile(script, written.fish);
  await writeFile(join(dir.path, "prompt.txt"), "");
  const suggested = (line: string): string[] =>
    execFileSync(
      "fish",
      ["--no-config", "-c", `source ${script}; complete -C ${JSON.stringify(line)}`],
      {
        cwd: dir.path,
        encoding: "utf8",
        env: { ...process.env, HOME: dir.path },
      },
    )
      .split("\n")
      .map((each) => each.split("\t")[0] ?? "")
      .filter((each) => each !== "");
  expect(suggested("codex-broker uninst")).toEqual(["uninstall"]);
  expect(suggested("codex-broker run --sandb")).toEqual(["--sandbox"]);
  expect(suggested("codex-broker run --sandbox workspace-w")).toEqual(["workspace-write"]);
  expect(suggested("codex-broker run --file pro")).toEqual(["prompt.txt"]);
  expect(suggested("codex-broker completion fi")).toEqual(["fish"]);
  expect(suggested("codex-broker status --queu")).toEqual([]);
});

test.skipIf(!has("bash"))("bash expands no pattern in the name of a file (F182)", async () => {
  await using dir = await makeTempDir();
  await writeFile(join(dir.path, "completion"), written.bash);
  for (const name of ["p[1].txt", "p1.txt", "q*", "q one", "q?"]) {
    await writeFile(join(dir.path, name), "");
  }
  const suggested = (word: string): string[] => {
    const script = `source ./completion; COMP_WORDS=(codex-broker run --file "$1"); COMP_CWORD=3
      _codex_broker; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["--norc", "--noprofile", "-c", script, "bash", word], {
      cwd: dir.path,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
      .split("\n")
      .filter((name) => name !== "");
  };
  expect(suggested("p").toSorted()).toEqual(["p1.txt", "p[1].txt"]);
  expect(suggested("q").toSorted()).toEqual(["q one", "q*", "q?"]);
});
