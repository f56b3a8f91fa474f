/** codex-broker: one `codex app-server` per workspace, shared safely by every program that wants it. */
export { connectBroker, type ConnectOptions } from "./client/connect.ts";
export { BrokerClient, type KnownRequests } from "./client/broker-client.ts";
export type { NotificationListener, QuestionContext, QuestionHandler } from "./client/inbox.ts";
export { answerByPolicy, type PolicyQuestion } from "./policy/policy.ts";
export type { AllowRule, Policy } from "./wire/policy.ts";
export { TurnRun, type TurnResult } from "./client/turn.ts";
export type { JoinOptions, ReviewOptions, TurnOptions } from "./client/turn-options.ts";
export type { TurnEvent } from "./client/turn-event.ts";
export { BrokerError, type BrokerErrorJson, type ErrorKind } from "./base/errors.ts";
export { onTrace, type TraceEvent } from "./base/trace.ts";
export { RpcError, type RpcErrorObject } from "./wire/messages.ts";
export type { BrokerLimits } from "./lifecycle/start-protocol.ts";
export type { BrokerStatus } from "./wire/broker-protocol.ts";
export type * as protocol from "./app-server/generated/index.ts";
