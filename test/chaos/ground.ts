import { readFileSync } from "node:fs";
import { appendFile, cp, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { connectBroker } from "../../src/index.ts";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { makeContact, type Introduction } from "../../src/lifecycle/contact.ts";
import {
  epochLogPath,
  epochPath,
  listEpochs,
  newestEpoch,
  readEpoch,
  type ServingRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../src/lifecycle/scope.ts";
import { removeIfThere } from "../../src/os/atomic-file.ts";
import { livenessOf, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

const ASKED_MS = 3_000;
const LOG_LINES = 12;

const introduction: Introduction = {
  clientInfo: { name: "chaos: asks what is wrong", title: null, version: "1" },
  capabilities: {},
  handlers: () => ({}),
};

const FAKE_APP_SERVER = "test/support/fake-app-server.mjs";

/** The world in which it all happens, and what can be done to it. */
export class Ground implements AsyncDisposable {
  readonly world: World;
  readonly scope: Scope;
  readonly codex: string;
  readonly #dir: TempDir;

  private constructor(world: World, codex: string, dir: TempDir) {
    this.world = world;
    this.codex = codex;
    this.#dir = dir;
    this.scope = resolveScope({ cwd: world.workspace, env: world.env });
  }

  /** With a codex of its own, that it may touch. */
  static async make(kind: "real" | "fake", root: string): Promise<Ground> {
    const dir = await makeTempDir();
    const source = kind === "real" ? realCodex().native : join(root, FAKE_APP_SERVER);
    const codex = join(dir.path, kind === "real" ? "codex" : "fake-app-server.mjs");
    await cp(source, codex);
    if (kind === "fake") {
      const parts = join(dirname(source), "fake-app-server");
      await cp(parts, join(dir.path, "fake-app-server"), { recursive: true });
    }
    const config = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;
    return new Ground(
      await makeWorld({
        codex,
        config,
        // Replacing brokers, faster than anybody would, is what this is for.
        env: { CODEX_BROKER_MAX_REPLACEMENTS: "0" },
      }),
      codex,
      dir,
    );
  }

  /** The newest broker, if it lives. */
  broker(): ServingRecord | undefined {
    const reading = newestEpoch(this.scope.directory);
    if (reading?.state !== "read" || reading.record.state !== "serving") return undefined;
    return livenessOf(reading.record.broker) === "alive" ? reading.record : undefined;
  }

  living(): ServingRecord[] {
    return livingBrokers(this.world.stateDir);
  }

  async rotate(): Promise<void> {
    const { workspace: cwd, env } = this.world;
    const client = await connectBroker({ cwd, env, replace: true });
    client.close();
  }

  async editConfig(number: number): Promise<void> {
    await appendFile(this.world.home.configFile, `\n[unused.edit${number}]\n`);
  }

  async replaceCodex(): Promise<void> {
    const now = new Date();
    await utimes(this.codex, now, now);
  }

  removeCurrent(): void {
    const current = this.broker()?.current;
    if (current !== undefined && current !== null) removeIfThere(current);
  }

  removeSocket(): void {
    const broker = this.broker();
    if (broker !== undefined) removeIfThere(broker.endpoint);
  }

  removeRecord(): void {
    const [newest] = listEpochs(this.scope.directory);
    if (newest !== undefined) removeIfThere(epochPath(this.scope.directory, newest));
  }

  /** @returns whether it was there to be signalled. */
  signal(process_: ProcessIdentity | null | undefined, name: NodeJS.Signals): boolean {
    if (process_ === null || process_ === undefined) return false;
    if (livenessOf(process_) !== "alive") return false;
    try {
      process.kill(process_.pid, name);
      return true;
    } catch {
      // It has ended in this very moment.
      return false;
    }
  }

  /** Waits until one broker is left at most, besides those that still drain. */
  async comesToRest(withinMs: number): Promise<readonly ServingRecord[]> {
    const deadline = Deadline.after(withinMs);
    for (;;) {
      const living = this.living();
      if (living.length <= 1 || deadline.expired) return living;
      await pause(50);
    }
  }

  /** How each broker ended, as far as that is still kept. */
  obituaries(): string[] {
    const { directory } = this.scope;
    return listEpochs(directory).flatMap((epoch) => {
      const reading = readEpoch(directory, epoch);
      if (reading?.state !== "read" || reading.record.state !== "ended") return [];
      const { at, reason, startedAt } = reading.record;
      return [`epoch ${epoch}, ${startedAt ?? "never served"} to ${at}: ${reason}`];
    });
  }

  /** What a broker that should have gone says of itself, and what it has written last. */
  async portray(record: ServingRecord): Promise<string> {
    const { contact, link } = await makeContact(record, introduction, Deadline.after(ASKED_MS));
    const status = await link?.connection
      .request("broker/status", {}, { deadline: Deadline.after(ASKED_MS) })
      .catch(String);
    link?.connection.close();
    const log = readFileSync(epochLogPath(this.scope.directory, record.epoch), "utf8");
    const lines = log.trimEnd().split("\n").slice(-LOG_LINES).join("\n");
    const said = JSON.stringify(status ?? contact);
    return `epoch ${record.epoch}, process ${record.broker.pid}: ${said}\n${lines}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.#dir.remove();
  }
}
