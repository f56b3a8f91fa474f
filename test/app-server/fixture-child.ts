import { fileURLToPath } from "node:url";
import { AppServerChild, type SpawnOptions } from "../../src/app-server/child.ts";
import { pause } from "../../src/base/deadline.ts";
import { at, type Json } from "../support/json.ts";

export interface FixtureChild {
  readonly child: AppServerChild;
  /** The lines so far. */
  readonly lines: readonly string[];
  /** Resolves when a message that fits has come, at once if it already has. */
  seen(fits: (message: Json) => boolean): Promise<Json>;
}

/** Starts a program of `test/fixtures/app-server` the way in which codex is started. */
export function spawnFixture(
  name: string,
  args: readonly string[] = [],
  options: Partial<SpawnOptions> = {},
): FixtureChild {
  const program = fileURLToPath(new URL(`../fixtures/app-server/${name}`, import.meta.url));
  return spawnLines({ codex: process.execPath, args: [program, ...args], ...options });
}

/** Starts any program, and collects its lines. */
export function spawnLines(
  options: Partial<SpawnOptions> & { readonly codex: string },
): FixtureChild {
  const lines: string[] = [];
  const child = AppServerChild.spawn({
    env: process.env,
    cwd: "/",
    maxLineBytes: 2 ** 20,
    ...options,
    onLine: (line) => void lines.push(line.toString("utf8")),
  });
  const seen = async (fits: (message: Json) => boolean): Promise<Json> => {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 10) {
      const found = lines.map((line) => JSON.parse(line) as Json).find((message) => fits(message));
      if (found !== undefined) return found;
      await pause(10);
    }
    throw new Error(`nothing that fits among:\n${lines.join("\n")}`);
  };
  return { child, lines, seen };
}

/** The pid that a part of `parent.mjs` reported. */
export async function pidOf(family: FixtureChild, role: string): Promise<number> {
  return Number(at(await family.seen((message) => at(message, "role") === role), "pid"));
}
