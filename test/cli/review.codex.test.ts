import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { makeRepository, type GitRepository } from "../support/git-repository.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson, startCli, type Ended } from "./program.ts";

guardAgainstLeaks();

/** The other sandboxes need kernel features that a container often withholds. */
const FREE = ["--sandbox", "danger-full-access"];

const finding = {
  title: "It crashes",
  body: "When the list is empty.",
  file: "changed.txt",
  lineStart: 1,
  lineEnd: 2,
  severity: "low",
  confidence: 0.5,
  recommendation: "Look first.",
};

const review = {
  verdict: "needs-attention",
  summary: "It changes a file.",
  findings: [finding, { ...finding, title: "It leaks", severity: "critical" }],
  nextSteps: ["mend it"],
};

const OURS = /^Adversarial review/;
const CODEXS = /^Review the /;

interface Changed extends World {
  readonly repository: GitRepository;
}

/** A repository with one commit, a change and a new directory. */
async function makeChangedWorld(): Promise<Changed> {
  const world = await makeWorld();
  const repository = makeRepository(world.workspace);
  repository.write("changed.txt", "before\n");
  repository.commit("the first");
  repository.write("changed.txt", "after\n");
  repository.write("new/file.txt", "new\n");
  return Object.assign(world, { repository });
}

function reviewed(world: World, ...args: readonly string[]): Promise<Ended> {
  return cli(world, ["review", ...FREE, ...args]);
}

function lastPrompt({ model }: World): string {
  return model.requests.recent.at(-1)?.prompt ?? "";
}

describe("review", () => {
  test("is what Codex's own reviewer says of the working tree, a base or a commit", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(CODEXS, "shell: git status --short ;; say: nothing wrong");
    const { code, stdout, stderr } = await reviewed(world);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "nothing wrong\n" });
    expect(stderr).toContain("running: git status --short");
    expect(lastPrompt(world)).toContain("staged, unstaged, and untracked");
    const first = world.repository.git("rev-parse", "HEAD");
    expect((await reviewed(world, "--base", "main")).code).toBe(0);
    expect(lastPrompt(world)).toContain(first);
    const { stdout: json } = await reviewed(world, "--commit", "HEAD", "--json");
    expect(lastPrompt(world)).toContain(first);
    expect(lastJson(json)).toMatchObject({
      type: "review",
      kind: "review",
      target: { type: "commit", root: world.workspace, commit: first, title: "the first" },
      files: 1,
      status: "completed",
      message: "nothing wrong",
    });
  });

  test("its thread can be gone on with", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(CODEXS, "say: mend it");
    const { threadId } = lastJson((await reviewed(world, "--json")).stdout);
    const next = await cli(world, ["run", "--resume", String(threadId), "say: mended"]);
    expect(next).toMatchObject({ code: 0, stdout: "mended\n" });
  });

  test("F101: says what cannot be reviewed, and that there is nothing to review, and asks nobody", async () => {
    await using world = await makeWorld();
    const outside = await cli(world, ["review"]);
    expect(outside.code).toBe(2);
    expect(outside.stderr).toContain("lies in no git repository");
    const repository = makeRepository(world.workspace);
    repository.write("a", "");
    repository.commit("all");
    const nothing = await cli(world, ["review"]);
    expect(nothing.code).toBe(0);
    expect(nothing.stdout).toContain("nothing to review: the working tree has no changes");
    const { stdout } = await cli(world, ["review", "--adversarial", "--base", "main", "--json"]);
    expect(lastJson(stdout)).toMatchObject({ status: "nothingToReview", files: 0 });
    const nowhere = await cli(world, ["review", "--base", "nope", "--json"]);
    expect(nowhere.code).toBe(2);
    expect(lastJson(nowhere.stdout)).toMatchObject({
      status: "notStarted",
      error: { kind: "notReviewable" },
    });
    const unreal = await cli(world, ["review", "--cwd", "/nowhere"]);
    expect(unreal.code).toBe(2);
    expect(unreal.stderr).toContain("/nowhere");
    repository.write("a", "more");
    const focused = await cli(world, ["review", "look here"]);
    expect(focused.code).toBe(2);
    expect(focused.stderr).toContain("--adversarial");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F62: Ctrl-C interrupts it, and its end is awaited", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(CODEXS, "hold: gate");
    const program = startCli(world, ["review", ...FREE, "--json"]);
    await eventually(() => world.model.requests.total > 0, "the model was asked");
    process.kill(program.pid, "SIGINT");
    const { code, stdout } = await program.ended;
    expect(code).toBe(130);
    expect(lastJson(stdout)).toMatchObject({ status: "interrupted" });
    await using client = await world.connect();
    expect((await client.status()).turns).toEqual([]);
  });
});

describe("review --adversarial", () => {
  test("F94: asks for a fixed form; the focus is text, wherever it comes from", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(OURS, `json: ${JSON.stringify(review)}`);
    const file = join(world.home.path, "focus.txt");
    writeFileSync(file, "-m pytest --base x\n");
    const focused = [
      () => reviewed(world, "--adversarial", "--json", "--", "-m", "pytest", "--base", "x"),
      () => reviewed(world, "--adversarial", "--json", "--file", file),
      () =>
        cli(world, ["review", ...FREE, "--adversarial", "--json", "-"], {
          stdin: "-m pytest --base x\n",
        }),
    ];
    for (const run of focused) {
      const { code, stdout } = await run();
      expect(code).toBe(0);
      expect(lastJson(stdout)).toMatchObject({
        kind: "adversarial",
        target: { type: "workingTree" },
        files: 2,
        status: "completed",
        review: { ...review, findings: [{ severity: "critical" }, { severity: "low" }] },
      });
      expect(lastPrompt(world)).toContain("<focus>\n-m pytest --base x\n</focus>");
      expect(lastPrompt(world)).toContain("- M changed.txt\n- ?? new/file.txt");
    }
    const asked = world.model.requests.recent.map(({ body }) => body);
    for (const body of asked) {
      expect(body).toMatchObject({
        model: "mock-model",
        text: { format: { type: "json_schema" } },
      });
    }
  });

  test("F100: a stdin that never ends is not read unless - asks for it; an empty focus is none", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(OURS, `json: ${JSON.stringify(review)}`);
    for (const focus of [[], ["--", ""], ["--", "here"]]) {
      const args = ["review", ...FREE, "--adversarial", "--quiet", ...focus];
      const { code } = await startCli(world, args, { openStdin: true }).ended;
      expect({ focus, code }).toEqual({ focus, code: 0 });
      expect(lastPrompt(world).includes("<focus>")).toBe(focus.includes("here"));
    }
  });

  test("prints the worst first", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(OURS, `shell: git diff ;; json: ${JSON.stringify(review)}`);
    const { code, stdout } = await reviewed(world, "--adversarial");
    expect(code).toBe(0);
    expect(stdout).toMatch(/needs attention · 2 findings/);
    expect(stdout.indexOf("critical  It leaks")).toBeLessThan(stdout.indexOf("low  It crashes"));
    expect(stdout).toContain("changed.txt:1-2 · 50 % sure");
    expect(stdout).toContain("→ Look first.");
  });

  test("F101: a bad form, a used-up plan, a loss and no findings do not look alike", async () => {
    await using world = await makeChangedWorld();
    const outcomes = new Map<string, Ended>();
    const run = async (script: string): Promise<void> => {
      world.model.answer(OURS, script);
      outcomes.set(script, await reviewed(world, "--adversarial", "--json"));
    };
    const none = { ...review, verdict: "approve", findings: [], nextSteps: [] };
    await run(`json: ${JSON.stringify(none)}`);
    await run("say: I would rather talk.");
    await run("quota");
    world.model.answer(OURS, "hold: gate");
    const lost = startCli(world, ["review", ...FREE, "--adversarial", "--json"]);
    const before = world.model.requests.total;
    await eventually(() => world.model.requests.total > before, "the model was asked");
    for (const { broker } of livingBrokers(world.stateDir)) process.kill(broker.pid, "SIGKILL");
    outcomes.set("lost", await lost.ended);
    const facts = [...outcomes.values()].map(({ code, stdout }) => {
      const { status, review: found, error, message } = lastJson(stdout);
      const kind = (error as { readonly kind: string } | undefined)?.kind;
      return { code, status, kind, found: found !== undefined, said: message !== "" };
    });
    expect(facts).toEqual([
      { code: 0, status: "completed", kind: undefined, found: true, said: true },
      { code: 1, status: "completed", kind: "replyUnfit", found: false, said: true },
      { code: 1, status: "failed", kind: "turnFailed", found: false, said: false },
      { code: 4, status: "lost", kind: "turnLost", found: false, said: false },
    ]);
    const unfit = lastJson([...outcomes.values()][1]!.stdout);
    expect(unfit).toMatchObject({
      message: "I would rather talk.",
      error: { details: { reply: "I would rather talk." } },
    });
    expect([...outcomes.values()][2]!.stderr).toContain("usage limit");
  });
});

describe("review --background", () => {
  test("does not go with an app-server that ends with its client", async () => {
    await using world = await makeChangedWorld();
    const { code, stderr } = await reviewed(world, "--background", "--private");
    expect(code).toBe(2);
    expect(stderr).toContain("--private does not go with --background");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F28: is a job, whose result is what the reviewer said", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(CODEXS, "hold: gate ;; say: nothing wrong");
    const { code, stdout } = await reviewed(world, "--background", "--json");
    expect(code).toBe(0);
    const { job } = lastJson(stdout);
    expect((await cli(world, ["jobs"])).stdout).toMatch(/running .* review of the working tree/);
    world.model.release("gate");
    const waited = await cli(world, ["jobs", "wait", String(job)]);
    expect(waited).toMatchObject({ code: 0, stdout: "nothing wrong\n" });
  });

  test("F28: an adversarial one has its findings as its result", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(OURS, `json: ${JSON.stringify(review)}`);
    const started = await reviewed(world, "--adversarial", "--background", "--json", "--", "-x");
    const { job } = lastJson(started.stdout);
    const waited = await cli(world, ["jobs", "wait", String(job)]);
    expect(waited.code).toBe(0);
    expect(waited.stdout).toContain("critical  It leaks");
    const { stdout } = await cli(world, ["jobs", "result", "--json"]);
    expect(lastJson(stdout)).toMatchObject({
      title: "adversarial review of the working tree",
      review: { findings: [{ title: "It leaks" }, { title: "It crashes" }] },
    });
  });

  test("F101: an adversarial one of another form is a failure, and what was said is kept", async () => {
    await using world = await makeChangedWorld();
    world.model.answer(OURS, "say: I would rather talk.");
    await reviewed(world, "--adversarial", "--background");
    const waited = await cli(world, ["jobs", "wait"]);
    expect(waited).toMatchObject({ code: 1, stdout: "I would rather talk.\n" });
    expect(waited.stderr).toContain("not in the form");
    expect((await cli(world, ["jobs", "show"])).stdout).toContain("I would rather talk.");
  });
});
