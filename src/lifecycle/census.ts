import { readdirSync } from "node:fs";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";
import { unusable } from "../os/private-directory.ts";
import { livenessOf, type Liveness } from "../os/process-identity.ts";
import { listEpochs, readEpoch, type EpochReading, type ServingRecord } from "./epoch-file.ts";
import { forgottenSince, type Forgotten } from "./sign-of-life.ts";
import { formatDirectory } from "./state-directory.ts";

/** One scope that has ever had a broker here. */
export interface ScopeCensus {
  /** Hash of the scope; names its directory. */
  readonly key: string;
  readonly directory: string;
  /** The newest epoch first. */
  readonly epochs: readonly EpochReading[];
  /** Brokers that hold an epoch and are not proven gone, the newest first. */
  readonly brokers: readonly Counted[];
}

export interface Counted {
  readonly record: ServingRecord;
  readonly liveness: Exclude<Liveness, "gone">;
  /** Present where it is listed no longer, unless it answers. */
  readonly forgotten?: Forgotten;
}

/**
 * Every scope of this user, from the files alone: nobody is asked and nothing is changed.
 *
 * @throws BrokerError `stateDirUnusable` when the directory is there but cannot be read.
 */
export function takeCensus(stateDir: string): ScopeCensus[] {
  return listScopes(stateDir).map(({ key, directory }) => censusOf(key, directory));
}

/** @throws BrokerError `stateDirUnusable`. */
export function listScopes(stateDir: string): Array<Pick<ScopeCensus, "key" | "directory">> {
  const format = formatDirectory(stateDir);
  return namesIn(format).map((key) => ({ key, directory: path.join(format, key) }));
}

/** One scope, by its key and its directory. */
export function censusOf(key: string, directory: string): ScopeCensus {
  const epochs = listEpochs(directory).flatMap((epoch) => readEpoch(directory, epoch) ?? []);
  return {
    key,
    directory,
    epochs,
    brokers: epochs.flatMap((reading) => brokerIn(directory, reading)),
  };
}

function brokerIn(directory: string, reading: EpochReading): Counted[] {
  if (reading.state !== "read" || reading.record.state !== "serving") return [];
  const liveness = livenessOf(reading.record.broker);
  if (liveness === "gone") return [];
  const forgotten = forgottenSince(directory, reading.record);
  return [{ record: reading.record, liveness, ...(forgotten === undefined ? {} : { forgotten }) }];
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^[0-9a-f]{32}$/.test(name));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw unusable(directory, cause);
  }
}
