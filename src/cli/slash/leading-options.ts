import { BrokerError } from "../../base/errors.ts";

/** The options of one slash command: those with true stand alone, the others name their value. */
export type TypedOptions = Readonly<Record<string, true | string>>;

export interface Typed {
  readonly options: ReadonlyMap<string, string>;
  /** What follows the options, untouched. */
  readonly rest: string;
}

/**
 * Reads the options a text begins with. The first word that does not look like one ends the options: the
 * rest is what the user wants to say, and whatever looks like an option there is none.
 *
 * @throws BrokerError `usage` for an unknown option, and for one without its value.
 */
export function leadingOptions(text: string, known: TypedOptions): Typed {
  const options = new Map<string, string>();
  let rest = text.trim();
  for (;;) {
    if (/^--(\s|$)/.test(rest)) return { options, rest: rest.slice(2).trim() };
    const [head, name = "", equals] = /^--([^\s=-][^\s=]*)(=?)/.exec(rest) ?? [];
    if (head === undefined) return { options, rest };
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknown(name, known);
    if (kind === true && equals === "=") throw usage(`--${name} takes no value.`);
    rest = rest.slice(head.length).trimStart();
    if (kind === true) {
      options.set(name, "");
      continue;
    }
    const [all, double, single, bare] = /^(?:"([^"]*)"|'([^']*)'|(\S+))/.exec(rest) ?? [];
    const value = double ?? single ?? bare ?? "";
    if (all === undefined || value === "" || value.startsWith("--")) {
      throw usage(`--${name} needs a value: --${name} ${kind}.`);
    }
    options.set(name, value);
    rest = rest.slice(all.length).trimStart();
  }
}

function unknown(name: string, known: TypedOptions): BrokerError {
  const names = Object.keys(known).map((each) => `--${each}`);
  const there = names.length === 0 ? "There are no options here" : `There are ${names.join(", ")}`;
  return usage(`--${name} is no option of this command.`, `${there}. ${TEXT_HINT}`);
}

const TEXT_HINT = "Text that begins like an option goes behind `-- `.";

function usage(message: string, hint = TEXT_HINT): BrokerError {
  return new BrokerError("usage", message, { hint });
}
