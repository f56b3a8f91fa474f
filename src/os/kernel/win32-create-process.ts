import type { Koffi } from "./koffi.ts";

export interface CreateProcessCalls {
  /** A pipe of which the end named is inherited by what is started next. Undefined when refused. */
  pipe(inherited: "read" | "write"): PipeHandles | undefined;
  /** The file, inherited, for what is appended. */
  appendTo(path: string): number | undefined;
  write(handle: number, bytes: Buffer): boolean;
  /** What lies in the pipe now; empty also when its other end is closed. */
  readAvailable(handle: number): Buffer;
  create(start: ProcessStart): { readonly pid: number; readonly handle: number } | undefined;
  /** Undefined while it runs. */
  exitCodeOf(handle: number): number | undefined;
  close(handle: number): void;
}

export interface PipeHandles {
  readonly read: number;
  readonly write: number;
}

export interface ProcessStart {
  readonly program: string;
  readonly commandLine: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly flags: number;
  /** By descriptor, from 0 on; 0 for one that it does not get. */
  readonly handles: readonly number[];
}

export const DETACHED_PROCESS = 0x8;
export const CREATE_NEW_PROCESS_GROUP = 0x200;
export const CREATE_BREAKAWAY_FROM_JOB = 0x100_0000;
const CREATE_UNICODE_ENVIRONMENT = 0x400;

const STARTF_USESHOWWINDOW = 0x1;
const STARTF_USESTDHANDLES = 0x100;
const SW_HIDE = 0;

/** STARTUPINFOW, PROCESS_INFORMATION and SECURITY_ATTRIBUTES of a 64-bit Windows. */
const STARTUP = { size: 104, flags: 60, show: 64, extraSize: 66, extra: 72, standard: 80 };
const STARTED = { size: 24, process: 0, thread: 8, pid: 16 };
const SECURITY = { size: 24, inherit: 16 };
const HANDLE_BYTES = 8;
/** What is written beyond that waits for the reader, and this thread with it. */
export const PIPE_BYTES = 64 * 1024;

const HANDLE_FLAG_INHERIT = 0x1;
const FILE_APPEND_DATA = 0x4;
const FILE_SHARE_ALL = 0x7;
const OPEN_ALWAYS = 4;
const STILL_THERE = 258;
const REFUSED = -1;

/** How the C library of Node marks a descriptor that it inherits. */
const OPEN = 0x1;
const IS_PIPE = 0x8;

export function bindCreateProcess(koffi: Koffi): CreateProcessCalls {
  const kernel32 = koffi.load("kernel32.dll");
  const createPipe = kernel32.func("int CreatePipe(void *, void *, void *, uint32_t)");
  const setInformation = kernel32.func("int SetHandleInformation(intptr_t, uint32_t, uint32_t)");
  const createFile = kernel32.func(
    "intptr_t CreateFileW(void *, uint32_t, uint32_t, void *, uint32_t, uint32_t, intptr_t)",
  );
  const writeFile = kernel32.func("int WriteFile(intptr_t, void *, uint32_t, void *, void *)");
  const readFile = kernel32.func("int ReadFile(intptr_t, void *, uint32_t, void *, void *)");
  const peek = kernel32.func(
    "int PeekNamedPipe(intptr_t, void *, uint32_t, void *, void *, void *)",
  );
  const createProcess = kernel32.func(
    "int CreateProcessW(void *, void *, void *, void *, int, uint32_t, void *, void *, void *, void *)",
  );
  const wait = kernel32.func("uint32_t WaitForSingleObject(intptr_t, uint32_t)");
  const getExitCode = kernel32.func("int GetExitCodeProcess(intptr_t, void *)");
  const closeHandle = kernel32.func("int CloseHandle(intptr_t)");

  return {
    pipe(inherited) {
      const [read, write] = [Buffer.alloc(HANDLE_BYTES), Buffer.alloc(HANDLE_BYTES)];
      if (createPipe(read, write, inheritable(), PIPE_BYTES) === 0) return undefined;
      const handles = { read: handleIn(read), write: handleIn(write) };
      const ours = inherited === "read" ? handles.write : handles.read;
      setInformation(ours, HANDLE_FLAG_INHERIT, 0);
      return handles;
    },
    appendTo(path) {
      const handle = Number(
        createFile(wide(path), FILE_APPEND_DATA, FILE_SHARE_ALL, inheritable(), OPEN_ALWAYS, 0, 0),
      );
      return handle === REFUSED ? undefined : handle;
    },
    write(handle, bytes) {
      const written = Buffer.alloc(4);
      const went = writeFile(handle, bytes, bytes.length, written, null) !== 0;
      return went && written.readUInt32LE() === bytes.length;
    },
    readAvailable(handle) {
      const count = Buffer.alloc(4);
      if (peek(handle, null, 0, null, count, null) === 0) return Buffer.alloc(0);
      const bytes = Buffer.alloc(count.readUInt32LE());
      if (bytes.length === 0 || readFile(handle, bytes, bytes.length, count, null) === 0) {
        return Buffer.alloc(0);
      }
      return bytes.subarray(0, count.readUInt32LE());
    },
    create({ program, commandLine, cwd, env, flags, handles }) {
      const descriptors = descriptorsOf(handles);
      const startup = Buffer.alloc(STARTUP.size);
      startup.writeUInt32LE(STARTUP.size, 0);
      startup.writeUInt32LE(STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW, STARTUP.flags);
      startup.writeUInt16LE(SW_HIDE, STARTUP.show);
      startup.writeUInt16LE(descriptors.length, STARTUP.extraSize);
      startup.writeBigUInt64LE(koffi.address(descriptors), STARTUP.extra);
      for (const [at, handle] of handles.slice(0, 3).entries()) {
        startup.writeBigUInt64LE(BigInt(handle), STARTUP.standard + at * HANDLE_BYTES);
      }
      const started = Buffer.alloc(STARTED.size);
      const went = createProcess(
        wide(program),
        wide(commandLine),
        null,
        null,
        1,
        flags | CREATE_UNICODE_ENVIRONMENT,
        wide(environmentBlock(env)),
        wide(cwd),
        startup,
        started,
      );
      if (went === 0) return undefined;
      closeHandle(handleIn(started.subarray(STARTED.thread)));
      return {
        pid: started.readUInt32LE(STARTED.pid),
        handle: handleIn(started.subarray(STARTED.process)),
      };
    },
    exitCodeOf(handle) {
      if (wait(handle, 0) === STILL_THERE) return undefined;
      const code = Buffer.alloc(4);
      return getExitCode(handle, code) === 0 ? REFUSED : code.readUInt32LE();
    },
    close: (handle) => void closeHandle(handle),
  };
}

/** What it inherits beyond the three standard ones travels in a form that Node's C library reads. */
export function descriptorsOf(handles: readonly number[]): Buffer {
  const count = handles.length;
  const bytes = Buffer.alloc(4 + count + count * HANDLE_BYTES);
  bytes.writeUInt32LE(count, 0);
  for (const [at, handle] of handles.entries()) {
    bytes.writeUInt8(handle === 0 ? 0 : OPEN | IS_PIPE, 4 + at);
    bytes.writeBigUInt64LE(BigInt(handle), 4 + count + at * HANDLE_BYTES);
  }
  return bytes;
}

/** Windows wants the names in order, whatever their case. */
export function environmentBlock(env: NodeJS.ProcessEnv): string {
  return Object.entries(env)
    .filter(([, value]) => value !== undefined)
    .toSorted(([one], [other]) => (one.toUpperCase() < other.toUpperCase() ? -1 : 1))
    .map(([name, value]) => `${name}=${String(value)}\0`)
    .join("");
}

/** One argument of a command line, as the C library of the program takes it apart again. */
export function quoted(argument: string): string {
  if (/^[^\s"]+$/.test(argument)) return argument;
  return `"${argument.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;
}

function inheritable(): Buffer {
  const attributes = Buffer.alloc(SECURITY.size);
  attributes.writeUInt32LE(SECURITY.size, 0);
  attributes.writeUInt32LE(1, SECURITY.inherit);
  return attributes;
}

function handleIn(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE());
}

function wide(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf16le");
}
