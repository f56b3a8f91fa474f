import type { Output } from "../../src/cli/output/output.ts";
import type { Lane } from "../lane.ts";
import { LiveStage, NARROWEST } from "./live-stage.ts";
import { PlainStage } from "./plain-stage.ts";
import type { Stage } from "./stage.ts";

/** Lanes that are redrawn in place, where that is possible and there is room for it. */
export function openStage(out: Output, lanes: readonly Lane[]): Stage {
  const live = out.canRedraw && out.columns >= NARROWEST && out.rows > lanes.length + 2;
  return live ? new LiveStage(out, lanes) : new PlainStage(out, lanes);
}
