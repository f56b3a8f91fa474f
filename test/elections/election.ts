import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { CAN_SEE_PROCESSES, markedProcesses } from "../support/marked-processes.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { Asker, type Answer } from "./asker.ts";
import { Random } from "./random.ts";
import type { Place, Scenario } from "./scenarios.ts";

/** The variable by which every process of one election is known. It does not count for the scope. */
const MARK = "BROKER_ELECTION_MARK";
/** What is superfluous must be gone by then. */
const PATIENCE_MS = 5_000;
/** From the word to the instant at which all ask: enough to give it to everybody. */
const NOTICE_MS = 100;

export interface ElectionOptions {
  /** The project's root directory. */
  readonly root: string;
  readonly processes: number;
  readonly seed: number;
  /** The codex to be found; undefined: the real one. */
  readonly codex: string | undefined;
}

/** How one election went. */
export interface Outcome {
  /** From the word to the answer, for each who was served. */
  readonly ms: readonly number[];
  /** One broker and one app-server, and everybody got them. */
  readonly oneWinner: boolean;
  /** Everybody whom the scenario left alive. */
  readonly everyoneServed: boolean;
  /** Processes beyond broker and app-server after the time for clearing up; null where nobody can see. */
  readonly extra: number | null;
  /** What was to happen meanwhile did happen. */
  readonly happened: boolean;
  /** What to look at when it did not go well. */
  readonly details: readonly string[];
}

/** Many processes ask for a broker of the same workspace at one instant. */
export async function holdElection(scenario: Scenario, options: ElectionOptions): Promise<Outcome> {
  const mark = randomUUID();
  const { codex } = options;
  await using world = await makeWorld({
    env: { [MARK]: mark },
    ...(codex === undefined ? {} : { codex }),
  });
  const place = placeOf(world, options);
  const askers = Array.from(
    { length: options.processes },
    () => new Asker(place.askerProgram, place.workspace, place.env),
  );
  await Promise.all(askers.map(({ ready }) => ready));
  const afterwards = await scenario.prepare?.(place);
  const at = Date.now() + NOTICE_MS;
  for (const asker of askers) asker.askAt(at);
  const happened = (await scenario.meanwhile?.(place, askers)) ?? true;
  const answers = await Promise.all(askers.map(({ answer }) => answer));
  await afterwards?.();
  const extra = await processesLeft(world, `${MARK}=${mark}`);
  return judge(scenario, world, place, answers, extra, happened);
}

function placeOf(world: World, { root, seed }: ElectionOptions): Place {
  return {
    workspace: world.workspace,
    scopeDir: resolveScope({ cwd: world.workspace, env: world.env }).directory,
    env: world.env,
    askerProgram: join(root, "test/elections/asker.mjs"),
    claimantProgram: join(root, "build/elections/claimant.js"),
    random: new Random(seed),
  };
}

/** Waits until only one broker and one app-server are there, and no longer than it may take. */
async function processesLeft(world: World, variable: string): Promise<readonly string[]> {
  const deadline = Deadline.after(PATIENCE_MS);
  for (;;) {
    const brokers = livingBrokers(world.stateDir);
    const expected = new Set(brokers.slice(0, 1).flatMap(pidsOf));
    const processes = CAN_SEE_PROCESSES ? await markedProcesses({ variable, dirs: [] }) : [];
    const left = processes.filter(({ pid }) => !expected.has(pid));
    if ((left.length === 0 && brokers.length === 1) || deadline.expired) {
      return left.map(({ pid, commandLine }) => `${pid}: ${commandLine}`);
    }
    await pause(50);
  }
}

type Winner = ReturnType<typeof livingBrokers>[number];

function pidsOf(record: Winner): number[] {
  return [record.broker.pid, ...(record.appServer === null ? [] : [record.appServer.pid])];
}

/** The fixed path, for clients that were given one in an environment variable. */
function currentLeadsTo({ current, endpoint }: Winner): boolean {
  if (current === null) return true;
  try {
    return readlinkSync(current) === endpoint;
  } catch {
    return false;
  }
}

function judge(
  scenario: Scenario,
  world: World,
  { scopeDir }: Place,
  answers: readonly Answer[],
  extra: readonly string[],
  happened: boolean,
): Outcome {
  const served = answers.filter((answer) => answer.kind === "served");
  const failed = answers.flatMap((answer) => (answer.kind === "failed" ? [answer.why] : []));
  const pairs = new Set(
    served.map(({ instance, appServer }) => `${instance} ${String(appServer)}`),
  );
  const [winner, ...others] = livingBrokers(world.stateDir);
  const sameForAll = scenario.mayServeTwice === true || pairs.size === 1;
  const oneWinner =
    winner !== undefined &&
    others.length === 0 &&
    sameForAll &&
    currentLeadsTo(winner) &&
    served.some(({ instance }) => instance === winner.instance);
  return {
    ms: served.map(({ ms }) => ms),
    oneWinner,
    everyoneServed: failed.length === 0 && served.length > 0,
    extra: CAN_SEE_PROCESSES ? extra.length : null,
    happened,
    details: [
      ...failed,
      ...extra,
      `brokers that served somebody: ${pairs.size}; epochs: ${listEpochs(scopeDir).join(" ")}`,
    ],
  };
}
