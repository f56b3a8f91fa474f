import { basename, dirname, isAbsolute, join, sep } from "node:path";

/**
 * How the shims of npm, pnpm and Yarn name the directory in which they lie: `%~dp0` and `%dp0%` in
 * `.cmd`, `$basedir` in PowerShell and in the shell script without an extension.
 */
const OWN_DIRECTORY = /^(?:%~dp0%?|%dp0%|\$basedir)[\\/]*/i;

/** Shims quote every path, since one may contain blanks. */
const QUOTED_LAUNCHER = /"([^"\r\n]*[\\/]codex\.js)"/gi;

/** The `codex.js` files that the text of a shim lying in `directory` would start, as absolute paths. */
export function launchersNamedIn(text: string, directory: string): readonly string[] {
  const found = new Set<string>();
  for (const [, named = ""] of text.matchAll(QUOTED_LAUNCHER)) {
    const relative = named.replace(OWN_DIRECTORY, "");
    const path = relative.replaceAll(/[\\/]/g, sep);
    if (relative !== named) found.add(join(directory, path));
    else if (isAbsolute(path)) found.add(path);
  }
  return [...found];
}

/** On POSIX a link to Volta's own program, on Windows a text that calls it. */
export function isVoltaShim(real: string, text: string): boolean {
  return (
    /^volta(?:-shim)?(?:\.exe)?$/i.test(basename(real)) || /\bvolta(?:\.exe)?"? run\b/i.test(text)
  );
}

/** Volta's shims do not say where their target is: it has a fixed place beside the directory of the shims. */
export function packageRootsOfVolta(shims: string): readonly string[] {
  const image = join(dirname(shims), "tools", "image", "packages", "@openai", "codex");
  return [join(image, "lib"), image].map((prefix) =>
    join(prefix, "node_modules", "@openai", "codex"),
  );
}
