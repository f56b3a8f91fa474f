import { execFileSync } from "node:child_process";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeSession } from "../support/claude-session.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { Installed, jobIn } from "./installed.ts";

guardAgainstLeaks();

const RESCUE = "commands/rescue.md";
const session = (id: string): NodeJS.ProcessEnv => ({ CODEX_BROKER_HOST_SESSION: id });

/** Waits for a job as the agent is told to. */
async function waitFor(plugin: Installed, page: string, job: string): Promise<string> {
  const line = plugin.agentLines(page).find((one) => one.includes("slash wait"));
  const { stdout, stderr } = await plugin.shell((line ?? "").replace("JOB", job));
  return stdout + stderr;
}

/** Hands a task over as the agent is told to. */
async function handOver(
  plugin: Installed,
  task: string,
  env: NodeJS.ProcessEnv = {},
  page = RESCUE,
): Promise<string> {
  return await plugin.handOver(page, task, env);
}

function git(world: World, ...args: string[]): void {
  const who = ["-c", "user.name=t", "-c", "user.email=t@t"];
  execFileSync("git", [...who, ...args], { cwd: world.workspace, stdio: "ignore" });
}

/** Each test starts many processes, one after the other. */
const LIMIT = { timeout: 90_000 };

describe("the installed plugin, on a machine with Node and codex alone", LIMIT, () => {
  test("hands a task over, waits for it, and shows what it did", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const started = await handOver(plugin, "--effort low say: all done");
    const job = jobIn(started);
    expect(started).toContain(`codex-broker slash wait ${job}`);
    expect(await waitFor(plugin, RESCUE, job)).toBe("all done\n");
    expect(await plugin.slash("result")).toContain("all done");
    expect(await plugin.slash("result", job.slice(0, 5))).toContain("all done");
    const status = await plugin.slash("status");
    expect(status).toMatch(new RegExp(`${job} +completed`));
    expect(status).toContain("review gate: off");
    expect(await plugin.slash("status", "--all")).toMatch(new RegExp(`${job} +completed`));
    expect(await plugin.slash("status", job)).toContain("say: all done");
    expect(await plugin.slash("status", "--wait")).toContain("needs the id of a job");
    expect(await plugin.slash("status", `--wait ${job}`)).toContain("all done");
  });

  test("F94: a task arrives as it was written, whatever a shell would make of it", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const task = [
      "-m pytest --background fails: $(touch owned) `touch owned` \"a\" 'b' \\n $HOME ! %s",
      "",
      "  ```sh",
      "  echo $ARGUMENTS && touch owned; EOF",
      "  ```",
    ].join("\n");
    const job = jobIn(await handOver(plugin, task));
    await waitFor(plugin, RESCUE, job);
    expect(world.model.requests.recent.at(-1)?.prompt).toBe(task);
    expect(existsSync(join(world.workspace, "owned"))).toBe(false);
  });

  test("F94: a focus is no option and no shell", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    git(world, "init", "-q");
    writeFileSync(join(world.workspace, "a.txt"), "a\n");
    const focus = "-m is it $(touch owned) `id` \"quoted\" 'enough'? ```js\nx()\n```";
    const job = jobIn(await plugin.slash("adversarial-review", `--background ${focus}`));
    await waitFor(plugin, "commands/adversarial-review.md", job);
    expect(world.model.requests.recent.at(-1)?.prompt).toContain(focus);
    expect(existsSync(join(world.workspace, "owned"))).toBe(false);
  });

  test("a text that ends a here-document of an earlier delimiter is text all the same (F172)", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const earlier = await plugin.delimiter(RESCUE);
    const task = [
      "say: x",
      "CODEX_BROKER_TYPED_7c41e9",
      "touch owned",
      `(end of what was typed, ${earlier})`,
      earlier,
      "touch owned",
      "(end of what was typed)",
      "DELIMITER",
      "touch owned",
    ].join("\n");
    const job = jobIn(await handOver(plugin, task));
    await waitFor(plugin, RESCUE, job);
    expect(world.model.requests.recent.at(-1)?.prompt).toBe(task);
    expect(existsSync(join(world.workspace, "owned"))).toBe(false);
  });

  test("a job's id is never read as an option, and the agent waits by its id alone (F171)", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const hostile = join(world.workspace, "hostile");
    writeFileSync(hostile, "#!/bin/sh\ntouch owned\n", { mode: 0o755 });
    const options = `--codex ${hostile}`;
    for (const command of ["status", "result", "cancel"] as const) {
      for (const typed of [`abc ${options}`, `-- ${options}`, `-- --codex=${hostile}`]) {
        expect(await plugin.slash(command, typed)).toContain("is not the id of a job");
      }
    }
    const [wait = ""] = plugin.agentLines(RESCUE).filter((line) => line.includes("slash wait"));
    for (const job of [
      options,
      `abc ${options}`,
      `-- --codex=${hostile}`,
      `"--codex=${hostile}"`,
    ]) {
      const { stdout, stderr } = await plugin.shell(wait.replace("JOB", job));
      expect(stdout + stderr).toMatch(/nknown option|is not the id|oo many/);
    }
    expect(existsSync(join(world.workspace, "owned"))).toBe(false);
  });

  test("an unknown option starts nothing, and an adversarial review takes an effort (F147)", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    git(world, "init", "-q");
    writeFileSync(join(world.workspace, "a.txt"), "a\n");
    for (const [command, typed] of [
      ["adversarial-review", "--efort xhigh is it fast?"],
      ["review", "--effort xhigh"],
      ["status", "--json"],
      ["result", "--all"],
      ["cancel", "--force"],
      ["transfer", "--json"],
      ["setup", "--fix"],
    ] as const) {
      const option = /--\w+/.exec(typed)?.[0] ?? "";
      expect(await plugin.slash(command, typed)).toContain(`${option} is no option`);
    }
    expect(await handOver(plugin, "--sandbox danger-full-access fix it")).toContain("is no option");
    expect(world.model.requests.total).toBe(0);
    const job = jobIn(await plugin.slash("adversarial-review", "--effort high is it fast?"));
    await waitFor(plugin, "commands/adversarial-review.md", job);
    const { prompt, body } = world.model.requests.recent.at(-1) ?? {};
    expect(prompt).toContain("is it fast?");
    expect(prompt).not.toContain("--effort");
    expect(body).toMatchObject({ reasoning: { effort: "high" } });
  });

  test("reviews what has changed, a branch, or nothing", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    git(world, "init", "-q", "-b", "main");
    git(world, "commit", "-q", "--allow-empty", "-m", "first");
    expect(await plugin.slash("review")).toContain("nothing to review");
    git(world, "checkout", "-q", "-b", "work");
    writeFileSync(join(world.workspace, "a.txt"), "a\n");
    const job = jobIn(await plugin.slash("review"));
    expect(await waitFor(plugin, "commands/review.md", job)).not.toBe("");
    expect(await plugin.slash("status", job)).toContain("review of the working tree");
    git(world, "add", ".");
    git(world, "commit", "-q", "-m", "second");
    const ofBranch = jobIn(await plugin.slash("review", "--background"));
    expect(await plugin.slash("status", ofBranch)).toContain("review of the changes since main");
    await waitFor(plugin, "commands/review.md", ofBranch);
    const ofCommit = jobIn(await plugin.slash("review", "--commit HEAD"));
    expect(await plugin.slash("status", ofCommit)).toContain("(second)");
    await waitFor(plugin, "commands/review.md", ofCommit);
    expect(await plugin.slash("review", "is it fast?")).toContain("adversarial-review");
    expect(await plugin.slash("review", "--base nowhere")).toContain("nowhere");
  });

  test("cancels the job of this session, and never one of another without its name", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const mine = jobIn(await handOver(plugin, "hold: mine", session("one")));
    const other = jobIn(await handOver(plugin, "hold: other", session("two")));
    expect(await plugin.slash("cancel", "", session("three"))).toContain("No job of this session");
    expect(await plugin.slash("cancel", "", session("one"))).toContain(`${mine} has ended`);
    expect(await plugin.slash("status", other)).toContain("running");
    const second = jobIn(await handOver(plugin, "hold: second", session("two")));
    const asked = await plugin.slash("cancel", "", session("two"));
    expect(asked).toContain(other);
    expect(asked).toContain(second);
    for (const job of [other, second]) {
      expect(await plugin.slash("cancel", job, session("one"))).toContain(`${job} has ended`);
    }
  });

  test("goes on with the task of this session, and offers it", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const canResume = async (env: NodeJS.ProcessEnv): Promise<unknown> =>
      JSON.parse((await plugin.shell(plugin.blocks("rescue", "")[0] ?? "", env)).stdout);
    expect(await canResume(session("one"))).toEqual({ available: false });
    expect(await handOver(plugin, "--resume", session("one"))).toContain("no earlier task");
    const first = jobIn(await handOver(plugin, "say: first", session("one")));
    await waitFor(plugin, RESCUE, first);
    expect(await canResume(session("one"))).toMatchObject({ available: true, job: first });
    expect(await canResume(session("two"))).toEqual({ available: false });
    const next = await handOver(plugin, "--resume say: second", session("one"));
    const { threadId } = (await canResume(session("one"))) as { threadId: string };
    expect(next).toContain(threadId);
    await waitFor(plugin, RESCUE, jobIn(next));
    const fresh = await handOver(plugin, "--fresh say: third", session("one"));
    expect(fresh).not.toContain(threadId);
    await waitFor(plugin, RESCUE, jobIn(fresh));
  });

  test("F58: what was handed over outlives the shell and everything in it", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const job = jobIn(await handOver(plugin, "hold: a ;; say: still here", session("one")));
    world.model.release("a");
    expect(await waitFor(plugin, RESCUE, job)).toBe("still here\n");
  });

  test("F101: what went wrong is said, and is no answer of Codex", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const job = jobIn(await handOver(plugin, "quota"));
    expect(await waitFor(plugin, RESCUE, job)).toContain("usage limit");
    expect(await plugin.slash("result", job)).toContain("usage limit");
    expect(await handOver(plugin, "--background")).toContain("There is no task");
    expect(await handOver(plugin, "--resume --fresh x")).toContain("exclude each other");
    const nowhere = { CODEX_BROKER_CODEX: "/nowhere/codex" };
    expect(await handOver(plugin, "say: x", nowhere)).toContain("/nowhere/codex");
  });

  test("takes over the conversation that it was typed in, or another one that is named", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const named = makeSession(world, "The other thing.");
    const { id, file } = makeSession(world, "This thing.");
    const other = await plugin.slash("transfer", `--source ${named.file}`);
    expect(other).toContain(`session ${named.id} is transferred`);
    const variables = join(world.stateDir, "..", "session-env");
    const start = plugin.hook("SessionStart", { env: { CLAUDE_ENV_FILE: variables } });
    start.child.stdin.end(JSON.stringify({ session_id: id, transcript_path: file }));
    expect(await start.ended).toMatchObject({ code: 0 });
    const { stdout: shown } = await plugin.shell(`. '${variables}'; env`);
    const env = Object.fromEntries(
      [...shown.matchAll(/^(CODEX_BROKER_HOST_\w+)=(.*)$/gm)].map(([, name, value]) => [
        name,
        value,
      ]),
    ) as NodeJS.ProcessEnv;
    const stdout = await plugin.slash("transfer", "", env);
    expect(stdout).toContain(`session ${id} is transferred`);
    expect(stdout).toMatch(/codex resume \S+/);
  });

  test("says whether everything is there, and what was chosen for the workspace", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const setup = await plugin.slash("setup");
    expect(setup).toContain("ready");
    expect(setup).toContain("review gate: off");
    expect(setup).toContain("jobs at the end of a session: kept");
    const both = "--enable-review-gate --disable-review-gate";
    expect(await plugin.slash("setup", both)).toContain("both enabled and disabled");
    expect(await plugin.slash("setup", "--jobs-at-end burn")).toContain("keep or cancel");
    const missing = await plugin.slash("setup", "", { CODEX_BROKER_CODEX: "/nowhere/codex" });
    expect(missing).toContain("/nowhere/codex");
  });

  test("the agent hands a task over in the same way", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const page = "agents/codex-rescue.md";
    const job = jobIn(await handOver(plugin, "--read-only say: by the agent", {}, page));
    expect(await waitFor(plugin, page, job)).toBe("by the agent\n");
    const [prompt] = world.model.requests.recent.map((request) => request.prompt);
    expect(prompt).toBe("say: by the agent");
  });

  test("is found by its usual name on the PATH of the host's shells", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    const { stdout } = await plugin.shell(
      `PATH="$PATH:${plugin.root}/bin"; codex-broker --version`,
    );
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("says what to type where it was not built", async () => {
    await using world = await makeWorld();
    const plugin = new Installed(world);
    renameSync(join(plugin.root, "program"), join(plugin.root, "elsewhere"));
    expect(await plugin.delimiter("commands/status.md")).toContain("npm run build");
    const hook = plugin.hook("Stop");
    hook.child.stdin.end("{}");
    expect(await hook.ended).toMatchObject({ code: 0, stdout: "" });
  });
});
