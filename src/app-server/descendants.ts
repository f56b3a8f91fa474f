import type { ProcessEntry } from "../os/kernel/kernel.ts";
import { marksOfProcesses } from "../os/process-mark.ts";
import {
  familyOf,
  familyOfIdentities,
  listProcesses,
  orphansOf,
  readProcess,
  stillRuns,
} from "../os/process-tree.ts";
import type { LivingBrokers, Ownership } from "./ownership.ts";

const NO_BROKERS: LivingBrokers = { processes: [], instances: new Set() };

/**
 * Tracks what the app-server has started, directly or not, beyond the end of their parents.
 *
 * Shell calls lead a session of their own and MCP servers a process group of their own, so a signal to
 * the app-server's group reaches none of them, and once it has been killed nothing in the process
 * table leads from it to them. What was noted before can still be proven to be the same process. What
 * was too young to be noted has the mark of the broker in its environment.
 *
 * A broker that a command has started is no descendant, nor is anything below it: its own record, and
 * the mark in the environment of its descendants, say whose they are.
 */
export class Descendants {
  readonly #root: ProcessEntry | undefined;
  readonly #ownership: Ownership | undefined;
  #living = NO_BROKERS;
  #known: readonly ProcessEntry[] = [];
  /** Everything that was below the app-server at the last look. */
  #seen: ReadonlySet<string> = new Set();
  #refreshing: Promise<void> | undefined;

  /** `pid` must be a child of this process that has not been waited for. */
  constructor(pid: number | undefined, ownership?: Ownership) {
    this.#root = pid === undefined ? undefined : readProcess(pid);
    this.#ownership = ownership;
  }

  /** False where the system does not tell who descends from whom: then nothing is ever known. */
  get supported(): boolean {
    return this.#root !== undefined;
  }

  /**
   * Looks again, and returns those that run now, each before its parent. Blocks for about 0.1 ms for
   * each process of the machine. What belongs to a broker that was started since the last refresh may
   * be among them; new processes lead to a refresh.
   */
  note(): readonly ProcessEntry[] {
    const found = this.#find(listProcesses() ?? []);
    const seen = new Set(found.map(keyOf));
    const hasNew = found.some((each) => !this.#seen.has(keyOf(each)));
    this.#seen = seen;
    if (hasNew) void this.refresh();
    return this.#known;
  }

  /** Reads anew which brokers live. Never rejects: what cannot be read leaves what was known. */
  async refresh(): Promise<void> {
    const { findLiving } = this.#ownership ?? {};
    if (findLiving === undefined) return;
    this.#refreshing ??= findLiving()
      .then(
        (living) => {
          this.#living = living;
          this.#find(listProcesses() ?? []);
        },
        () => {},
      )
      .finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /** Finds all that is left of them, the youngest included. For the end of the app-server. */
  async findAll(): Promise<readonly ProcessEntry[]> {
    const root = this.#root;
    if (root === undefined) return [];
    // One that is under way may have begun before the youngest broker had its record.
    await this.#refreshing;
    await this.refresh();
    const candidates = (listProcesses() ?? []).filter(
      (each) => each.pid !== root.pid && each.pid !== process.pid && isNotOlder(each, root),
    );
    const marks = await marksOfProcesses(candidates);
    const marked = candidates.filter((each) => marks.get(each) === this.#ownership?.instance);
    this.#find(
      listProcesses() ?? [],
      this.#ownership === undefined ? [] : marked.filter(stillRuns),
    );
    const others = new Set(
      candidates.filter((each) => this.#living.instances.has(marks.get(each) ?? "")).map(keyOf),
    );
    this.#known = this.#known.filter((each) => !others.has(keyOf(each)));
    return this.#known;
  }

  /** @returns all below the app-server; those that are its own are known from now on. */
  #find(all: readonly ProcessEntry[], more: readonly ProcessEntry[] = []): readonly ProcessEntry[] {
    const root = this.#root;
    const self = readProcess(process.pid);
    if (root === undefined || self === undefined) return [];
    const outer = new Set([root.session, self.session]);
    const orphans = orphansOf(self, all).filter((each) => isNotOlder(each, root));
    // Parents first, as `familyOf` turns the order round.
    const known = this.#known.filter(stillRuns).toReversed();
    const roots = [...(stillRuns(root) ? [root] : []), ...orphans, ...known, ...more];
    const found = familyOf(roots, outer, all).filter(
      ({ pid }) => pid !== root.pid && pid !== self.pid,
    );
    const others = familyOfIdentities(this.#living.processes, all);
    this.#known = found.filter((each) => !others.has(each.pid));
    return found;
  }
}

/** One that was there before the app-server is not its doing. */
function isNotOlder(each: ProcessEntry, root: ProcessEntry): boolean {
  return BigInt(each.startTime) >= BigInt(root.startTime);
}

function keyOf({ pid, startTime }: ProcessEntry): string {
  return `${pid} ${startTime}`;
}
