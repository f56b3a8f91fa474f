import { randomBytes } from "node:crypto";
import type { AppServerExit } from "../app-server/child.ts";
import { BrokerError, textDetail } from "../base/errors.ts";
import type { Figures } from "../base/figures.ts";
import { trace } from "../base/trace.ts";
import { BROKER_BUILD, BROKER_VERSION } from "../base/version.ts";
import type { Circumstances } from "../lifecycle/drift.ts";
import {
  epochPath,
  holdsEpoch,
  publishEpoch,
  type EndedRecord,
  type ServingRecord,
} from "../lifecycle/epoch-file.ts";
import type { StartOrder } from "../lifecycle/start-protocol.ts";
import type { Endpoint } from "../os/endpoint.ts";
import { identityOf, ownIdentity } from "../os/process-identity.ts";
import type { Ending } from "./ending.ts";

/** How it came to its end, as far as that is known. */
export interface End extends Ending {
  /** Of the app-server. */
  readonly exit?: AppServerExit | undefined;
  /** Whether its app-server ever answered. */
  readonly served: boolean;
  readonly figures: Figures;
}

/** What this broker says in the file of its epoch: that it serves, by which app-server, why it ended. */
export class OwnRecord {
  readonly instance = randomBytes(16).toString("hex");
  readonly startedAt = new Date().toISOString();
  readonly path: string;
  readonly #order: StartOrder;
  #serving: ServingRecord | undefined;
  #buried = false;

  constructor(order: StartOrder) {
    this.#order = order;
    this.path = epochPath(order.scope.directory, order.claim.epoch);
  }

  /** @throws BrokerError when the epoch was lost meanwhile, or cannot be written to. */
  publishServing({ address, current }: Endpoint, circumstances: Circumstances): ServingRecord {
    const { claim, scope } = this.#order;
    if (!this.#holds()) {
      throw new BrokerError(
        "brokerStartFailed",
        `Epoch ${claim.epoch} was lost before the broker listened.`,
      );
    }
    const record: ServingRecord = {
      ...claim,
      state: "serving",
      instance: this.instance,
      broker: ownIdentity(),
      appServer: null,
      endpoint: address,
      current,
      startedAt: this.startedAt,
      workspace: scope.workspace,
      codex: scope.codex,
      codexHome: scope.codexHome,
      label: scope.label,
      place: scope.place,
      private: scope.private,
      environment: scope.environment,
      ...circumstances,
      versions: { broker: BROKER_VERSION, build: BROKER_BUILD, node: process.versions.node },
    };
    publishEpoch(scope.directory, record);
    this.#serving = record;
    return record;
  }

  /** Should this process die, its successor can prove which app-server was its own. */
  publishAppServer(pid: number | undefined): void {
    if (this.#serving === undefined || pid === undefined || !this.#holds()) return;
    const record = { ...this.#serving, appServer: identityOf(pid) };
    try {
      publishEpoch(this.#order.scope.directory, record);
      this.#serving = record;
    } catch (error) {
      // A full disk is no reason to end a broker that works.
      trace("warn", "broker.appServerNotRecorded", { error: String(error) });
    }
  }

  /** Once: what was written first knows the cause. */
  publishObituary(end: End): void {
    if (this.#buried || !this.#holds()) return;
    this.#buried = true;
    try {
      publishEpoch(this.#order.scope.directory, this.obituary(end));
    } catch (thrown) {
      trace("error", "broker.noObituary", { file: this.path, error: String(thrown) });
    }
  }

  obituary({ reason, error, exit, served, wear, figures }: End): EndedRecord {
    return {
      ...(this.#serving ?? this.#order.claim),
      state: "ended",
      reason,
      at: new Date().toISOString(),
      abnormal: error !== undefined,
      exit: exit === undefined ? null : { code: exit.code, signal: exit.signal },
      error: served ? null : (error?.toJSON() ?? null),
      stderrTail: exit?.stderrTail ?? textDetail(error, "stderrTail"),
      ...(wear === undefined ? {} : { wear }),
      figures,
    };
  }

  #holds(): boolean {
    const { claim, scope } = this.#order;
    return holdsEpoch(scope.directory, claim.epoch, claim.token);
  }
}
