import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  clientRequests,
  connectionIds,
  serverNotifications,
  serverRequests,
} from "../../src/app-server/generated/methods.ts";
import {
  cancelOf,
  isSafeToRepeat,
  limitMsOf,
  mayRunLong,
  notificationFacts,
  ORDINARY_LIMIT_MS,
  paramsThatName,
  requestFacts,
  safeToRepeat,
  serverRequestFacts,
  type ConnectionId,
} from "../../src/app-server/method-table.ts";
import { NAME_REQUESTS } from "../../src/wire/method-kinds.ts";

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
    const handlesOf = (method: string): readonly string[] => paramsThatName("handle", method);
    expect(handlesOf("command/exec/write")).toEqual(["processId"]);
    expect(handlesOf("process/kill")).toEqual(["processHandle"]);
    expect(handlesOf("fs/unwatch")).toEqual(["watchId"]);
    expect(handlesOf("fuzzyFileSearch/sessionStop")).toEqual(["sessionId"]);
    expect(handlesOf("fuzzyFileSearch")).toEqual(["cancellationToken"]);
    expect(handlesOf("mcpServer/event/stream/stop")).toEqual(["subscriptionId"]);
    expect(handlesOf("process/exited")).toEqual(["processHandle"]);
    // The app-server's own ids, and a login's: nothing that two clients could both have chosen.
    expect(handlesOf("thread/backgroundTerminals/terminate")).toEqual([]);
    expect(handlesOf("accountSession/switch")).toEqual([]);
  });

  test("name every request id in params, and so every message that names a request (F108)", () => {
    const types = readFileSync("src/app-server/generated/v2.ts", "utf8");
    // Independent of the generator's rules: every type that has a property of the type RequestId.
    const typed = types.split("\nexport type ").filter((type) => /: RequestId\b/.test(type));
    expect(typed.map((type) => /^\w*/.exec(type)?.[0] ?? "").toSorted()).toEqual([
      "ServerRequestResolvedNotification",
      "ThreadSampleCancelParams",
      "UserVerificationCancelParams",
    ]);
    const named = Object.entries(connectionIds).filter(([, ids]) => "requestId" in ids);
    const byKind = (kind: ConnectionId): string[] =>
      named.filter(([, ids]) => ids["requestId"] === kind).map(([method]) => method);
    expect(byKind("serverRequest")).toEqual(["serverRequest/resolved"]);
    expect(byKind("clientRequest").toSorted()).toEqual([...NAME_REQUESTS].toSorted());
  });

  test("have something that cancels only where a request id can be given (F108)", () => {
    const cancels = [...NAME_REQUESTS].filter((method) => method.endsWith("/cancel"));
    const inUse = ["thread/search", "thread/search/stream", ...Object.keys(clientRequests)].map(
      cancelOf,
    );
    expect(cancels.filter((method) => !inUse.includes(method))).toEqual([]);
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
