import type { ProcessEntry } from "../os/kernel/kernel.ts";
import { familyOf, listProcesses, orphansOf, readProcess, stillRuns } from "../os/process-tree.ts";

/**
 * What the app-server has started, directly or not, remembered beyond the end of their parents.
 *
 * Shell calls lead a session of their own and MCP servers a process group of their own, so a signal to
 * the app-server's group reaches none of them, and once it has been killed nothing in the process
 * table leads from it to them. What was noted before can still be proven to be the same process.
 */
export class Descendants {
  readonly #root: ProcessEntry | undefined;
  #known: readonly ProcessEntry[] = [];

  /** `pid` must be a child of this process that has not been waited for. */
  constructor(pid: number | undefined) {
    this.#root = pid === undefined ? undefined : readProcess(pid);
  }

  /** False where the system does not tell who descends from whom: then nothing is ever known. */
  get supported(): boolean {
    return this.#root !== undefined;
  }

  /**
   * Looks again, and returns those that run now, each before its parent. Blocks for about 0.1 ms for
   * each process of the machine.
   */
  note(): readonly ProcessEntry[] {
    const root = this.#root;
    const self = readProcess(process.pid);
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
function isNotOlder(each: ProcessEntry, root: ProcessEntry): boolean {
  return BigInt(each.startTime) >= BigInt(root.startTime);
}
