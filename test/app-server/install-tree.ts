import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The six that there is a codex for, with what stands in the published packages. */
export const HOSTS = [
  { platform: "linux", arch: "x64", triple: "x86_64-unknown-linux-musl" },
  { platform: "linux", arch: "arm64", triple: "aarch64-unknown-linux-musl" },
  { platform: "darwin", arch: "x64", triple: "x86_64-apple-darwin" },
  { platform: "darwin", arch: "arm64", triple: "aarch64-apple-darwin" },
  { platform: "win32", arch: "x64", triple: "x86_64-pc-windows-msvc" },
  { platform: "win32", arch: "arm64", triple: "aarch64-pc-windows-msvc" },
] as const;

export type HostRow = (typeof HOSTS)[number];

const MAGIC = { linux: "\u007FELF", darwin: "\u00CF\u00FA\u00ED\u00FE", win32: "MZ" } as const;

/** Writes a file with its directories; executable unless `mode` says otherwise. Returns its path. */
export function put(path: string, content: string, mode = 0o755): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, "latin1");
  chmodSync(path, mode);
  return path;
}

export function link(path: string, target: string): string {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
  return path;
}

/** What the kernel of `platform` takes for a program, by its first bytes at least. */
export function putProgram(path: string, platform: HostRow["platform"], mode = 0o755): string {
  return put(path, `${MAGIC[platform]} and so on`, mode);
}

/** `@openai/codex` in `modules` as npm lays it out. Returns the launcher. */
export function putLauncher(modules: string): string {
  put(join(modules, "@openai", "codex", "package.json"), `{"name":"@openai/codex"}`, 0o644);
  const script = "#!/usr/bin/env node\nconsole.log('launcher');\n";
  return put(join(modules, "@openai", "codex", "bin", "codex.js"), script);
}

/** The package with the binary for `host`. `folder` is `bin` now and was `codex` before. Returns the binary. */
export function putNative(modules: string, host: HostRow, folder: "bin" | "codex" = "bin"): string {
  const name = host.platform === "win32" ? "codex.exe" : "codex";
  const packageRoot = join(modules, "@openai", `codex-${host.platform}-${host.arch}`);
  return putProgram(join(packageRoot, "vendor", host.triple, folder, name), host.platform);
}
