import * as fc from "fast-check";
import { expect, test } from "vitest";
import { clientRequests } from "../../src/app-server/generated/methods.ts";
import { limitMsOf } from "../../src/app-server/method-table.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();

const SESSIONS = 3;
const LINES = Number(process.env["FUZZ_LINES"] ?? 150);
const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);

/** What could reach out of the test, or may rightly take as long as it likes, is left out. */
const LEFT_OUT =
  /^(account|accountSession|feedback|plugin|marketplace|mcpServer|remoteControl|command|process|fs|config|externalAgentConfig|app|userVerification|memory|environment|skills|windowsSandbox)\b|realtime|sample|guardian|prediction|attachment|gitDiff|fuzzy|initialize|rateLimit|getAuth|login/i;

const methods = Object.keys(clientRequests).filter(
  (method) => !LEFT_OUT.test(method) && Number.isFinite(limitMsOf(method)),
);

const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("t", "", null, {}, []));
const params = fc.dictionary(
  fc.constantFrom(
    "threadId",
    "turnId",
    "input",
    "cwd",
    "limit",
    "cursor",
    "broker",
    "expectedTurnId",
  ),
  value,
);
const traceText = fc.oneof({ weight: 3, arbitrary: fc.constantFrom("00-ab-cd-01", null) }, value);
const trace = fc.oneof(
  value,
  fc.record({ traceparent: traceText, tracestate: traceText }, { requiredKeys: [] }),
);
const id = fc.oneof(fc.nat({ max: 1e6 }), fc.string({ minLength: 1, maxLength: 8 }));

type Line = { readonly bytes: Buffer; readonly id?: number | string };

const request: fc.Arbitrary<Line> = fc
  .record(
    {
      id,
      method: fc.oneof(fc.constantFrom(...methods), fc.constant("nope/nothing")),
      params,
      trace,
    },
    { requiredKeys: ["id", "method", "params"] },
  )
  .map((message) => ({ bytes: Buffer.from(`${JSON.stringify(message)}\n`), id: message.id }));
const line: fc.Arbitrary<Line> = fc.oneof(
  { weight: 6, arbitrary: request },
  fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => ({ bytes: Buffer.concat([bytes, Buffer.from("\n")]) })),
  fc.json({ maxDepth: 3 }).map((text) => ({ bytes: Buffer.from(`${text}\n`) })),
  fc
    .record({ id, result: value })
    .map((answer) => ({ bytes: Buffer.from(`${JSON.stringify(answer)}\n`) })),
  fc
    .record({ method: fc.string(), params: value })
    .map((told) => ({ bytes: Buffer.from(`${JSON.stringify(told)}\n`) })),
);

test(
  `F48 F12: nonsense from several clients at once ends nobody, and whatever is asked is answered (FUZZ_SEED=${SEED})`,
  { timeout: 90_000 },
  async () => {
    await using world = await makeWorld();
    await using steady = await world.connect();
    const before = await steady.status();
    const { endpoint } = steady.record;
    const lines = fc.sample(line, { seed: SEED, numRuns: SESSIONS * LINES });
    const talk = async (n: number): Promise<void> => {
      const own = lines.slice(n * LINES, (n + 1) * LINES);
      await using early = await RawSession.open(endpoint);
      for (const { bytes } of own.slice(0, 20)) early.write(bytes);
      await using session = await RawSession.initialized(endpoint, {
        experimentalApi: n % 2 === 0,
      });
      const asked = own.flatMap((each) => each.id ?? []);
      for (const { bytes } of own) session.write(bytes);
      const answered = (): number =>
        session.messages.filter(
          ({ id: of, method }) => method === undefined && of !== null && of !== undefined,
        ).length;
      // The first answer was to `initialize`.
      await eventually(
        () => session.socket.destroyed || answered() > asked.length,
        "every request has its answer",
        30_000,
      );
    };
    await Promise.all(Array.from({ length: SESSIONS }, (_each, n) => talk(n)));
    const after = await steady.status();
    expect([after.pid, after.appServer.pid]).toEqual([before.pid, before.appServer.pid]);
    const { status } = await steady.runTurn({ prompt: "say: still here" }).result;
    expect(status).toBe("completed");
  },
);
