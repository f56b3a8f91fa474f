import { BrokerError, errnoOf } from "./errors.ts";

/** What the system gives out in limited amounts, by the errno with which it refuses more. */
const RESOURCES: Readonly<Record<string, string>> = {
  EMFILE: "open files, because this process has as many as it may have",
  ENFILE: "open files, because all processes together have as many as there may be",
  ENOMEM: "memory",
};

/** Returns the error of ours for an operation that a limit of the system refused, else undefined. */
export function systemLimitOf(thrown: unknown): BrokerError | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const errno = errnoOf(error) ?? "";
    const resource = RESOURCES[errno] ?? (isRefusedSpawn(error, errno) ? "processes" : undefined);
    if (resource === undefined) continue;
    return new BrokerError(
      "systemLimit",
      `The system grants no more ${resource} (${error.message}).`,
      { cause: thrown, details: { errno } },
    );
  }
  return undefined;
}

/** Elsewhere, EAGAIN means: try again. */
function isRefusedSpawn(error: Error, errno: string): boolean {
  return errno === "EAGAIN" && /^spawn\b/.test(error.message);
}
