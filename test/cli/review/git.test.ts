import { randomBytes } from "node:crypto";
import { expect, test, vi } from "vitest";
import { Git } from "../../../src/cli/review/git.ts";
import { makeRepository } from "../../support/git-repository.ts";
import { guardAgainstLeaks } from "../../support/leak-guard.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

guardAgainstLeaks();

test("F99: what git prints has no limit, and none of it is kept", async () => {
  await using dir = await makeTempDir();
  const repository = makeRepository(dir.path);
  const size = 24 * 1024 * 1024;
  repository.write("big.txt", randomBytes(size / 2).toString("hex"));
  repository.commit("big");
  let seen = 0;
  let largest = 0;
  const { code } = await (
    await Git.open(dir.path)
  ).run(["show", "HEAD:big.txt"], (piece) => {
    seen += piece.length;
    largest = Math.max(largest, piece.length);
  });
  expect({ code, seen }).toEqual({ code: 0, seen: size });
  expect(largest).toBeLessThan(1024 * 1024);
});

test("records come whole, wherever the pieces were cut", async () => {
  await using dir = await makeTempDir();
  const repository = makeRepository(dir.path);
  const names = Array.from({ length: 3_000 }, (_, at) => `${"é".repeat(40)}-${at}.txt`);
  repository.stage(names);
  const records: string[] = [];
  await (await Git.open(dir.path)).records(["ls-files", "-z"], (record) => records.push(record));
  expect(records.toSorted()).toEqual(names.toSorted());
});

test("a failure is told in git's own words, and a wish for one line gives none", async () => {
  await using dir = await makeTempDir();
  makeRepository(dir.path);
  await expect(
    (await Git.open(dir.path)).records(["diff", "-z", "nope"], () => {}),
  ).rejects.toMatchObject({
    kind: "notReviewable",
    message: expect.stringContaining("nope") as string,
  });
  expect(
    await (await Git.open(dir.path)).line(["rev-parse", "--verify", "--quiet", "nope"]),
  ).toBeUndefined();
});

test("what a git hook has in its environment does not lead it elsewhere", async () => {
  await using dir = await makeTempDir();
  makeRepository(dir.path);
  vi.stubEnv("GIT_DIR", "/nowhere");
  try {
    expect(await (await Git.open(dir.path)).line(["rev-parse", "--show-toplevel"])).toBe(dir.path);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("without git it says what to install", async () => {
  await using dir = await makeTempDir();
  vi.stubEnv("PATH", dir.path);
  try {
    await expect(Git.open(dir.path)).rejects.toMatchObject({
      kind: "notReviewable",
      hint: expect.stringContaining("Install git") as string,
    });
  } finally {
    vi.unstubAllEnvs();
  }
});

test("looking starts nothing that the repository's configuration names", async () => {
  await using dir = await makeTempDir();
  const repository = makeRepository(dir.path);
  repository.write("monitor.sh", `#!/bin/sh\ntouch '${dir.path}/started'\n`);
  repository.git("config", "core.fsmonitor", `sh ${dir.path}/monitor.sh`);
  const records: string[] = [];
  const args = ["status", "--porcelain=v1", "-z", "--untracked-files=all"];
  await (await Git.open(dir.path)).records(args, (record) => records.push(record));
  expect(records).toEqual(["?? monitor.sh"]);
});
