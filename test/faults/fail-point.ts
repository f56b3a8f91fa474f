import { appendFileSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTrace, type TraceEvent } from "../../src/base/trace.ts";
import {
  CLOCK_VARIABLE,
  firedPath,
  PLAN_VARIABLE,
  type Act,
  type FaultPlan,
  type Role,
} from "./plan.ts";

/**
 * Makes this process strike itself at the step that the plan names, once for all processes that share
 * the plan. The product knows nothing of it: what it says on its trace it says in the middle of the
 * step, and whoever hears it can hold it there.
 */
export function installFailPoint(role: Role): void {
  shiftClock(Number(process.env[CLOCK_VARIABLE[role]] ?? 0));
  const file = process.env[PLAN_VARIABLE];
  if (file === undefined) return;
  const seen = new Map<string, number>();
  onTrace((event) => {
    const plan = readPlan(file);
    if (plan === undefined || plan.role !== role || !fits(plan, event)) return;
    const key = JSON.stringify(plan);
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    if (times === (plan.nth ?? 1) && takePlan(file)) strike(plan.act);
  });
}

function readPlan(file: string): FaultPlan | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as FaultPlan;
  } catch {
    return undefined;
  }
}

function fits({ event, fact }: FaultPlan, seen: TraceEvent): boolean {
  if (seen.event !== event) return false;
  if (fact === undefined) return true;
  const pattern = new RegExp(fact);
  return Object.values(seen).some((each) => pattern.test(String(each)));
}

/** Of all processes that got to the step, one is struck. */
function takePlan(file: string): boolean {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return false;
  }
  unlinkSync(aside);
  const fired = firedPath(file);
  writeFileSync(`${fired}.aside`, String(process.pid));
  renameSync(`${fired}.aside`, fired);
  return true;
}

function strike(act: Act): void {
  switch (act.kind) {
    case "kill":
      process.kill(process.pid, "SIGKILL");
      break;
    case "stop":
      process.kill(process.pid, "SIGSTOP");
      break;
    case "block":
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, act.ms);
      break;
    case "clock":
      shiftClock(act.ms);
      break;
    case "fill":
      fillDisk(act.directory);
      break;
  }
}

export const FILLER = "filler";

/** Down to the last byte. */
export function fillDisk(directory: string): void {
  for (let bytes = 64 * 1024; bytes >= 1;) {
    try {
      appendFileSync(join(directory, FILLER), Buffer.alloc(bytes), { mode: 0o600 });
    } catch {
      bytes = Math.floor(bytes / 2);
    }
  }
}

const TrueDate = Date;

function shiftClock(ms: number): void {
  if (ms === 0) return;
  const now = (): number => TrueDate.now() + ms;
  globalThis.Date = new Proxy(TrueDate, {
    construct: (_target, args: []) =>
      args.length === 0 ? new TrueDate(now()) : new TrueDate(...args),
    get: (target, name) => (name === "now" ? now : (Reflect.get(target, name) as unknown)),
  });
}
