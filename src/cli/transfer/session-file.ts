import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { BrokerError, errnoOf, messageOf } from "../../base/errors.ts";
import { isRecord } from "../../wire/messages.ts";

const ENDING = ".jsonl";
/** An id, or the beginning of one. */
const ID = /^[0-9a-f]{4}[0-9a-f-]{0,32}$/i;
/** Sub-agents keep files of their own beside the session's. */
const SUB_AGENT = /^agent-/;
/** Enough for the first entries, which say where the session was held. */
const HEAD_BYTES = 256 * 1024;

/** A session of Claude Code, as its transcript. */
export interface SessionFile {
  readonly id: string;
  readonly path: string;
  /** Where the session was held, as it says itself. */
  readonly cwd: string | undefined;
}

/** Claude Code keeps a directory for each directory that it was used in; Codex imports from there alone. */
export function projectsDirectory(): string {
  return path.join(homedir(), ".claude", "projects");
}

/**
 * The session that is meant: by its file or its id; without one, the newest of the directory.
 *
 * @throws BrokerError `sessionNotFound`.
 */
export function findSession(
  wanted: string | undefined,
  directories: readonly string[],
): SessionFile {
  const file =
    wanted === undefined
      ? newestOf(directories)
      : ID.test(wanted)
        ? fileOfId(wanted)
        : path.resolve(wanted);
  return opened(file);
}

function newestOf(directories: readonly string[]): string {
  const places = [...new Set(directories)].map((one) =>
    path.join(projectsDirectory(), encoded(one)),
  );
  const [newest] = places
    .flatMap((place) => namesIn(place).map((name) => path.join(place, name)))
    .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.at - a.at);
  if (newest !== undefined) return newest.file;
  throw notFound(`Claude Code has kept no session of this directory: ${places.join(", ")}.`);
}

/** The name that Claude Code gives to a directory's own one. */
function encoded(directory: string): string {
  return directory.replace(/[^A-Za-z0-9]/g, "-");
}

function fileOfId(id: string): string {
  const projects = projectsDirectory();
  const found = entriesOf(projects).flatMap((project) =>
    namesIn(path.join(projects, project))
      .filter((name) => name.startsWith(id.toLowerCase()))
      .map((name) => path.join(projects, project, name)),
  );
  const exact = found.filter((file) => path.basename(file, ENDING) === id.toLowerCase());
  const [first, second] = exact.length > 0 ? exact : found;
  if (first === undefined) throw notFound(`There is no session ${id} in ${projects}.`);
  if (second === undefined) return first;
  const files = found.slice(0, 5).join(", ");
  throw notFound(
    `${id} begins the ids of ${found.length} sessions: ${files}.`,
    "Give some more of it.",
  );
}

function namesIn(directory: string): string[] {
  return entriesOf(directory).filter((name) => name.endsWith(ENDING) && !SUB_AGENT.test(name));
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw notFound(`${directory} cannot be read: ${messageOf(error)}.`);
  }
}

function opened(file: string): SessionFile {
  if (!file.endsWith(ENDING)) {
    throw notFound(`${file} is no transcript: its name does not end with ${ENDING}.`);
  }
  try {
    const real = realpathSync.native(file);
    requireBelowProjects(real);
    return { id: path.basename(real, ENDING), path: real, cwd: cwdIn(headOf(real)) };
  } catch (cause) {
    if (BrokerError.is(cause)) throw cause;
    throw notFound(`The session cannot be read: ${messageOf(cause)}.`);
  }
}

/** Codex says only that it has not detected the session. */
function requireBelowProjects(file: string): void {
  const projects = projectsDirectory();
  const place = path.relative(realpathSync.native(projects), file);
  if (!place.startsWith("..") && !path.isAbsolute(place)) return;
  throw notFound(
    `${file} does not lie in ${projects}, and Codex imports sessions from nowhere else.`,
    `Copy it to ${path.join(projects, "moved")}, and name it there.`,
  );
}

function headOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.toString("utf8", 0, readSync(descriptor, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}

function cwdIn(head: string): string | undefined {
  for (const line of head.split("\n")) {
    const cwd = cwdOf(line);
    if (cwd !== undefined) return cwd;
  }
  return undefined;
}

function cwdOf(line: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    const cwd = isRecord(entry) ? entry["cwd"] : undefined;
    return typeof cwd === "string" ? cwd : undefined;
  } catch {
    return undefined;
  }
}

function notFound(message: string, hint?: string): BrokerError {
  return new BrokerError("sessionNotFound", message, hint === undefined ? {} : { hint });
}
