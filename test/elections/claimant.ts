import { Deadline } from "../../src/base/deadline.ts";
import { claimEpoch, newestEpoch, publishEpoch } from "../../src/lifecycle/epoch-file.ts";
import { limitsOf } from "../../src/lifecycle/limits.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { spawnBroker } from "../../src/lifecycle/spawn-broker.ts";
import { ensurePrivateDirectory } from "../../src/os/private-directory.ts";

/**
 * Claims an epoch as any starter does, and gets no further: it dies, or it stops. One that stopped and is
 * woken goes on as if nothing had happened, and starts a broker for an epoch that is long superseded.
 *
 * claimant WORKSPACE dies|stops AGE — the age of the claim in milliseconds, to spare a part of the wait.
 */
const [workspace = ".", fate = "dies", ageMs = "0"] = process.argv.slice(2);

const scope = resolveScope({ cwd: workspace });
for (const each of [scope.stateDir, scope.directory]) ensurePrivateDirectory(each);
const won = claimEpoch(scope.directory, newestEpoch(scope.directory)?.epoch ?? 0);
if (won === undefined) throw new Error("somebody else was first");
const claimedAt = new Date(Date.now() - Number(ageMs)).toISOString();
const claim = { ...won, claimedAt };
publishEpoch(scope.directory, claim);
console.log("claimed");

process.kill(process.pid, fate === "dies" ? "SIGKILL" : "SIGSTOP");

// Woken up.
const limits = limitsOf({}, process.env);
await spawnBroker({ scope, claim, limits }, Deadline.after(30_000), process.env);
