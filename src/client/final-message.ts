import type { v2 } from "../app-server/generated/index.ts";

/** The final message of a turn; of a review, what its reviewer has handed over. */
export class FinalMessage {
  readonly #ofReview: boolean;
  #text = "";
  #isThere = false;

  constructor(ofReview: boolean) {
    this.#ofReview = ofReview;
  }

  /** Empty when there was none. */
  get text(): string {
    return this.#text;
  }

  /** Whether it came, and not only what the turn said on its way. */
  get isThere(): boolean {
    return this.#isThere;
  }

  heard(item: v2.ThreadItem): void {
    if (this.#ofReview) {
      if (item.type !== "exitedReviewMode") return;
      this.#text = item.review;
      this.#isThere = true;
    } else if (item.type === "agentMessage") {
      this.#text = item.text;
      this.#isThere = item.phase !== "commentary";
    }
  }
}
