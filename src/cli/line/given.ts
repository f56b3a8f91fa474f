import { durationMs } from "../../base/deadline.ts";
import { BrokerError } from "../../base/errors.ts";
import type { Arguments, Options } from "./option-spec.ts";

/** What a command was given. A value that makes no sense is a usage error that names the option. */
export class Given<O extends Options = Options> {
  readonly operands: readonly string[];
  readonly #command: string;
  readonly #values: Arguments["options"];

  constructor(command: string, { options, operands }: Arguments) {
    this.#command = command;
    this.#values = options;
    this.operands = operands;
  }

  /** Whether the option stands there, with or without a value. */
  has(name: keyof O & string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: keyof O & string): string | undefined {
    const value = this.#values[name];
    if (value === "") throw this.#usage(`--${name} was given an empty value.`);
    return typeof value === "string" ? value : undefined;
  }

  /** All values of an option that may be given more than once. */
  texts(name: keyof O & string): readonly string[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) return [];
    if (value.includes("")) throw this.#usage(`--${name} was given an empty value.`);
    return value as readonly string[];
  }

  /** Whole or broken, zero or more. */
  amount(name: keyof O & string, unit: string, most = Infinity): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const amount = parseAmount(value);
    if (amount !== undefined && amount <= most) return amount;
    const range = most === Infinity ? "" : ` up to ${most}`;
    throw this.#usage(`--${name} takes a number of ${unit}${range}, not ${JSON.stringify(value)}.`);
  }

  /** Milliseconds, from an option in seconds. */
  seconds(name: keyof O & string): number | undefined {
    const value = this.amount(name, "seconds");
    return value === undefined ? undefined : durationMs(value * 1_000, `--${name}`);
  }

  /** Whole, one or more. */
  count(name: keyof O & string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
    throw this.#usage(`--${name} takes a whole number from 1 on, not ${JSON.stringify(value)}.`);
  }

  /** One of `choices`, which are those of the option's own specification. */
  choice<C extends string>(name: keyof O & string, choices: readonly C[]): C | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw this.#usage(`--${name} takes ${choices.join(" or ")}, not ${JSON.stringify(value)}.`);
  }

  #usage(message: string): BrokerError {
    return new BrokerError("usage", message, {
      hint: `See \`codex-broker ${this.#command} --help\`.`,
    });
  }
}

/** Zero or more, whole or broken; undefined when it is no such number. */
export function parseAmount(value: string): number | undefined {
  return /^(\d+(\.\d*)?|\.\d+)$/.test(value) ? Number(value) : undefined;
}
