import { BrokerError } from "../../base/errors.ts";

/** The options of one slash command: those with true stand alone, the others name their value. */
export type TypedOptions = Readonly<Record<string, true | string>>;

export interface Typed {
  readonly options: ReadonlyMap<string, string>;
  /** What follows the options, untouched. */
  readonly rest: string;
}

/**
 * Reads the options a text begins with. The first word that is none of them ends the options: the rest
 * is what the user wants to say, and whatever looks like an option there is none.
 *
 * @throws BrokerError `usage` for an option without its value.
 */
export function leadingOptions(text: string, known: TypedOptions): Typed {
  const options = new Map<string, string>();
  let rest = text.trim();
  for (;;) {
    const [head = "", name = "", equals] = /^--([a-z][a-z-]*)(=|(?=\s|$))/.exec(rest) ?? [];
    if (/^--(\s|$)/.test(rest)) return { options, rest: rest.slice(2).trim() };
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined || (kind === true && equals === "=")) return { options, rest };
    rest = rest.slice(head.length).trimStart();
    if (kind === true) {
      options.set(name, "");
      continue;
    }
    const [all, double, single, bare] = /^(?:"([^"]*)"|'([^']*)'|(\S+))/.exec(rest) ?? [];
    const value = double ?? single ?? bare ?? "";
    if (all === undefined || value === "" || value.startsWith("--")) {
      throw new BrokerError("usage", `--${name} needs a value: --${name} ${kind}.`);
    }
    options.set(name, value);
    rest = rest.slice(all.length).trimStart();
  }
}
