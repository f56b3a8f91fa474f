import path from "node:path";
import { shellWord } from "../../base/shell-word.ts";
import { finding, type Finding } from "../finding.ts";
import type { DirectorySeen, Observations } from "../observations.ts";

/** What is younger may belong to a broker that is just starting, or to a writer that is writing. */
export const SETTLED_AFTER_MS = 60_000;

export function* diagnoseGround({ ground }: Observations): Generator<Finding> {
  const { stateDir, place } = ground;
  if (stateDir.state === "refused") {
    const { kind, message, hint } = stateDir.error;
    yield finding(kind === "usage" ? "stateDirRelative" : "stateDirUnusable", message, hint);
  } else if (stateDir.overridden) {
    yield finding(
      "stateDirChosen",
      `CODEX_BROKER_STATE_DIR puts the state into ${stateDir.path}; programs without it do not find these brokers.`,
      "Unset CODEX_BROKER_STATE_DIR unless that is meant.",
      { details: { path: stateDir.path } },
    );
  }
  for (const directory of ground.directories) yield* diagnoseDirectory(directory);
  for (const other of ground.otherFormats) {
    yield finding(
      "otherFormat",
      `${other} was written by another version of codex-broker, whose brokers are not looked at.`,
      "Run that version's own `codex-broker doctor` for them.",
      { details: { path: other } },
    );
  }
  if (place !== undefined && place.used !== place.preferred) {
    yield place.used === undefined
      ? finding(
          "socketPathTooLong",
          `No directory for sockets has a short enough path; ${place.preferred} is too long.`,
          "Set CODEX_BROKER_STATE_DIR to a shorter path.",
          { details: { path: place.preferred } },
        )
      : finding(
          "socketFallback",
          `Sockets are in ${place.used}, because a path in ${place.preferred} would be too long.`,
          "Nothing needs to be done; a sandbox must be allowed to connect there.",
          { details: { preferred: place.preferred, used: place.used } },
        );
  }
  yield* diagnoseLeftOvers(ground);
}

function* diagnoseDirectory({ path: where, danger, unusable }: DirectorySeen): Generator<Finding> {
  if (unusable !== undefined) {
    yield finding(
      "stateDirUnusable",
      `${where} cannot be used: ${unusable}.`,
      "Mend its permissions, or set CODEX_BROKER_STATE_DIR to another directory.",
      { details: { path: where } },
    );
  }
  if (danger === undefined) return;
  const { why, mode } = danger;
  const message = `${where} ${why}, so it cannot be trusted.`;
  yield mode === undefined
    ? finding(
        "stateDirUnsafe",
        message,
        `Look at it with \`ls -ld ${shellWord(where)}\`, move it away, and run \`codex-broker doctor\` again.`,
        { details: { path: where } },
      )
    : finding("stateDirUnsafe", message, "`codex-broker doctor --fix` closes it (mode 700).", {
        details: { path: where, mode: mode.toString(8) },
        remedy: { kind: "closeDirectory", path: where },
      });
}

function* diagnoseLeftOvers({
  stateDir: ground,
  sockets,
  links,
  unfinished,
}: Observations["ground"]): Generator<Finding> {
  if (ground.state === "refused") return;
  const stateDir = ground.path;
  for (const { path: where, unused, ageMs } of sockets) {
    if (!unused || ageMs < SETTLED_AFTER_MS) continue;
    yield finding(
      "leftOverSocket",
      `The socket ${where} is left over: nobody listens on it, and nobody will under this name.`,
      "`codex-broker doctor --fix` removes it.",
      { details: { path: where }, remedy: { kind: "removeSocket", stateDir, path: where } },
    );
  }
  for (const { path: where, target, dangling } of links) {
    if (!dangling) continue;
    yield finding(
      "danglingCurrent",
      `${where} leads to ${path.basename(target)}, which is gone: programs that were given this path find nobody.`,
      "`codex-broker doctor --fix` removes it; the next broker makes it anew.",
      {
        details: { path: where, target },
        remedy: { kind: "removeLink", stateDir, path: where, target },
      },
    );
  }
  for (const { path: where, ageMs } of unfinished) {
    if (ageMs < SETTLED_AFTER_MS) continue;
    yield finding(
      "unfinishedFile",
      `${where} was never finished: its writer was killed.`,
      "`codex-broker doctor --fix` removes it.",
      { details: { path: where }, remedy: { kind: "removeUnfinished", path: where } },
    );
  }
}
