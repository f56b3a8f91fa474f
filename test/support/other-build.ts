import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { bundleStandIns } from "../../scripts/bundle-program.mjs";
import { commandLine } from "../../scripts/bundle-settings.mjs";

export interface OtherBuild {
  readonly version: string;
  /** The protocol between clients and brokers that it speaks. Default: this one's. */
  readonly protocol?: number;
  /** The format of its epoch files, as the directory is called. Default: this one's. */
  readonly format?: string;
}

/**
 * This program as it would be if it were of another version: whole, to be installed beside this one.
 *
 * @returns the path of its command line.
 */
export async function buildOther(name: string, other: OtherBuild): Promise<string> {
  const { version, protocol, format } = other;
  const outdir = await bundleStandIns(
    join("other", name),
    {
      ...commandLine,
      broker: "src/broker/main.ts",
      "watchdog-thread": "src/broker/watchdog-thread.ts",
    },
    {
      define: {
        __CODEX_BROKER_VERSION__: JSON.stringify(version),
        __CODEX_BROKER_BUILD__: JSON.stringify(name),
      },
      plugins: [
        changed(/wire\/broker-protocol\.ts$/, "BROKER_PROTOCOL = 1;", protocol, String),
        changed(/lifecycle\/state-directory\.ts$/, 'FORMAT = "v2";', format, JSON.stringify),
      ],
    },
  );
  return join(outdir, "cli.cjs");
}

/** One constant of one source file has another value. */
function changed<T>(
  filter: RegExp,
  definition: string,
  value: T | undefined,
  written: (value: T) => string,
): Plugin {
  return {
    name: definition,
    setup(build) {
      if (value === undefined) return;
      build.onLoad({ filter }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        if (!source.includes(definition)) throw new Error(`${path} has no ${definition}`);
        const [constant = ""] = definition.split(" = ");
        return {
          contents: source.replace(definition, `${constant} = ${written(value)};`),
          loader: "ts",
        };
      });
    },
  };
}
