import { EXIT, type ExitCode } from "../../base/errors.ts";
import { Proxy } from "../../client/proxy/proxy.ts";
import { resolveScope } from "../../lifecycle/scope.ts";
import type { proxyOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { appServerArguments } from "../proxy/app-server-arguments.ts";
import { wantedScope, wantedSharing, wantedStart } from "../workspace/wanted.ts";

export async function execute(given: Given<typeof proxyOptions>): Promise<ExitCode> {
  const sharing = wantedSharing(given);
  const streams = { readable: process.stdin, writable: process.stdout };
  const proxy = new Proxy(streams, {
    ...wantedStart(given),
    appServerArguments: appServerArguments(given.operands, sharing.private),
    scope: resolveScope({ ...wantedScope(given), ...sharing }),
    cwd: process.cwd(),
  });
  await proxy.ended;
  return EXIT.ok;
}
