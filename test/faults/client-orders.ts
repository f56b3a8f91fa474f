import type { ConnectOptions } from "../../src/index.ts";

/** What a client program is told to do. Each order is settled exactly once. */
export type Order = { readonly id: number } & (
  | { readonly do: "connect"; readonly options: ConnectOptions }
  | { readonly do: "turn"; readonly prompt: string }
  | { readonly do: "request"; readonly method: string; readonly params: unknown }
  | { readonly do: "bystander"; readonly args: readonly string[] }
);

export type Settled =
  | {
      readonly kind: "answered";
      readonly status: string;
      readonly text: string;
      readonly epoch: number;
    }
  /** With a kind that a program can act upon. */
  | { readonly kind: "failed"; readonly error: string; readonly message: string }
  | { readonly kind: "untyped"; readonly message: string };

export type Told =
  | { readonly ready: true }
  /** The turn has said something. */
  | { readonly id: number; readonly begun: true }
  | { readonly id: number; readonly settled: Settled };
