/** Loaded at the first call of one of its functions: it costs a start more than it tells there. */
const LATE = new Set(["node:crypto", "node:module", "node:net", "node:timers/promises"]);

/**
 * Takes Node's own modules without an `import`, which would read every export of them and so load what
 * their getters are there to load later: for `node:fs` alone all of streams, 1.5 ms.
 * @type {import("esbuild").Plugin}
 */
export const builtins = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace: "builtins", sideEffects: false } : undefined,
    );
    onLoad({ filter: /./, namespace: "builtins" }, ({ path }) => ({ contents: textOf(path) }));
  },
};

/**
 * The module as esbuild gets it; of its exports, those that nobody imports do not reach the bundle.
 * @param {string} specifier
 */
function textOf(specifier) {
  const own = Object.entries(process.getBuiltinModule(specifier) ?? {});
  if (own.length === 0) throw new Error(`Node has no module ${specifier}`);
  const module = `process.getBuiltinModule(${JSON.stringify(specifier)})`;
  const lines = [`export default /* @__PURE__ */ (() => ${module})();`];
  for (const [name, value] of own) {
    if (!/^[a-z_$][\w$]*$/i.test(name)) continue;
    // What begins with a capital is a class.
    const isFunction = typeof value === "function" && /^[a-z]/.test(name);
    lines.push(
      isFunction && LATE.has(specifier)
        ? `export function ${name}(...args) { return ${module}.${name}(...args); }`
        : `export const ${name} = /* @__PURE__ */ (() => ${module}.${name})();`,
    );
  }
  return lines.join("\n");
}
