import { stat } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { FileLane } from "../os/file-lane.ts";

const LOOK_EVERY_MS = 2_000;

/**
 * Detects that the workspace was removed. Its disk may be remote: a look that gets no answer proves
 * nothing, and no other look begins before it has settled.
 */
export class WorkspaceWatch {
  readonly #workspace: string;
  readonly #onGone: () => void;
  readonly #lane = new FileLane();
  readonly #timer: NodeJS.Timeout;
  #silent = false;
  #closed = false;

  constructor(workspace: string, onGone: () => void) {
    this.#workspace = workspace;
    this.#onGone = onGone;
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  async look(): Promise<void> {
    if (this.#lane.busy) return this.#noteSilence();
    let gone: boolean | undefined;
    try {
      gone = await this.#lane.run(() => isGone(this.#workspace), LOOK_EVERY_MS);
    } catch (error) {
      trace("info", "workspace.unseen", { error: String(error) });
    }
    this.#silent &&= gone === undefined;
    if (gone !== true || this.#closed) return;
    this.close();
    this.#onGone();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #noteSilence(): void {
    if (this.#silent) return;
    this.#silent = true;
    trace("warn", "workspace.silent", { workspace: this.#workspace });
  }
}

async function isGone(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return true;
    throw error;
  }
}
