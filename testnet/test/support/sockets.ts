/** Listening TCP sockets of a process, from /proc: what really is open, not what a configuration says. Linux only. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Listener {
  readonly address: string;
  readonly port: number;
}

const LISTEN = "0A";

export function listenersOf(pid: number): Listener[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed between the two calls
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, "utf8")
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
        const [address = "", port = ""] = local.split(":");
        return state === LISTEN && own.has(inode) ? { address, port: Number.parseInt(port, 16) } : [];
      }),
  );
}

/** 127.0.0.1, ::1 or ::ffff:127.0.0.1 as /proc writes them. */
export function isLoopback(address: string): boolean {
  return (
    /^[0-9A-F]{6}7F$/.test(address) ||
    address === "00000000000000000000000001000000" ||
    /^0000000000000000FFFF0000[0-9A-F]{6}7F$/.test(address)
  );
}
