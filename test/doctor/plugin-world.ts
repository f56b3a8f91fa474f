import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { observe } from "../../src/doctor/observe.ts";
import { killTreeProven } from "../../src/os/kill-tree.ts";
import { identityOf, livenessOf, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { soon } from "./soon.ts";
import { makeWorld, type World } from "../support/world.ts";

/** The published script itself may be tried in place of its stand-in. */
const PUBLISHED = process.env["PLUGIN_BROKER_SCRIPT"];
export const IS_PUBLISHED: boolean = PUBLISHED !== undefined;

const SCRIPT =
  PUBLISHED ?? fileURLToPath(new URL("../fixtures/plugin/app-server-broker.mjs", import.meta.url));

/** A broker as the published plugin starts it, with its files. */
export interface PluginBrokerProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly sessionDir: string;
  readonly socket: string;
  readonly pidFile: string;
  isAlive(): boolean;
  /** A client of it, which speaks as the plugin's own does. */
  connect(): Promise<PluginClient>;
}

export class PluginClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>();
  #nextId = 1;

  constructor(socket: Socket) {
    this.#socket = socket;
    let text = "";
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const message: unknown = JSON.parse(line);
        if (!isRecord(message) || typeof message["id"] !== "number") continue;
        const result = message["result"];
        this.#waiting.get(message["id"])?.(isRecord(result) ? result : message);
      }
    });
  }

  request(method: string, params: object): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Starts a turn, and does not wait for its end. */
  async startTurn(cwd: string, text: string): Promise<void> {
    await this.request("initialize", { clientInfo: { name: "plugin", version: "0" } });
    const started = await this.request("thread/start", { cwd });
    const thread = started["thread"] as { id: string };
    await this.request("turn/start", { threadId: thread.id, input: [{ type: "text", text }] });
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

export interface PluginWorld extends AsyncDisposable {
  readonly world: World;
  start(env?: NodeJS.ProcessEnv): Promise<PluginBrokerProcess>;
  /** Writes the plugin's record for the workspace, and returns its path. */
  record(broker: { pid: number; socket: string }): string;
  /** What the doctor finds about this process, seen from the workspace or from another directory. */
  examine(pid: number, cwd?: string): Promise<Finding[]>;
}

export async function makePluginWorld(): Promise<PluginWorld> {
  const world = await makeWorld();
  const bin = join(world.stateDir, "..", "bin");
  mkdirSync(bin);
  symlinkSync(String(world.env["CODEX_BROKER_CODEX"]), join(bin, "codex"));
  const pluginData = join(world.stateDir, "..", "plugin");
  const env = {
    ...world.env,
    PATH: `${bin}:${String(world.env["PATH"])}`,
    CLAUDE_PLUGIN_DATA: pluginData,
  };
  const started: Array<{ child: ChildProcess; identity: ProcessIdentity }> = [];
  return {
    world,
    async start(more = {}) {
      const sessionDir = mkdtempSync(join(world.stateDir, "..", "cxc-"));
      const socket = join(sessionDir, "broker.sock");
      const pidFile = join(sessionDir, "broker.pid");
      const log = openSync(join(sessionDir, "broker.log"), "a");
      const places = ["--endpoint", `unix:${socket}`, "--cwd", world.workspace];
      const child = spawn(process.execPath, [SCRIPT, "serve", ...places, "--pid-file", pidFile], {
        cwd: world.workspace,
        env: { ...env, ...more },
        detached: true,
        stdio: ["ignore", log, log],
      });
      closeSync(log);
      await once(child, "spawn");
      const pid = child.pid!;
      const identity = identityOf(pid);
      started.push({ child, identity });
      const open = async (): Promise<Socket | undefined> => {
        const connection = connect(socket);
        return await new Promise((resolve) => {
          connection.once("connect", () => resolve(connection));
          connection.once("error", () => resolve(undefined));
        });
      };
      await soon(async () => {
        const probe = await open();
        probe?.destroy();
        return probe !== undefined;
      }, "the plugin's broker listens");
      return {
        pid,
        identity,
        sessionDir,
        socket,
        pidFile,
        isAlive: () => livenessOf(identity) === "alive",
        async connect() {
          const connection = await open();
          if (connection === undefined) throw new Error("it does not listen");
          return new PluginClient(connection);
        },
      };
    },
    record({ pid, socket }) {
      const hash = createHash("sha256").update(world.workspace).digest("hex").slice(0, 16);
      const directory = join(pluginData, "state", `${basename(world.workspace)}-${hash}`);
      mkdirSync(directory, { recursive: true });
      const file = join(directory, "broker.json");
      writeFileSync(file, JSON.stringify({ endpoint: `unix:${socket}`, pid }));
      return file;
    },
    async examine(pid, cwd = world.workspace) {
      const findings = diagnose(await observe({ cwd }, env));
      return findings.filter(
        ({ code, details }) => code.startsWith("plugin") && details["pid"] === pid,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const { identity } of started) killTreeProven(identity);
      for (const { child } of started) {
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }
      await world[Symbol.asyncDispose]();
    },
  };
}
