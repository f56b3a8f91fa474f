import { BrokerError } from "../../base/errors.ts";

/** What a shared app-server is anyway, or does without anybody missing it. */
const HARMLESS = new Set([
  "app-server",
  "--stdio",
  "--listen=stdio://",
  // Decides only what holds where the configuration says nothing.
  "--analytics-default-enabled",
]);

/**
 * What a program gave to what it takes for `codex`: all that a shared app-server can honour.
 *
 * @throws BrokerError `usage` for anything that would change the app-server of everyone.
 */
export function checkAppServerArguments(args: readonly string[]): void {
  const joined = args.join("\0").replaceAll("--listen\0", "--listen=");
  const refused = joined.split("\0").find((arg) => arg !== "" && !HARMLESS.has(arg));
  if (refused === undefined) return;
  throw new BrokerError("usage", `The shared app-server cannot be given ${quoted(refused)}.`, {
    hint: /^(-c|--config|--enable|--disable)/.test(refused)
      ? "Write it into config.toml, where it counts for everyone, or into the `config` of `thread/start`."
      : "Leave it out: `codex-broker proxy` is a `codex app-server` on stdio without further options.",
  });
}

function quoted(arg: string): string {
  return JSON.stringify(arg.length > 80 ? `${arg.slice(0, 80)}…` : arg);
}
