import { text } from "node:stream/consumers";
import { BrokerError, EXIT, messageOf, type ExitCode } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { connectBroker } from "../../client/connect.ts";
import { isRecord } from "../../wire/messages.ts";
import { clientInfo, wantedScope, wantedSharing, wantedStart } from "../workspace/wanted.ts";
import type { callOptions } from "../quick-commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";

export async function execute(given: Given<typeof callOptions>): Promise<ExitCode> {
  const [method = "", source] = given.operands;
  const timeoutMs = given.seconds("timeout");
  const params = parseParams(source === "-" ? await text(process.stdin) : (source ?? "{}"));
  const client = await connectBroker({
    ...wantedScope(given),
    ...wantedSharing(given),
    ...wantedStart(given),
    clientInfo: clientInfo("call"),
    experimentalApi: given.has("experimental"),
  });
  const deadline = timeoutMs === undefined ? Deadline.never() : Deadline.after(timeoutMs);
  const result = await client.request(method, params, { deadline });
  client.close();
  out.json(result, !given.has("json"));
  return EXIT.ok;
}

function parseParams(source: string): Record<string, unknown> {
  const params = parse(source);
  if (isRecord(params)) return params;
  throw new BrokerError("usage", "The parameters are JSON, but not an object.", { hint: HINT });
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new BrokerError("usage", `The parameters are not JSON: ${messageOf(error)}.`, {
      hint: HINT,
    });
  }
}

const HINT = `Write one JSON object, for example \`codex-broker call thread/list '{"limit":3}'\`.`;
