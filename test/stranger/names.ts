import { identityOf, ownIdentity, type ProcessIdentity } from "../../src/os/process-identity.ts";

/** What a record says of a process, and does not hold for the one that now bears the pid. */
export interface Named {
  readonly how: string;
  readonly identity: ProcessIdentity;
}

/**
 * Every way in which a record can name a process that is not the one it means.
 *
 * @param dead the process that has ended, and whose pid `stranger` now has
 * @param other the pid of a stranger that has nothing to do with it
 */
export function wrongNames(dead: ProcessIdentity, stranger: number, other: number): Named[] {
  const living = identityOf(stranger);
  const ticks = BigInt(living.startTime ?? "0");
  const named = (how: string, identity: ProcessIdentity): Named => ({ how, identity });
  return [
    named("the pid was given to a stranger", dead),
    named("a start time one tick too early", { ...living, startTime: String(ticks - 1n) }),
    named("a start time one tick too late", { ...living, startTime: String(ticks + 1n) }),
    named("no start time", { ...living, startTime: null }),
    named("another boot", { ...living, bootId: "00000000-0000-4000-8000-000000000000" }),
    named("another pid namespace", { ...living, pidNamespace: "pid:[1]" }),
    named("another host", { ...living, hostId: "0123456789abcdef" }),
    named("edited to a living pid", { ...dead, pid: other }),
    named("edited to ourselves", { ...dead, pid: process.pid }),
    named("edited to our parent", { ...dead, pid: process.ppid }),
    named("edited to process 1", { ...dead, pid: 1 }),
    named("ourselves, in every detail", ownIdentity()),
    named("our parent, in every detail", identityOf(process.ppid)),
    named("process 1, in every detail", identityOf(1)),
  ];
}
