/** As the published plugin's scripts and others write an endpoint in the environment. */
const SCHEME = /^(?:unix|pipe):/;

export function endpointUrl(address: string, platform: NodeJS.Platform = process.platform): string {
  return `${platform === "win32" ? "pipe" : "unix"}:${address}`;
}

/** Undefined when it is no endpoint. */
export function addressIn(url: string): string | undefined {
  return SCHEME.test(url) ? url.replace(SCHEME, "") : undefined;
}
