import { posix } from "node:path";
import type { SourceImport } from "./source-imports.ts";

/**
 * Who may import whom inside `src`. The table of docs/design.md ("Folders") as data:
 * `import-table.test.ts` fails on an import outside it, and `.oxlintrc.json` carries the same rows
 * as lint overrides (the test compares the two, so that there is one truth).
 */

/** A folder of `src` (or a part of one) that a row may import. */
export type Grant =
  | string
  | {
      readonly folder: string;
      /** Paths inside the folder; nothing else of it may be imported. */
      readonly only: readonly string[];
      /** `import type` and `export type` alone: erased, so nothing is coupled at run time. */
      readonly typeOnly?: true;
    };

export interface Row {
  /** A folder of `src`, or a file directly in it. */
  readonly from: string;
  readonly may: readonly Grant[];
  /** Modules of Node that must not be imported here, with the reason. */
  readonly refused?: { readonly modules: readonly string[]; readonly because: string };
}

/** Types and tables that `npm run generate` writes; see docs/design.md. */
const generatedTypes: Grant = {
  folder: "app-server",
  only: ["generated/v1.ts", "generated/v2.ts", "generated/index.ts"],
  typeOnly: true,
};

export const importTable: readonly Row[] = [
  {
    from: "base",
    may: [],
    refused: {
      modules: ["node:fs", "node:fs/promises", "node:net", "node:child_process", "node:http"],
      because: "base holds words without I/O",
    },
  },
  {
    from: "wire",
    may: ["base"],
    refused: {
      modules: ["node:net", "node:child_process"],
      because: "the protocol works over any duplex; who opens it is somebody else's business",
    },
  },
  { from: "os", may: ["base"] },
  { from: "app-server", may: ["base", "wire", "os"] },
  {
    from: "lifecycle",
    // A client must know which codex it means before it knows which broker.
    may: ["base", "wire", "os", { folder: "app-server", only: ["locate.ts"] }],
  },
  {
    from: "doctor",
    // It says which codex there is and whether that one is new enough.
    may: [
      "base",
      "wire",
      "os",
      "lifecycle",
      { folder: "app-server", only: ["locate.ts", "codex-version.ts"] },
    ],
  },
  { from: "policy", may: ["base", "wire", generatedTypes] },
  { from: "jobs", may: ["base", "wire", "os", "policy"] },
  {
    from: "broker",
    may: [
      "base",
      "wire",
      "os",
      "app-server",
      "policy",
      "jobs",
      {
        folder: "lifecycle",
        only: [
          "scope.ts",
          "epoch-file.ts",
          "start-protocol.ts",
          "codex-settings.ts",
          "drift.ts",
          "living-brokers.ts",
          "older-brokers.ts",
          "retire.ts",
        ],
      },
    ],
  },
  { from: "client", may: ["base", "wire", "lifecycle", "policy", "jobs", generatedTypes] },
  {
    from: "cli",
    may: [
      "base",
      "wire",
      "os",
      "lifecycle",
      "policy",
      "jobs",
      "client",
      "doctor",
      "index.ts",
      generatedTypes,
    ],
  },
  {
    from: "index.ts",
    may: ["base", "wire", "lifecycle", "policy", "jobs", "client", generatedTypes],
  },
];

/** Refused everywhere in `src`. */
export const refusedEverywhere = [
  {
    module: "node:readline",
    because: "it ends a line at U+2028 and U+2029, which are data inside a JSON string",
  },
] as const;

interface RestrictedPattern {
  readonly regex?: string;
  readonly group?: readonly string[];
  readonly message: string;
  readonly allowTypeImports?: true;
}

/** The rows as overrides for oxlint's `no-restricted-imports`. */
export function lintOverrides(): unknown[] {
  return importTable.map((row) => {
    const granted = new Set(row.may.map((grant) => (typeof grant === "string" ? grant : "")));
    const partly = row.may.filter((grant) => typeof grant !== "string");
    const refused = importTable
      .map((other) => other.from)
      .filter((other) => other !== row.from && !granted.has(other))
      .filter((other) => !partly.some((grant) => grant.folder === other));
    const patterns: RestrictedPattern[] = [];
    if (refused.length > 0) {
      const names = refused.map((name) => name.replace(".", "\\.")).join("|");
      patterns.push({
        regex: `^\\.\\.?/(\\.\\./)*(${names})(/|$)`,
        message: `Outside the import table (docs/design.md, "Folders"): ${row.from} may not.`,
      });
    }
    for (const grant of partly) {
      if (grant.typeOnly) {
        patterns.push({
          regex: `^\\.\\.?/(\\.\\./)*${grant.folder}/`,
          message: `Of ${grant.folder}, ${row.from} may import types only.`,
          allowTypeImports: true,
        });
      }
      // After the types: oxlint takes a negated path as the last word on a module.
      patterns.push({
        group: [
          `**/${grant.folder}/**`,
          ...grant.only.map((path) => `!**/${grant.folder}/${path}`),
        ],
        message: `Of ${grant.folder}, ${row.from} may import only: ${grant.only.join(", ")}.`,
      });
    }
    const paths = [
      ...refusedEverywhere.map(({ module, because }) => ({ name: module, message: because })),
      ...(row.refused?.modules ?? []).map((name) => ({
        name,
        message: row.refused?.because,
      })),
    ];
    return {
      files: [row.from.includes(".") ? `src/${row.from}` : `src/${row.from}/**`],
      rules: { "no-restricted-imports": ["error", { paths, patterns }] },
    };
  });
}

/** Why an import is outside the table; undefined when it is inside. */
export function objectionTo({ from, specifier, typeOnly }: SourceImport): string | undefined {
  const home = folderOf(from);
  const row = importTable.find((one) => one.from === home);
  if (row === undefined) return `${home} is not in the import table`;
  if (specifier === undefined) return "the module is computed, so nobody can check it";
  if (!specifier.startsWith(".")) {
    const module = specifier.replace(/^(?!node:)/, "node:");
    const everywhere = refusedEverywhere.find((one) => isPartOf(module, one.module));
    if (everywhere !== undefined) return everywhere.because;
    const refused = row.refused?.modules.some((one) => isPartOf(module, one)) ?? false;
    return refused ? row.refused?.because : undefined;
  }
  const target = posix.join(posix.dirname(from), specifier);
  if (target.startsWith("..")) return "it leaves src";
  const folder = folderOf(target);
  if (folder === home) return undefined;
  for (const grant of row.may) {
    if (grant === folder) return undefined;
    if (typeof grant === "string" || grant.folder !== folder) continue;
    if (!grant.only.includes(target.slice(folder.length + 1))) {
      return `of ${folder}, ${home} may import only ${grant.only.join(", ")}`;
    }
    return grant.typeOnly && !typeOnly ? `of ${folder}, ${home} may import types only` : undefined;
  }
  return `${home} may not import ${folder}`;
}

function folderOf(file: string): string {
  return file.split("/")[0] ?? file;
}

function isPartOf(module: string, refused: string): boolean {
  return module === refused || module.startsWith(`${refused}/`);
}
