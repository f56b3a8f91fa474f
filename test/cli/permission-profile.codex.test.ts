import { describe, expect, test } from "vitest";
import { noCodexSandbox } from "../support/codex-sandbox.ts";
import { makeRepository } from "../support/git-repository.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson, type Ended } from "./program.ts";

guardAgainstLeaks();

const SECRET = "hidden-by-the-profile";
/** The model tries to read the secret and to write, and its final message is of no interest. */
const SPY = "shell: cat .env; touch written && echo could-write ;; say: looked";
const noSandbox = await noCodexSandbox();

function profile(extended: string, more = ""): string {
  return `
[permissions.mine]
extends = "${extended}"
[permissions.mine.filesystem.":workspace_roots"]
".env" = "deny"
${more}
`;
}

/** A workspace with a secret that the profile hides, and with a change. */
async function makeHidingWorld(tables: string, selected = "mine"): Promise<World> {
  const world = await makeWorld({
    config: { sandboxMode: "workspace-write", settings: { default_permissions: selected }, tables },
  });
  const repository = makeRepository(world.workspace);
  repository.write(".env", `${SECRET}\n`);
  repository.write("changed.txt", "before\n");
  repository.commit("the first");
  repository.write("changed.txt", "after\n");
  world.model.answer(/^Review the |^Adversarial review/, SPY);
  return world;
}

/** What the model was shown of its commands, in all requests so far. */
function shown({ model }: World): string {
  return JSON.stringify(model.requests.recent.map(({ body }) => body));
}

function ran(world: World, ...args: readonly string[]): Promise<Ended> {
  return cli(world, args);
}

describe.skipIf(noSandbox !== undefined)(
  `a permission profile that the user has selected ${noSandbox ?? ""}`,
  () => {
    test.each([":read-only", ":workspace"])(
      "is kept by a review, which changes nothing either (F141, extends %s)",
      { timeout: 120_000 },
      async (extended) => {
        await using world = await makeHidingWorld(
          profile(extended, "[permissions.mine.network]\nenabled = true"),
        );
        expect(await ran(world, "review", "-q")).toMatchObject({ code: 0, stderr: "" });
        await ran(world, "review", "--adversarial", "-q");
        const { stdout } = await ran(world, "review", "--background", "--json");
        const job = String(lastJson(stdout)["job"]);
        expect((await cli(world, ["jobs", "wait", job])).code).toBe(0);
        expect(shown(world).split("Permission denied")).toHaveLength(4);
        expect(shown(world)).not.toContain(SECRET);
        expect(shown(world)).not.toContain("could-write\\n");
      },
    );

    test(
      "is kept by a run whose sandbox is only the default of a program (F141)",
      { timeout: 120_000 },
      async () => {
        await using world = await makeHidingWorld(profile(":workspace"));
        const run = ["run", "-q", "--default-sandbox"] as const;
        expect(await ran(world, ...run, "read-only", SPY)).toMatchObject({ code: 0, stderr: "" });
        expect(shown(world)).not.toContain("could-write\\n");
        expect(await ran(world, ...run, "workspace-write", SPY)).toMatchObject({ code: 0 });
        expect(shown(world).split("cat: .env: Permission denied")).toHaveLength(3);
        expect(shown(world)).not.toContain(SECRET);
      },
    );

    test(
      "is replaced by --sandbox, and that is printed before the turn (F141)",
      { timeout: 120_000 },
      async () => {
        await using world = await makeHidingWorld(profile(":read-only"));
        const warning = '--sandbox replaces the permission profile "mine"';
        for (const args of [["run"], ["run", "-q"], ["run", "--background"], ["run", "--json"]]) {
          const { code, stdout, stderr } = await ran(world, ...args, "--sandbox", "read-only", SPY);
          expect({ args, code }).toEqual({ args, code: 0 });
          expect(stderr).toContain(warning);
          if (args.includes("--json")) {
            expect(stdout.split("\n")[0]).toContain('"type":"warning"');
          }
        }
        const review = await ran(world, "review", "-q", "--sandbox", "read-only");
        expect(review.stderr).toContain(warning);
        expect((await ran(world, "run", "-q", "say: hi")).stderr).toBe("");
      },
    );

    test(
      "is in force again when the broker was replaced (F141)",
      { timeout: 120_000 },
      async () => {
        await using world = await makeHidingWorld(profile(":workspace"));
        await using client = await world.connect();
        const options = { keepThread: true, cwd: world.workspace };
        const { threadId } = await client.runTurn({ ...options, prompt: SPY }).result;
        await cli(world, ["rotate"]);
        await client.runTurn({ prompt: `${SPY} again`, threadId }).result;
        await client.runTurn({ prompt: `${SPY} once more`, threadId }).result;
        const resumed = await ran(world, "run", "-q", "--resume", threadId, SPY);
        expect(resumed.code).toBe(0);
        expect(shown(world).split("Permission denied").length).toBeGreaterThan(4);
        expect(shown(world)).not.toContain(SECRET);
      },
    );

    test(
      "still hides from the thread of a review that a run goes on with (F141)",
      { timeout: 120_000 },
      async () => {
        await using world = await makeHidingWorld(profile(":workspace"));
        const { threadId } = lastJson((await ran(world, "review", "--json")).stdout);
        const { code, stderr } = await ran(world, "run", "-q", "--resume", String(threadId), SPY);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(shown(world)).not.toContain(SECRET);
      },
    );

    test(
      "of Codex's own is narrowed, and none is replaced (F141)",
      { timeout: 120_000 },
      async () => {
        await using world = await makeHidingWorld("", ":workspace");
        expect((await ran(world, "review", "-q")).code).toBe(0);
        expect(shown(world)).not.toContain("could-write\\n");
      },
    );
  },
);
