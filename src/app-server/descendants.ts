import { readStat, type ProcStat } from "../os/proc-stat.ts";
import { familyOf, listProcesses, orphansOf, stillRuns } from "../os/process-tree.ts";

/**
 * What the app-server has started, directly or not, remembered beyond the end of their parents.
 *
 * Shell calls lead a session of their own and MCP servers a process group of their own, so a signal to
 * the app-server's group reaches none of them, and once it has been killed nothing in the process
 * table leads from it to them. What was noted before can still be proven to be the same process.
 */
export class Descendants {
  readonly #root: ProcStat | undefined;
  #known: readonly ProcStat[] = [];

  /** `pid` must be a child of this process that has not been waited for. */
  constructor(pid: number | undefined) {
    this.#root = pid === undefined ? undefined : readStat(pid);
  }

  /** False where the system has no `/proc`: then nothing is ever known. */
  get supported(): boolean {
    return this.#root !== undefined;
  }

  /**
   * Looks again, and returns those that run now, each before its parent. Blocks for about 0.1 ms for
   * each process of the machine.
   */
  note(): readonly ProcStat[] {
    const root = this.#root;
    const self = readStat(process.pid);
    const all = listProcesses();
    if (root === undefined || self === undefined || all === undefined) return [];
    const outer = new Set([root.session, self.session]);
    const orphans = orphansOf(self, all).filter((each) => isNotOlder(each, root));
    // Parents first, as `familyOf` turns the order round.
    const known = this.#known.filter(stillRuns).toReversed();
    const roots = [...(stillRuns(root) ? [root] : []), ...orphans, ...known];
    this.#known = familyOf(roots, outer, all).filter(
      ({ pid }) => pid !== root.pid && pid !== self.pid,
    );
    return this.#known;
  }
}

/** One that was there before the app-server is not its doing. */
function isNotOlder(each: ProcStat, root: ProcStat): boolean {
  return BigInt(each.startTicks) >= BigInt(root.startTicks);
}
