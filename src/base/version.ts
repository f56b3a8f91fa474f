declare const __CODEX_BROKER_VERSION__: string | undefined;
declare const __CODEX_BROKER_BUILD__: string | undefined;

/** The package's version. `0.0.0-source` when the sources run unbundled, as in a unit test. */
export const BROKER_VERSION: string =
  typeof __CODEX_BROKER_VERSION__ === "string" ? __CODEX_BROKER_VERSION__ : "0.0.0-source";

/** Identifies the build's contents: equal sources give an equal id. `source` when unbundled. */
export const BROKER_BUILD: string =
  typeof __CODEX_BROKER_BUILD__ === "string" ? __CODEX_BROKER_BUILD__ : "source";
