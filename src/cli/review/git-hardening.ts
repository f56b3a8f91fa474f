/**
 * A repository under review is hostile input. Git reads its `config` before anything else, and many of
 * the options there name a program. The pages of git-config(1), git-status(1), git-diff(1), git-show(1)
 * and gitattributes(5) list them; each has its countermeasure here, and
 * `test/cli/review/hostile-repository.test.ts` tries them all.
 */

/** Come before the subcommand of every call. */
export const GIT_ARGS = ["--no-pager", "--no-optional-locks"];

/** Come after the subcommand of every call that compares files. */
export const DIFF_ARGS = [
  // `diff.external`, `diff.<driver>.command`, `diff.<driver>.textconv`.
  "--no-ext-diff",
  "--no-textconv",
  // Git inspects the working tree of a submodule by running git there, with the submodule's own config.
  "--ignore-submodules=dirty",
];

type Setting = readonly [key: string, value: string];

/** Override the repository's config, and keep the output independent of the user's (F177). */
const FIXED_SETTINGS: readonly Setting[] = [
  ["core.fsmonitor", "false"],
  ["core.hooksPath", "/dev/null"],
  // A directory that looks like a bare repository can lie anywhere in a clone.
  ["safe.bareRepository", "explicit"],
  // Runs `gpg.program`, `gpg.x509.program` or `gpg.ssh.program`, and prints before the format.
  ["log.showSignature", "false"],
  // Runs `git submodule summary`.
  ["status.submoduleSummary", "false"],
  ["diff.submodule", "short"],
  ["submodule.recurse", "false"],
  ["color.ui", "false"],
  ["log.showRoot", "true"],
  ["log.mailmap", "false"],
  ["diff.relative", "false"],
  ["diff.orderFile", "/dev/null"],
  ["i18n.logOutputEncoding", "UTF-8"],
];

/** Say where git is installed and which config is the user's. Every other GIT_* variable is left out. */
const KEPT_VARIABLES = new Set([
  "GIT_EXEC_PATH",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_CONFIG_NOSYSTEM",
  "GIT_CEILING_DIRECTORIES",
  "GIT_DISCOVERY_ACROSS_FILESYSTEM",
]);

/**
 * Returns the environment for git: the user's, without what a hook or another git leaves there, and with
 * the given settings on top of the fixed ones. The last setting of a key counts, so the user's own come
 * first.
 */
export function gitEnvironment(
  env: NodeJS.ProcessEnv,
  overrides: readonly Setting[] = [],
): NodeJS.ProcessEnv {
  const result: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("GIT_") || KEPT_VARIABLES.has(name)) result[name] = value;
  }
  const given = givenSettings(env);
  const settings = [...given, ...FIXED_SETTINGS, ...overrides];
  settings.forEach(([key, value], index) => {
    result[`GIT_CONFIG_KEY_${index}`] = key;
    result[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return {
    ...result,
    GIT_CONFIG_COUNT: String(settings.length),
    GIT_TERMINAL_PROMPT: "0",
    // A missing object of a partial clone is not fetched: the transport and its programs are the
    // repository's choice. Git before 2.45 knows only the list of allowed protocols.
    GIT_NO_LAZY_FETCH: "1",
    GIT_ALLOW_PROTOCOL: "",
    LC_ALL: "C",
  };
}

function givenSettings(env: NodeJS.ProcessEnv): readonly Setting[] {
  const count = Number(env["GIT_CONFIG_COUNT"] ?? 0);
  if (!Number.isInteger(count) || count < 0) return [];
  const settings: Setting[] = [];
  for (let index = 0; index < count; index += 1) {
    const key = env[`GIT_CONFIG_KEY_${index}`];
    const value = env[`GIT_CONFIG_VALUE_${index}`];
    if (key !== undefined && value !== undefined) settings.push([key, value]);
  }
  return settings;
}

/** One entry of `git config --list --show-scope`. */
export interface ConfigEntry {
  readonly scope: string;
  readonly key: string;
  readonly value: string;
}

/** Prints the config with the file class of each entry. Git older than 2.26 rejects it. */
export const LIST_CONFIG = ["config", "--list", "--null", "--show-scope"];

/** Parses the output of `LIST_CONFIG`: `scope NUL key LF value NUL`; a key alone means `true`. */
export function parseConfig(output: string): readonly ConfigEntry[] {
  const fields = output.split("\0");
  const entries: ConfigEntry[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [scope = "", entry = ""] = [fields[index], fields[index + 1]];
    const end = entry.indexOf("\n");
    entries.push(
      end === -1
        ? { scope, key: entry, value: "true" }
        : { scope, key: entry.slice(0, end), value: entry.slice(end + 1) },
    );
  }
  return entries;
}

/**
 * The settings that name a program under a name of the repository's choice: filters of gitattributes,
 * and the extensions of Git LFS, which is the user's own program but reads the repository's config.
 */
const NAMED_PROGRAM = /^(filter\..*\.(clean|smudge|process|required)|lfs\.extension\..*)$/s;

/**
 * Returns settings that put the user's own value, or none, in place of each program that the
 * repository's config names. The user's filters (Git LFS) keep working: they are in the user's config.
 */
export function programOverrides(entries: readonly ConfigEntry[]): readonly Setting[] {
  const own = new Map<string, string>();
  const replaced = new Set<string>();
  for (const { scope, key, value } of entries) {
    if (!NAMED_PROGRAM.test(key)) continue;
    if (scope === "local" || scope === "worktree") replaced.add(key);
    else own.set(key, value);
  }
  return [...replaced].map((key) => {
    const none = key.endsWith(".required") ? "false" : "";
    return [key, own.get(key) ?? none];
  });
}
