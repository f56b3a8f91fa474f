import type { AppServerChild } from "../app-server/child.ts";
import { startAppServer, type StartedAppServer } from "../app-server/start.ts";
import { stopAppServer } from "../app-server/stop-ladder.ts";
import type { BrokerError } from "../base/errors.ts";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { readSettingsFiles, settingsIn, type CodexSettings } from "../lifecycle/codex-settings.ts";
import type { Scope } from "../lifecycle/scope.ts";
import { fingerprintOf } from "../os/fingerprint.ts";
import { neutralDirectory } from "../os/neutral-directory.ts";
import { MAX_LINE_BYTES } from "../wire/broker-protocol.ts";

/** A cold start under heavy load, the retries on a locked database included. */
const START_LIMIT_MS = 45_000;
/** What goes on to a client may get a longer id on the way, and has to fit there too. */
const MAX_ANSWER_BYTES = MAX_LINE_BYTES - 1024;

export interface AppServerHearer {
  readonly onLine: (line: Buffer) => void;
  readonly onOversized: (head: Buffer, limitBytes: number) => boolean;
  readonly onFault: (fault: BrokerError) => void;
}

/**
 * An app-server on its way. Nothing takes longer at the start of a broker, so it is begun before there
 * is a broker; that one listens and makes itself known meanwhile.
 */
export class AppServerStart {
  /** What it has read or will, as it was before: what changes from here on is a change. */
  readonly fingerprint: string;
  readonly settings: CodexSettings;
  readonly #startedAt = monotonicMs();
  readonly #stopped = new AbortController();
  readonly #started: Promise<StartedAppServer>;
  #child: AppServerChild | undefined;
  #hearer: AppServerHearer | undefined;

  constructor(scope: Scope) {
    this.fingerprint = fingerprintOf(scope.codex) ?? "unknown";
    const files = readSettingsFiles(scope.codexHome);
    this.#started = startAppServer({
      codex: scope.codex,
      cwd: neutralDirectory(),
      env: process.env,
      maxLineBytes: MAX_ANSWER_BYTES,
      deadline: Deadline.after(START_LIMIT_MS),
      signal: this.#stopped.signal,
      onSpawned: (child) => (this.#child = child),
      onLine: (line) => this.#hearer?.onLine(line),
      onOversized: (head, limitBytes) => this.#hearer?.onOversized(head, limitBytes) ?? false,
      onFault: (fault) => this.#hearer?.onFault(fault),
    });
    this.#started.catch(() => {});
    this.settings = settingsIn(files);
  }

  /** The latest that was started, whether it has answered or not. */
  get child(): AppServerChild | undefined {
    return this.#child;
  }

  get forMs(): number {
    return monotonicMs() - this.#startedAt;
  }

  /** @throws BrokerError as `startAppServer` does. */
  get started(): Promise<StartedAppServer> {
    return this.#started;
  }

  /** Who hears what it says. To be called before the event loop turns. */
  hear(hearer: AppServerHearer): void {
    this.#hearer = hearer;
  }

  /** For a broker that cannot serve after all. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    if (this.#child !== undefined) await stopAppServer(this.#child);
  }
}
