/** An error answer. Codex uses one code for nearly everything. */
export class RpcError extends Error {
  /** @param {string} message @param {{ code?: number, data?: object }} [more] */
  constructor(message, { code = -32600, data } = {}) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }

  /** What goes under `error`, with the keys in the order that Codex has them. */
  get body() {
    const { code, data, message } = this;
    return data === undefined ? { code, message } : { code, data, message };
  }
}
