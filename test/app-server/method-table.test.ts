import { describe, expect, test } from "vitest";
import {
  clientRequests,
  serverNotifications,
  serverRequests,
} from "../../src/app-server/generated/methods.ts";
import {
  isSafeToRepeat,
  limitMsOf,
  mayRunLong,
  notificationFacts,
  ORDINARY_LIMIT_MS,
  requestFacts,
  safeToRepeat,
  serverRequestFacts,
} from "../../src/app-server/method-table.ts";

describe("the generated tables", () => {
  test("hold every method of the pinned codex", () => {
    const requests = Object.values(clientRequests);
    expect(requests).toHaveLength(187);
    expect(requests.filter(({ stable }) => stable)).toHaveLength(112);
    expect(Object.keys(serverRequests)).toHaveLength(11);
    expect(Object.keys(serverNotifications)).toHaveLength(88);
  });

  test("say where a thread is named", () => {
    expect(Object.values(clientRequests).filter(({ threadId }) => threadId !== null)).toHaveLength(
      69,
    );
    expect(requestFacts("turn/start")).toMatchObject({ threadId: "threadId", stable: true });
    expect(requestFacts("getConversationSummary")?.threadId).toBe("conversationId");
    expect(requestFacts("hooks/list")).toMatchObject({
      threadId: "threadId",
      threadIdRequired: false,
    });
    expect(notificationFacts("thread/started")?.threadId).toBe("thread.id");
    expect(notificationFacts("turn/completed")?.threadId).toBe("threadId");
    expect(serverRequestFacts("execCommandApproval")?.threadId).toBe("conversationId");
    expect(serverRequestFacts("attestation/generate")?.threadId).toBeNull();
    const nullable = Object.entries(serverNotifications).filter(([, facts]) => facts.nullable);
    expect(nullable.map(([method]) => method).toSorted()).toEqual([
      "mcpServer/oauthLogin/completed",
      "mcpServer/startupStatus/updated",
      "warning",
    ]);
  });

  test("say which results name a thread", () => {
    const found = Object.entries(clientRequests).filter(([, facts]) => facts.resultThread !== null);
    expect(
      Object.fromEntries(found.map(([method, facts]) => [method, facts.resultThread])),
    ).toEqual({
      "thread/start": "thread.id",
      "thread/resume": "thread.id",
      "thread/fork": "thread.id",
      "thread/metadata/update": "thread.id",
      "thread/unarchive": "thread.id",
      "thread/revert": "thread.id",
      "thread/read": "thread.id",
      "review/start": "reviewThreadId",
    });
  });

  test("name the handles that a client chooses", () => {
    expect(requestFacts("command/exec/write")?.handles).toEqual(["processId"]);
    expect(requestFacts("process/kill")?.handles).toEqual(["processHandle"]);
    expect(requestFacts("fs/unwatch")?.handles).toEqual(["watchId"]);
    expect(requestFacts("fuzzyFileSearch/sessionStop")?.handles).toEqual(["sessionId"]);
    expect(requestFacts("fuzzyFileSearch")?.handles).toEqual(["cancellationToken"]);
    expect(requestFacts("mcpServer/event/stream/stop")?.handles).toEqual(["subscriptionId"]);
    expect(notificationFacts("process/exited")?.handles).toEqual(["processHandle"]);
    // The app-server's own ids, and a login's: nothing that two clients could both have chosen.
    expect(requestFacts("thread/backgroundTerminals/terminate")?.handles).toEqual([]);
    expect(requestFacts("accountSession/switch")?.handles).toEqual([]);
  });
});

describe("the judgements", () => {
  test.each([
    ["safeToRepeat", safeToRepeat],
    ["mayRunLong", mayRunLong],
  ])("%s names only methods that exist, each of them once", (_name, judgements) => {
    const methods = judgements.flatMap((judgement) => judgement.methods);
    expect(methods.length).toBeGreaterThan(0);
    expect(methods.filter((method) => !Object.hasOwn(clientRequests, method))).toEqual([]);
    expect(new Set(methods).size).toBe(methods.length);
  });

  test("nothing that starts, writes or ends is safe to repeat", () => {
    const verbs = /(start|write|set|add|remove|delete|create|update|move|exec|spawn|login|call)$/i;
    expect(
      Object.keys(clientRequests).filter((method) => isSafeToRepeat(method) && verbs.test(method)),
    ).toEqual([]);
    expect(isSafeToRepeat("thread/read")).toBe(true);
    expect(isSafeToRepeat("turn/start")).toBe(false);
    expect(isSafeToRepeat("from/the/future")).toBe(false);
  });

  test("an answer is waited for as long as it may rightly take", () => {
    expect(limitMsOf("thread/read")).toBe(ORDINARY_LIMIT_MS);
    expect(limitMsOf("command/exec")).toBe(Infinity);
    expect(limitMsOf("from/the/future")).toBe(Infinity);
  });

  test("a name that every object has is not a method", () => {
    expect(requestFacts("constructor")).toBeUndefined();
    expect(notificationFacts("toString")).toBeUndefined();
    expect(serverRequestFacts("__proto__")).toBeUndefined();
  });
});
