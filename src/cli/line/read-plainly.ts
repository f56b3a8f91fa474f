import type { Arguments, CommandSpec, Options, OptionSpec, OptionValue } from "./option-spec.ts";

/**
 * Reads a command line in which everything is as it should be: exact names, every value in its place.
 * Anything else (a mistake, an abbreviation, a call for help) gives undefined and is left to the
 * parser that can talk about it. Most command lines are plain, and that parser is a tenth of what
 * a short command costs.
 */
export function readPlainly(spec: CommandSpec, args: readonly string[]): Arguments | undefined {
  const options: Record<string, OptionValue> = {};
  const operands: string[] = [];
  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (arg === "--") {
      operands.push(...left);
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      continue;
    }
    const { name, attached } = partsOf(arg, spec.options);
    const option = Object.hasOwn(spec.options, name) ? spec.options[name] : undefined;
    if (option === undefined) return undefined;
    const value = valueFor(option, attached, left);
    if (value === undefined) return undefined;
    options[name] = option.many === true ? [...listed(options[name]), String(value)] : value;
  }
  return fits(spec, operands) ? { options, operands } : undefined;
}

function listed(value: OptionValue | undefined): readonly string[] {
  return typeof value === "object" ? value : [];
}

function partsOf(arg: string, options: Options): { name: string; attached: string | undefined } {
  if (!arg.startsWith("--")) {
    const letter = arg.slice(1);
    const [name] = Object.entries(options).find(([, { short }]) => short === letter) ?? [""];
    return { name, attached: undefined };
  }
  const equals = arg.indexOf("=");
  if (equals === -1) return { name: arg.slice(2), attached: undefined };
  return { name: arg.slice(2, equals), attached: arg.slice(equals + 1) };
}

function valueFor(
  option: OptionSpec,
  attached: string | undefined,
  left: string[],
): OptionValue | undefined {
  if (option.value === undefined) return attached === undefined ? true : undefined;
  if (option.valueLooksLike !== undefined) {
    return attached === undefined ? optionalValue(option, left) : attached || true;
  }
  const value = attached ?? left.shift();
  if (value === undefined || (attached === undefined && value.startsWith("-"))) return undefined;
  if (option.choices !== undefined && !option.choices.includes(value)) return undefined;
  return value;
}

function optionalValue({ valueLooksLike }: OptionSpec, left: string[]): OptionValue {
  const next = left[0];
  if (next === undefined || valueLooksLike?.test(next) !== true) return true;
  left.shift();
  return next;
}

function fits({ operands }: CommandSpec, given: readonly string[]): boolean {
  const required = operands.filter(({ required }) => required === true).length;
  const limit = operands.some(({ many }) => many === true) ? Infinity : operands.length;
  return given.length >= required && given.length <= limit;
}
