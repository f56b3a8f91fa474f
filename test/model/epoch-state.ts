/** What an epoch file says. */
export const FILE = {
  none: 0,
  claimed: 1,
  serving: 2,
  /** The obituary, in the words of the broker itself or of who started it. */
  ended: 3,
  /** The obituary, written by a successor. */
  buried: 4,
} as const;

/** Where a contender, that is a client which wants a broker, has got to. */
export const AT = {
  looking: 0,
  /** Has decided to claim the epoch after the one it saw. */
  claiming: 1,
  /** Has won the claim, and has not listed the directory again yet. */
  linked: 2,
  /** Is about to start a broker under its claim. */
  starting: 3,
  /** Has started it. */
  awaiting: 4,
  connected: 5,
  /** Has ended its call with an error; its process may live on. */
  failed: 6,
  crashed: 7,
  /** Only with a lock that is removed when it is stale: has removed it. */
  unlocked: 8,
} as const;

export const BROKER = {
  none: 0,
  launched: 1,
  /** Has bound its endpoint and found its claim to be still its own. */
  checked: 2,
  /** Its record is published. */
  serving: 3,
  draining: 4,
  /** Has written its obituary; the process is still there. */
  ended: 5,
  gone: 6,
} as const;

/** What a broker is about to do about a predecessor. */
export const TASK = {
  none: 0,
  /** It has read the record and looks for the process now. */
  prove: 1,
  bury: 2,
  signal: 3,
} as const;

type Value<T> = T[keyof T];
export type File = Value<typeof FILE>;
export type At = Value<typeof AT>;
export type Phase = Value<typeof BROKER>;
export type Task = Value<typeof TASK>;

/** How often each of the things may happen that need not happen. */
export interface Faults {
  /** Contenders and brokers that die without a word. */
  readonly crashes: number;
  /** Processes that stop, at any step, for ever or until they wake up. */
  readonly sleeps: number;
  /** Contenders that replace a broker that could be used. */
  readonly rotations: number;
  /** Brokers that end of their own accord: idle, or asked to. */
  readonly ends: number;
  /** Contenders that run out of time while their broker starts. */
  readonly resignations: number;
  /** Pids of the dead that are given to strangers. */
  readonly reusedPids: number;
  /** Obituaries that are cleared away. */
  readonly forgotten: number;
  /** Times that somebody removes all epoch files. */
  readonly wipes: number;
  /** Listings of the directory that lack the newest files. */
  readonly lateListings: number;
  /** Times that a broker answers that it is full. */
  readonly rejections: number;
  /** Attempts that fail for want of something on the side of whoever tries. */
  readonly ownErrors: number;
  /** Times that a broker is replaced over a disagreement before that comes to a pause. */
  readonly replacements: number;
}

const COUNTED = [
  "crashes",
  "sleeps",
  "rotations",
  "ends",
  "resignations",
  "reusedPids",
  "forgotten",
  "wipes",
  "lateListings",
  "rejections",
  "ownErrors",
  "replacements",
] as const satisfies readonly (keyof Faults)[];
export type Counted = (typeof COUNTED)[number];

const PLACE = Object.fromEntries(COUNTED.map((name, place) => [name, place])) as Record<
  Counted,
  number
>;

export interface Shape {
  readonly contenders: number;
  readonly epochs: number;
  readonly faults: Faults;
  /** The host of each contender, and of the brokers that it starts. Default: one for all. */
  readonly hosts?: readonly number[];
  /** Each contender takes the brokers of the others for wrongly configured. */
  readonly disagree?: true;
}

// Up to 64 bytes, which is enough for 3 contenders and 3 epochs, V8 keeps an array inside its own heap.
const FILE_BYTES = 2;
const CONTENDER_BYTES = 4;
const BROKER_BYTES = 3;

/** What shares a byte with whether a contender sleeps. */
const ASLEEP = 0x01;
const OTHER_HOST = 0x02;
const NEWER_THAN_SHIFT = 2;

/** What shares a byte with the phase of a broker. */
const SLEEPS = 0x10;
const PID_REUSED = 0x20;
const LOOKS_AWAY = 0x40;
const PHASE = 0x0f;

/** Beside the epoch that a task is about. */
const TASK_SHIFT = 4;
const TASK_EPOCH = 0x0f;

/**
 * One state of the world, in a few dozen bytes, so that a million of them can be kept. Contenders are
 * counted from 0 and epochs from 1. A broker is named by the contender that started it, its owner, and
 * its epoch: the owner stands for the token of the claim.
 */
export class State {
  readonly #shape: Shape;
  readonly #bytes: Uint8Array;

  private constructor(shape: Shape, bytes: Uint8Array) {
    this.#shape = shape;
    this.#bytes = bytes;
  }

  static first(shape: Shape): State {
    const size =
      COUNTED.length +
      2 +
      shape.epochs * FILE_BYTES +
      shape.contenders * (CONTENDER_BYTES + shape.epochs * BROKER_BYTES);
    const state = new State(shape, new Uint8Array(size));
    for (const [place, name] of COUNTED.entries()) state.#bytes[place] = shape.faults[name];
    for (let each = 0; each < shape.contenders; each += 1) {
      if ((shape.hosts?.[each] ?? 0) !== 0) state.#bytes[state.#contender(each) + 3] = OTHER_HOST;
    }
    return state;
  }

  get contenders(): number {
    return this.#shape.contenders;
  }

  get epochs(): number {
    return this.#shape.epochs;
  }

  get disagree(): boolean {
    return this.#shape.disagree === true;
  }

  copy(): State {
    return new State(this.#shape, this.#bytes.slice());
  }

  static decode(shape: Shape, bytes: Uint8Array): State {
    return new State(shape, bytes.slice());
  }

  // Faults that may still happen.

  left(fault: Counted): number {
    return this.#bytes[PLACE[fault]]!;
  }

  spend(fault: Counted): void {
    this.#bytes[PLACE[fault]]! -= 1;
  }

  get wiped(): boolean {
    return this.left("wipes") < this.#shape.faults.wipes;
  }

  // Files.

  file(epoch: number): File {
    return this.#bytes[this.#file(epoch)]! as File;
  }

  /** Whose token the file carries. */
  holder(epoch: number): number {
    return this.#bytes[this.#file(epoch) + 1]!;
  }

  write(epoch: number, file: File, holder: number): void {
    this.#bytes[this.#file(epoch)] = file;
    this.#bytes[this.#file(epoch) + 1] = file === FILE.none ? 0 : holder;
  }

  says(epoch: number, file: File, holder: number): boolean {
    return this.file(epoch) === file && this.holder(epoch) === holder;
  }

  /** The highest epoch that has a file; 0 when there is none. */
  get newest(): number {
    for (let epoch = this.epochs; epoch > 0; epoch -= 1) {
      if (this.file(epoch) !== FILE.none) return epoch;
    }
    return 0;
  }

  /** Whether the fixed path leads to this broker. */
  currentIs(owner: number, epoch: number): boolean {
    const at = COUNTED.length;
    return this.#bytes[at + 1] === epoch && this.#bytes[at] === owner;
  }

  pointCurrent(owner: number, epoch: number): void {
    this.#bytes[COUNTED.length] = owner;
    this.#bytes[COUNTED.length + 1] = epoch;
  }

  // Contenders.

  at(contender: number): At {
    return this.#bytes[this.#contender(contender)]! as At;
  }

  /** The epoch that the contender has seen, holds, or is connected to. */
  epochOf(contender: number): number {
    return this.#bytes[this.#contender(contender) + 1]!;
  }

  /** Of the broker that the contender is connected to. */
  ownerOf(contender: number): number {
    return this.#bytes[this.#contender(contender) + 2]!;
  }

  move(contender: number, at: At, epoch = 0, owner = 0): void {
    const place = this.#contender(contender);
    this.#bytes[place] = at;
    this.#bytes[place + 1] = epoch;
    this.#bytes[place + 2] = owner;
  }

  sleeps(contender: number): boolean {
    return (this.#bytes[this.#contender(contender) + 3]! & ASLEEP) !== 0;
  }

  setSleeps(contender: number, sleeps: boolean): void {
    const place = this.#contender(contender) + 3;
    this.#bytes[place] = (this.#bytes[place]! & ~ASLEEP) | (sleeps ? ASLEEP : 0);
  }

  /** Whether a process of one of them means nothing to the other: they are on different hosts. */
  areApart(one: number, other: number): boolean {
    const host = (each: number): number => this.#bytes[this.#contender(each) + 3]! & OTHER_HOST;
    return host(one) !== host(other);
  }

  /** The contender was asked for a broker of a later epoch than this one; undefined when for any. */
  newerThan(contender: number): number | undefined {
    const asked = this.#bytes[this.#contender(contender) + 3]! >> NEWER_THAN_SHIFT;
    return asked === 0 ? undefined : asked - 1;
  }

  setNewerThan(contender: number, epoch: number | undefined): void {
    const place = this.#contender(contender) + 3;
    const asked = epoch === undefined ? 0 : epoch + 1;
    this.#bytes[place] =
      (this.#bytes[place]! & (ASLEEP | OTHER_HOST)) | (asked << NEWER_THAN_SHIFT);
  }

  // Brokers.

  phase(owner: number, epoch: number): Phase {
    return (this.#bytes[this.#broker(owner, epoch)]! & PHASE) as Phase;
  }

  setPhase(owner: number, epoch: number, phase: Phase): void {
    const place = this.#broker(owner, epoch);
    this.#bytes[place] = (this.#bytes[place]! & ~PHASE) | phase;
  }

  /** Its process is there. */
  lives(owner: number, epoch: number): boolean {
    const phase = this.phase(owner, epoch);
    return phase !== BROKER.none && phase !== BROKER.gone;
  }

  /** It may still write its file. */
  writes(owner: number, epoch: number): boolean {
    return this.lives(owner, epoch) && this.phase(owner, epoch) !== BROKER.ended;
  }

  /** Its endpoint is in its file, and it admits work or drains. */
  published(owner: number, epoch: number): boolean {
    const phase = this.phase(owner, epoch);
    return phase === BROKER.serving || phase === BROKER.draining;
  }

  brokerSleeps(owner: number, epoch: number): boolean {
    return this.#has(owner, epoch, SLEEPS);
  }

  setBrokerSleeps(owner: number, epoch: number, sleeps: boolean): void {
    this.#set(owner, epoch, SLEEPS, sleeps);
  }

  /** A stranger bears the pid that was this broker's. */
  pidReused(owner: number, epoch: number): boolean {
    return this.#has(owner, epoch, PID_REUSED);
  }

  reusePid(owner: number, epoch: number): void {
    this.#set(owner, epoch, PID_REUSED, true);
  }

  /** It looks after its predecessors no more. */
  looksAway(owner: number, epoch: number): boolean {
    return this.#has(owner, epoch, LOOKS_AWAY);
  }

  lookAway(owner: number, epoch: number): void {
    this.#set(owner, epoch, LOOKS_AWAY, true);
  }

  task(owner: number, epoch: number): Task {
    return (this.#bytes[this.#broker(owner, epoch) + 1]! >> TASK_SHIFT) as Task;
  }

  /** Whom the task is about. */
  taskEpoch(owner: number, epoch: number): number {
    return this.#bytes[this.#broker(owner, epoch) + 1]! & TASK_EPOCH;
  }

  taskOwner(owner: number, epoch: number): number {
    return this.#bytes[this.#broker(owner, epoch) + 2]!;
  }

  setTask(owner: number, epoch: number, task: Task, targetEpoch = 0, targetOwner = 0): void {
    const place = this.#broker(owner, epoch);
    this.#bytes[place + 1] = (task << TASK_SHIFT) | targetEpoch;
    this.#bytes[place + 2] = targetOwner;
  }

  #has(owner: number, epoch: number, flag: number): boolean {
    return (this.#bytes[this.#broker(owner, epoch)]! & flag) !== 0;
  }

  #set(owner: number, epoch: number, flag: number, value: boolean): void {
    const place = this.#broker(owner, epoch);
    this.#bytes[place] = (this.#bytes[place]! & ~flag) | (value ? flag : 0);
  }

  /** Equal for states that differ only in which contender is which. */
  encode(): Uint8Array {
    const order = this.#order();
    return order === undefined ? this.#bytes : this.#renumbered(order).#bytes;
  }

  /** The contenders in the order of their bytes, or undefined when they are in it already. */
  #order(): readonly number[] | undefined {
    let sorted = true;
    for (let each = 1; each < this.contenders && sorted; each += 1) {
      sorted = this.#compare(each - 1, each) <= 0;
    }
    if (sorted) return undefined;
    return Array.from({ length: this.contenders }, (_, each) => each).toSorted((a, b) =>
      this.#compare(a, b),
    );
  }

  /** By all but the references to contenders: those change with the numbering. */
  #compare(a: number, b: number): number {
    const left = this.#contender(a);
    const right = this.#contender(b);
    for (let each = 0; each < this.#contenderSize; each += 1) {
      const difference = this.#bytes[left + each]! - this.#bytes[right + each]!;
      if (difference !== 0 && !isReference(each)) return difference;
    }
    return 0;
  }

  #renumbered(order: readonly number[]): State {
    const numbers: number[] = [];
    for (const [place, each] of order.entries()) numbers[each] = place;
    const to = this.copy();
    for (let epoch = 1; epoch <= this.epochs; epoch += 1) {
      to.write(epoch, this.file(epoch), numbers[this.holder(epoch)]!);
    }
    const current = COUNTED.length;
    if (this.#bytes[current + 1] !== 0) to.#bytes[current] = numbers[this.#bytes[current]!]!;
    for (const [place, each] of order.entries()) {
      const from = this.#contender(each);
      to.#bytes.set(this.#bytes.subarray(from, from + this.#contenderSize), to.#contender(place));
      if (this.at(each) === AT.connected) {
        to.#bytes[to.#contender(place) + 2] = numbers[this.ownerOf(each)]!;
      }
      for (let epoch = 1; epoch <= this.epochs; epoch += 1) {
        if (this.task(each, epoch) === TASK.none) continue;
        to.#bytes[to.#broker(place, epoch) + 2] = numbers[this.taskOwner(each, epoch)]!;
      }
    }
    return to;
  }

  get #contenderSize(): number {
    return CONTENDER_BYTES + this.epochs * BROKER_BYTES;
  }

  #file(epoch: number): number {
    return COUNTED.length + 2 + (epoch - 1) * FILE_BYTES;
  }

  #contender(contender: number): number {
    return COUNTED.length + 2 + this.epochs * FILE_BYTES + contender * this.#contenderSize;
  }

  #broker(owner: number, epoch: number): number {
    return this.#contender(owner) + CONTENDER_BYTES + (epoch - 1) * BROKER_BYTES;
  }
}

/** Whether this byte of a contender names another contender. */
function isReference(place: number): boolean {
  return (
    place === 2 || (place >= CONTENDER_BYTES && (place - CONTENDER_BYTES) % BROKER_BYTES === 2)
  );
}
