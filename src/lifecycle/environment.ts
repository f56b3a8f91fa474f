import {
  ENVIRONMENT_TABLE,
  SIGNS,
  type Circumstance,
  type EnvironmentRule,
} from "./environment-table.ts";

export type Variables = ReadonlyArray<readonly [name: string, value: string]>;

/** What a broker is started with, and what only its app-server gets. */
export interface Inheritance {
  readonly broker: NodeJS.ProcessEnv;
  readonly restored: Readonly<Record<string, string>>;
}

/** Returns the rule for each variable that is set. */
function rulesFor(env: NodeJS.ProcessEnv): Map<string, EnvironmentRule> {
  const ruleOf = ruleFinder(circumstancesOf(env));
  const names = Object.keys(env).filter((name) => env[name] !== undefined);
  return new Map(names.map((name) => [name, ruleOf(comparable(name))]));
}

/** Returns the variables that decide who shares a broker. @param named names from Codex's configuration. */
export function decisiveEnvironment(
  env: NodeJS.ProcessEnv,
  named: ReadonlySet<string> = new Set(),
): Variables {
  const decisive: Array<readonly [string, string]> = [];
  for (const [name, rule] of rulesFor(env)) {
    // Its real path is in the key.
    if (comparable(name) === "CODEX_HOME") continue;
    if (rule === "key" || (named.has(name) && rule !== "cleaned")) {
      decisive.push([name, env[name] ?? ""]);
    }
  }
  return decisive.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

export function inheritanceFrom(env: NodeJS.ProcessEnv): Inheritance {
  const broker: NodeJS.ProcessEnv = {};
  const restored: Record<string, string> = {};
  for (const [name, rule] of rulesFor(env)) {
    if (rule === "cleaned") continue;
    (rule === "restored" ? restored : broker)[name] = env[name] ?? "";
  }
  return { broker, restored };
}

function circumstancesOf(env: NodeJS.ProcessEnv): ReadonlySet<Circumstance> {
  const set = new Set(Object.keys(env).map(comparable));
  const all = Object.entries(SIGNS) as Array<[Circumstance, readonly string[]]>;
  const present = all.filter(([, signs]) => signs.some((name) => set.has(comparable(name))));
  return new Set(present.map(([circumstance]) => circumstance));
}

/** Of two rows with one name, the later one counts: it is about a circumstance. */
function ruleFinder(circumstances: ReadonlySet<Circumstance>): (name: string) => EnvironmentRule {
  const exact = new Map<string, EnvironmentRule>();
  const prefixes = new Map<string, EnvironmentRule>();
  for (const { names, rule, only } of ENVIRONMENT_TABLE) {
    if (only !== undefined && !circumstances.has(only)) continue;
    for (const name of names.map(comparable)) {
      if (name.endsWith("*")) prefixes.set(name.slice(0, -1), rule);
      else exact.set(name, rule);
    }
  }
  const longestFirst = [...prefixes].toSorted(([a], [b]) => b.length - a.length);
  return (name) =>
    exact.get(name) ?? longestFirst.find(([prefix]) => name.startsWith(prefix))?.[1] ?? "passed";
}

/** Windows ignores the case of names. */
function comparable(name: string): string {
  return process.platform === "win32" ? name.toUpperCase() : name;
}
