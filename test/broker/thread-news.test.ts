import { describe, expect, test } from "vitest";
import { deliveryOf, type Delivery, type ThreadState } from "../../src/broker/thread-news.ts";
import { notificationFrame } from "./recording-peer.ts";

const states = {
  loaded: { isLoaded: true, mayBeOpening: true, isDraining: false },
  opening: { isLoaded: false, mayBeOpening: true, isDraining: false },
  unknown: { isLoaded: false, mayBeOpening: false, isDraining: false },
  draining: { isLoaded: false, mayBeOpening: true, isDraining: true },
} satisfies Record<string, ThreadState>;

const status = (type: string): object => ({ threadId: "t", status: { type } });

describe("a notification about a thread goes (F106 F185)", () => {
  test.each<[string, object, Record<keyof typeof states, Delivery>]>([
    ["thread/archived", {}, every("everyone")],
    ["thread/unarchived", {}, every("everyone")],
    ["thread/deleted", {}, every("everyone")],
    ["thread/name/updated", {}, every("everyone")],
    ["thread/goal/updated", {}, { ...every("everyone"), loaded: "subscribers" }],
    ["thread/closed", {}, { ...ends(), draining: "dropped" }],
    ["thread/status/changed", status("notLoaded"), { ...ends(), draining: "dropped" }],
    ["thread/status/changed", status("idle"), { ...early(), unknown: "everyone" }],
    ["thread/started", {}, { ...early(), unknown: "everyone" }],
    ["item/agentMessage/delta", {}, { ...early(), unknown: "dropped" }],
    ["turn/completed", {}, { ...early(), unknown: "dropped" }],
    ["future/event", {}, { ...early(), unknown: "everyone" }],
  ])("%s %j", (method, params, deliveries) => {
    const frame = notificationFrame(method, { threadId: "t", ...params });
    const actual = Object.entries(states).map(([name, state]) => [name, deliveryOf(frame, state)]);
    expect(Object.fromEntries(actual)).toEqual(deliveries);
  });
});

function every(delivery: Delivery): Record<keyof typeof states, Delivery> {
  return { loaded: delivery, opening: delivery, unknown: delivery, draining: delivery };
}

/** What ends a thread is never held. */
function ends(): Record<keyof typeof states, Delivery> {
  return { ...every("everyone"), loaded: "subscribers" };
}

/** What may come before the response that opens its thread. */
function early(): Record<keyof typeof states, Delivery> {
  return { ...every("held"), loaded: "subscribers" };
}
