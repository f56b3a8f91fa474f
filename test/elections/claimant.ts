import { connect } from "node:net";
import { Deadline } from "../../src/base/deadline.ts";
import { claimEpoch, newestEpoch, publishEpoch } from "../../src/lifecycle/epoch-file.ts";
import { limitsOf } from "../../src/lifecycle/limits.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { spawnBroker } from "../../src/lifecycle/spawn-broker.ts";
import { ensurePrivateDirectory } from "../../src/os/private-directory.ts";
