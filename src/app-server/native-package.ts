import { join } from "node:path";

/** The machine whose codex is looked for: this one, save in tests. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly arch: NodeJS.Architecture;
}

export interface NativePackage {
  readonly name: string;
  /** Where the binary may lie inside the package, the newest layout first. */
  readonly files: readonly string[];
}

const TRIPLES: Partial<Record<NodeJS.Platform, Readonly<Record<string, string>>>> = {
  linux: { x64: "x86_64-unknown-linux-musl", arm64: "aarch64-unknown-linux-musl" },
  darwin: { x64: "x86_64-apple-darwin", arm64: "aarch64-apple-darwin" },
  win32: { x64: "x86_64-pc-windows-msvc", arm64: "aarch64-pc-windows-msvc" },
};

/**
 * The packages that may hold the binary for `host`, best first; empty where there is none. The second
 * one, where there is one, runs by emulation: which was installed depends on the Node of the package
 * manager, and that need not be ours.
 */
export function nativePackagesFor({ platform, arch }: Host): readonly NativePackage[] {
  const os = platform === "android" ? "linux" : platform;
  const triples = TRIPLES[os];
  if (triples?.[arch] === undefined) return [];
  const others = os === "linux" ? [] : Object.keys(triples).filter((other) => other !== arch);
  return [arch, ...others].map((each) => nativePackage(os, each, triples[each] ?? ""));
}

function nativePackage(os: string, arch: string, triple: string): NativePackage {
  const executable = os === "win32" ? "codex.exe" : "codex";
  return {
    name: `@openai/codex-${os}-${arch}`,
    // `codex/` was the layout of 0.124 and `bin/` is that of 0.140 and later.
    files: ["bin", "codex"].map((folder) => join("vendor", triple, folder, executable)),
  };
}
