import { readdirSync } from "node:fs";
import { type ProcStat, readStat } from "./proc-stat.ts";

/**
 * Every process that still runs and may be read, or undefined where the system has no `/proc`. Takes
 * about 0.1 ms for each, and blocks.
 */
export function listProcesses(): readonly ProcStat[] | undefined {
  const found = processNames()
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  return found.length === 0 ? undefined : found.filter(isRunning);
}

function processNames(): readonly string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

/** Not so for a zombie, which has ended and only waits to be asked how. */
export function isRunning({ state }: ProcStat): boolean {
  return state !== "Z" && state !== "X";
}

/** Whether the very process that `then` describes still runs. */
export function stillRuns(then: ProcStat): boolean {
  const now = readStat(then.pid);
  return now !== undefined && now.startTicks === then.startTicks && isRunning(now);
}

/**
 * The members of `roots` and all that descends from them, each before its parent.
 *
 * A child whose parent has ended is no longer anybody's descendant, but it still is in the session of
 * its parent. So the members of a session that began below a root count as well: one is born into a
 * session and enters it in no other way. The sessions in `outer` began above the roots and prove
 * nothing, nor does 0, which stands for every session of another pid namespace.
 */
export function familyOf(
  roots: readonly ProcStat[],
  outer: ReadonlySet<number>,
  all: readonly ProcStat[],
): readonly ProcStat[] {
  const byParent = groupBy(all, ({ ppid }) => ppid);
  const bySession = groupBy(all, ({ session }) => session);
  const found = new Map(roots.map((root) => [root.pid, root]));
  // A Map is walked in the order of insertion and sees what is added meanwhile.
  for (const { pid, session } of found.values()) {
    const inSession = session === 0 || outer.has(session) ? [] : (bySession.get(session) ?? []);
    for (const each of [...(byParent.get(pid) ?? []), ...inSession]) {
      if (!found.has(each.pid)) found.set(each.pid, each);
    }
  }
  return [...found.values()].toReversed();
}

/**
 * The members of the session that `leader` leads whose parent has ended. They all descend from the
 * leader, for the reason given above.
 */
export function orphansOf(leader: ProcStat, all: readonly ProcStat[]): readonly ProcStat[] {
  if (leader.session !== leader.pid) return [];
  const members = all.filter(({ session }) => session === leader.pid);
  const pids = new Set(members.map(({ pid }) => pid));
  return members.filter(({ pid, ppid }) => pid !== leader.pid && !pids.has(ppid));
}

function groupBy(
  all: readonly ProcStat[],
  keyOf: (stat: ProcStat) => number,
): ReadonlyMap<number, readonly ProcStat[]> {
  const groups = new Map<number, ProcStat[]>();
  for (const stat of all) {
    const key = keyOf(stat);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [stat]);
    else group.push(stat);
  }
  return groups;
}
