import { BrokerError, isErrorKind, messageOf } from "../base/errors.ts";
import { asciiJson, lineOf, textOf, type TextLine } from "./line.ts";

/** An id as it stood in its line, quotes included: `7` and `"7"` differ, and 2^53 + 1 stays exact. */
export type RawId = string;

/** How an id that was parsed stood in its line, unless somebody wrote it in an unusual way. */
export function rawIdOf(id: unknown): RawId {
  return lineOf(JSON.stringify(id) ?? "");
}

/** One text for each id, however it was written. */
export function canonicalId(raw: RawId): RawId {
  return raw.startsWith('"') ? rawIdOf(JSON.parse(textOf(raw))) : String(BigInt(raw));
}

/** JSON-RPC's own code for a method that the other side has nobody for. */
export const METHOD_NOT_FOUND = -32_601;
/** And for a failure that has no other one. */
const INTERNAL_ERROR = -32_603;

export interface RpcErrorObject {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** An error that the other side of a connection answered with, exactly as it came. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data: unknown;

  constructor(error: RpcErrorObject) {
    super(error.message);
    this.code = error.code;
    this.data = error.data;
  }

  toJSON(): RpcErrorObject {
    return {
      code: this.code,
      message: this.message,
      ...(this.data === undefined ? {} : { data: this.data }),
    };
  }
}

export function requestLine(id: RawId, method: string, params: unknown): TextLine {
  return `{"id":${id},"method":${asciiJson(method)},"params":${asciiJson(params ?? {})}}` as TextLine;
}

export function notificationLine(method: string, params: unknown): TextLine {
  return `{"method":${asciiJson(method)},"params":${asciiJson(params ?? {})}}` as TextLine;
}

export function resultLine(id: RawId, result: unknown): TextLine {
  return `{"id":${id},"result":${asciiJson(result ?? null)}}` as TextLine;
}

export function errorLine(id: RawId, error: RpcErrorObject): TextLine {
  return `{"id":${id},"error":${asciiJson(error)}}` as TextLine;
}

/** How a failure of ours crosses the wire; `data.kind` tells it apart from the app-server's own errors. */
export function toRpcError(error: BrokerError): RpcErrorObject {
  const { kind, retryable, hint, details } = error;
  return { code: error.code, message: error.message, data: { kind, retryable, hint, details } };
}

/** How whatever was thrown crosses the wire. */
export function rpcErrorOf(error: unknown): RpcErrorObject {
  if (error instanceof RpcError) return error.toJSON();
  if (BrokerError.is(error)) return toRpcError(error);
  return { code: INTERNAL_ERROR, message: messageOf(error) };
}

/** The other direction: one of ours if it carries our mark, else the app-server's own, unaltered. */
export function fromRpcError(error: RpcErrorObject): BrokerError | RpcError {
  const data = error.data;
  if (!isRecord(data) || !isErrorKind(data["kind"])) return new RpcError(error);
  return new BrokerError(data["kind"], error.message, {
    ...(typeof data["hint"] === "string" ? { hint: data["hint"] } : {}),
    ...(isRecord(data["details"]) ? { details: data["details"] } : {}),
  });
}

/** The answer of a side that leaves the question to others. */
export function notHandled(method: string): RpcErrorObject {
  return { code: -32_601, message: `${method} is not handled here` };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
