import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { changesOf } from "../../../src/cli/review/changes.ts";
import { resolveTarget, type Target } from "../../../src/cli/review/target.ts";
import { makeRepository, type GitRepository } from "../../support/git-repository.ts";
import { guardAgainstLeaks } from "../../support/leak-guard.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

guardAgainstLeaks();

const nothingNamed = { base: undefined, commit: undefined };

async function targetOf(
  { path }: GitRepository,
  named: { readonly base?: string; readonly commit?: string } = {},
): Promise<Target> {
  return await resolveTarget(path, { ...nothingNamed, ...named });
}

async function namesOf(
  repository: GitRepository,
  named: { readonly base?: string; readonly commit?: string } = {},
): Promise<readonly string[]> {
  return (await changesOf(await targetOf(repository, named))).named;
}

describe("the working tree", () => {
  test("has what is staged, what is not, and what is new, in directories too", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    for (const name of ["kept", "staged", "changed", "removed", "moved"]) {
      repository.write(name, `${name}\n`.repeat(20));
    }
    repository.commit("first");
    repository.write("staged", "now");
    repository.git("add", "staged");
    repository.write("changed", "now");
    repository.git("rm", "--quiet", "removed");
    repository.git("mv", "moved", "gone there");
    repository.write("new/deep/one", "");
    repository.write("new/deep/two", "");
    makeRepository(join(dir.path, "another")).write("inside", "");
    expect(await namesOf(repository)).toEqual([
      "M changed",
      "R gone there",
      "D removed",
      "M staged",
      "?? another/",
      "?? new/deep/one",
      "?? new/deep/two",
    ]);
  });

  test("is that of the whole repository, from wherever it is asked", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("above", "");
    mkdirSync(join(dir.path, "below"));
    const target = await resolveTarget(join(dir.path, "below"), nothingNamed);
    expect(target).toEqual({ type: "workingTree", root: dir.path });
    expect(await changesOf(target)).toMatchObject({ count: 1, named: ["?? above"] });
  });

  test("is empty after a commit, and names that look like anything else stay names", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("a\nb", "");
    repository.write('"quoted" $(x) `y` é', "");
    repository.write("-m", "");
    expect(await namesOf(repository)).toEqual(['?? \\"quoted\\" $(x) `y` é', "?? -m", "?? a\\nb"]);
    repository.commit("all");
    expect(await changesOf(await targetOf(repository))).toMatchObject({ count: 0, named: [] });
  });

  test("F99: counts all of the largest, and names so many that a prompt can hold them", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    const files = 20_000;
    repository.stage(Array.from({ length: files }, (_, at) => `d/${"x".repeat(100)}${at}`));
    const { count, named } = await changesOf(await targetOf(repository));
    expect(count).toBe(files);
    expect(named.length).toBeGreaterThan(50);
    expect(named.join("\n").length).toBeLessThan(13_000);
  });
});

describe("a base", () => {
  test("gives what has come about since the branches parted, committed or not", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("common", "1");
    const parted = repository.commit("common");
    repository.git("switch", "--quiet", "--create", "work");
    repository.write("mine", "1");
    repository.commit("mine");
    repository.write("common", "2");
    repository.git("switch", "--quiet", "main", "--merge");
    repository.git("stash", "--quiet");
    repository.write("theirs", "1");
    repository.commit("theirs");
    repository.git("switch", "--quiet", "work");
    repository.git("stash", "pop", "--quiet");
    const target = await targetOf(repository, { base: "main" });
    expect(target).toMatchObject({ type: "base", base: "main", mergeBase: parted });
    expect((await changesOf(target)).named).toEqual(["M common", "A mine"]);
    expect(await targetOf(repository, { base: parted })).toMatchObject({ mergeBase: parted });
  });

  test.each(["nope", "--help", "-x", "main;touch x"])("%s is none", async (base) => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("a", "");
    repository.commit("a");
    await expect(targetOf(repository, { base })).rejects.toMatchObject({
      kind: "notReviewable",
      message: `There is no commit ${JSON.stringify(base)} here.`,
    });
  });

  test("without a common commit is none either", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("a", "");
    repository.commit("a");
    repository.git("switch", "--quiet", "--orphan", "other");
    repository.write("b", "");
    repository.commit("b");
    await expect(targetOf(repository, { base: "main" })).rejects.toMatchObject({
      message: "main and HEAD have no commit in common.",
    });
  });
});

describe("a commit", () => {
  test("may be the first one, and of a merge what it brought", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(dir.path);
    repository.write("first", "");
    repository.commit("the first");
    repository.git("switch", "--quiet", "--create", "side");
    repository.write("side", "");
    repository.commit("the side");
    repository.git("switch", "--quiet", "main");
    repository.write("second", "");
    repository.commit("the second");
    expect(await namesOf(repository, { commit: "HEAD~1" })).toEqual(["A first"]);
    repository.git("merge", "--quiet", "--no-edit", "side");
    const target = await targetOf(repository, { commit: "HEAD" });
    expect(target).toMatchObject({ title: "Merge branch 'side'" });
    expect((await changesOf(target)).named).toEqual(["A side"]);
  });

  test("and a base are not wanted at once", async () => {
    await using dir = await makeTempDir();
    const named = { base: "main", commit: "HEAD" };
    await expect(resolveTarget(dir.path, named)).rejects.toMatchObject({ kind: "usage" });
  });
});

test("a directory without a repository, and a bare one, cannot be reviewed", async () => {
  await using dir = await makeTempDir();
  await expect(resolveTarget(dir.path, nothingNamed)).rejects.toMatchObject({
    kind: "notReviewable",
    message: `${dir.path} lies in no git repository.`,
  });
  execFileSync("git", ["init", "--quiet", "--bare", join(dir.path, "bare.git")]);
  await expect(resolveTarget(join(dir.path, "bare.git"), nothingNamed)).rejects.toMatchObject({
    kind: "notReviewable",
    message: expect.stringContaining("git says: ") as string,
  });
});

test("a base leaves out the files that git does not track, and counts them (F146)", async () => {
  await using dir = await makeTempDir();
  const repository = makeRepository(dir.path);
  repository.write("tracked", "1");
  repository.write(".gitignore", "ignored\n");
  repository.commit("first");
  repository.write("tracked", "2");
  repository.write("new file", "");
  repository.write("ignored", "");
  const changes = await changesOf(await targetOf(repository, { base: "main" }));
  expect(changes).toMatchObject({ named: ["M tracked"], untracked: 1 });
});
