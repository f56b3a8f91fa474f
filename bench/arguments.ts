export interface Wanted {
  readonly names: readonly string[];
  readonly quick: boolean;
  /** The published plugin's `app-server-broker.mjs`. */
  readonly plugin: string | undefined;
}

export const USAGE = `Measures this broker against what one would use instead, on the same work.

  npm run bench                      all of it, about ten minutes; writes the results and docs/performance.md
  npm run bench -- NAME…             these alone; writes nothing
  npm run bench -- --plugin FILE     with the broker of the published Codex plugin: its app-server-broker.mjs
  npm run bench -- --quick           a short form that shows that it works; its figures mean nothing
`;

/** @returns undefined when it makes no sense. */
export function readArguments(
  args: readonly string[],
  known: readonly string[],
): Wanted | undefined {
  const names: string[] = [];
  let quick = false;
  let plugin: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at]!;
    if (arg === "--quick") quick = true;
    else if (arg === "--plugin" && args[at + 1] !== undefined) plugin = args[(at += 1)];
    else if (known.includes(arg)) names.push(arg);
    else return undefined;
  }
  return { names, quick, plugin };
}
