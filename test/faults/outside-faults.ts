import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, readdirSync, rmSync, unlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "../../src/base/deadline.ts";
import { errnoOf } from "../../src/base/errors.ts";
import { epochPath } from "../../src/lifecycle/epoch-file.ts";
import { inCodexSandbox, noCodexSandbox } from "../support/codex-sandbox.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex, type FakeBehaviour } from "../support/fake-codex.ts";
import { CAN_MOUNT, mountTinyDisk, type TinyDisk } from "../support/tiny-disk.ts";
import { FILLER, fillDisk } from "./fail-point.ts";
import { onlyEpoch } from "./fail-points.ts";
import { CRASHED, WEDGED, type Bound, type Fault } from "./fault.ts";
import { CLOCK_VARIABLE } from "./plan.ts";
import type { Served, Stage } from "./stage.ts";

/** A fault for a broker that idles, and the same in the middle of a turn. */
function idleAndBusy(
  group: string,
  name: string,
  bound: Bound,
  strike: (stage: Stage, served: Served) => Promise<void> | void,
  more: Partial<Fault> & { readonly shortWhen?: "idle" | "busy" } = {},
): Fault[] {
  const { shortWhen, ...rest } = more;
  const one = (when: "idle" | "busy"): Fault => ({
    group,
    name: `${name}, ${when === "idle" ? "idle" : "in a turn"}`,
    bound,
    short: shortWhen === when,
    async strike(stage) {
      const served = await stage[when === "idle" ? "served" : "busy"]();
      await strike(stage, served);
      stage.struck();
    },
    ...rest,
  });
  return [one("idle"), one("busy")];
}

const signals = "a signal";
const signalled: readonly Fault[] = [
  ...idleAndBusy(
    signals,
    "broker, SIGKILL",
    CRASHED,
    (_stage, { broker }) => {
      process.kill(broker, "SIGKILL");
    },
    { shortWhen: "busy" },
  ),
  ...idleAndBusy(
    signals,
    "app-server, SIGKILL",
    CRASHED,
    (_stage, { appServer }) => {
      process.kill(appServer, "SIGKILL");
    },
    { shortWhen: "busy" },
  ),
  ...idleAndBusy(signals, "client, SIGKILL", CRASHED, (_stage, { client }) => client.kill(), {
    shortWhen: "busy",
    check: (stage) => onlyEpoch(stage, 1),
  }),
  ...idleAndBusy(
    signals,
    "broker and app-server, SIGKILL",
    CRASHED,
    (_stage, { broker, appServer }) => {
      process.kill(broker, "SIGKILL");
      process.kill(appServer, "SIGKILL");
    },
  ),
  ...idleAndBusy(signals, "broker, SIGTERM", CRASHED, (_stage, { broker }) => {
    process.kill(broker, "SIGTERM");
  }),
  ...idleAndBusy(signals, "broker, SIGSTOP", WEDGED, async (stage, { broker }) => {
    process.kill(broker, "SIGSTOP");
    await stage.untilStopped(broker);
  }),
  ...idleAndBusy(signals, "app-server, SIGSTOP", WEDGED, async (stage, { appServer }) => {
    process.kill(appServer, "SIGSTOP");
    await stage.untilStopped(appServer);
  }),
  ...idleAndBusy(signals, "broker and app-server, SIGSTOP", WEDGED, async (stage, served) => {
    for (const pid of [served.broker, served.appServer]) {
      process.kill(pid, "SIGSTOP");
      await stage.untilStopped(pid);
    }
  }),
  ...idleAndBusy(
    signals,
    "client, SIGSTOP",
    CRASHED,
    async (stage, { client }) => {
      client.signal("SIGSTOP");
      await stage.untilStopped(client.pid);
    },
    { check: (stage) => onlyEpoch(stage, 1) },
  ),
  ...idleAndBusy(signals, "the broker's event loop hangs", WEDGED, async (stage) => {
    stage.arm({ role: "broker", event: "session.ended", act: { kind: "block", ms: 120_000 } });
    const passing = await stage.client();
    await passing.connect().settled;
    await passing.leave();
    await stage.fired();
  }),
];

const removals = "removed";
const removed: readonly Fault[] = [
  ...idleAndBusy(
    removals,
    "socket",
    CRASHED,
    (stage, { epoch }) => {
      unlinkSync(endpointOf(stage, epoch));
    },
    { shortWhen: "busy" },
  ),
  ...idleAndBusy(
    removals,
    "record",
    CRASHED,
    (stage, { epoch }) => {
      unlinkSync(epochPath(stage.scopeDir, epoch));
    },
    { shortWhen: "idle" },
  ),
  ...idleAndBusy(
    removals,
    "`current`",
    CRASHED,
    (stage, { epoch }) => {
      const record = stage.record(epoch);
      if (record?.state === "serving" && record.current !== null) unlinkSync(record.current);
    },
    { check: (stage) => onlyEpoch(stage, 1) },
  ),
  ...idleAndBusy(removals, "directory of the sockets", CRASHED, (stage) => {
    rmSync(stage.runDir, { recursive: true });
  }),
  ...idleAndBusy(
    removals,
    "state directory",
    CRASHED,
    async (stage) => {
      // Its broker may write there meanwhile, into a directory that had been emptied.
      await eventually(() => isRemoved(stage.stateDir), "the state directory is removed");
    },
    { shortWhen: "idle" },
  ),
];

const elsewhere = "the workspace";
const workspace: readonly Fault[] = idleAndBusy(
  elsewhere,
  "removed",
  CRASHED,
  async (stage, { broker, appServer }) => {
    rmSync(stage.workspace, { recursive: true });
    stage.struck();
    await eventually(
      () => stage.isGone(broker) && stage.isGone(appServer),
      "the broker ends",
      15_000,
    );
  },
  {
    refusal: "workspaceInvalid",
    shortWhen: "busy",
    heal: async (stage) => execFileSyncQuietly("mkdir", stage.workspace),
  },
);

function isRemoved(directory: string): boolean {
  try {
    rmSync(directory, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOTEMPTY") return false;
    throw error;
  }
}

async function execFileSyncQuietly(program: string, ...args: string[]): Promise<void> {
  execFileSync(program, args, { stdio: "pipe" });
  await pause(0);
}

function endpointOf(stage: Stage, epoch: number): string {
  const record = stage.record(epoch);
  if (record?.state !== "serving") throw new Error(`epoch ${epoch} does not serve`);
  return record.endpoint;
}

const NO_DISK = "only root may mount a disk of its own here";
const unableToMount = (): string | undefined => (CAN_MOUNT ? undefined : NO_DISK);
const DISK_BYTES = 1024 * 1024;

/** A state directory on a disk of its own. */
function onDisk(bytes = DISK_BYTES): Pick<Fault, "world" | "unable"> {
  return {
    unable: unableToMount,
    world: async () => {
      const disk = mountTinyDisk(bytes);
      await pause(0);
      return {
        env: { CODEX_BROKER_STATE_DIR: join(disk.path, "state") },
        remove: async () => {
          spawnSync("umount", ["-l", join(disk.path, "state")], { stdio: "ignore" });
          // A log that was just closed may keep it busy for a moment.
          await eventually(() => unmounted(disk), "the disk is released");
        },
      };
    },
  };
}

function unmounted(disk: TinyDisk): boolean {
  try {
    disk[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

function fill({ stateDir }: Stage): void {
  fillDisk(join(stateDir, ".."));
}

async function free({ stateDir }: Stage): Promise<void> {
  unlinkSync(join(stateDir, "..", FILLER));
  await pause(0);
}

/** Through a mount of its own: the disk itself stays busy as long as a log is open on it. */
function makeReadOnly({ stateDir }: Stage): void {
  execFileSync("mount", ["--bind", stateDir, stateDir], { stdio: "pipe" });
  execFileSync("mount", ["-o", "remount,bind,ro", stateDir], { stdio: "pipe" });
}

async function makeWritable({ stateDir }: Stage): Promise<void> {
  execFileSync("umount", ["-l", stateDir], { stdio: "pipe" });
  await pause(0);
}

const disksGroup = "the disk of the state directory";
const diskFaults: readonly Fault[] = [
  ...idleAndBusy(disksGroup, "full", CRASHED, fill, {
    after: free,
    ...onDisk(),
    check: (stage) => onlyEpoch(stage, 1),
  }),
  ...idleAndBusy(
    disksGroup,
    "full, and the broker killed",
    CRASHED,
    async (stage, { broker }) => {
      fill(stage);
      process.kill(broker, "SIGKILL");
      await eventually(() => stage.isGone(broker), "the broker is gone");
    },
    { ...onDisk(), refusal: "stateDirUnusable", heal: free, shortWhen: "idle" },
  ),
  {
    group: disksGroup,
    name: "full before the claim",
    bound: CRASHED,
    ...onDisk(),
    strike: async (stage) => {
      fill(stage);
      await pause(0);
    },
    refusal: "stateDirUnusable",
    heal: free,
  },
  ...[
    { name: "full before claim → serving", event: "listener.bound", refusal: "stateDirUnusable" },
    { name: "full before serving with app-server", event: "appServer.spawned" },
  ].map(({ name, event, ...more }): Fault => ({
    group: disksGroup,
    name,
    bound: CRASHED,
    ...onDisk(),
    async strike(stage) {
      const act = { kind: "fill" as const, directory: join(stage.stateDir, "..") };
      stage.arm({ role: "broker", event, act });
      const first = await stage.client();
      const ask = first.turn("say: first");
      await stage.fired();
      await ask.settled;
    },
    ...more,
    heal: free,
  })),
  {
    group: disksGroup,
    name: "full before the obituary",
    bound: CRASHED,
    ...onDisk(),
    async strike(stage) {
      const { client, broker } = await stage.served();
      const act = { kind: "fill" as const, directory: join(stage.stateDir, "..") };
      stage.arm({ role: "broker", event: "broker.stopping", act });
      client.request("broker/stop", { force: false });
      await stage.fired();
      await eventually(() => stage.isGone(broker), "the broker ends");
    },
    refusal: "stateDirUnusable",
    heal: free,
  },
  ...idleAndBusy(disksGroup, "read-only", CRASHED, makeReadOnly, {
    ...onDisk(),
    after: makeWritable,
    check: (stage) => onlyEpoch(stage, 1),
  }),
  ...idleAndBusy(
    disksGroup,
    "read-only, and the broker killed",
    CRASHED,
    async (stage, { broker }) => {
      makeReadOnly(stage);
      process.kill(broker, "SIGKILL");
      await eventually(() => stage.isGone(broker), "the broker is gone");
    },
    {
      ...onDisk(),
      refusal: "stateDirUnusable",
      heal: makeWritable,
    },
  ),
  {
    group: disksGroup,
    name: "read-only, and the broker stopped in a turn",
    bound: CRASHED,
    ...onDisk(),
    short: true,
    async strike(stage) {
      const { client, broker, turn } = await stage.busy();
      makeReadOnly(stage);
      client.request("broker/stop", { force: false });
      const settled = await turn.settled;
      if (settled.kind !== "answered") throw new Error(`the turn was lost: ${settled.message}`);
      await eventually(() => stage.isGone(broker), "the broker ends");
    },
    refusal: "stateDirUnusable",
    heal: makeWritable,
  },
];

const HOUR_MS = 3_600_000;
const SHIFTS: ReadonlyArray<readonly [string, number]> = [
  ["+1 day", 24 * HOUR_MS],
  ["−1 day", -24 * HOUR_MS],
  ["+1 h", HOUR_MS],
  ["−1 h", -HOUR_MS],
];

const clockGroup = "the clock";
const clocks: readonly Fault[] = SHIFTS.flatMap(([how, ms]) => [
  {
    group: clockGroup,
    name: `the broker's jumps by ${how} in a turn`,
    bound: CRASHED,
    short: how === "+1 day",
    async strike(stage: Stage) {
      const { client } = await stage.busy();
      stage.arm({ role: "broker", event: "session.ended", act: { kind: "clock", ms } });
      const passing = await stage.client();
      await passing.connect().settled;
      await passing.leave();
      await stage.fired();
      await stage.status(client);
    },
    check: (stage: Stage) => onlyEpoch(stage, 1),
  },
  {
    group: clockGroup,
    name: `all but the broker's jump by ${how}, the broker killed`,
    bound: CRASHED,
    async strike(stage: Stage) {
      const { broker } = await stage.served({ env: { [CLOCK_VARIABLE.broker]: String(-ms) } });
      process.kill(broker, "SIGKILL");
      await eventually(() => stage.isGone(broker), "the broker is gone");
    },
  },
  {
    group: clockGroup,
    name: `a claimant's is wrong by ${how}, and it was killed`,
    bound: CRASHED,
    short: how === "−1 day",
    async strike(stage: Stage) {
      stage.arm({ role: "client", event: "atomicFile.linked", act: { kind: "kill" } });
      const first = await stage.client({ env: { [CLOCK_VARIABLE.client]: String(ms) } });
      first.turn("say: first");
      await stage.fired();
    },
  },
  {
    group: clockGroup,
    name: `a claimant's is wrong by ${how}, and it stopped`,
    bound: WEDGED,
    async strike(stage: Stage) {
      stage.arm({ role: "client", event: "atomicFile.linked", act: { kind: "stop" } });
      const first = await stage.client({ env: { [CLOCK_VARIABLE.client]: String(ms) } });
      first.turn("say: first");
      await stage.fired();
    },
  },
]);

/** Root passes every mode; without these two capabilities it is a user like any other. */
const AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

function unableToObeyModes(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    execFileSync(AS_A_USER[0]!, [...AS_A_USER.slice(1), "true"], { stdio: "pipe" });
    return undefined;
  } catch {
    return "root passes every mode, and setpriv cannot take that from it here";
  }
}

const asAUser = process.getuid?.() === 0 ? AS_A_USER : [];

const rightsGroup = "rights";

/** What a client that obeys modes gets, while another one goes on with the broker that is there. */
function denied(
  name: string,
  refusal: string,
  close: (stage: Stage, served: Served) => () => void,
  {
    short = false,
    wrapper = asAUser,
    unable = unableToObeyModes,
  }: Partial<Pick<Fault, "short" | "unable">> & { readonly wrapper?: string[] } = {},
): Fault {
  let open = (): void => {};
  return {
    group: rightsGroup,
    name,
    bound: CRASHED,
    short,
    unable,
    async strike(stage) {
      const served = await stage.served();
      open = close(stage, served);
      const subject = await stage.client({ wrapper });
      const settled = await subject.turn("say: no").settled;
      if (settled.kind !== "failed" || settled.error !== refusal) {
        throw new Error(`not ${refusal}: ${JSON.stringify(settled)}`);
      }
      await subject.leave();
      if (stage.epochs[0] !== served.epoch) throw new Error("another broker was started");
    },
    async heal() {
      open();
      await pause(0);
    },
    check: (stage) => onlyEpoch(stage, 1),
  };
}

function closed(path: string, mode: number): () => void {
  chmodSync(path, 0);
  return () => chmodSync(path, mode);
}

const IN_SANDBOX = inCodexSandbox("workspace-write");
/**
 * Node's pipes to a child are sockets, and those it may not even look at in there. The shell ends with
 * the program: one that ends at once must not leave it waiting for its input.
 */
const OVER_PIPES = [
  "sh",
  "-c",
  'cat | { "$0" "$@" 2>&1 1>&3 3>&- | cat >&2; kill $$; } 3>&1 | cat',
];

const rights: readonly Fault[] = [
  {
    group: rightsGroup,
    name: "EPERM in Codex's own sandbox, where there is no broker yet",
    bound: CRASHED,
    short: true,
    unable: noCodexSandbox,
    async strike(stage) {
      const subject = await stage.client({ wrapper: [...OVER_PIPES, ...IN_SANDBOX] });
      const settled = await subject.turn("say: no").settled;
      if (settled.kind !== "failed" || settled.error !== "sandboxDenied") {
        throw new Error(`not sandboxDenied: ${JSON.stringify(settled)}`);
      }
      await subject.leave();
    },
  },
  denied("EPERM in Codex's own sandbox", "sandboxDenied", () => () => {}, {
    wrapper: [...OVER_PIPES, ...IN_SANDBOX],
    unable: noCodexSandbox,
    short: true,
  }),
  denied(
    "EACCES on the socket",
    "sandboxDenied",
    (stage, { epoch }) => closed(endpointOf(stage, epoch), 0o600),
    { short: true },
  ),
  denied("EACCES on the directory of the sockets", "sandboxDenied", ({ runDir }) =>
    closed(runDir, 0o700),
  ),
  denied(
    "EACCES on the directory of the epochs",
    "stateDirUnusable",
    ({ scopeDir }) => closed(scopeDir, 0o700),
    { short: true },
  ),
  denied("EACCES on the state directory", "stateDirUnusable", ({ stateDir }) =>
    closed(stateDir, 0o700),
  ),
];

const FAKE = fileURLToPath(new URL("../../test/support/fake-app-server.mjs", import.meta.url));

/** The real app-server cannot be made to end so; its stand-in can. Every later start of it behaves well. */
function endsInTurn(name: string, end: FakeBehaviour["die"] & {}, short: boolean): Fault {
  return {
    group: "the app-server (a scripted one)",
    name,
    bound: CRASHED,
    short,
    world: async () => {
      const fake = await makeFakeCodex({ die: end }, {});
      return { codex: FAKE, env: fake.env, remove: fake.remove };
    },
    async strike(stage) {
      const { client, appServer } = await stage.served();
      const turn = client.turn("slow: 60x50ms tick");
      await eventually(() => stage.isGone(appServer), "the app-server ends");
      stage.struck();
      const settled = await turn.settled;
      if (settled.kind !== "failed") throw new Error(`the turn ended well: ${settled.kind}`);
    },
  };
}

const appServers: readonly Fault[] = [
  endsInTurn("exits with code 0 in a turn", { on: "turn/start", code: 0, afterMs: 200 }, true),
  endsInTurn("exits with code 1 in a turn", { on: "turn/start", code: 1, afterMs: 200 }, false),
  endsInTurn(
    "ends by SIGSEGV in a turn",
    { on: "turn/start", signal: "SIGSEGV", afterMs: 200 },
    false,
  ),
  {
    group: "the app-server (a scripted one)",
    name: "takes 10 s to answer `initialize`",
    bound: { servedMs: 16_000, goneMs: 20_000 },
    short: true,
    world: async () => {
      const fake = await makeFakeCodex({ delayMs: { initialize: 10_000 } }, {});
      return { codex: FAKE, env: fake.env, remove: fake.remove };
    },
    async strike(stage) {
      const first = await stage.client();
      first.turn("say: first");
      await eventually(() => stage.record(1)?.state === "serving", "the broker listens");
    },
    check: (stage) => onlyEpoch(stage, 1),
  },
];

const DESCRIPTORS = 64;

const descriptors: readonly Fault[] = [
  {
    group: "descriptors",
    name: `EMFILE in the broker (limit ${DESCRIPTORS}), in a turn`,
    bound: CRASHED,
    short: true,
    async strike(stage) {
      const limited = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`];
      const { turn, epoch, broker } = await stage.busy({ wrapper: limited });
      const endpoint = endpointOf(stage, epoch);
      const open = (): number => readdirSync(`/proc/${broker}/fd`).length;
      // A broker has 29 with Node 20, and 4 more of the event loops' with Node 22.
      const before = open();
      const sockets: Socket[] = Array.from({ length: 2 * DESCRIPTORS }, () => {
        const socket = connect(endpoint);
        socket.on("error", () => {});
        return socket;
      });
      await eventually(() => open() >= DESCRIPTORS - 1, "its descriptors run out");
      stage.struck();
      const settled = await turn.settled;
      if (settled.kind !== "answered") throw new Error(`the turn was lost: ${settled.message}`);
      for (const socket of sockets) socket.destroy();
      await eventually(() => open() <= before, "they are given back");
    },
    check: (stage) => onlyEpoch(stage, 1),
  },
  {
    group: "descriptors",
    name: "ENFILE",
    bound: CRASHED,
    unable: () => "the limit is the whole machine's",
    strike: () => Promise.resolve(),
  },
];

export const outsideFaults: readonly Fault[] = [
  ...signalled,
  ...removed,
  ...workspace,
  ...diskFaults,
  ...clocks,
  ...rights,
  ...appServers,
  ...descriptors,
];
