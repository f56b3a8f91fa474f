import { EXIT, type ExitCode } from "../../base/errors.ts";
import { shellQuoted } from "../../base/shell-word.ts";
import { connectBroker } from "../../client/connect.ts";
import { endpointUrl } from "../../os/endpoint-url.ts";
import { clientInfo, wantedScope, wantedStart } from "../workspace/wanted.ts";
import type { envOptions } from "../quick-commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";

export async function execute(given: Given<typeof envOptions>): Promise<ExitCode> {
  const client = await connectBroker({
    ...wantedScope(given),
    ...wantedStart(given),
    clientInfo: clientInfo("env"),
  });
  const { current, endpoint } = client.record;
  client.close();
  const variables = { CODEX_COMPANION_APP_SERVER_ENDPOINT: endpointUrl(current ?? endpoint) };
  if (given.has("json")) out.json(variables);
  else {
    for (const [name, value] of Object.entries(variables)) {
      out.line(`export ${name}=${shellQuoted(value)}`);
    }
  }
  return EXIT.ok;
}
