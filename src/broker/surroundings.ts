import { UNREAD_SETTINGS } from "../lifecycle/codex-settings.ts";
import { readCircumstances, type Circumstances } from "../lifecycle/drift.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { StartOrder } from "../lifecycle/start-protocol.ts";
import { FileLane } from "../os/file-lane.ts";
import { UNKNOWN_FINGERPRINT } from "../os/fingerprint.ts";
import { CodexVersionWatch } from "./codex-version-watch.ts";
import { DriftWatch } from "./drift-watch.ts";
import { GroundWatch, type Loss } from "./ground.ts";
import { writerOf, type ThreadWriter } from "./thread-writer.ts";
import { WorkspaceWatch } from "./workspace-watch.ts";

/** Within the limit of a claim. */
const CIRCUMSTANCES_MS = 3_000;

export interface SurroundingsEvents {
  readonly onLost: (loss: Loss) => void;
  /** Called at every look at which nothing is lost. */
  readonly onHeld: () => void;
  /** Called once for each change that has settled. */
  readonly onDrift: (reason: string) => void;
  /** Whether the app-server opens a thread now. */
  readonly opensThread: () => boolean;
}

/**
 * Watches the files that a broker depends on: its record and its socket, the workspace, and what
 * Codex was started with. Only the first two lie in directories of this program. The others may be on
 * a remote disk, so nothing waits for them without a bound.
 */
export class Surroundings {
  readonly #order: StartOrder;
  /** For the binary and the directory of Codex. */
  readonly #codexFiles = new FileLane();
  #ground: GroundWatch | undefined;
  #workspace: WorkspaceWatch | undefined;
  #drift: DriftWatch | undefined;
  #version: CodexVersionWatch | undefined;
  #closed = false;

  constructor(order: StartOrder) {
    this.#order = order;
  }

  /** A disk that does not answer in time leaves them unknown, which is no reason to replace a broker. */
  async circumstances(): Promise<Circumstances> {
    const { scope } = this.#order;
    const read = await this.#codexFiles.run(() => readCircumstances(scope), CIRCUMSTANCES_MS);
    return read ?? { fingerprint: UNKNOWN_FINGERPRINT, settings: UNREAD_SETTINGS };
  }

  async writerOf(threadId: string): Promise<ThreadWriter | undefined> {
    const { scope, claim } = this.#order;
    return await writerOf(scope, claim.epoch, threadId, this.#codexFiles);
  }

  /** Returns what has changed since the start, as far as that is known within the time. */
  async drift(withinMs: number): Promise<string | undefined> {
    return this.#version?.reason ?? (await this.#drift?.reason(withinMs));
  }

  /** The app-server has started, and the version that codex reports now is its version. */
  started(): void {
    if (!this.#closed) void this.#version?.begin();
  }

  /** The app-server has opened a thread. */
  threadOpened(): void {
    this.#drift?.threadOpened();
  }

  /** Looks at once, and from now on regularly. */
  watch(record: ServingRecord, { onLost, onHeld, onDrift, opensThread }: SurroundingsEvents): void {
    const { scope, claim } = this.#order;
    const drift = new DriftWatch({
      before: record,
      lane: this.#codexFiles,
      opensThread,
      onDrift: (reason) => {
        if (!this.#closed) onDrift(reason);
      },
    });
    this.#drift = drift;
    this.#version = new CodexVersionWatch(record.codex, onDrift);
    this.#workspace = new WorkspaceWatch(scope.workspace, () =>
      onLost({ reason: "the workspace is gone", reconnect: false }),
    );
    this.#ground = new GroundWatch(
      {
        scopeDir: scope.directory,
        epoch: claim.epoch,
        token: claim.token,
        socket: process.platform === "win32" ? null : record.endpoint,
      },
      onLost,
      () => {
        onHeld();
        void drift.look();
      },
    );
    void this.#workspace.look();
    this.#ground.look();
  }

  close(): void {
    this.#closed = true;
    this.#ground?.close();
    this.#version?.close();
    this.#workspace?.close();
  }
}
