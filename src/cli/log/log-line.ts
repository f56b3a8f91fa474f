import { isRecord } from "../../wire/messages.ts";
import type { Output, Paint } from "../output/output.ts";
import { printable, printableLine } from "../output/printable.ts";

/** The usual levels, with how each is shown. */
const LEVELS: Readonly<Record<number, readonly [name: string, paint: Paint]>> = {
  10: ["trace", "dim"],
  20: ["debug", "dim"],
  30: ["info", "green"],
  40: ["warn", "yellow"],
  50: ["error", "red"],
  60: ["fatal", "red"],
};

export const LEVEL_NAMES = ["debug", "info", "warn", "error"] as const;

export type Level = (typeof LEVEL_NAMES)[number];

const NUMBERS: Readonly<Record<Level, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/** Returns whether the line is of that level or above. What is no entry of ours has no level, and counts. */
export function isAtLeast(line: string, least: Level): boolean {
  const level = parse(line)?.["level"];
  return typeof level !== "number" || level >= NUMBERS[least];
}

/** Shown in places of their own, or the same in every line. */
const NOT_REPEATED = new Set(["level", "time", "epoch", "event", "msg", "stack"]);

/**
 * One line of a broker's log for people: time, level, event, then its facts. Other lines as they are.
 *
 * @param writer The pid of the broker, which stands in every line.
 */
export function renderLogLine(line: string, writer: number | undefined, to: Output): string {
  const entry = parse(line);
  if (entry === undefined) return printable(line);
  const [name, paint] = LEVELS[Number(entry["level"])] ?? ["", "dim"];
  const time = to.paint("dim", timeOf(entry["time"]));
  const event = to.paint("bold", valueText(entry["event"] ?? entry["msg"] ?? ""));
  const facts = Object.entries(entry)
    .filter(([key, value]) => !NOT_REPEATED.has(key) && !(key === "pid" && value === writer))
    .map(([key, value]) => `${to.paint("dim", `${printableLine(key)}=`)}${valueText(value)}`);
  const first = [time, to.paint(paint, name.padEnd(5)), event, ...facts].join(" ");
  const stack = entry["stack"];
  return typeof stack === "string" ? `${first}\n${printable(stack)}` : first;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return isRecord(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function timeOf(value: unknown): string {
  const at = new Date(typeof value === "number" ? value : String(value));
  if (Number.isNaN(at.getTime())) return "??:??:??.???";
  const two = (number: number, digits = 2): string => String(number).padStart(digits, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
}

function valueText(value: unknown): string {
  return printableLine(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}
