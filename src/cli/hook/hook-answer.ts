/** What a hook says to its host. */
export interface HookAnswer {
  /** The agent is kept from stopping, and told why. */
  readonly block?: string;
  /** Shown to the user. */
  readonly notice?: string;
}

/** As Claude Code reads it from a hook's stdout; undefined when there is nothing to say. */
export function hostJson({ block, notice }: HookAnswer): object | undefined {
  if (block === undefined && notice === undefined) return undefined;
  return {
    ...(block === undefined ? {} : { decision: "block", reason: block }),
    ...(notice === undefined ? {} : { systemMessage: notice }),
  };
}
