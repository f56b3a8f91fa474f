import { BrokerError } from "../base/errors.ts";
import type { AnswerFrame, NotificationFrame } from "../wire/frame.ts";
import { askQuietly, type Ask } from "./ask.ts";
import { rootOfNotification, turnInResult, turnOfNotification } from "./frame-facts.ts";
import { InterruptedTurns } from "./interrupted-turns.ts";
import { TurnDoubts, type EndedTurn } from "./turn-doubts.ts";
import { turnCompleted } from "./turn-endings.ts";
import { isAnother } from "./turn-names.ts";
import { Turns, type Turn } from "./turns.ts";

/** An interrupt is answered in about 10 ms. */
const INTERRUPT_LIMIT_MS = 5_000;

export interface TurnBookOptions<S extends object> {
  readonly ask: Ask;
  /** Called when a turn has begun or ended. */
  readonly onChange: () => void;
  /** The thread's turn has ended. The thread is free unless its owner has started the next one already. */
  readonly onEnd: (threadId: string, isFree: boolean) => void;
  /** Called with a turn that may begin with a start that was meant for the one before. */
  readonly onNext: (turn: Turn<S>) => void;
  /** Called with the terminal event of a turn whose own was lost, as Codex's history has it. */
  readonly onEndFound: (threadId: string, frame: NotificationFrame) => void;
  /** Called for a turn whose end nobody will hear of. */
  readonly onLost: (turn: Turn<S>, cause: BrokerError) => void;
  /** Called for a turn that goes on though it was interrupted: only with the app-server it ends. */
  readonly onStuck: (threadId: string) => void;
}

/**
 * How each turn begins, goes on and ends, taken down from answers and events. Whatever gets lost on
 * the way, a turn that was begun here ends here: as the app-server says, as its history has it, or as
 * lost.
 */
export class TurnBook<S extends object> {
  readonly #options: TurnBookOptions<S>;
  readonly #turns = new Turns<S>();
  readonly #doubts: TurnDoubts<S>;
  readonly #interrupted: InterruptedTurns<S>;
  /** The turns whose end was told from Codex's history, by thread: it is not told again. */
  readonly #endTold = new Map<string, string>();

  constructor(options: TurnBookOptions<S>) {
    this.#options = options;
    this.#doubts = new TurnDoubts({
      ask: options.ask,
      onOver: (turn, ended) => this.#endWasLost(turn, ended),
    });
    this.#interrupted = new InterruptedTurns({
      again: (turn) => this.abandon(turn),
      onStuck: (turn) => {
        turn.givenUp = true;
        options.onStuck(turn.threadId);
        options.onChange();
      },
    });
  }

  get size(): number {
    return this.#turns.size;
  }

  get(threadId: string): Turn<S> | undefined {
    return this.#turns.get(threadId);
  }

  all(): Turn<S>[] {
    return [...this.#turns.all()];
  }

  /** The request for it is about to leave. */
  begin(threadId: string, owner: S): Turn<S> {
    const turn = this.#turns.begin(threadId, owner);
    this.#options.onChange();
    return turn;
  }

  /** The request for it has come back. */
  answered(turn: Turn<S>, outcome: AnswerFrame | BrokerError): void {
    if (this.#turns.get(turn.threadId) !== turn) return;
    if (BrokerError.is(outcome) || outcome.error !== undefined) {
      // Refused: no turn came of it. One that has an id was seen to start all the same.
      if (turn.id === undefined) this.end(turn.threadId);
      return;
    }
    turn.id ??= turnInResult(outcome.result);
    this.#doubts.accepted(turn);
    this.#turns.isNamed(turn);
  }

  /**
   * Another start by the owner of the turn is about to leave. Codex adds it to the turn; if that has ended
   * by then, Codex begins the next one with it. Until one of both is known the thread is the owner's.
   *
   * @returns what is to be called with the response.
   */
  steer(turn: Turn<S>): (outcome: AnswerFrame | BrokerError) => void {
    turn.steering += 1;
    return (outcome) => {
      turn.steering -= 1;
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      this.#steered(turn, failed ? undefined : turnInResult(outcome.result));
    };
  }

  /** Something of the thread that is no event. */
  touch(threadId: string): void {
    this.#turns.touch(threadId);
  }

  /** An event that is about to be told: whoever replies to it finds it taken down. */
  heard(threadId: string, frame: NotificationFrame): void {
    this.#turns.touch(threadId);
    if (frame.method === "turn/started") this.#started(threadId, frame);
    const turn = this.#turns.get(threadId);
    if (turn !== undefined) this.#doubts.heard(turn, frame);
  }

  /** An event that was told: the next turn begins after everybody has heard of the end of this one. */
  told(threadId: string, frame: NotificationFrame): void {
    if (frame.method !== "turn/completed") return;
    const running = this.#turns.get(threadId);
    if (running !== undefined && isAnother(running, turnOfNotification(frame))) return;
    this.end(threadId);
  }

  /** Whether it is the end of a turn, and was told from Codex's history already. */
  wasTold(threadId: string, frame: NotificationFrame): boolean {
    if (frame.method !== "turn/completed") return false;
    return this.#endTold.get(threadId) === turnOfNotification(frame);
  }

  /** The thread whose running turn the one that starts here works for. */
  servedBy(threadId: string, frame: NotificationFrame): string | undefined {
    if (frame.method !== "turn/started") return undefined;
    const rootId = rootOfNotification(frame);
    if (rootId === undefined) return undefined;
    const root = this.all().find(({ id }) => id === rootId);
    return root?.threadId === threadId ? undefined : root?.threadId;
  }

  /**
   * Follows the turn to its end from now on. Whoever asks for an end before the beginning is heard
   * when it has begun, and not refused.
   *
   * @param send Sends the interrupt.
   */
  interrupt(turn: Turn<S>, send: () => void): void {
    const interrupt = (): void => {
      this.#interrupted.interrupted(turn);
      send();
    };
    if (turn.begun) interrupt();
    else turn.onceBegun.push(interrupt);
  }

  /** Nobody wants it any more. */
  abandon(turn: Turn<S>): void {
    this.interrupt(turn, () => {
      const turnId = turn.activeId ?? turn.id;
      if (turnId === undefined) return;
      const params = { threadId: turn.threadId, turnId };
      askQuietly(this.#options.ask, "turn/interrupt", params, INTERRUPT_LIMIT_MS);
    });
  }

  end(threadId: string): void {
    const turn = this.#turns.get(threadId);
    if (turn === undefined) return;
    turn.over = true;
    this.#turns.end(threadId);
    this.#doubts.settled(turn);
    this.#interrupted.ended(turn);
    const isFree = turn.steering === 0 && turn.nextId === undefined;
    this.#options.onEnd(threadId, isFree);
    if (!isFree) this.#reserve(turn);
    this.#options.onChange();
  }

  /**
   * The app-server has unloaded the thread, so its turn is over. Reports its end, from Codex's history
   * where that has it. A `turn/start` without a response yet is waited for, because it may be refused.
   */
  async vanished(threadId: string): Promise<void> {
    const turn = this.#turns.get(threadId);
    if (turn === undefined) return;
    if (turn.id === undefined) {
      await new Promise<void>((resolve) => turn.onceNamed.push(resolve));
    }
    if (!turn.over) await this.#doubts.overtaken(turn);
  }

  forget(threadId: string): void {
    this.#endTold.delete(threadId);
  }

  /** The app-server has gone, and every turn with it. */
  lose(cause: BrokerError): void {
    this.#doubts.clear();
    this.#interrupted.clear();
    for (const turn of this.#turns.all()) {
      turn.over = true;
      this.#options.onLost(turn, cause);
    }
    for (const turn of this.#turns.all()) this.#turns.end(turn.threadId);
  }

  /** @param id of the turn that Codex has added to, or begun. */
  #steered(turn: Turn<S>, id: string | undefined): void {
    const current = this.#turns.get(turn.threadId);
    if (current === turn) {
      if (isAnother(turn, id)) turn.nextId ??= id;
      return;
    }
    if (current?.after !== turn) return;
    const begins = id !== turn.id && id !== turn.rootId ? id : undefined;
    if (begins !== undefined && current.id === undefined) {
      current.id = begins;
      this.#doubts.accepted(current);
    }
    if (turn.steering > 0) return;
    current.after = undefined;
    // Nothing has begun: all went into the turn that is over.
    if (current.id === undefined && !current.begun) this.end(turn.threadId);
  }

  #reserve(turn: Turn<S>): void {
    const next = this.#turns.begin(turn.threadId, turn.owner);
    next.id = turn.nextId;
    next.after = turn.steering > 0 ? turn : undefined;
    if (next.id !== undefined) this.#doubts.accepted(next);
    this.#options.onNext(next);
  }

  #started(threadId: string, frame: NotificationFrame): void {
    const [turnId, rootId] = [turnOfNotification(frame), rootOfNotification(frame)];
    const running = this.#turns.get(threadId);
    // One turn at a time runs on a thread: the end of the one before was lost.
    let owner: S | undefined;
    if (running !== undefined && isAnother(running, turnId) && running.id !== rootId) {
      if (running.steering > 0 || running.nextId === turnId) owner = running.owner;
      this.#turns.end(threadId);
      this.#interrupted.ended(running);
      void this.#doubts.overtaken(running);
    }
    const turn = this.#turns.get(threadId) ?? this.#turns.begin(threadId, owner);
    turn.id ??= turnId;
    turn.rootId ??= rootId;
    turn.activeId = turnId;
    this.#turns.isNamed(turn);
    this.#turns.hasBegun(turn);
    this.#options.onChange();
  }

  /** Something said that the turn is over, and its terminal event did not come. */
  #endWasLost(turn: Turn<S>, ended: EndedTurn | undefined): void {
    const { threadId } = turn;
    if (turn.over) return;
    turn.over = true;
    if (ended === undefined) {
      this.#options.onLost(turn, new BrokerError("turnLost", "Codex does not say how it ended."));
    } else {
      if (turn.id !== undefined) this.#endTold.set(threadId, turn.id);
      this.#options.onEndFound(threadId, turnCompleted(threadId, ended));
    }
    if (this.#turns.get(threadId) === turn) this.end(threadId);
  }
}
