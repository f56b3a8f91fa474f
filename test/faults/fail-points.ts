import { CRASHED, WEDGED, type Bound, type Fault } from "./fault.ts";
import type { Act, FaultPlan } from "./plan.ts";
import type { Stage } from "./stage.ts";

/** A step of a process, as its trace names it. */
interface Point extends Omit<FaultPlan, "act"> {
  readonly name: string;
}

/** What goes on while the step is reached. */
type Scene = (stage: Stage) => Promise<void>;

const firstStart: Scene = async (stage) => {
  const first = await stage.client();
  first.turn("say: first");
  await stage.fired();
};

const stopIdle: Scene = async (stage) => {
  const { client } = await stage.served();
  client.request("broker/stop", { force: false });
  await stage.fired();
};

const stopInTurn: Scene = async (stage) => {
  const { client } = await stage.busy();
  client.request("broker/stop", { force: false });
  await stage.fired();
};

const replaceInTurn: Scene = async (stage) => {
  await stage.busy();
  const other = await stage.client();
  other.connect({ replace: true });
  await stage.fired();
};

const broker = (name: string, event: string, more: Partial<Point> = {}): Point => ({
  role: "broker",
  name,
  event,
  ...more,
});
const client = (name: string, event: string, more: Partial<Point> = {}): Point => ({
  role: "client",
  name,
  event,
  ...more,
});

const KILL: Act = { kind: "kill" };
const STOP: Act = { kind: "stop" };

function row(
  group: string,
  scene: Scene,
  { name, ...point }: Point,
  act: Act,
  bound: Bound,
  more: Partial<Fault> = {},
): Fault {
  return {
    group,
    name: `${name}: ${VERBS[act.kind]}`,
    bound,
    async strike(stage) {
      stage.arm({ ...point, act });
      await scene(stage);
    },
    ...more,
  };
}

const VERBS: Readonly<Record<Act["kind"], string>> = {
  kill: "killed",
  stop: "stopped",
  block: "hangs",
  clock: "clock jumps",
  fill: "disk full",
};

/** It is named in no record yet, so nobody can prove who it is. It must leave by itself when it wakes up. */
const unnamed =
  (scene: Scene): Scene =>
  async (stage) => {
    await scene(stage);
    stage.sleepers.push(await stage.fired());
  };

const SERVING = { fact: "/1\\.json$", nth: 1 };
const WITH_APP_SERVER = { fact: "/1\\.json$", nth: 2 };
const OBITUARY = { fact: "/1\\.json$", nth: 3 };
const CURRENT = { fact: "\\.current$" };

const startGroup = "at a step of the start";
const starting: readonly Fault[] = [
  row(
    startGroup,
    firstStart,
    client("claimant after the claim", "atomicFile.linked"),
    KILL,
    CRASHED,
    { short: true },
  ),
  row(
    startGroup,
    firstStart,
    client("claimant after the claim", "atomicFile.linked"),
    STOP,
    WEDGED,
  ),
  row(startGroup, firstStart, client("claimant after the spawn", "broker.spawned"), KILL, CRASHED, {
    short: true,
  }),
  row(startGroup, firstStart, client("claimant after the spawn", "broker.spawned"), STOP, WEDGED),
  row(startGroup, firstStart, client("claimant after the start", "ensure.started"), KILL, CRASHED),
  ...[
    broker("broker before it listens", "listener.binding"),
    broker("broker after it listens", "listener.bound"),
    broker("broker before `current`", "atomicFile.renaming", CURRENT),
    broker("broker after `current`", "atomicFile.renamed", CURRENT),
    broker("broker before claim → serving", "atomicFile.renaming", SERVING),
  ].flatMap((point) => [
    row(startGroup, firstStart, point, KILL, CRASHED, { short: point.fact !== CURRENT.fact }),
    row(startGroup, unnamed(firstStart), point, STOP, WEDGED),
  ]),
  ...[
    broker("broker after claim → serving", "atomicFile.renamed", SERVING),
    broker("broker before the app-server starts", "appServer.starting"),
    broker("broker after the spawn of the app-server", "appServer.spawned"),
    broker("broker before serving with app-server", "atomicFile.renaming", WITH_APP_SERVER),
    broker("broker after serving with app-server", "atomicFile.renamed", WITH_APP_SERVER),
  ].flatMap((point) => [
    row(startGroup, firstStart, point, KILL, CRASHED, {
      short: point.event.startsWith("atomicFile.renam") && point.fact === SERVING.fact,
    }),
    row(startGroup, firstStart, point, STOP, WEDGED),
  ]),
];

const slowGroup = "slow, and then it comes up";
const slow: readonly Fault[] = [
  row(
    slowGroup,
    firstStart,
    broker("broker before it listens, 4 s", "listener.binding"),
    { kind: "block", ms: 4_000 },
    { servedMs: 9_000, goneMs: 15_000 },
    { short: true, check: (stage) => onlyEpoch(stage, 1) },
  ),
  row(
    slowGroup,
    firstStart,
    broker("broker before the app-server starts, 6 s", "appServer.starting"),
    { kind: "block", ms: 6_000 },
    { servedMs: 11_000, goneMs: 15_000 },
    { check: (stage) => onlyEpoch(stage, 1) },
  ),
];

export function onlyEpoch(stage: Stage, epoch: number): string | undefined {
  const { epochs } = stage;
  return epochs[0] === epoch ? undefined : `the epochs are ${epochs.join(", ")}`;
}

const endGroup = "at a step of the end";
const ending: readonly Fault[] = [
  row(
    endGroup,
    stopInTurn,
    broker("broker in the middle of the drain", "broker.draining"),
    KILL,
    CRASHED,
    { short: true },
  ),
  row(
    endGroup,
    stopInTurn,
    broker("broker in the middle of the drain", "broker.draining"),
    STOP,
    WEDGED,
  ),
  row(endGroup, stopIdle, broker("broker before it closes", "broker.stopping"), KILL, CRASHED),
  row(endGroup, stopIdle, broker("broker before it closes", "broker.stopping"), STOP, WEDGED),
  row(
    endGroup,
    stopIdle,
    broker("broker before the obituary", "atomicFile.renaming", OBITUARY),
    KILL,
    CRASHED,
    { short: true },
  ),
  row(
    endGroup,
    stopIdle,
    broker("broker before the obituary", "atomicFile.renaming", OBITUARY),
    STOP,
    WEDGED,
  ),
  row(
    endGroup,
    stopIdle,
    broker("broker after the obituary", "atomicFile.renamed", OBITUARY),
    KILL,
    CRASHED,
  ),
  row(
    endGroup,
    unnamed(stopIdle),
    broker("broker after the obituary", "atomicFile.renamed", OBITUARY),
    STOP,
    WEDGED,
  ),
  row(endGroup, stopIdle, broker("broker before its exit", "broker.ended"), KILL, CRASHED),
  row(endGroup, unnamed(stopIdle), broker("broker before its exit", "broker.ended"), STOP, WEDGED),
];

const rotationGroup = "at a step of a rotation, a turn running in the old one";
const rotating: readonly Fault[] = [
  row(
    rotationGroup,
    replaceInTurn,
    broker("old one when it begins to drain", "broker.draining"),
    KILL,
    CRASHED,
    { short: true },
  ),
  row(
    rotationGroup,
    replaceInTurn,
    broker("old one when it begins to drain", "broker.draining"),
    STOP,
    WEDGED,
  ),
  row(
    rotationGroup,
    replaceInTurn,
    client("claimant of the successor after the claim", "atomicFile.linked", {
      fact: "/2\\.json$",
    }),
    KILL,
    CRASHED,
  ),
  row(
    rotationGroup,
    replaceInTurn,
    client("claimant after the successor's start", "ensure.started", { fact: "^2$" }),
    KILL,
    CRASHED,
  ),
  row(
    rotationGroup,
    replaceInTurn,
    broker("successor before it listens", "listener.binding", { fact: "\\.2\\.\\w+\\.sock$" }),
    KILL,
    CRASHED,
  ),
  row(
    rotationGroup,
    replaceInTurn,
    broker("successor after its start", "broker.listening", { fact: "^2$" }),
    KILL,
    CRASHED,
  ),
  row(
    rotationGroup,
    replaceInTurn,
    broker("successor after its start", "broker.listening", { fact: "^2$" }),
    STOP,
    WEDGED,
  ),
];

export const failPoints: readonly Fault[] = [...starting, ...slow, ...ending, ...rotating];
