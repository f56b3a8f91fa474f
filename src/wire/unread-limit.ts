/**
 * How much a peer may leave unread before it counts as slow. The longest message that it has not read yet
 * comes on top: one message alone is no backlog, however long it is.
 */
export class UnreadLimit {
  readonly #maxBytes: number;
  #longest = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * To be asked before each message is sent.
   *
   * @param unreadBytes What has been sent and not read yet.
   * @param length Bytes of the message.
   */
  isExceeded(unreadBytes: number, length: number): boolean {
    this.#longest = Math.max(unreadBytes === 0 ? 0 : this.#longest, length);
    return unreadBytes > this.#maxBytes + this.#longest;
  }
}
