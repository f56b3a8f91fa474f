import type { Output, Paint } from "../../src/cli/output/output.ts";
import { symbols } from "../../src/cli/output/symbols.ts";
import { padEnd, widthOf } from "../../src/cli/output/width.ts";
import { time } from "../figures.ts";
import type { CommandSeen, Lane } from "../lane.ts";
import { everyPart } from "../scripts.ts";

const COLOURS: readonly Paint[] = ["cyan", "green", "magenta", "blue"];

/** The same for all stages, so that what is below one another can be compared. */
export const NAME_WIDTH = Math.max(...everyPart.map(({ client }) => widthOf(client)));

/** Each lane keeps its colour, so that the eye can follow it. */
export function clientName(out: Output, lane: Lane, lanes: readonly Lane[]): string {
  const colour = COLOURS[lanes.indexOf(lane) % COLOURS.length] ?? "cyan";
  return out.paint(colour, padEnd(lane.client, NAME_WIDTH));
}

export function endMark(out: Output, lane: Lane): string {
  switch (lane.result?.status) {
    case "completed":
      return out.paint("green", symbols.ok);
    case "interrupted":
      return out.paint("yellow", symbols.failed);
    default:
      return out.paint("red", symbols.failed);
  }
}

export function endText(lane: Lane): string {
  const status = lane.result?.status ?? "ended";
  return status === "interrupted"
    ? `interrupted by its user after ${time(lane.tookMs)}`
    : `${status} in ${time(lane.tookMs)}`;
}

export function commandText({ command, exitCode, output }: CommandSeen): string {
  return `$ ${command} → exit ${exitCode ?? "unknown"}: ${output}`;
}
