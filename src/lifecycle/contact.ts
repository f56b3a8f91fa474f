import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { BrokerError, errnoOf, isErrorKind, messageOf } from "../base/errors.ts";
import type { Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import {
  BROKER_PROTOCOL,
  MAX_LINE_BYTES,
  proofMatches,
  type BrokerHello,
  type BrokerHelloParams,
  type Closing,
} from "../wire/broker-protocol.ts";
import { Connection, type ConnectionOptions } from "../wire/connection.ts";
import { isRecord, RpcError } from "../wire/messages.ts";
import type { ServingRecord } from "./epoch-file.ts";
import { contactOfError, type Contact } from "./evidence.ts";

/** How a client introduces itself, and what it does with what comes in. */
export interface Introduction {
  readonly clientInfo: {
    readonly name: string;
    readonly title: string | null;
    readonly version: string;
  };
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** What becomes of requests that find their thread busy and do not say what they want then. */
  readonly whenBusy?: BrokerHelloParams["whenBusy"];
  /** Called once for each connection that is tried. */
  readonly handlers: () => Omit<ConnectionOptions, "maxLineBytes">;
}

/** An open connection on which the broker has proven who it is. */
export interface Link {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly hello: BrokerHello;
  /** The app-server's own answer to `initialize`, with the broker's facts in it. */
  readonly initializeResult: Readonly<Record<string, unknown>>;
}

export interface Contacted {
  readonly contact: Contact;
  /** Present exactly when the contact is a hello. */
  readonly link?: Link;
}

const TIMER_SLACK_MS = 20;

/** Connects to what the record names and says hello. Never throws; leaves nothing open unless linked. */
export async function makeContact(
  record: ServingRecord,
  introduction: Introduction,
  deadline: Deadline,
): Promise<Contacted> {
  let socket: Socket;
  try {
    socket = await openSocket(record.endpoint, deadline);
  } catch (error) {
    return { contact: contactOfError(errnoOf(error)) };
  }
  const handlers = introduction.handlers();
  const connection = new Connection(
    { readable: socket, writable: socket },
    {
      ...handlers,
      ...endingWithBroker(handlers, (error) => endConnection(connection, error)),
      maxLineBytes: MAX_LINE_BYTES,
    },
  );
  const contacted = await sayHello(record, introduction, { connection, socket }, deadline);
  if (contacted.link === undefined) {
    connection.destroy(new BrokerError("connectionClosed", "The broker did not say who it is."));
  }
  return contacted;
}

/**
 * Ends the connection at `broker/closing`. The broker has answered all that it received, and reads on
 * until this side has ended the connection: what is not answered by then was never received.
 */
function endingWithBroker(
  { onNotification, onFrame }: Pick<ConnectionOptions, "onNotification" | "onFrame">,
  end: (error: BrokerError) => void,
): Pick<ConnectionOptions, "onNotification" | "onFrame"> {
  const endIfClosing = (method: string, params: unknown): void => {
    if (method === "broker/closing") end(closingError(params));
  };
  return {
    onNotification: (method, params) => {
      onNotification?.(method, params);
      endIfClosing(method, params);
    },
    ...(onFrame === undefined
      ? {}
      : {
          onFrame: (frame) => {
            onFrame(frame);
            endIfClosing(frame.method, frame.params);
          },
        }),
  };
}

/** A client that is cut off had requests received and not answered; one of a broker that ends had none. */
function endConnection(connection: Connection, error: BrokerError): void {
  if (error.kind !== "draining") return connection.destroy(error);
  const cause = new BrokerError("connectionLost", `The connection was lost: ${error.message}`);
  connection.destroy(cause, error);
}

function closingError(params: unknown): BrokerError {
  const error = isRecord(params) ? params["error"] : undefined;
  if (isRecord(error) && isErrorKind(error["kind"])) {
    return BrokerError.fromJSON((params as Closing).error);
  }
  return new BrokerError("connectionLost", "The broker has ended the connection.");
}

async function sayHello(
  record: ServingRecord,
  introduction: Introduction,
  open: Pick<Link, "connection" | "socket">,
  deadline: Deadline,
): Promise<Contacted> {
  const nonce = randomBytes(16).toString("hex");
  const { clientInfo, capabilities, whenBusy } = introduction;
  const { instance } = record;
  const params = {
    clientInfo,
    capabilities,
    broker: { protocol: BROKER_PROTOCOL, nonce, instance, pid: process.pid, whenBusy },
  };
  let result: unknown;
  try {
    result = await open.connection.request("initialize", params, { deadline });
  } catch (error) {
    return { contact: contactOfFailure(error, open.connection.endCause, deadline) };
  }
  if (!isRecord(result) || !isHello(result["broker"])) {
    return stranger("it does not answer as a broker does");
  }
  const hello = result["broker"];
  if (hello.instance !== record.instance || hello.epoch !== record.epoch) {
    return stranger("it is another instance");
  }
  if (!proofMatches(record.token, nonce, hello.proof)) {
    return stranger("it cannot prove that it holds the epoch");
  }
  return { contact: { kind: "hello", hello }, link: { ...open, hello, initializeResult: result } };
}

/** @param endCause why the connection has ended; undefined while it is open. */
function contactOfFailure(
  error: unknown,
  endCause: BrokerError | undefined,
  deadline: Deadline,
): Contact {
  if (endCause !== undefined) {
    if (endCause.kind !== "connectionLost") return { kind: "stranger", why: endCause.message };
    return { kind: "closed", code: errnoOf(endCause.cause) ?? "closed before it answered" };
  }
  // A timer may fire a moment before its time. What the broker itself reports as a time-out is a rejection.
  if (BrokerError.is(error) && error.kind === "requestTimedOut") {
    if (deadline.remainingMs < TIMER_SLACK_MS) return { kind: "silent" };
  }
  if (BrokerError.is(error)) return { kind: "rejected", error: error.toJSON() };
  return isOfNewerBroker(error)
    ? { kind: "rejected", error: new BrokerError("brokerUnavailable", messageOf(error)).toJSON() }
    : { kind: "stranger", why: messageOf(error) };
}

/** A rejection of a kind that this version does not know. */
function isOfNewerBroker(error: unknown): boolean {
  return (
    error instanceof RpcError && isRecord(error.data) && typeof error.data["kind"] === "string"
  );
}

function stranger(why: string): Contacted {
  return { contact: { kind: "stranger", why } };
}

/** Tries to connect, without a word, and closes the connection. */
export async function reach(endpoint: string, deadline: Deadline): Promise<Reach> {
  try {
    (await openSocket(endpoint, deadline)).destroy();
    return "accepted";
  } catch (error) {
    return contactOfError(errnoOf(error)).kind;
  }
}

/** `accepted`: a listener took the connection, which proves no more than that. */
export type Reach = "accepted" | ReturnType<typeof contactOfError>["kind"];

function isHello(value: unknown): value is BrokerHello {
  return (
    isRecord(value) &&
    typeof value["protocol"] === "number" &&
    typeof value["instance"] === "string" &&
    typeof value["epoch"] === "number" &&
    typeof value["state"] === "string" &&
    typeof value["proof"] === "string"
  );
}

/** @throws the system error, or a plain one when there was no connection in time. */
export async function openSocket(endpoint: string, deadline: Deadline): Promise<Socket> {
  const opened = deferred<Socket>();
  // As a path in any case: Node would take a text of digits for a port.
  const socket = connect({ path: endpoint });
  socket.once("connect", () => opened.resolve(socket));
  socket.once("error", opened.reject);
  try {
    return await deadline.race(opened.promise, () => new Error("no connection in time"));
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.removeListener("error", opened.reject);
    socket.on("error", ignore);
  }
}

/** A socket without an error listener takes the process down; the connection has its own. */
function ignore(): void {}
