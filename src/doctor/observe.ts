import { asBrokerError } from "../base/errors.ts";
import type { ScopeOptions } from "../lifecycle/scope.ts";
import { formatDirectory } from "../lifecycle/state-directory.ts";
import type { DirectorySeen, Observations, ScopeSeen, StateDirSeen } from "./observations.ts";
import { observeDirectories, observeGround, observeStateDir } from "./observe/ground.ts";
import { observeScopes } from "./observe/epochs.ts";
import { observePlugin } from "./observe/plugin.ts";
import { observeSurroundings } from "./observe/surroundings.ts";

/** Looks at everything, asks every broker, and changes nothing. Bounded, and never throws for what it finds. */
export async function observe(
  options: ScopeOptions,
  env: NodeJS.ProcessEnv,
): Promise<Observations> {
  const surroundings = await observeSurroundings(options, env);
  const stateDir = observeStateDir(env);
  const directories = stateDir.state === "chosen" ? observeDirectories(stateDir.path) : [];
  const { codexHome, workspace } = surroundings;
  const { scopes, failure } = await scopesIn(
    stateDir,
    directories,
    codexHome.found ? codexHome.path : undefined,
  );
  return {
    now: Date.now(),
    surroundings,
    ground: await observeGround(stateDir, [...directories, ...failure], scopes),
    scopes,
    plugin: await observePlugin(workspace.found ? workspace.path : undefined, env),
  };
}

/** Nothing is believed of a state directory that others could have prepared. */
async function scopesIn(
  stateDir: StateDirSeen,
  directories: readonly DirectorySeen[],
  codexHome: string | undefined,
): Promise<{ scopes: readonly ScopeSeen[]; failure: readonly DirectorySeen[] }> {
  if (stateDir.state === "refused") return { scopes: [], failure: [] };
  const around = [stateDir.path, formatDirectory(stateDir.path)];
  const trusted = directories
    .filter(({ path }) => around.includes(path))
    .every(({ danger }) => danger === undefined);
  if (!trusted) return { scopes: [], failure: [] };
  try {
    return { scopes: await observeScopes(stateDir.path, codexHome), failure: [] };
  } catch (thrown) {
    // What cannot even be read has most likely been noted already.
    if (directories.some(({ unusable }) => unusable !== undefined)) {
      return { scopes: [], failure: [] };
    }
    const unusable = asBrokerError(thrown, "stateDirUnusable").message;
    return { scopes: [], failure: [{ path: stateDir.path, unusable }] };
  }
}
