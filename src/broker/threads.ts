/**
 * Which sessions hear of which thread. The app-server knows one subscriber, the broker; the counting
 * is done here. A sub-agent's thread is heard by those who hear its parent.
 */
export class Threads<S extends object> {
  readonly #subscribers = new Map<string, Set<S>>();
  readonly #parents = new Map<string, string>();
  readonly #children = new Map<string, Set<string>>();

  /** Threads that are loaded upstream as far as the broker knows. */
  get size(): number {
    return this.#subscribers.size;
  }

  knows(threadId: string): boolean {
    return this.#subscribers.has(threadId);
  }

  subscribe(threadId: string, session: S): void {
    this.#entry(threadId).add(session);
  }

  /** A thread that came into being by itself, as a sub-agent's does. */
  adopt(threadId: string, parentId: string): void {
    this.#entry(threadId);
    // Two that were said to work for each other would have no end.
    if (this.rootOf(parentId) === threadId) return;
    this.#leaveParent(threadId);
    this.#parents.set(threadId, parentId);
    const siblings = this.#children.get(parentId) ?? new Set();
    this.#children.set(parentId, siblings.add(threadId));
  }

  /** @returns whether the session was subscribed. */
  unsubscribe(threadId: string, session: S): boolean {
    return this.#subscribers.get(threadId)?.delete(session) ?? false;
  }

  forget(threadId: string): void {
    this.#subscribers.delete(threadId);
    this.#leaveParent(threadId);
  }

  parentOf(threadId: string): string | undefined {
    return this.#parents.get(threadId);
  }

  /** The thread that this one works for in the end: itself, unless it is a sub-agent's. */
  rootOf(threadId: string): string {
    const parent = this.#parents.get(threadId);
    return parent === undefined ? threadId : this.rootOf(parent);
  }

  /** In the order in which they joined; the parents' sessions last. */
  audience(threadId: string): ReadonlySet<S> {
    const own = this.#subscribers.get(threadId);
    const parent = this.#parents.get(threadId);
    if (parent === undefined) return own ?? new Set();
    return new Set([...(own ?? []), ...this.audience(parent)]);
  }

  subscribedTo(session: S): string[] {
    return [...this.#subscribers]
      .filter(([, set]) => set.has(session))
      .map(([threadId]) => threadId);
  }

  /** The thread that this one works for in the end, and all that work for it, loaded or not: it first. */
  family(threadId: string): string[] {
    return this.#withChildren(this.rootOf(threadId));
  }

  all(): string[] {
    return [...this.#subscribers.keys()];
  }

  #withChildren(threadId: string): string[] {
    const children = [...(this.#children.get(threadId) ?? [])];
    return [threadId, ...children.flatMap((each) => this.#withChildren(each))];
  }

  #leaveParent(threadId: string): void {
    const parent = this.#parents.get(threadId);
    if (parent === undefined) return;
    this.#parents.delete(threadId);
    const siblings = this.#children.get(parent);
    siblings?.delete(threadId);
    if (siblings?.size === 0) this.#children.delete(parent);
  }

  #entry(threadId: string): Set<S> {
    let set = this.#subscribers.get(threadId);
    if (set === undefined) {
      set = new Set();
      this.#subscribers.set(threadId, set);
    }
    return set;
  }
}
