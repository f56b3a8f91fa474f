import { MINIMUM_CODEX, requireSupported } from "../../app-server/codex-version.ts";
import { BrokerError, type BrokerErrorJson } from "../../base/errors.ts";
import { shellWord } from "../../base/shell-word.ts";
import { isNewer } from "../../lifecycle/assess.ts";
import { provesUnused } from "../../lifecycle/evidence.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import { finding, type Finding, type FindingCode } from "../finding.ts";
import type {
  AccountSeen,
  Observations,
  ScopeSeen,
  ServingSeen,
  SurroundingsSeen,
} from "../observations.ts";

const MINIMUM_NODE = "20.19.0";

/** Where one process is told from the next with koffi, and not at all without. */
const PROVES_WITH_KOFFI: ReadonlySet<string> = new Set(["win32", "darwin"]);
const INSTALL_KOFFI =
  "Install codex-broker with its optional dependencies: `npm install -g codex-broker --include=optional`.";
const PASSED_OVER =
  "Nothing needs to be done: such a broker is passed over. End it by hand if it is in the way.";

export function* diagnoseSurroundings({ surroundings, scopes }: Observations): Generator<Finding> {
  yield* diagnoseSystem(surroundings);
  yield* diagnoseCodex(surroundings, scopes);
  yield* diagnoseCodexHome(surroundings);
  yield* diagnoseLogin(surroundings, scopes);
  yield* diagnoseEndpointVariable(surroundings);
}

function* diagnoseSystem(seen: SurroundingsSeen): Generator<Finding> {
  if (isNewer(MINIMUM_NODE, seen.node)) {
    yield finding(
      "nodeTooOld",
      `Node ${seen.node} is too old; at least ${MINIMUM_NODE} is needed.`,
      "Install a newer Node: https://nodejs.org.",
      { details: { version: seen.node, minimum: MINIMUM_NODE } },
    );
  }
  if (seen.sandbox.length > 0) {
    yield finding(
      "sandboxed",
      `This shell runs in a sandbox of Codex (${seen.sandbox.join(", ")}), which may forbid sockets and hide processes.`,
      "Start the broker outside with `codex-broker ensure`, and look from there too.",
      { details: { variables: seen.sandbox } },
    );
  }
  if (!seen.canProve) {
    const wantsKoffi = PROVES_WITH_KOFFI.has(seen.platform);
    yield finding(
      "noProofHere",
      `On ${seen.platform}${wantsKoffi ? " without koffi" : ""} one process cannot be told from the next of its ` +
        "number, so no signal is sent to a broker that hangs.",
      wantsKoffi ? INSTALL_KOFFI : PASSED_OVER,
      { details: { platform: seen.platform } },
    );
  } else if (!seen.signalsThroughDescriptors && seen.platform === "linux") {
    yield finding(
      "killsByNumber",
      "Without koffi, which is not installed, a signal goes by the number of a process, microseconds after the proof.",
      INSTALL_KOFFI,
    );
  } else if (!seen.signalsThroughDescriptors) {
    yield finding(
      "noProofHere",
      `This ${seen.platform} cannot bind a signal to one process, so none is sent to a broker that hangs.`,
      PASSED_OVER,
      { details: { platform: seen.platform } },
    );
  }
}

const RESOLUTION_CODES: Readonly<Partial<Record<BrokerErrorJson["kind"], FindingCode>>> = {
  workspaceInvalid: "workspaceInvalid",
  codexHomeMissing: "codexHomeMissing",
  codexNotFound: "codexNotFound",
  codexUnusable: "codexUnusable",
  codexTooOld: "codexTooOld",
};

function* diagnoseCodex(seen: SurroundingsSeen, scopes: readonly ScopeSeen[]): Generator<Finding> {
  for (const each of [seen.workspace, seen.codexHome, seen.codex]) {
    if (!each.found) yield asFinding(each.error);
  }
  if (!seen.codex.found) return;
  const { path, version, noSandbox } = seen.codex;
  if (noSandbox !== null) {
    yield finding(
      "noSandboxHere",
      `Codex cannot set up its sandbox here, so the commands of its turns fail: ${noSandbox}.`,
      "Within another sandbox or a container, run `codex-broker ensure` outside of it; or, where that one is enough, turns with `--sandbox danger-full-access`.",
      { details: { codex: path, says: noSandbox } },
    );
  }
  if (version === null) {
    yield finding(
      "codexUnusable",
      `${path} does not say its version within some seconds.`,
      "Check it with `codex --version`, or set CODEX_BROKER_CODEX to a working binary.",
      { details: { codex: path } },
    );
  } else {
    const error = objectionTo(version, path);
    if (error !== undefined) yield asFinding(error);
  }
  if (!seen.workspace.found) return;
  const workspace = seen.workspace.path;
  for (const { record } of livingBrokers(scopes)) {
    if (record.workspace !== workspace || record.codex === path) continue;
    yield finding(
      "otherCodex",
      `A broker of this workspace (process ${record.broker.pid}) runs ${record.codex}; this shell finds ${path}, and so gets a broker of its own.`,
      "If that is not meant, make PATH or CODEX_BROKER_CODEX the same everywhere, then `codex-broker stop --all`.",
      { details: { pid: record.broker.pid, theirs: record.codex, ours: path } },
    );
  }
}

function* diagnoseCodexHome({ codexHome, unwritable }: SurroundingsSeen): Generator<Finding> {
  if (!codexHome.found || unwritable === undefined) return;
  const { path, errno, owner, own } = unwritable;
  const why =
    errno === "EROFS"
      ? "its file system is read-only"
      : own
        ? "its mode does not allow it, although it belongs to this user"
        : `it belongs to ${owner ?? "another user"}`;
  const home = shellWord(codexHome.path);
  const next =
    errno === "EROFS"
      ? "Mount it writable, or set CODEX_HOME to a directory that Codex can write to."
      : own
        ? `Type \`chmod -R u+rwX ${home}\`.`
        : `Type \`sudo chown -R "$(id -u):$(id -g)" ${home}\`, or set CODEX_HOME to a directory of yours.`;
  yield finding(
    "codexHomeUnwritable",
    `Codex cannot write to ${path} (${errno}): ${why}. Every turn fails.`,
    next,
    { details: { path, codexHome: codexHome.path, errno, owner } },
  );
}

function objectionTo(version: string, codex: string): BrokerErrorJson | undefined {
  try {
    requireSupported(version, codex);
    return undefined;
  } catch (error) {
    if (!BrokerError.is(error)) throw error;
    return { ...error.toJSON(), details: { codex, version, minimum: MINIMUM_CODEX } };
  }
}

function asFinding({ kind, message, hint, details }: BrokerErrorJson): Finding {
  return finding(RESOLUTION_CODES[kind] ?? "codexUnusable", message, hint, { details });
}

function* diagnoseLogin(
  { login, codexHome }: SurroundingsSeen,
  scopes: readonly ScopeSeen[],
): Generator<Finding> {
  const next = "Log in with `codex login`.";
  if (login.file === "unreadable") {
    yield finding(
      "loginUnreadable",
      `${login.path} is there, but this user cannot read it.`,
      `Look at it with \`ls -l ${shellWord(login.path)}\`, and log in anew with \`codex login\`.`,
      { details: { path: login.path } },
    );
    return;
  }
  const account = codexHome.found ? accountIn(codexHome.path, scopes) : undefined;
  if (account !== undefined) {
    if (!account.needed || account.loggedIn) return;
    yield finding(
      "notLoggedIn",
      "Codex is not logged in, and its model provider wants a login.",
      next,
    );
  } else if (login.file === "absent") {
    yield login.elsewhere
      ? finding(
          "loginNotSeen",
          `There is no ${login.path}; a key, a provider of your own or the keyring may stand in for it.`,
          "If turns fail for want of a login: `codex login`.",
          { details: { path: login.path } },
        )
      : finding("notLoggedIn", `Codex is not logged in: there is no ${login.path}.`, next, {
          details: { path: login.path },
        });
  }
}

/** What a living broker of the same CODEX_HOME has heard from Codex: better than any file. */
function accountIn(codexHome: string, scopes: readonly ScopeSeen[]): AccountSeen | undefined {
  return livingBrokers(scopes).find(
    ({ record, seen }) => record.codexHome === codexHome && seen.account !== undefined,
  )?.seen.account;
}

/** Those that answer. */
function livingBrokers(
  scopes: readonly ScopeSeen[],
): Array<{ readonly record: ServingRecord; readonly seen: ServingSeen }> {
  return scopes.flatMap(({ epochs }) =>
    epochs.flatMap(({ reading, serving }) =>
      reading.state === "read" &&
      reading.record.state === "serving" &&
      serving?.contact?.kind === "hello"
        ? [{ record: reading.record, seen: serving }]
        : [],
    ),
  );
}

function* diagnoseEndpointVariable({ endpointVariable }: SurroundingsSeen): Generator<Finding> {
  if (endpointVariable === undefined || !provesUnused(endpointVariable.reached)) return;
  yield finding(
    "endpointVariableDead",
    `CODEX_COMPANION_APP_SERVER_ENDPOINT leads to ${endpointVariable.path}, where nobody listens.`,
    'Set it anew with `eval "$(codex-broker env)"`, or unset it.',
    { details: { path: endpointVariable.path } },
  );
}
