import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Tells what the package exports. */
export const IMPORTS = `
const all = await import("codex-broker");
console.log(Object.keys(all).filter((name) => typeof all[name] === "function").toSorted().join(" "));
`;

/** A program that has one turn run. */
export const EXAMPLE = `
import { connectBroker } from "codex-broker";
const client = await connectBroker({ cwd: process.cwd() });
const { status, message } = await client.runTurn({ prompt: "say: hello from a program" }).result;
console.log(status, message);
client.close();
`;

/** The same, as its author would write it in TypeScript, with what the types promise put to use. */
const TYPED = `
import { connectBroker, BrokerError, type TurnEvent, type TurnResult, type ErrorKind, type protocol } from "codex-broker";
const client = await connectBroker({ cwd: process.cwd() });
const turn = client.runTurn({ prompt: "hello", timeoutMs: 1_000 });
for await (const event of turn) {
  const seen: TurnEvent = event;
  if (seen.type === "message.delta") console.log(seen.delta.toUpperCase());
}
const result: TurnResult = await turn.result;
const message: string | null = result.message;
const list: protocol.v2.ThreadListResponse = await client.request("thread/list", { limit: 3 });
try {
  // @ts-expect-error -- A result that is known is not just anything.
  const wrong: string = await client.request("thread/list", { limit: 3 });
  console.log(wrong);
} catch (error) {
  const kind: ErrorKind | undefined = BrokerError.is(error) ? error.kind : undefined;
  console.log(kind, message, list.data.length);
}
client.close();
`;

const WAYS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
} as const;

/** @returns what the compiler has to say about a program that uses the installed package. */
export function typeErrorsOf(root: string, installed: string): string[] {
  return Object.entries(WAYS).flatMap(([name, options]) => {
    const folder = join(installed, `types-${name}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "consumer.ts"), TYPED);
    const compilerOptions = {
      ...options,
      target: "es2022",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", folder], {
      encoding: "utf8",
    });
    return status === 0 ? [] : [`${name}: ${stdout}${stderr}`];
  });
}
