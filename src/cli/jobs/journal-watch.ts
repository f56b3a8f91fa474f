import { watch, type FSWatcher } from "node:fs";
import { pause } from "../../base/deadline.ts";
import { trace } from "../../base/trace.ts";

/** Says when something has been written in a directory. Where changes are not reported, time has to do. */
export class JournalWatch implements Disposable {
  readonly #watcher: FSWatcher | undefined;
  #wake = new AbortController();

  constructor(directory: string) {
    this.#watcher = tryToWatch(directory, () => this.wake());
  }

  /** Something has happened that the directory does not show. */
  wake(): void {
    this.#wake.abort();
  }

  /** Until something has happened since the last call, or the time is up. */
  async change(withinMs: number): Promise<void> {
    await pause(withinMs, this.#wake.signal);
    this.#wake = new AbortController();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}

function tryToWatch(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onChange);
    watcher.on("error", (error) => trace("info", "jobs.unwatched", { error: String(error) }));
    return watcher;
  } catch (error) {
    trace("info", "jobs.unwatched", { error: String(error) });
    return undefined;
  }
}
