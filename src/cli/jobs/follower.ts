import { monotonicMs } from "../../base/deadline.ts";
import { viewJob, type JobView } from "../../client/job-list.ts";
import { jobsDirectory } from "../../jobs/job-directory.ts";
import { JournalTail, type Numbered } from "./journal-tail.ts";
import { JournalWatch } from "./journal-watch.ts";

/** For a broker that dies without writing anything, and where changes are not reported. */
const ASK_EVERY_MS = 1_000;

export interface FollowOptions {
  /** The number of the first entry that is told. */
  readonly from: number;
  readonly tell: (entry: Numbered) => void;
  /** Called with what can be said of the job, at first and about once a second while it goes on. */
  readonly onLook?: (view: JobView) => Promise<void>;
}

/** Tells a job's journal from any entry on as it grows, to its end or to its broker's. */
export class Follower implements Disposable {
  readonly #scopeDir: string;
  readonly #id: string;
  readonly #options: FollowOptions;
  readonly #tail: JournalTail;
  readonly #changes: JournalWatch;
  readonly #itemsTold = new Set<unknown>();
  #ended = false;

  constructor({ scopeDir, id }: Pick<JobView, "scopeDir" | "id">, options: FollowOptions) {
    this.#scopeDir = scopeDir;
    this.#id = id;
    this.#options = options;
    this.#tail = new JournalTail(scopeDir, id);
    this.#changes = new JournalWatch(jobsDirectory(scopeDir));
  }

  /** Tells what was added since. */
  catchUp(): void {
    for (const numbered of this.#tail.read()) {
      const { told } = numbered;
      if (told.type === "item") this.#itemsTold.add(itemId(told.item));
      if (told.type === "ended") this.#ended = true;
      if (numbered.entry >= this.#options.from) this.#options.tell(numbered);
    }
  }

  /** Whether the item is complete, and so told by the journal or before the first entry wanted. */
  hasToldItem(id: unknown): boolean {
    return this.#itemsTold.has(id);
  }

  /** @returns how the job stands at its end; undefined when it is not there, or was given up. */
  async toTheEnd(signal?: AbortSignal): Promise<JobView | undefined> {
    signal?.addEventListener("abort", () => this.#changes.wake(), { once: true });
    for (;;) {
      const view = await viewJob(this.#scopeDir, this.#id);
      // Afterwards: what was written until it was looked at is all there then.
      this.catchUp();
      if (!goesOn(view)) return view;
      if (view !== undefined) await this.#options.onLook?.(view);
      const lookAgainAt = monotonicMs() + ASK_EVERY_MS;
      while (monotonicMs() < lookAgainAt && !this.#ended) {
        if (signal?.aborted === true) return undefined;
        await this.#changes.change(lookAgainAt - monotonicMs());
        this.catchUp();
      }
    }
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
  }
}

function goesOn(view: JobView | undefined): boolean {
  return view?.state === "running" || view?.state === "unconfirmed";
}

function itemId(item: unknown): unknown {
  return typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
}
