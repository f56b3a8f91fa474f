/** What a client itself needs to be told, whatever its program does not want to hear. */
const NEEDED = new Set(["thread/settings/updated"]);

/** The capabilities without the opt-outs from what the client needs. */
export function withNeeded(capabilities: Readonly<Record<string, unknown>>): object {
  const { optOutNotificationMethods: unwanted, ...rest } = capabilities;
  if (!Array.isArray(unwanted)) return rest;
  return { ...rest, optOutNotificationMethods: unwanted.filter((method) => !NEEDED.has(method)) };
}
