import type { ProcessEntry } from "./kernel/kernel.ts";
import { livenessIn, type ProcessIdentity } from "./process-identity.ts";
import { thisKernel } from "./kernel/this-kernel.ts";

/** Who has this pid now, a zombie included. Undefined when nobody has, or when it may not be known. */
export function readProcess(pid: number): ProcessEntry | undefined {
  return thisKernel().read(pid);
}

/** Every process that still runs and may be read, or undefined where the system does not tell. Blocks. */
export function listProcesses(): readonly ProcessEntry[] | undefined {
  return thisKernel().list();
}

/** Whether the very process that `then` describes still runs. */
export function stillRuns(then: ProcessEntry): boolean {
  const now = readProcess(then.pid);
  return now !== undefined && now.startTime === then.startTime && !now.ended;
}

/**
 * The members of `roots` and all that descends from them, each before its parent.
 *
 * A child whose parent has ended is no longer anybody's descendant, but it still is in the session of
 * its parent. So the members of a session that began below a root count as well: one is born into a
 * session and enters it in no other way. The sessions in `outer` began above the roots and prove
 * nothing, nor does 0, which stands for every session of another pid namespace, and on Windows for all.
 */
export function familyOf(
  roots: readonly ProcessEntry[],
  outer: ReadonlySet<number>,
  all: readonly ProcessEntry[],
): readonly ProcessEntry[] {
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
export function orphansOf(
  leader: ProcessEntry,
  all: readonly ProcessEntry[],
): readonly ProcessEntry[] {
  if (leader.session !== leader.pid) return [];
  const members = all.filter(({ session }) => session === leader.pid);
  const pids = new Set(members.map(({ pid }) => pid));
  return members.filter(({ pid, ppid }) => pid !== leader.pid && !pids.has(ppid));
}

/**
 * The pids of the very processes that the identities name, and of all that descends from them. A
 * session counts only when one of these processes leads it.
 */
export function familyOfIdentities(
  identities: readonly ProcessIdentity[],
  all: readonly ProcessEntry[],
): ReadonlySet<number> {
  const named = new Map(identities.map((each) => [each.pid, each]));
  const roots = all.filter((each) => {
    const identity = named.get(each.pid);
    return identity !== undefined && livenessIn(identity, () => each) === "alive";
  });
  const pids = new Set(roots.map(({ pid }) => pid));
  const outer = new Set(roots.map(({ session }) => session).filter((each) => !pids.has(each)));
  return new Set(familyOf(roots, outer, all).map(({ pid }) => pid));
}

function groupBy(
  all: readonly ProcessEntry[],
  keyOf: (entry: ProcessEntry) => number,
): ReadonlyMap<number, readonly ProcessEntry[]> {
  const groups = new Map<number, ProcessEntry[]>();
  for (const entry of all) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups;
}
