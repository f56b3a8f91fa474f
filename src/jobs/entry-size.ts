import type { JobEntry } from "./job-entry.ts";

/** Size limit of what Codex sent, per entry. A command's output or a diff can be as large as a whole frame. */
export const MAX_CONTENT_BYTES = 64 * 1024;

/** Limits that are tried one after the other: characters of each string, and elements of each list. */
const STEPS = [
  [16_384, 1_024],
  [4_096, 256],
  [1_024, 64],
  [256, 16],
  [64, 4],
] as const;
/** Nesting that is kept. Codex's own items have less. */
const MAX_DEPTH = 12;

/**
 * Returns the entry with its content cut to the limit, and the original size in `truncated`. The
 * whole content stays in Codex's own history of the thread. The final message is the result of the
 * job and is never cut.
 */
export function withinLimit(entry: JobEntry, limit = MAX_CONTENT_BYTES): JobEntry {
  switch (entry.type) {
    case "created": {
      const cut = cutTo(limit, entry.request.prompt);
      if (cut === undefined) return entry;
      const prompt = cut.value as typeof entry.request.prompt;
      return { ...entry, request: { ...entry.request, prompt }, truncated: { bytes: cut.bytes } };
    }
    case "item": {
      const cut = cutTo(limit, entry.item);
      if (cut === undefined) return entry;
      return { ...entry, item: cut.value, truncated: { bytes: cut.bytes } };
    }
    case "allowed": {
      const cut = cutTo(limit, entry.params);
      if (cut === undefined) return entry;
      return { ...entry, params: cut.value, truncated: { bytes: cut.bytes } };
    }
    case "ended": {
      const cut = cutTo(limit, entry.error);
      if (cut === undefined) return entry;
      return { ...entry, error: cut.value, truncated: { bytes: cut.bytes } };
    }
    default:
      return entry;
  }
}

interface Cut {
  readonly value: unknown;
  /** Size of the whole value as JSON. */
  readonly bytes: number;
}

/** Returns undefined when the value is within the limit. */
function cutTo(limit: number, value: unknown): Cut | undefined {
  const bytes = sizeOf(value);
  if (bytes <= limit) return undefined;
  for (const [characters, elements] of STEPS) {
    const cut = shortened(value, { characters, elements }, 0);
    if (sizeOf(cut) <= limit) return { value: cut, bytes };
  }
  return { value: outlineOf(value), bytes };
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

interface Limits {
  readonly characters: number;
  readonly elements: number;
}

function shortened(value: unknown, limits: Limits, depth: number): unknown {
  if (typeof value === "string") return beginningOf(value, limits.characters);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) {
    return value.slice(0, limits.elements).map((each) => shortened(each, limits, depth + 1));
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, limits.elements)
      .map(([name, member]) => [name, shortened(member, limits, depth + 1)]),
  );
}

/** Does not split a surrogate pair. */
function beginningOf(text: string, characters: number): string {
  return text.length <= characters
    ? text
    : text.slice(0, characters).replace(/[\uD800-\uDBFF]$/, "");
}

/** Keeps what names an item, for an item that no step makes small enough. */
function outlineOf(value: unknown): unknown {
  const { type, id, status } = (value ?? {}) as Record<string, unknown>;
  const named = { type, id, status };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, member]) =>
      typeof member === "string" ? [[name, beginningOf(member, 256)]] : [],
    ),
  );
}
