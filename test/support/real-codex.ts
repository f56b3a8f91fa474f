import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Where the installed `@openai/codex` package keeps its two ways in. */
export interface RealCodex {
  /** The native binary of the running platform. */
  readonly native: string;
  /** The npm launcher, a Node script that starts the native binary: what `codex` on a user's PATH usually is. */
  readonly launcher: string;
}

const TARGETS: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-musl",
  "linux-arm64": "aarch64-unknown-linux-musl",
  "darwin-x64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
  "win32-x64": "x86_64-pc-windows-msvc",
  "win32-arm64": "aarch64-pc-windows-msvc",
};

/**
 * Finds the codex that npm installed for this platform.
 *
 * @throws Error when the platform has no codex, or its optional package is not installed.
 */
export function realCodex(): RealCodex {
  const platform = `${process.platform}-${process.arch}`;
  const target = TARGETS[platform];
  if (target === undefined) throw new Error(`there is no codex for ${platform}`);

  const launcherPackage = createRequire(import.meta.url).resolve("@openai/codex/package.json");
  // Resolved from the launcher's place, since a package manager may nest the platform's package below it.
  const nativePackage = createRequire(launcherPackage).resolve(
    `@openai/codex-${platform}/package.json`,
  );
  const executable = process.platform === "win32" ? "codex.exe" : "codex";
  return {
    native: join(dirname(nativePackage), "vendor", target, "bin", executable),
    launcher: join(dirname(launcherPackage), "bin", "codex.js"),
  };
}
