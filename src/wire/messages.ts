import { BrokerError, isErrorKind } from "../base/errors.ts";

/** An id as it stood on the wire, quotes included: `7` and `"7"` differ, and 2^53 + 1 stays exact. */
export type RawId = string;

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

export function requestLine(id: RawId, method: string, params: unknown): string {
  return `{"id":${id},"method":${JSON.stringify(method)},"params":${JSON.stringify(params ?? {})}}`;
}

export function notificationLine(method: string, params: unknown): string {
  return `{"method":${JSON.stringify(method)},"params":${JSON.stringify(params ?? {})}}`;
}

export function resultLine(id: RawId, result: unknown): string {
  return `{"id":${id},"result":${JSON.stringify(result ?? null)}}`;
}

export function errorLine(id: RawId, error: RpcErrorObject): string {
  return `{"id":${id},"error":${JSON.stringify(error)}}`;
}

/** How a failure of ours crosses the wire; `data.kind` tells it apart from the app-server's own errors. */
export function toRpcError(error: BrokerError): RpcErrorObject {
  const { kind, retryable, hint, details } = error;
  return { code: error.code, message: error.message, data: { kind, retryable, hint, details } };
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

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
