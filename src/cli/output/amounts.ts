const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `16 ms`, `0.3 s`, `12 s`, `3 min 05 s`, `2 h 13 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 95) return `${Math.ceil(ms)} ms`;
  if (ms < 10 * SECOND - 50) return `${(Math.max(0, ms) / SECOND).toFixed(1)} s`;
  if (ms < MINUTE - 500) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR - 500) return twoUnits(Math.round(ms / SECOND), 60, "min", "s");
  if (ms < DAY - 30 * SECOND) return twoUnits(Math.round(ms / MINUTE), 60, "h", "min");
  return twoUnits(Math.round(ms / HOUR), 24, "d", "h");
}

/** How long ago, in milliseconds where they tell something. */
export function ago(ms: number): string {
  return `${ms < SECOND ? `${Math.round(ms)} ms` : duration(ms)} ago`;
}

/** `812 B`, `45.2 MB`: in powers of 1,000, as file managers and `df -H` do. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (value < 999.5 || unit === "TB") {
      return `${value.toFixed(unit === "B" || value >= 99.95 ? 0 : 1)} ${unit}`;
    }
    value /= 1_000;
  }
  return `${count} B`;
}

/** `1,234`. */
export function grouped(count: number): string {
  return count.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 turn`, `2 turns`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function twoUnits(count: number, base: number, large: string, small: string): string {
  return `${Math.floor(count / base)} ${large} ${String(count % base).padStart(2, "0")} ${small}`;
}
