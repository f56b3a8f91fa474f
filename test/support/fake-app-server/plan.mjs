import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";

/**
 * @typedef {import("../fake-codex.ts").FakeBehaviour} FakeBehaviour
 * @typedef {import("../fake-codex.ts").FakeEnd} FakeEnd
 *
 * @typedef {object} Start One start of the program.
 * @property {FakeBehaviour} behaviour What it is to do.
 * @property {(entry: object) => void} note Adds a line to the journal beside the plan.
 * @property {(gate: string) => boolean} isReleased Whether the test has let pass what waits at that gate.
 */

/** So that a typing error in a test is not taken for good behaviour. */
const KNOWN = new Set([
  "version",
  "exitAtStart",
  "noise",
  "noiseBeforeAnswers",
  "mute",
  "muteAfter",
  "delayMs",
  "answers",
  "die",
  "turns",
  "eventsBeforeStart",
  "draining",
  "ignores",
  "descendant",
]);

/** Reads the plan; without one, every start behaves well. */
export function openPlan() {
  const path = process.env["FAKE_APP_SERVER_PLAN"];
  const behaviours = path === undefined ? [{}] : readBehaviours(path);

  /** @param {number} start @returns {FakeBehaviour} */
  const behaviourOf = (start) => behaviours[Math.min(start, behaviours.length) - 1] ?? {};

  return {
    /** What the next start will do, without being it. */
    upcoming() {
      if (path === undefined) return behaviourOf(1);
      let start = 1;
      while (existsSync(startFile(path, start))) start += 1;
      return behaviourOf(start);
    },

    /**
     * Takes the next number. The files that count are made exclusively, so that two programs started at once differ.
     *
     * @returns {Start}
     */
    claimStart() {
      if (path === undefined) {
        return { behaviour: {}, note: () => undefined, isReleased: () => false };
      }
      let start = 1;
      while (!claim(startFile(path, start))) start += 1;
      const note = (/** @type {object} */ entry) => {
        const line = { start, pid: process.pid, ...entry };
        appendFileSync(`${path}.journal`, `${JSON.stringify(line)}\n`);
      };
      note({ argv: process.argv.slice(2), cwd: process.cwd() });
      return {
        behaviour: behaviourOf(start),
        note,
        isReleased: (gate) => existsSync(`${path}.gate-${gate}`),
      };
    },
  };
}

/** The version that this program pretends to have. @param {FakeBehaviour} behaviour */
export function codexVersion(behaviour) {
  return behaviour.version ?? "0.169.0";
}

/** Ends this process as told. @param {Start} start @param {FakeEnd} end */
export function ending(start, end) {
  start.note({ ended: end.signal ?? end.code ?? 0 });
  if (end.signal === undefined) process.exit(end.code ?? 0);
  // Ours would turn a SIGTERM into a good end.
  process.removeAllListeners(end.signal);
  process.kill(process.pid, end.signal);
}

/** @param {string} path @returns {FakeBehaviour[]} */
function readBehaviours(path) {
  /** @type {unknown} */
  const plan = JSON.parse(readFileSync(path, "utf8"));
  const behaviours = Array.isArray(plan) ? plan : [plan];
  for (const key of behaviours.flatMap((behaviour) => Object.keys(behaviour))) {
    if (!KNOWN.has(key)) throw new Error(`the plan knows no ${key}`);
  }
  return behaviours;
}

/** @param {string} path @param {number} start */
function startFile(path, start) {
  return `${path}.start-${start}`;
}

/** @param {string} file */
function claim(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (cause) {
    if (/** @type {NodeJS.ErrnoException} */ (cause).code === "EEXIST") return false;
    throw cause;
  }
}
