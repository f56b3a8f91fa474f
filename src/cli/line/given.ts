import { BrokerError } from "../../base/errors.ts";
import type { Arguments, Options } from "./option-spec.ts";

/** What a command was given. A value that makes no sense is a usage error that names the option. */
export class Given<O extends Options = Options> {
  readonly operands: readonly string[];
  readonly #values: Arguments["options"];

  constructor({ options, operands }: Arguments) {
    this.#values = options;
    this.operands = operands;
  }

  /** Whether the option stands there, with or without a value. */
  has(name: keyof O & string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: keyof O & string): string | undefined {
    const value = this.#values[name];
    if (value === "") throw new BrokerError("usage", `--${name} was given an empty value.`);
    return value === true ? undefined : value;
  }

  /** Whole or broken, zero or more. */
  amount(name: keyof O & string, unit: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : parseAmount(`--${name}`, value, unit);
  }

  /** Whole, one or more. */
  count(name: keyof O & string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
    throw new BrokerError(
      "usage",
      `--${name} takes a whole number from 1 on, not ${quoted(value)}.`,
    );
  }

  /** One of `choices`, which are those of the option's own specification. */
  choice<C extends string>(name: keyof O & string, choices: readonly C[]): C | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new BrokerError("usage", `--${name} takes ${oneOf(choices)}, not ${quoted(value)}.`);
  }

  /** Milliseconds, from an option in seconds. */
  seconds(name: keyof O & string): number | undefined {
    const value = this.amount(name, "seconds");
    return value === undefined ? undefined : value * 1_000;
  }
}

/** @throws BrokerError `usage`. */
export function parseAmount(source: string, value: string, unit: string): number {
  if (/^(\d+(\.\d*)?|\.\d+)$/.test(value)) return Number(value);
  throw new BrokerError("usage", `${source} takes a number of ${unit}, not ${quoted(value)}.`);
}

function quoted(value: string): string {
  return JSON.stringify(value);
}

function oneOf(choices: readonly string[]): string {
  return `${choices.slice(0, -1).join(", ")} or ${choices.at(-1) ?? ""}`;
}
