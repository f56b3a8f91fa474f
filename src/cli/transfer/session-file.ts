import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { BrokerError, errnoOf, messageOf } from "../../base/errors.ts";
import { accountHome, homeInEnvironment, noHome } from "../../os/home-directory.ts";
import { isRecord } from "../../wire/messages.ts";

const ENDING = ".jsonl";
/** An id, or the beginning of one. */
const ID = /^[0-9a-f]{4}[0-9a-f-]{0,32}$/i;
/** Sub-agents keep files of their own beside the session's. */
const SUB_AGENT = /^agent-/;
const PIECE_BYTES = 256 * 1024;
/** More than the first entries take, which say where the session was held. */
const MOST_BYTES = 64 * 1024 * 1024;

/** A session of Claude Code, as its transcript. */
export interface SessionFile {
  readonly id: string;
  readonly path: string;
  /** Where the session was held, as it says itself. */
  readonly cwd: string | undefined;
}

function homeDirectory(): string {
  const home = homeInEnvironment(process.env) ?? accountHome();
  if (home === undefined) throw new BrokerError("sessionNotFound", `${noHome()}.`);
  return home;
}

/** Claude Code keeps a directory for each directory that it was used in; Codex imports from there alone. */
export function projectsDirectory(): string {
  return path.join(homeDirectory(), ".claude", "projects");
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
  const files = places
    .flatMap((place) => namesIn(place).map((name) => path.join(place, name)))
    .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.at - a.at);
  const others = new Set<string>();
  for (const { file } of files) {
    const heldIn = tryToReadDirectory(file);
    if (heldIn !== undefined && directories.includes(canonical(heldIn))) return file;
    others.add(heldIn ?? "a directory that is not recorded");
  }
  const kept = `Claude Code has kept no session of this directory: ${places.join(", ")}.`;
  if (others.size === 0) throw notFound(kept);
  const named = [...others].slice(0, 5).join(", ");
  throw notFound(
    `${kept} The sessions there were held in ${named}.`,
    "Name the one that is meant: `--session ID`.",
  );
}

/** Returns the real path; of a directory that is gone, the path as it was recorded. */
function canonical(directory: string): string {
  try {
    return realpathSync.native(directory);
  } catch {
    return path.resolve(directory);
  }
}

/** Returns the name that Claude Code gives to a directory's own one. Several directories can share it. */
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
    return { id: path.basename(real, ENDING), path: real, cwd: recordedDirectory(real) };
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

/** A transcript that cannot be read is not proven to be of any directory. */
function tryToReadDirectory(file: string): string | undefined {
  try {
    return recordedDirectory(file);
  } catch {
    return undefined;
  }
}

/** Returns the directory that the first entry with one names. An entry can hold whole images. */
function recordedDirectory(file: string): string | undefined {
  const descriptor = openSync(file, "r");
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let begun: Buffer[] = [];
    for (let at = 0; at < MOST_BYTES;) {
      const length = readSync(descriptor, piece, 0, PIECE_BYTES, at);
      if (length === 0) return cwdOf(Buffer.concat(begun).toString("utf8"));
      at += length;
      const end = piece.subarray(0, length).lastIndexOf(0x0a);
      begun.push(Buffer.from(piece.subarray(0, end === -1 ? length : end)));
      if (end === -1) continue;
      const cwd = cwdIn(Buffer.concat(begun).toString("utf8"));
      if (cwd !== undefined) return cwd;
      begun = [Buffer.from(piece.subarray(end + 1, length))];
    }
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

function cwdIn(lines: string): string | undefined {
  for (const line of lines.split("\n")) {
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
