import { EXIT, type ExitCode } from "../../base/errors.ts";
import { Proxy } from "../../client/proxy/proxy.ts";
import { resolveScope } from "../../lifecycle/scope.ts";
import type { proxyOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { checkAppServerArguments } from "../proxy/app-server-arguments.ts";
import { wantedScope, wantedSharing, wantedStart } from "../workspace/wanted.ts";

export async function execute(given: Given<typeof proxyOptions>): Promise<ExitCode> {
  checkAppServerArguments(given.operands);
  const streams = { readable: process.stdin, writable: process.stdout };
  const proxy = new Proxy(streams, {
    ...wantedStart(given),
    scope: resolveScope({ ...wantedScope(given), ...wantedSharing(given) }),
    cwd: process.cwd(),
  });
  await proxy.ended;
  return EXIT.ok;
}
