import { isRecord } from "../../wire/messages.ts";

type Access = Readonly<Record<string, unknown>>;
type Entries = Record<string, string | Record<string, string>>;

/** What Codex's built-in profiles let a command write. */
const BUILT_IN: Readonly<Record<string, Access>> = {
  ":workspace": {
    ":workspace_roots": { ".": "write" },
    ":tmpdir": "write",
    ":slash_tmp": "write",
  },
  ":danger-full-access": { ":root": "write" },
};

/**
 * Returns a profile that hides what this one hides, and lets nothing be written or reached over the
 * network.
 *
 * @param tables the `permissions` of Codex's configuration.
 */
export function narrowedProfile(id: string, tables: unknown): Readonly<Record<string, unknown>> {
  const effective: Record<string, Record<string, string>> = {};
  for (const access of ancestry(id, tables).toReversed()) {
    for (const [place, said] of Object.entries(access)) {
      const within = { ".": said, ...(isRecord(said) ? said : {}) };
      const words = Object.entries(within).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      );
      effective[place] = { ...effective[place], ...Object.fromEntries(words) };
    }
  }
  const filesystem: Entries = {};
  for (const [place, within] of Object.entries(effective)) {
    const writable = Object.keys(within).filter((path) => within[path] === "write");
    if (writable.length === 0) continue;
    const isPlain = writable.length === 1 && Object.keys(within).length === 1 && "." in within;
    filesystem[place] =
      isPlain && place !== ":workspace_roots"
        ? "read"
        : Object.fromEntries(writable.map((path) => [path, "read"]));
  }
  return { extends: id, filesystem, network: { enabled: false } };
}

/** The file systems of the profile and of those that it extends, itself first. */
function ancestry(id: string, tables: unknown): Access[] {
  const known = new Set<string>();
  const found: Access[] = [];
  for (let next: unknown = id; typeof next === "string" && !known.has(next);) {
    known.add(next);
    const table: unknown = isRecord(tables) ? tables[next] : undefined;
    const filesystem = isRecord(table) ? table["filesystem"] : BUILT_IN[next];
    if (isRecord(filesystem)) found.push(filesystem);
    next = isRecord(table) ? table["extends"] : undefined;
  }
  return found;
}
