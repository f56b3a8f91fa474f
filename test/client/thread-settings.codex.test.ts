import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BrokerClient } from "../../src/index.ts";
import { deferred } from "../../src/base/deferred.ts";
import { CLI, privateEnvironment } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { at, textAt, type Json, type JsonObject } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerConfig } from "../support/mcp-server.ts";
import { StdioClient } from "../support/stdio-client.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const LIMIT_MS = 180_000;
/** `SETTINGS_RUNS=100` tries more combinations. */
const RUNS = Number(process.env["SETTINGS_RUNS"] ?? 6);

/** A client of either kind, as far as this suite uses it. */
interface Subject extends AsyncDisposable {
  request(method: string, params: object): Promise<Json>;
  /** Runs one turn to its end. */
  turn(threadId: string, text: string, more?: object): Promise<void>;
  /** Resolves when it has gone over to the broker of that epoch. */
  moved(epoch: number): Promise<void>;
}

const inputOf = (text: string): object[] => [{ type: "text", text, text_elements: [] }];

async function library(world: World): Promise<Subject> {
  const client: BrokerClient = await world.connect();
  const request = async (method: string, params: object): Promise<Json> =>
    (await client.request(method, params)) as Json;
  return {
    request,
    async turn(threadId, text, more = {}) {
      const ended = deferred<void>();
      const undo = client.onNotification((method, params) => {
        if (method === "turn/completed" && at(params as Json, "threadId") === threadId) {
          ended.resolve();
        }
      });
      await request("turn/start", { threadId, input: inputOf(text), ...more });
      await ended.promise;
      undo();
    },
    moved: (epoch) => eventually(() => client.epoch === epoch, "the client has moved", 30_000),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

async function proxy(world: World): Promise<Subject> {
  const program = new StdioClient({
    command: process.execPath,
    args: [CLI, "proxy"],
    env: privateEnvironment(world) as Record<string, string>,
    cwd: world.workspace,
    deadlineMs: 30_000,
  });
  // A program that does not want to be told of settings loses none for it.
  await program.initialize({
    experimentalApi: true,
    optOutNotificationMethods: ["thread/settings/updated"],
  });
  return {
    request: (method, params) => program.request(method, params as JsonObject),
    async turn(threadId, text, more = {}) {
      const params = { threadId, input: inputOf(text), ...more } as JsonObject;
      const turnId = at(await program.request("turn/start", params), "turn.id");
      await program.nextOf("turn/completed", (each) => at(each, "turn.id") === turnId);
    },
    async moved(epoch) {
      await program.nextOf("warning", (each) => textAt(each, "message").includes(`→ ${epoch})`));
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

async function replaceBroker(world: World): Promise<number> {
  const successor = await world.connect({ replace: true });
  successor.close();
  return successor.epoch;
}

async function killBroker(world: World): Promise<number> {
  const [record] = livingBrokers(world.stateDir);
  process.kill(record?.broker.pid ?? 0, "SIGKILL");
  return (record?.epoch ?? 0) + 1;
}

/** What the model is asked with, besides the conversation itself. */
function lastRequest(world: World): { readonly with: object; readonly context: string[] } {
  const body = world.model.requests.recent.at(-1)?.body as Record<string, Json>;
  const { model, reasoning, tools, text, service_tier: tier } = body;
  const names = (tools as JsonObject[]).map(({ name }) => name);
  const context = (body["input"] as JsonObject[])
    .filter(({ role }) => role !== "assistant")
    .map(({ content }) => JSON.stringify(content))
    .filter((content) => !content.includes('"say: '));
  return { with: { model, reasoning, names, text, tier }, context: [...new Set(context)] };
}

const SHOWN = [
  "model",
  "modelProvider",
  "serviceTier",
  "cwd",
  "runtimeWorkspaceRoots",
  "approvalPolicy",
  "approvalsReviewer",
  "sandbox",
  "activePermissionProfile",
  "reasoningEffort",
];

/** The settings in force, as Codex shows them. */
async function settingsOf(subject: Subject, threadId: string): Promise<object> {
  const shown = await subject.request("thread/resume", { threadId, excludeTurns: true });
  const { mode } = (at(shown, "collaborationMode") ?? {}) as { mode?: string };
  return { ...Object.fromEntries(SHOWN.map((name) => [name, at(shown, name)])), mode };
}

interface Combination {
  readonly opening: object;
  readonly turn: object;
}

function combinations(world: World): fc.Arbitrary<Combination> {
  const other = join(world.workspace, "other");
  mkdirSync(other, { recursive: true });
  const some = (members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> =>
    fc.record(members, { requiredKeys: [] });
  const effort = fc.constantFrom("low", "high");
  const policy = fc.constantFrom(
    { type: "readOnly", networkAccess: true },
    { type: "dangerFullAccess" },
    {
      type: "workspaceWrite",
      writableRoots: [other],
      networkAccess: true,
      excludeTmpdirEnvVar: true,
      excludeSlashTmp: false,
    },
  );
  const approvals = fc.constantFrom("never", "on-request", "untrusted");
  const config = some({
    mcp_servers: fc.constant({ notes: mcpServerConfig }),
    model_reasoning_effort: effort,
    model_reasoning_summary: fc.constantFrom("none", "concise"),
    model_verbosity: fc.constantFrom("low", "high"),
    sandbox_workspace_write: fc.constant({ network_access: true }),
  });
  const sandboxed = fc.oneof(
    fc.constant({}),
    fc.record({ sandbox: fc.constantFrom("read-only", "workspace-write", "danger-full-access") }),
    fc.record({ permissions: fc.constantFrom(":workspace", "mine") }),
  );
  const opening = fc
    .tuple(
      some({
        model: fc.constant("opening-model"),
        cwd: fc.constant(other),
        approvalPolicy: approvals,
        approvalsReviewer: fc.constant("auto_review"),
        developerInstructions: fc.constant("Be brief."),
        baseInstructions: fc.constant("You are a test."),
        config,
      }),
      sandboxed,
    )
    .map(([one, more]) => ({ ...one, ...more }));
  const turn = fc
    .tuple(
      some({
        model: fc.constant("turn-model"),
        effort,
        summary: fc.constantFrom("concise", "detailed"),
        approvalPolicy: approvals,
        cwd: fc.constant(other),
      }),
      fc.oneof(
        fc.constant({}),
        fc.record({ sandboxPolicy: policy }),
        fc.record({ permissions: fc.constant("mine") }),
        fc.record({ environments: fc.constant([]) }),
        fc.record({
          collaborationMode: fc.constant({
            mode: "plan",
            settings: {
              model: "plan-model",
              reasoning_effort: "high",
              developer_instructions: null,
            },
          }),
        }),
      ),
    )
    .map(([one, more]) => ({ ...one, ...more }));
  return fc.record({ opening, turn });
}

const TABLES = '[permissions.mine]\nextends = ":read-only"';

async function goesOn(
  world: World,
  subject: Subject,
  { opening, turn }: Combination,
  replace: (world: World) => Promise<number>,
): Promise<void> {
  const threadId = textAt(await subject.request("thread/start", opening), "thread.id");
  await subject.turn(threadId, "say: one", turn);
  await subject.turn(threadId, "say: two");
  const before = { settings: await settingsOf(subject, threadId), request: lastRequest(world) };
  await subject.moved(await replace(world));
  await subject.turn(threadId, "say: three");
  const request = lastRequest(world);
  expect(request.with).toEqual(before.request.with);
  // Codex tells the model of whatever has changed.
  expect(request.context.filter((item) => !before.request.context.includes(item))).toEqual([]);
  expect(await settingsOf(subject, threadId)).toEqual(before.settings);
  await subject.request("thread/unsubscribe", { threadId });
}

describe("a thread whose broker is replaced", () => {
  const mcp = { mcp_servers: { notes: mcpServerConfig } };
  const examples: Array<[Combination]> = [
    [{ opening: { config: mcp, sandbox: "workspace-write" }, turn: {} }],
    [{ opening: { model: "m", config: { model_reasoning_effort: "high" } }, turn: {} }],
    [
      {
        opening: { model: "m", config: { model: "n", model_reasoning_effort: "high" } },
        turn: { model: "turn-model", effort: "low", summary: "detailed" },
      },
    ],
  ];

  test.each([
    ["library", "replaced", library, replaceBroker],
    ["proxy", "replaced", proxy, replaceBroker],
    ["proxy", "killed", proxy, killBroker],
  ] as const)(
    "F105: goes on with exactly the settings in force before (%s, broker %s)",
    { timeout: LIMIT_MS + RUNS * 20_000 },
    async (_kind, _how, open, replace) => {
      await using world = await makeWorld({ config: { tables: TABLES } });
      await using subject = await open(world);
      await fc.assert(
        fc.asyncProperty(combinations(world), (each) => goesOn(world, subject, each, replace)),
        { numRuns: RUNS, examples, endOnFailure: true },
      );
    },
  );
});
