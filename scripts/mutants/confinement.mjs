import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "../constants.mjs";

/** The copy of the project that is mutated, and the only directory of the disk that a mutant can write to. */
const copy = join(root, "build", "mutants");

/** Makes the copy: what git knows or would add, and what the build has made. */
export function copyProject() {
  rmSync(copy, { recursive: true, force: true });
  const { stdout } = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
  });
  const listed = stdout.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  for (const path of [...listed, "dist", join("plugin", "program")]) {
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  mkdirSync(join(copy, "node_modules"));
  // Vite writes its configuration there before it loads it.
  mkdirSync(join(root, "node_modules", ".vite-temp"), { recursive: true });
}

/** @returns {string | undefined} the bubblewrap that comes with Codex */
function bubblewrap() {
  const launcher = createRequire(import.meta.url).resolve("@openai/codex/package.json");
  const target = process.arch === "arm64" ? "aarch64" : "x86_64";
  try {
    const platform = createRequire(launcher).resolve(
      `@openai/codex-${process.platform}-${process.arch}/package.json`,
    );
    const vendor = join(dirname(platform), "vendor", `${target}-unknown-linux-musl`);
    const program = join(vendor, "codex-resources", "bwrap");
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns the command line that runs a program where it sees no process but its own, and can write
 * to nothing but a temporary directory of its own and the copy of the project.
 * @param {readonly string[]} line
 * @returns {[program: string, ...args: string[]]}
 */
export function confined(line) {
  const asRoot = process.getuid?.() === 0 ? ["--cap-add", "ALL"] : [];
  const options = [
    ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
    ["--tmpfs", "/tmp", "--bind", copy, copy, "--chdir", copy],
    ["--ro-bind", join(root, "node_modules"), join(copy, "node_modules")],
    ["--tmpfs", join(copy, "node_modules", ".vite-temp")],
    ["--unshare-pid", "--die-with-parent", ...asRoot],
  ];
  return [bubblewrap() ?? "bwrap", ...options.flat(), "--", ...line];
}

/** @returns {string | undefined} */
export function whyNotConfined() {
  if (process.platform !== "linux") return `${process.platform} has no bubblewrap`;
  if (bubblewrap() === undefined) return "this codex brings no bubblewrap";
  const [program, ...args] = confined(["true"]);
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? undefined : stderr;
}
