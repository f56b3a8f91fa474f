import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientRequests, serverNotifications } from "../../src/app-server/generated/methods.ts";
import { paramsThatName } from "../../src/app-server/method-table.ts";
import {
  inWordsOfSession,
  OpenHandles,
  ownerOfHandle,
  withUpstreamHandles,
} from "../../src/broker/handles.ts";
import { notificationFrame, recordingPeer, requestFrame } from "./recording-peer.ts";
import { decodeFrame, withId, type RequestFrame } from "../../src/wire/frame.ts";
import { textLineOf } from "../../src/wire/line.ts";

const one = recordingPeer(1);
const other = recordingPeer(12);

type WithHandles = [method: string, handles: readonly string[]];

const withHandles = (table: object): WithHandles[] =>
  Object.keys(table)
    .map((method): WithHandles => [method, paramsThatName("handle", method)])
    .filter(([, handles]) => handles.length > 0);

const requests = withHandles(clientRequests);
const notifications = withHandles(serverNotifications);

type Params = Record<string, unknown>;

describe.each(requests)("the handles of %s", (method, handles) => {
  const named = (name: unknown): Params =>
    Object.fromEntries([...handles.map((handle) => [handle, name]), ["other", "untouched"]]);

  test("go upstream under the name of their session, and nothing else changes", () => {
    const frame = requestFrame(7, method, named("w"));
    const upstream = withUpstreamHandles(frame, one);
    expect(upstream.params).toEqual(named("s1-w"));
    expect(JSON.parse(upstream.line)).toEqual({ id: 7, method, params: named("s1-w") });
    expect(frame.params).toEqual(named("w"));
  });

  test("that are absent or no text go as they are: the app-server says what it makes of them", () => {
    for (const params of [undefined, null, [], {}, named(7), named(null)]) {
      const frame = requestFrame(7, method, params);
      expect(withUpstreamHandles(frame, one)).toBe(frame);
    }
  });
});

describe.each(notifications)("the handle of %s", (method, [handle = ""]) => {
  test("F35: leads to its session, which sees it as it has named it", () => {
    const owner = ownerOfHandle(notificationFrame(method, { [handle]: "s12-w", a: 1 }));
    expect(owner?.session).toBe(12);
    expect(owner?.frame.params).toEqual({ [handle]: "w", a: 1 });
    expect(JSON.parse(textLineOf(owner!.frame.line))).toEqual({
      method,
      params: { [handle]: "w", a: 1 },
    });
  });

  test("that no session has chosen leads nowhere", () => {
    for (const name of ["w", "s-w", "sx-w", "s1", "", 7, null, undefined]) {
      expect(ownerOfHandle(notificationFrame(method, { [handle]: name }))).toBeUndefined();
    }
    expect(ownerOfHandle(notificationFrame(method))).toBeUndefined();
  });
});

describe("names that sessions choose", () => {
  test("F35: never meet upstream, and come back as they were, whatever they are", () => {
    const ids = fc.integer({ min: 1, max: 1_000 });
    const names = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "s1-", "s12-w", "-", "\n", "\u2028"),
    );
    const upstreamName = (id: number, name: string): string => {
      const frame = requestFrame(1, "fs/watch", { watchId: name });
      return (withUpstreamHandles(frame, recordingPeer(id)).params as { watchId: string }).watchId;
    };
    fc.assert(
      fc.property(ids, names, ids, names, (id, name, otherId, otherName) => {
        const same = id === otherId && name === otherName;
        const upstream = upstreamName(id, name);
        expect(upstream === upstreamName(otherId, otherName)).toBe(same);
        const owner = ownerOfHandle(notificationFrame("fs/changed", { watchId: upstream }));
        expect([owner?.session, owner?.frame.params]).toEqual([id, { watchId: name }]);
      }),
    );
  });

  test("are left alone in messages that have none", () => {
    const frame = requestFrame(1, "thread/read", { watchId: "w", processId: "p" });
    expect(withUpstreamHandles(frame, one)).toBe(frame);
    const unknown = requestFrame(1, "constructor", { watchId: "w" });
    expect(withUpstreamHandles(unknown, one)).toBe(unknown);
    const notification = notificationFrame("turn/started", { watchId: "s1-w" });
    expect(ownerOfHandle(notification)).toBeUndefined();
  });
});

test("F12 F23: a command without a name gets one that no client can have chosen, unless Codex would refuse it for that", () => {
  const nameOf = (params: Params): unknown =>
    (withUpstreamHandles(requestFrame(1, "command/exec", params), one).params as Params)[
      "processId"
    ];
  const names = [nameOf({ command: ["x"] }), nameOf({ command: ["x"], processId: null })];
  expect(new Set(names).size).toBe(2);
  for (const name of names) {
    expect(name).toMatch(/^unnamed-\d+$/);
    const event = notificationFrame("command/exec/outputDelta", { processId: name });
    expect(ownerOfHandle(event)).toBeUndefined();
  }
  for (const streamed of ["tty", "streamStdin", "streamStdoutStderr"]) {
    expect(nameOf({ command: ["x"], [streamed]: true })).toBeUndefined();
  }
  expect(nameOf({ command: ["x"], processId: "p" })).toBe("s1-p");
});

test("an error of the app-server quotes the handle that the client has chosen (F108)", () => {
  const frame = requestFrame(1, "fs/watch", { watchId: "w" });
  expect(inWordsOfSession("watchId already exists: s1-w", frame, one)).toBe(
    "watchId already exists: w",
  );
  expect(inWordsOfSession("no such thing: s12-w", frame, one)).toBe("no such thing: s12-w");
});

test("an exchanged handle leaves every other byte as it came (F108)", () => {
  const line =
    '{"params": {"watchId" : "w", "n":9007199254740993 },"id":9007199254740993,"method":"fs/watch"}';
  const frame = decodeFrame(Buffer.from(line)) as RequestFrame;
  expect(withUpstreamHandles(frame, one).line).toBe(line.replace('"w"', '"s1-w"'));
  expect(withId(withUpstreamHandles(frame, one), "7")).toBe(
    line.replace('"w"', '"s1-w"').replace('"id":9007199254740993', '"id":7'),
  );
});

describe("what a session holds open (F23)", () => {
  const pairs: Array<[begins: string, ends: string, params: Params]> = [
    ["fs/watch", "fs/unwatch", { watchId: "s1-w" }],
    ["command/exec", "command/exec/terminate", { processId: "s1-p" }],
    ["process/spawn", "process/kill", { processHandle: "s1-h" }],
    ["fuzzyFileSearch/sessionStart", "fuzzyFileSearch/sessionStop", { sessionId: "s1-s" }],
    ["mcpServer/event/stream/start", "mcpServer/event/stream/stop", { subscriptionId: "s1-x" }],
  ];

  test("covers every method that the app-server has for ending something by a handle", () => {
    const ending = requests
      .map(([method]) => method)
      .filter((name) => /stop|un|kill|termin/i.test(name));
    expect(pairs.map(([, ends]) => ends).toSorted()).toEqual(
      ending.filter((name) => !pairs.some(([begins]) => begins === name)).toSorted(),
    );
  });

  test.each(pairs)("%s is released by %s when the session leaves", (begins, ends, params) => {
    const handles = new OpenHandles();
    const frame = requestFrame(1, begins, { ...params, path: "/x", command: ["x"] });
    handles.note(one, frame);
    handles.note(other, frame);
    expect(handles.leave(one)).toEqual([{ method: ends, params }]);
    expect(handles.leave(one)).toEqual([]);
    expect(handles.leave(other)).toHaveLength(1);
  });

  test.each(pairs)(
    "%s needs no release when it failed, or %s has ended it",
    (begins, ends, params) => {
      const failed = new OpenHandles();
      failed.note(one, requestFrame(1, begins, params));
      failed.answered(one, requestFrame(1, begins, params), true);
      expect(failed.leave(one)).toEqual([]);

      const ended = new OpenHandles();
      ended.note(one, requestFrame(1, begins, params));
      ended.answered(one, requestFrame(2, ends, params), true);
      expect(ended.leave(one)).toHaveLength(1);
      ended.note(one, requestFrame(1, begins, params));
      ended.answered(one, requestFrame(2, ends, params), false);
      expect(ended.leave(one)).toEqual([]);
    },
  );

  test.each(pairs)(
    "%s stays open by its answer, unless that is the end of it",
    (begins, _ends, params) => {
      const handles = new OpenHandles();
      handles.note(one, requestFrame(1, begins, params));
      handles.answered(one, requestFrame(1, begins, params), false);
      expect(handles.leave(one)).toHaveLength(begins === "command/exec" ? 0 : 1);
    },
  );

  test("is nothing for a request without a handle, and the same handle is held once", () => {
    const handles = new OpenHandles();
    handles.note(one, requestFrame(1, "command/exec", { command: ["x"] }));
    handles.note(one, requestFrame(1, "command/exec", {}));
    handles.note(one, requestFrame(1, "constructor", { watchId: "s1-w" }));
    expect(handles.leave(one)).toEqual([]);
    handles.note(one, requestFrame(1, "fs/watch", { watchId: "s1-w" }));
    handles.note(one, requestFrame(2, "fs/watch", { watchId: "s1-w" }));
    handles.note(one, requestFrame(3, "fs/watch", { watchId: "s1-v" }));
    expect(handles.leave(one)).toHaveLength(2);
  });

  test("stays open when another request for the same handle fails (F108)", () => {
    const handles = new OpenHandles();
    const params = { watchId: "s1-w" };
    handles.note(one, requestFrame(1, "fs/watch", params));
    handles.answered(one, requestFrame(1, "fs/watch", params), false);
    handles.note(one, requestFrame(2, "fs/watch", params));
    handles.answered(one, requestFrame(2, "fs/watch", params), true);
    expect(handles.leave(one)).toEqual([{ method: "fs/unwatch", params }]);
  });

  test("is not brought back by an answer that comes after the session has left", () => {
    const handles = new OpenHandles();
    const frame = requestFrame(1, "fs/watch", { watchId: "s1-w" });
    handles.note(one, frame);
    handles.leave(one);
    handles.answered(one, frame, false);
    expect(handles.leave(one)).toEqual([]);
  });
});
