import { EXIT, type ExitCode } from "../../base/errors.ts";
import { jobsDirectory } from "../../jobs/job-directory.ts";
import { removeOldJobs, setDamagedAside } from "../../jobs/retention.ts";
import { olderBrokers } from "../../lifecycle/older-brokers.ts";
import { counted } from "../output/amounts.ts";
import { out } from "../output/output.ts";

/** Removes what has ended, and nothing that may still run. */
export async function cleanJobs(scopeDirs: readonly string[], json: boolean): Promise<ExitCode> {
  const now = Date.now();
  const removed: string[] = [];
  const setAside: string[] = [];
  for (const scopeDir of scopeDirs) {
    const directory = jobsDirectory(scopeDir);
    const living = (): ReadonlySet<string> =>
      new Set(olderBrokers(scopeDir, Number.POSITIVE_INFINITY).map(({ instance }) => instance));
    removed.push(...(await removeOldJobs(directory, { now, living, keptForMs: 0 })));
    setAside.push(...(await setDamagedAside(directory, now)));
  }
  if (json) out.json({ removed, setAside });
  else {
    out.line(`${counted(removed.length, "job")} removed`);
    for (const file of setAside) out.line(`  set aside, because it cannot be read: ${file}`);
  }
  return EXIT.ok;
}
