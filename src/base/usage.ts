/** What a process uses now. Null where the system does not tell, or not us. */
export interface ProcessUsage {
  /** Resident memory. What processes share counts in each of them. */
  readonly rssBytes: number | null;
  readonly descriptors: number | null;
  /** Its soft limit on descriptors, the one that it runs into. */
  readonly descriptorLimit: number | null;
}

/** What a broker uses now, with everything that lives and dies with it. */
export interface Usage {
  readonly broker: ProcessUsage;
  /** Null while there is none. */
  readonly appServer: ProcessUsage | null;
  /** What the app-server has started, directly or not: MCP servers, commands and what these started. */
  readonly descendants: { readonly count: number; readonly rssBytes: number } | null;
}

/** All of it together, as far as it is known. */
export function rssOf({ broker, appServer, descendants }: Usage): number {
  return (broker.rssBytes ?? 0) + (appServer?.rssBytes ?? 0) + (descendants?.rssBytes ?? 0);
}
