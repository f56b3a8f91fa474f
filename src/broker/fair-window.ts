/**
 * How many requests may be outstanding at the app-server, and whose turn it is. The app-server's
 * ingress queue holds 128 and loses requests when it overflows, so far fewer are let in; who waits is
 * served in turn by owner, so that one owner's thousand requests delay another's by one.
 */
export class FairWindow<Owner, Item> {
  readonly #size: number;
  readonly #waiting = new Map<Owner, Item[]>();
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    let count = 0;
    for (const items of this.#waiting.values()) count += items.length;
    return count;
  }

  push(owner: Owner, item: Item): void {
    const items = this.#waiting.get(owner);
    if (items === undefined) this.#waiting.set(owner, [item]);
    else items.push(item);
  }

  waitingOf(owner: Owner): number {
    return this.#waiting.get(owner)?.length ?? 0;
  }

  /** Takes a place for the next item in turn; undefined when nobody waits or no place is free. */
  take(): Item | undefined {
    if (this.#taken >= this.#size) return undefined;
    const next = this.#waiting.entries().next();
    if (next.done === true) return undefined;
    const [owner, items] = next.value;
    const item = items.shift();
    this.#waiting.delete(owner);
    if (items.length > 0) this.#waiting.set(owner, items);
    if (item !== undefined) this.#taken += 1;
    return item;
  }

  /** Gives a place back. */
  release(): void {
    this.#taken -= 1;
  }

  /** Removes and returns what this owner still has waiting, as far as it is meant. */
  withdraw(owner: Owner, meant: (item: Item) => boolean = () => true): Item[] {
    const items = this.#waiting.get(owner) ?? [];
    const stay = items.filter((item) => !meant(item));
    if (stay.length === 0) this.#waiting.delete(owner);
    else this.#waiting.set(owner, stay);
    return items.filter(meant);
  }

  /** Removes and returns everything that waits. */
  withdrawAll(): Item[] {
    const items = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    return items;
  }
}
