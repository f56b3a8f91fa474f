import type { Benchmark } from "../benchmark.ts";
import { cold } from "./cold.ts";
import { herd } from "./herd.ts";
import { idle } from "./idle.ts";
import { importing } from "./import.ts";
import { killed } from "./killed.ts";
import { large } from "./large.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { scale } from "./scale.ts";
import { streaming } from "./streaming.ts";
import { throughput } from "./throughput.ts";
import { turns } from "./turns.ts";
import { warmConnect } from "./warm-connect.ts";
import { warmProcess } from "./warm-process.ts";
import { watched } from "./watched.ts";

/** In the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  warmConnect,
  warmProcess,
  cold,
  oneAtATime,
  throughput,
  turns,
  streaming,
  watched,
  large,
  scale,
  herd,
  idle,
  killed,
  importing,
];
