import { withParams, type RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import type { Turn } from "./turns.ts";

/** Whether that id is surely not one of the turn's. */
export function isAnother(turn: Turn<object>, id: string | undefined): boolean {
  return turn.id !== undefined && id !== undefined && turn.id !== id && turn.rootId !== id;
}

/** An interrupt under the name that the app-server expects, whichever of its names it was given. */
export function withActiveId(frame: RequestFrame, turn: Turn<object>): RequestFrame {
  const params = isRecord(frame.params) ? frame.params : {};
  const named = params["turnId"];
  if (turn.activeId === undefined || (named !== turn.id && named !== turn.rootId)) return frame;
  return withParams(frame, { ...params, turnId: turn.activeId });
}
