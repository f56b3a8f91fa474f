import { describe, expect, test } from "vitest";
import { BrokerError, ERROR_KINDS, type ErrorKind } from "../../src/base/errors.ts";
import {
  contactOfError,
  evidenceOf,
  evidenceOfUnreadable,
  provesNoRecord,
  provesUnused,
  type Contact,
  type ContactKind,
} from "../../src/lifecycle/evidence.ts";

/** Whatever is not in this table proves nothing: it is an error of the process that tried. */
const OF_ERRNO: Readonly<Record<string, ContactKind>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  EPERM: "denied",
  EACCES: "denied",
  EAGAIN: "silent",
  EBUSY: "silent",
  ETIMEDOUT: "silent",
  ECONNRESET: "closed",
  ECONNABORTED: "closed",
  EPIPE: "closed",
  ENOTDIR: "misplaced",
  ENOTSOCK: "misplaced",
  EPROTOTYPE: "misplaced",
  EINVAL: "misplaced",
  ENAMETOOLONG: "misplaced",
  ERR_INVALID_ARG_VALUE: "misplaced",
  EMFILE: "unable",
  ENFILE: "unable",
  ENOBUFS: "unable",
  ENOMEM: "unable",
  EIO: "unable",
  ESTALE: "unable",
  EADDRNOTAVAIL: "unable",
  ENETDOWN: "unable",
  UNKNOWN: "unable",
};

const contacts: Readonly<Record<Exclude<ContactKind, "hello" | "rejected">, Contact>> = {
  stranger: { kind: "stranger", why: "" },
  closed: { kind: "closed", code: "EPIPE" },
  silent: { kind: "silent" },
  refused: { kind: "refused", code: "ENOENT" },
  misplaced: { kind: "misplaced", code: "EINVAL" },
  denied: { kind: "denied", code: "EPERM" },
  unable: { kind: "unable", code: "EMFILE" },
};

function rejected(kind: ErrorKind): Contact {
  return { kind: "rejected", error: new BrokerError(kind, "").toJSON() };
}

describe("a system error of a connection attempt", () => {
  test.each(Object.entries(OF_ERRNO))("%s is %s (F133 F174)", (code, kind) => {
    expect(contactOfError(code).kind).toBe(kind);
  });

  test("the one that is no system error is a wait that was too long (F133)", () => {
    expect(contactOfError(undefined)).toEqual({ kind: "silent" });
  });

  test("only ECONNREFUSED and ENOENT permit that a socket is removed (F174)", () => {
    const permits = Object.keys(OF_ERRNO).filter((code) => provesUnused(contactOfError(code).kind));
    expect(permits).toEqual(["ECONNREFUSED", "ENOENT"]);
    expect(provesUnused("accepted")).toBe(false);
    expect(provesUnused("rejected")).toBe(false);
  });
});

describe("what a contact permits", () => {
  test("is what the table in docs/design.md says, row by row (F118 F123 F126 F133 F174)", () => {
    const none = { countsAsSilence: false, provesUnused: false };
    expect(
      Object.fromEntries(
        Object.entries(contacts).map(([kind, contact]) => [kind, evidenceOf(contact, false)]),
      ),
    ).toEqual({
      stranger: { proves: "another program", first: "supersede", last: "supersede", ...none },
      closed: { proves: "a listener runs", first: "ask", last: "supersede", ...none },
      silent: {
        proves: "nothing",
        first: "ask",
        last: "supersede",
        ...none,
        countsAsSilence: true,
      },
      refused: {
        proves: "no listener",
        first: "supersede",
        last: "supersede",
        countsAsSilence: true,
        provesUnused: true,
      },
      misplaced: { proves: "no listener", first: "supersede", last: "supersede", ...none },
      denied: { proves: "nothing", first: "fail", last: "fail", ...none },
      unable: { proves: "nothing", first: "ask", last: "fail", ...none },
    });
    const staying = ERROR_KINDS.filter(
      (kind) => evidenceOf(rejected(kind), false).first === "fail",
    );
    expect(staying.toSorted()).toEqual([
      "brokerUnavailable",
      "clientTooSlow",
      "frameTooLarge",
      "invalidRequest",
      "notInitialized",
      "parseError",
      "protocolMismatch",
      "tooManyRequests",
      "tooManySessions",
      "tooManyThreads",
      "usage",
    ]);
  });

  test("only silence and refusal may ever lead to a signal (F118 F123)", () => {
    const counting = Object.values(contacts).filter(
      (contact) => evidenceOf(contact, false).countsAsSilence,
    );
    expect(counting.map(({ kind }) => kind)).toEqual(["silent", "refused"]);
    for (const kind of ERROR_KINDS) {
      expect(evidenceOf(rejected(kind), false).countsAsSilence).toBe(false);
    }
  });

  test("of a broker of another host, no contact but an answer permits anything (F126)", () => {
    for (const contact of Object.values(contacts)) {
      const { countsAsSilence, first, last } = evidenceOf(contact, true);
      expect(countsAsSilence).toBe(false);
      expect([first, last]).not.toContain("supersede");
    }
  });

  test("what proves nothing leads to no supersession at once (F133)", () => {
    for (const contact of Object.values(contacts)) {
      const { proves, first } = evidenceOf(contact, false);
      if (proves === "nothing") expect(["ask", "fail"]).toContain(first);
    }
    expect(evidenceOf(contacts.unable, false).last).toBe("fail");
  });

  test("every kind of rejection is an answer of a broker that runs (F118)", () => {
    for (const kind of ERROR_KINDS) {
      const { proves, first } = evidenceOf(rejected(kind), false);
      expect([kind, proves]).toEqual([kind, "the broker runs"]);
      expect(["ask", "fail"]).toContain(first);
    }
    for (const kind of ["tooManySessions", "invalidRequest", "protocolMismatch"] as const) {
      expect(evidenceOf(rejected(kind), false)).toMatchObject({ first: "fail", last: "fail" });
    }
    for (const kind of ["draining", "appServerExited", "appServerStartFailed"] as const) {
      expect(evidenceOf(rejected(kind), false)).toMatchObject({ first: "ask", last: "supersede" });
    }
  });
});

describe("the file of an epoch that cannot be read", () => {
  test("is superseded only when what stands there is no record (F133)", () => {
    expect(evidenceOfUnreadable({ damaged: true, code: undefined }).first).toBe("supersede");
    for (const code of ["EIO", "ESTALE", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]) {
      expect(provesNoRecord(code)).toBe(false);
      expect(evidenceOfUnreadable({ damaged: false, code })).toMatchObject({
        first: "ask",
        last: "fail",
      });
    }
    for (const code of ["EACCES", "EPERM"]) {
      expect(evidenceOfUnreadable({ damaged: false, code })).toMatchObject({
        first: "fail",
        last: "fail",
      });
    }
    for (const code of ["EISDIR", "ELOOP"]) expect(provesNoRecord(code)).toBe(true);
  });
});
