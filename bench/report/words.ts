import { within, type Figure, type Row } from "../benchmark.ts";

/** `0.72`, `12.3`, `18,708`: three digits, which is more than a second run would repeat. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (Number.isNaN(value)) return "?";
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 10 ? 1 : 2);
}

export function amount(value: number, unit: Figure["unit"]): string {
  const space = unit === "×" || unit === "%" || unit === "/s" || unit === "" ? "" : " ";
  return `${digits(value)}${space}${unit}`;
}

/** With the lowest and the highest where they are known. */
export function spread({ value, unit, from, to }: Figure): string {
  const range = from === undefined || to === undefined ? "" : ` (${digits(from)}–${digits(to)})`;
  return `${amount(value, unit)}${range}`;
}

export function target({ figure, limit, atLeast }: Row): string {
  return `${atLeast === true ? "≥" : "≤"} ${amount(limit, figure.unit)}`;
}

export function mark(row: Row): string {
  return within(row) ? "✓" : "✗";
}
