import { readFileSync, statfsSync, statSync } from "node:fs";
import { hostname } from "node:os";

/** Written once, when the system is installed. */
const MACHINE_ID_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const MACHINE_ID = /^[0-9a-f]{32}$/;
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

/** `f_type` of overlayfs, on which containers have what their image contains. */
const OVERLAY = 0x794c7630;

/**
 * Returns a text that differs between machines that share a home directory. It does not change with the
 * host name, because DHCP changes that.
 */
export function hostMark(): string {
  switch (process.platform) {
    case "linux":
      return linuxMark();
    case "darwin":
      return installationMark("/private/var/db/.AppleSetupDone") ?? hostname();
    default:
      return hostname();
  }
}

/** Null where `/proc` is hidden. */
export function linuxBootId(): string | null {
  return readTrimmed(BOOT_ID_FILE);
}

/**
 * A machine id from a container image is the same on every host that runs the image. There, and without
 * an id, nothing but the boot tells hosts apart.
 */
function linuxMark(): string {
  for (const file of MACHINE_ID_FILES) {
    const id = readTrimmed(file);
    if (id === null || !MACHINE_ID.test(id)) continue;
    return isOnOverlay(file) ? `${id}\0${linuxBootId() ?? ""}` : id;
  }
  return linuxBootId() ?? hostname();
}

/** macOS has a host id, but only native calls return it, and they take too long for each client. */
function installationMark(file: string): string | undefined {
  try {
    const { ino, birthtimeNs } = statSync(file, { bigint: true });
    return `${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}

function isOnOverlay(file: string): boolean {
  try {
    return statfsSync(file).type === OVERLAY;
  } catch {
    return false;
  }
}

function readTrimmed(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return null;
  }
}
