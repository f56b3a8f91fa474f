import { appendFileSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeSession, projectOf, said } from "../support/claude-session.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";
import { cli, lastJson } from "./program.ts";

guardAgainstLeaks();

describe("transfer", () => {
  test("makes a thread of the newest session of the directory, and that goes on", async () => {
    await using world = await makeWorld();
    const older = makeSession(world, "An older one.");
    utimesSync(older.file, 1, 1);
    const { id } = makeSession(world, "Remember the number 42.");
    writeFileSync(join(projectOf(world, world.workspace), "agent-1.jsonl"), "");
    const { code, stdout } = await cli(world, ["transfer"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`session ${id} is transferred`);
    const threadId = /codex resume (\S+)/.exec(stdout)?.[1] ?? "";
    const next = await cli(world, ["run", "--resume", threadId, "say: go on"]);
    expect(next).toMatchObject({ code: 0, stdout: "go on\n" });
    const heard = JSON.stringify(world.model.requests.recent.at(-1)?.body);
    expect(heard).toContain("Remember the number 42.");
    expect(heard).toContain("Understood.");
  });

  test("takes no session of another directory whose name is encoded alike (F173)", async () => {
    await using world = await makeWorld();
    const [mine, other] = [join(world.workspace, "proj/a"), join(world.workspace, "proj-a")];
    for (const directory of [mine, other]) mkdirSync(directory, { recursive: true });
    expect(projectOf(world, mine)).toBe(projectOf(world, other));
    const foreign = makeSession(world, "A secret of the other project.", other);
    const refused = await cli(world, ["transfer", "--cwd", mine]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`The sessions there were held in ${other}.`);
    expect(livingBrokers(world.stateDir)).toEqual([]);
    const own = makeSession(world, "A thing of this project.", mine);
    // An image in the first message makes the entry long.
    const long = { message: { content: "x".repeat(1_000_000) }, cwd: mine };
    const text = readFileSync(own.file, "utf8");
    writeFileSync(
      own.file,
      `${JSON.stringify({ type: "other" })}\n${JSON.stringify(long)}\n${text}`,
    );
    utimesSync(own.file, 1, 1);
    const { code, stdout } = await cli(world, ["transfer", "--cwd", mine]);
    expect(code).toBe(0);
    expect(stdout).toContain(`session ${own.id} is transferred`);
    const named = await cli(world, ["transfer", "--cwd", mine, "--session", foreign.id]);
    expect(named.stdout).toContain(`session ${foreign.id} is transferred`);
  });

  test("by an id, its beginning or a file; again it is the same thread, with what was added", async () => {
    await using world = await makeWorld();
    const { id, file } = makeSession(world, "The first thing.");
    const transfer = async (session: string): Promise<Record<string, unknown>> => {
      const { code, stdout } = await cli(world, ["transfer", "--json", "--session", session]);
      expect(code).toBe(0);
      return lastJson(stdout);
    };
    const first = await transfer(id);
    expect(first).toMatchObject({ session: id, path: file, already: false });
    expect(first["resume"]).toEqual({
      codex: `codex resume ${String(first["threadId"])}`,
      broker: `codex-broker run --resume ${String(first["threadId"])}`,
    });
    expect(await transfer(id.slice(0, 8))).toEqual({ ...first, already: true });
    appendFileSync(file, said(id, world.workspace, "user", "The second thing."));
    expect(await transfer(file)).toEqual(first);
    await cli(world, ["run", "--resume", String(first["threadId"]), "say: go on"]);
    const heard = JSON.stringify(world.model.requests.recent.at(-1)?.body);
    expect(heard).toContain("The second thing.");
  });

  test("says when there is no such session, and starts no broker for it", async () => {
    await using world = await makeWorld();
    const outside = join(world.home.path, "outside.jsonl");
    writeFileSync(outside, "{}\n");
    const other = join(world.home.path, "other.txt");
    writeFileSync(other, "");
    const none = await cli(world, ["transfer"]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain(projectOf(world, world.workspace));
    makeSession(world, "One.");
    for (const [session, words] of [
      ["abcd1234", "There is no session abcd1234"],
      [outside, "does not lie in"],
      [join(world.home.path, "nowhere.jsonl"), "cannot be read: ENOENT"],
      [other, "does not end with .jsonl"],
    ] as const) {
      const { code, stdout, stderr } = await cli(world, [
        "transfer",
        "--json",
        "--session",
        session,
      ]);
      expect({ session, code }).toEqual({ session, code: 2 });
      expect(lastJson(stdout)).toMatchObject({ error: { kind: "sessionNotFound" } });
      expect(stderr).toContain(words);
    }
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("says when Codex takes nothing of it: an empty one, garbage, a directory that is gone", async () => {
    await using world = await makeWorld();
    const empty = makeSession(world, "");
    writeFileSync(empty.file, "");
    const garbage = makeSession(world, "");
    writeFileSync(garbage.file, 'no JSON\n{"type":7}\n');
    const gone = makeSession(world, "Where am I?", join(world.home.path, "gone"));
    for (const [{ id }, words] of [
      [empty, "found nothing to import"],
      [garbage, "found nothing to import"],
      [gone, "where it was held, is gone"],
    ] as const) {
      const { code, stdout, stderr } = await cli(world, ["transfer", "--json", "--session", id]);
      expect({ words, code }).toEqual({ words, code: 1 });
      expect(lastJson(stdout)).toMatchObject({ error: { kind: "importFailed" } });
      expect(stderr).toContain(words);
    }
  });

  test.runIf(process.platform === "linux")(
    "F101: says why Codex refuses it, and does not wait for one that hangs",
    async () => {
      await using world = await makeWorld();
      const { id } = makeSession(world, "A thing.");
      // Codex looks for sessions in the home of whoever started the broker.
      const elsewhere = { HOME: join(world.home.path, "elsewhere") };
      expect((await cli(world, ["ensure"], { env: elsewhere })).code).toBe(0);
      const refused = await cli(world, ["transfer", "--session", id]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("was not detected");
      expect(refused.stderr).toContain("codex-broker rotate");
      expect((await cli(world, ["rotate"])).code).toBe(0);
      expect((await cli(world, ["transfer", "--session", id])).code).toBe(0);
      const late = await cli(world, ["transfer", "--session", id, "--timeout", "0"]);
      expect(late.code).toBe(5);
    },
  );
});
