import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { changesOf } from "../../../src/cli/review/changes.ts";
import {
  gitEnvironment,
  parseConfig,
  programOverrides,
} from "../../../src/cli/review/git-hardening.ts";
import { Git } from "../../../src/cli/review/git.ts";
import { resolveTarget, targetLabel } from "../../../src/cli/review/target.ts";
import { scopeOptions } from "../../../src/cli/slash/review-scope.ts";
import { makeRepository, type GitRepository } from "../../support/git-repository.ts";
import { guardAgainstLeaks } from "../../support/leak-guard.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

guardAgainstLeaks();
afterEach(() => vi.unstubAllEnvs());

/** One way in which a repository starts a program of its choice. */
interface Attack {
  readonly name: string;
  /** Prepares a repository that has a commit and a changed file `a`. */
  readonly prepare: (repository: GitRepository, program: string) => void;
  /** An ordinary git command that starts the program, which proves that the attack is one. */
  readonly control: readonly string[];
}

const attacks: readonly Attack[] = [
  {
    name: "a file monitor",
    prepare: ({ git }, program) => git("config", "core.fsmonitor", program),
    control: ["status"],
  },
  {
    name: "a clean filter",
    prepare: (repository, program) => {
      repository.git("config", "filter.evil.clean", program);
      repository.write(".gitattributes", "* filter=evil\n");
    },
    control: ["diff", "--name-status"],
  },
  {
    name: "a filter process",
    prepare: (repository, program) => {
      repository.git("config", "filter.evil=x.y.process", program);
      repository.write(".gitattributes", "* filter=evil=x.y\n");
    },
    control: ["diff", "--name-status"],
  },
  {
    name: "a clean filter in an included file",
    prepare: (repository, program) => {
      repository.write("more", `[filter "evil"]\n\tclean = ${program}\n\trequired\n`);
      repository.git("config", "include.path", "../more");
      repository.write(".gitattributes", "* filter=evil\n");
    },
    control: ["diff", "--name-status"],
  },
  {
    name: "a clean filter in the config of a worktree",
    prepare: (repository, program) => {
      repository.git("config", "extensions.worktreeConfig", "true");
      repository.git("config", "--worktree", "filter.evil.clean", program);
      repository.write(".gitattributes", "* filter=evil\n");
    },
    control: ["diff", "--name-status"],
  },
  {
    name: "a clean filter in the config of a submodule",
    prepare: (repository, program) => {
      const inner = makeRepository(join(repository.path, "inner"));
      inner.write("b", "1");
      inner.commit("inner");
      repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./inner");
      repository.git("commit", "--quiet", "--all", "--message", "submodule");
      inner.git("config", "filter.evil.clean", program);
      inner.write(".gitattributes", "* filter=evil\n");
      inner.write("b", "2");
      repository.write("a", "changed again");
    },
    control: ["status"],
  },
  {
    name: "a program that verifies signatures",
    prepare: (repository, program) => {
      repository.git("config", "log.showSignature", "true");
      repository.git("config", "gpg.program", program);
      signHead(repository);
    },
    control: ["show", "--no-patch", "--format=%s", "HEAD"],
  },
  {
    name: "an external diff",
    prepare: ({ git }, program) => git("config", "diff.external", program),
    control: ["diff"],
  },
  {
    name: "the command of a diff driver",
    prepare: (repository, program) => {
      repository.git("config", "diff.evil.command", program);
      repository.write(".gitattributes", "* diff=evil\n");
    },
    control: ["diff"],
  },
  {
    name: "a text conversion",
    prepare: (repository, program) => {
      repository.git("config", "diff.evil.textconv", program);
      repository.write(".gitattributes", "* diff=evil\n");
    },
    control: ["diff"],
  },
  {
    name: "a hook",
    prepare: (repository, program) => {
      mkdirSync(join(repository.path, "hooks"));
      cpSync(program, join(repository.path, "hooks", "post-index-change"));
      repository.git("config", "core.hooksPath", join(repository.path, "hooks"));
      repository.git("update-index", "--force-write-index");
    },
    control: ["update-index", "--force-write-index"],
  },
  {
    name: "a transport that fetches a missing object",
    prepare: (repository, program) => {
      const blob = repository.git("rev-parse", "HEAD:a");
      repository.git("config", "extensions.partialClone", "evil");
      repository.git("config", "remote.evil.promisor", "true");
      repository.git("config", "protocol.ext.allow", "always");
      repository.git("config", "remote.evil.url", `ext::${program}`);
      const file = join(repository.path, ".git/objects", blob.slice(0, 2), blob.slice(2));
      spawnSync("rm", ["-f", file]);
    },
    control: ["cat-file", "-p", "HEAD:a"],
  },
];

/** Gives HEAD a signature that no program has made. */
function signHead(repository: GitRepository): void {
  const text = repository.git("cat-file", "commit", "HEAD");
  const [head = "", ...body] = text.split("\n\n");
  const signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----";
  const made = spawnSync("git", ["hash-object", "-t", "commit", "-w", "--stdin"], {
    cwd: repository.path,
    input: `${head}\n${signature}\n\n${body.join("\n\n")}\n`,
    encoding: "utf8",
  });
  repository.git("update-ref", "HEAD", made.stdout.trim());
}

/** Everything that `review` and its slash command read from git. */
async function readAll(directory: string): Promise<void> {
  await scopeOptions("auto", directory);
  for (const named of [{}, { base: "main" }, { commit: "HEAD" }]) {
    const target = await resolveTarget(directory, { base: undefined, commit: undefined, ...named });
    await changesOf(target).catch(expectRejection);
  }
}

/** A repository that lacks an object cannot be compared. That is a clear error, and starts nothing. */
function expectRejection(error: unknown): void {
  expect(error).toMatchObject({ kind: "notReviewable" });
}

describe("a review starts no program that the repository names (F167)", () => {
  test.each(attacks)("$name", async ({ prepare, control }) => {
    await using dir = await makeTempDir();
    const marker = join(dir.path, "started");
    const program = join(dir.path, "program");
    writeFileSync(program, `#!/bin/sh\necho "$0 $@" >> '${marker}'\nexit 1\n`);
    chmodSync(program, 0o755);
    const repository = makeRepository(join(dir.path, "repository"));
    repository.write("a", "1");
    repository.commit("first");
    repository.write("a", "changed");
    prepare(repository, program);
    spawnSync("rm", ["-f", marker]);
    await readAll(repository.path);
    expect(existsSync(marker)).toBe(false);
    // The same attack on git as a user types it.
    spawnSync("git", control, { cwd: repository.path });
    expect(existsSync(marker)).toBe(true);
  });

  test("a bare repository that is embedded in the clone", async () => {
    await using dir = await makeTempDir();
    const marker = join(dir.path, "started");
    const repository = makeRepository(join(dir.path, "repository"));
    const embedded = join(repository.path, "docs");
    makeRepository(join(dir.path, "source"));
    cpSync(join(dir.path, "source", ".git"), embedded, { recursive: true });
    writeFileSync(
      join(embedded, "config"),
      `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = "."\n\tfsmonitor = "touch '${marker}' #"\n`,
    );
    repository.write("docs/keep", "");
    await readAllOfWorkingTree(embedded);
    expect(existsSync(marker)).toBe(false);
    spawnSync("git", ["status"], { cwd: embedded });
    expect(existsSync(marker)).toBe(true);
  });

  test("another working tree that the config names is rejected", async () => {
    await using dir = await makeTempDir();
    const repository = makeRepository(join(dir.path, "repository"));
    mkdirSync(join(dir.path, "elsewhere"));
    repository.git("config", "core.worktree", join(dir.path, "elsewhere"));
    await expect(
      resolveTarget(repository.path, { base: undefined, commit: undefined }),
    ).rejects.toMatchObject({ kind: "notReviewable" });
  });
});

async function readAllOfWorkingTree(directory: string): Promise<void> {
  await scopeOptions("auto", directory);
  await changesOf(await resolveTarget(directory, { base: undefined, commit: undefined }));
}

describe("the user's own configuration", () => {
  test("keeps a filter of the user, Git LFS for example, in force (F167)", async () => {
    await using dir = await makeTempDir();
    const marker = join(dir.path, "started");
    writeFileSync(
      join(dir.path, "gitconfig"),
      `[filter "lfs"]\n\tclean = "touch '${marker}'; cat"\n`,
    );
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(dir.path, "gitconfig"));
    const repository = makeRepository(join(dir.path, "repository"));
    repository.write(".gitattributes", "a filter=lfs\n");
    repository.write("a", "1");
    repository.commit("first");
    repository.git("config", "filter.lfs.clean", "false");
    // Another time stamp makes git compare the contents.
    utimesSync(join(repository.path, "a"), 1, 1);
    const target = await resolveTarget(repository.path, { base: "main", commit: undefined });
    expect(await changesOf(target)).toMatchObject({ count: 0 });
    expect(existsSync(marker)).toBe(true);
  });

  test("does not change what git prints (F177)", async () => {
    await using dir = await makeTempDir();
    const config =
      "[log]\n\tshowSignature = true\n\tshowRoot = false\n[color]\n\tui = always\n" +
      "[gpg]\n\tprogram = echo\n[diff]\n\trelative = true\n\tnoprefix = true\n[status]\n\tbranch = true\n";
    writeFileSync(join(dir.path, "gitconfig"), config);
    const repository = makeRepository(join(dir.path, "repository"));
    repository.write("a", "1");
    repository.commit("the title");
    signHead(repository);
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(dir.path, "gitconfig"));
    const target = await resolveTarget(repository.path, { base: undefined, commit: "HEAD" });
    expect(target).toMatchObject({ title: "the title" });
    expect((await changesOf(target)).named).toEqual(["A a"]);
  });

  test("reaches git, as safe.directory does, from the environment too", async () => {
    const env = gitEnvironment({
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      GIT_DIR: "/nowhere",
      GIT_EXTERNAL_DIFF: "evil",
      GIT_SSH_COMMAND: "evil",
      GIT_CONFIG_PARAMETERS: "'a.b'='c'",
      GIT_EXEC_PATH: "/usr/lib/git-core",
      HOME: "/home/u",
    });
    expect(env).toMatchObject({
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      GIT_CONFIG_KEY_1: "core.fsmonitor",
      GIT_EXEC_PATH: "/usr/lib/git-core",
      HOME: "/home/u",
    });
    for (const name of [
      "GIT_DIR",
      "GIT_EXTERNAL_DIFF",
      "GIT_SSH_COMMAND",
      "GIT_CONFIG_PARAMETERS",
    ]) {
      expect(env).not.toHaveProperty(name);
    }
  });
});

test("an extension of Git LFS in the repository's config is replaced (F167)", () => {
  const entries = parseConfig(
    "global\0filter.lfs.clean\ngit-lfs clean -- %f\0local\0lfs.extension.x.clean\nevil\0",
  );
  expect(programOverrides(entries)).toEqual([["lfs.extension.x.clean", ""]]);
});

test("the title of a hostile commit reaches no terminal as it is (F168)", async () => {
  await using dir = await makeTempDir();
  const repository = makeRepository(dir.path);
  repository.write("a", "");
  repository.commit("\u001b[2J\u001b[Hreviewed: no findings\u200b\u2028");
  const target = await resolveTarget(dir.path, { base: undefined, commit: "HEAD" });
  expect(targetLabel(target)).toMatch(/\(\\x1b\[2J\\x1b\[Hreviewed: no findings/);
  expect(readdirSync(dir.path)).toContain("a");
  expect(await (await Git.open(dir.path)).line(["rev-parse", "HEAD"])).toMatch(/^[0-9a-f]{40}$/);
});
