import { parse } from "smol-toml";

/** What a `config.toml` says. */
export interface ConfigSettings {
  /** The settings that decide what Codex does, in one form for all ways to write them. */
  readonly decisive: string;
  /** What is decided about the trust in the workspace: `trusted`, `untrusted`, or empty. */
  readonly trust: string;
}

/**
 * Tables and keys in which Codex's programs note what they have asked, shown or fetched. Tried on 0.169.0
 * and read in Codex's own list of configuration edits. Nothing in them changes what an app-server does,
 * except `projects`, which it reads anew with every thread that it opens.
 */
const MAINTAINED = new Set([
  "projects",
  "notice",
  "tui",
  "desktop",
  "windows_wsl_setup_acknowledged",
]);
/** Codex writes these into each marketplace when it fetches it. */
const MAINTAINED_IN_MARKETPLACE = new Set(["last_updated", "last_revision"]);

type Table = Readonly<Record<string, unknown>>;

/**
 * Reads what a `config.toml` says. Comments, the order of keys and the way in which values are written
 * do not count.
 *
 * @returns undefined when it cannot be parsed: it is being written, or Codex cannot read it either.
 */
export function configSettingsIn(toml: string, workspace: string): ConfigSettings | undefined {
  let config: Table;
  try {
    config = parse(toml, { integersAsBigInt: "asNeeded" });
  } catch {
    return undefined;
  }
  return { decisive: canonical(decisiveIn(config)), trust: trustIn(config, workspace) };
}

function decisiveIn(config: Table): Table {
  const { marketplaces, ...rest } = without(config, MAINTAINED);
  if (!isTable(marketplaces)) return { ...rest, marketplaces };
  const entries = Object.entries(marketplaces).map(([name, entry]) => [
    name,
    isTable(entry) ? without(entry, MAINTAINED_IN_MARKETPLACE) : entry,
  ]);
  return { ...rest, marketplaces: Object.fromEntries(entries) as Table };
}

function trustIn({ projects }: Table, workspace: string): string {
  if (!isTable(projects)) return "";
  const named = (key: string): boolean =>
    process.platform === "win32"
      ? key.toLowerCase() === workspace.toLowerCase()
      : key === workspace;
  const [, entry] = Object.entries(projects).find(([key]) => named(key)) ?? [];
  const level = isTable(entry) ? entry["trust_level"] : undefined;
  return typeof level === "string" ? level : "";
}

function without(table: Table, keys: ReadonlySet<string>): Table {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !keys.has(key)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each)).join(",")}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (!isTable(value)) return JSON.stringify(value) ?? String(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(",")}}`;
}

function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Date);
}
