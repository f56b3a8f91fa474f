import { OWN_SETTING } from "../../base/own-setting.ts";
import { BrokerError } from "../../base/errors.ts";

/** What a broker's app-server is anyway. */
const IMPLIED = new Set(["app-server", "--stdio", "--listen=stdio://"]);

/** Decides only what holds where the configuration says nothing, so that a shared one can do without. */
const HARMLESS = "--analytics-default-enabled";

/** Options of codex that are followed by their value. */
const WITH_VALUE = new Set([
  "-c",
  "--config",
  "--enable",
  "--disable",
  "--listen",
  "--startup-client-info",
  "--cloud-skills-snapshot",
  "--code-mode-host",
]);

/** Of these the program would get something else than an app-server on stdio. */
const OTHER_PROGRAM = /^(--listen(=|$)|--print-startup-config$|--help$|-h$|--version$|-V$|[^-])/;

/**
 * Returns what a program gave to what it takes for `codex`, as far as an app-server needs it: nothing
 * for a shared one; for a private one, all options but those that a broker's app-server has anyway.
 *
 * @throws BrokerError `usage` for anything that would change the app-server of everyone, or make
 *   another program of it.
 */
export function appServerArguments(args: readonly string[], isPrivate: boolean): readonly string[] {
  if (args.includes(OWN_SETTING)) throw ledBack();
  const asked = grouped(args).filter((words) => !IMPLIED.has(words.join("=")));
  if (isPrivate) {
    const refused = asked.find((words) => isIncomplete(words) || OTHER_PROGRAM.test(words[0]));
    if (refused === undefined) return asked.flat();
    throw new BrokerError("usage", `An app-server on stdio cannot be given ${quoted(refused)}.`, {
      hint: "Leave it out: `codex-broker proxy` is a `codex app-server` on stdio.",
    });
  }
  const refused = asked.find(([first]) => first !== HARMLESS);
  if (refused === undefined) return [];
  throw new BrokerError("usage", `The shared app-server cannot be given ${quoted(refused)}.`, {
    hint: /^(-c|--config|--enable|--disable)/.test(refused[0])
      ? "Write it into config.toml, where it counts for everyone, or into the `config` of `thread/start`; or use `codex-broker proxy --private`, which shares with nobody."
      : "Leave it out: `codex-broker proxy` is a `codex app-server` on stdio without further options.",
  });
}

/** A broker has started what it takes for codex, and has got here. */
function ledBack(): BrokerError {
  return new BrokerError(
    "usage",
    "This `codex` leads back to codex-broker: a broker started it as its app-server, and it started `codex-broker proxy`.",
    { hint: "Set CODEX_BROKER_CODEX to the real codex, or name it with `--codex PATH`." },
  );
}

type Words = readonly [first: string, ...rest: string[]];

/** Each option with its value. */
function grouped(args: readonly string[]): Words[] {
  const groups: Words[] = [];
  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const value = WITH_VALUE.has(arg) ? left.shift() : undefined;
    groups.push(value === undefined ? [arg] : [arg, value]);
  }
  return groups;
}

function isIncomplete([first, value]: Words): boolean {
  return WITH_VALUE.has(first) && value === undefined;
}

function quoted([arg]: Words): string {
  return JSON.stringify(arg.length > 80 ? `${arg.slice(0, 80)}…` : arg);
}
