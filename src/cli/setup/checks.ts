import type { Finding, FindingCode } from "../../doctor/finding.ts";
import type { Observations } from "../../doctor/observations.ts";
import { duration } from "../output/amounts.ts";
import type { SandboxTrial } from "../run/sandbox.ts";
import type { Trial } from "./trial.ts";

/** One thing that it takes. */
export interface Check {
  readonly name: "node" | "codex" | "state" | "broker" | "login" | "sandbox";
  /** `unknown`: nobody could be asked, or did not answer in time. Nothing follows from that. */
  readonly state: "ok" | "missing" | "unknown";
  /** What was found; may hold foreign text. */
  readonly says: string;
  /** What to type; null where nothing needs to be done. */
  readonly fix: string | null;
}

type Name = Check["name"];
type Asked = Extract<Trial, { state: "asked" }>;

/** The findings of the doctor without which there is no use in trying. */
const NEEDED: Readonly<Partial<Record<Name, readonly FindingCode[]>>> = {
  node: ["nodeTooOld"],
  codex: [
    "workspaceInvalid",
    "codexHomeMissing",
    "codexHomeUnwritable",
    "codexNotFound",
    "codexUnusable",
    "codexTooOld",
  ],
  state: ["stateDirRelative", "stateDirUnsafe", "stateDirUnusable", "socketPathTooLong"],
};

/** What can be seen from outside. */
export function groundChecks(seen: Observations, findings: readonly Finding[]): readonly Check[] {
  const { node, codex } = seen.surroundings;
  const { stateDir } = seen.ground;
  const says: Readonly<Record<"node" | "codex" | "state", string>> = {
    node,
    codex: codex.found ? `${codex.version ?? "?"} · ${codex.path}` : "",
    state: stateDir.state === "chosen" ? stateDir.path : "",
  };
  return (["node", "codex", "state"] as const).map((name) => {
    const wrong = findings.find(({ code }) => NEEDED[name]?.includes(code));
    return wrong === undefined
      ? ok(name, says[name])
      : { name, state: "missing", says: wrong.message, fix: wrong.next };
  });
}

/** What only Codex itself can answer. */
export function trialChecks(trial: Trial): readonly Check[] {
  if (trial.state === "asked") return [brokerCheck(trial), loginCheck(trial), sandboxCheck(trial)];
  const broker: Check =
    trial.state === "notTried"
      ? unknown("broker", "not tried: something that it needs is missing")
      : {
          name: "broker",
          state: "missing",
          says: trial.failure.message,
          fix: trial.failure.hint,
        };
  return [broker, unknown("login", NOBODY), unknown("sandbox", NOBODY)];
}

const NOBODY = "not known: there is nobody to ask";
const AGAIN = "Run `codex-broker setup` again; `codex-broker doctor` says more if it stays so.";

function brokerCheck({ epoch, started, tookMs }: Asked): Check {
  const how = started ? `started in ${duration(tookMs)}` : "was running";
  return ok("broker", `answers · epoch ${epoch} · ${how}`);
}

function loginCheck({ login }: Asked): Check {
  switch (login.state) {
    case "there":
      return ok("login", `logged in (${login.type})`);
    case "notNeeded":
      return ok("login", "the configured model provider wants none");
    case "missing":
      return {
        name: "login",
        state: "missing",
        says: "Codex is not logged in, and its model provider wants a login.",
        fix: "Log in with `codex login`.",
      };
    case "failed":
      return {
        name: "login",
        state: "missing",
        says: login.failure.message,
        fix: login.failure.hint,
      };
    case "unknown":
      return { ...unknown("login", "not known: Codex did not answer in time"), fix: AGAIN };
  }
}

function sandboxCheck({ sandbox, readOnly }: Asked): Check {
  switch (sandbox.state) {
    case "works":
      return ok("sandbox", `commands run as configured${withoutReviews(readOnly)}`);
    case "unknown":
      return { ...unknown("sandbox", "not known: Codex did not answer in time"), fix: AGAIN };
    case "fails":
      return {
        name: "sandbox",
        state: "missing",
        says: `Codex's sandbox cannot be set up here: ${sandbox.why}.`,
        fix: 'Mend what it names; or, where a container or another sandbox confines Codex already, set sandbox_mode = "danger-full-access" in its config.toml.',
      };
  }
}

/** Who lets Codex do everything may not have noticed that its sandbox does not work. */
function withoutReviews(readOnly: SandboxTrial): string {
  return readOnly.state === "fails"
    ? `, but not read-only (${readOnly.why}): reviews need --sandbox danger-full-access`
    : "";
}

function ok(name: Name, says: string): Check {
  return { name, state: "ok", says, fix: null };
}

function unknown(name: Name, says: string): Check {
  return { name, state: "unknown", says, fix: null };
}
