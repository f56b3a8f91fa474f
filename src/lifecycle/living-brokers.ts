import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";
import { decodeEpoch, epochPath, type EpochRecord } from "./epoch-file.ts";

/** The brokers that live, by their records. */
export interface LivingBrokers {
  /** Brokers, their app-servers, and programs that are starting a broker. */
  readonly processes: readonly ProcessIdentity[];
  readonly instances: ReadonlySet<string>;
}

const EPOCH_FILE = /^([1-9]\d{0,14})\.json$/;

/**
 * Reads the records of all scopes in the background. Such a process may have been started by a command
 * in the tree of another broker, and still belongs to its own.
 */
export class LivingRecords {
  /** The directory of all scopes. */
  readonly #directory: string;
  readonly #except: string;
  /** Files of brokers that have ended: their records do not change any more. */
  readonly #over = new Set<string>();

  /** @param except the instance of a broker that is left out. */
  constructor(scopeDir: string, except: string) {
    this.#directory = path.dirname(scopeDir);
    this.#except = except;
  }

  /** Files and directories that cannot be read are left out. */
  async find(): Promise<LivingBrokers> {
    const processes: ProcessIdentity[] = [];
    const instances = new Set<string>();
    for (const file of await this.#openFiles()) {
      const record = await readRecord(file);
      if (record === undefined) continue;
      if (record.state === "ended") this.#over.add(file);
      else if (record.state === "claimed") processes.push(record.claimant);
      else if (record.instance !== this.#except && livenessOf(record.broker) === "alive") {
        processes.push(record.broker, ...(record.appServer === null ? [] : [record.appServer]));
        instances.add(record.instance);
      }
    }
    return { processes: processes.filter((each) => livenessOf(each) === "alive"), instances };
  }

  /** One scope after the other, so that other work finds a free thread. */
  async #openFiles(): Promise<string[]> {
    const files: string[] = [];
    const found = new Set<string>();
    for (const key of await namesIn(this.#directory)) {
      const scopeDir = path.join(this.#directory, key);
      for (const name of await namesIn(scopeDir)) {
        const epoch = EPOCH_FILE.exec(name)?.[1];
        if (epoch === undefined) continue;
        const file = epochPath(scopeDir, Number(epoch));
        found.add(file);
        if (!this.#over.has(file)) files.push(file);
      }
    }
    for (const file of this.#over) if (!found.has(file)) this.#over.delete(file);
    return files;
  }
}

/** The processes of all brokers that live, but for one. */
export async function processesOfOtherBrokers(
  scopeDir: string,
  instance: string,
): Promise<readonly ProcessIdentity[]> {
  return (await new LivingRecords(scopeDir, instance).find()).processes;
}

async function readRecord(file: string): Promise<EpochRecord | undefined> {
  try {
    const reading = decodeEpoch(
      Number.parseInt(path.basename(file), 10),
      await readFile(file, "utf8"),
    );
    return reading.state === "read" ? reading.record : undefined;
  } catch {
    return undefined;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}
