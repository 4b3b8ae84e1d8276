/** The address that the server listens on, as people write it. */
import { RpcError } from "./errors.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port`, `:port` (loopback), each also behind `tcp://`. @throws RpcError `LISTEN`. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:tcp:\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/\s]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new RpcError("LISTEN", `${JSON.stringify(text)} is no address to listen on; write host:port`, {
      listen: text,
    });
  }
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? "127.0.0.1" : host, port };
}

/** How others reach it: the wildcard addresses are named by their loopback. */
export function urlOf(address: ListenAddress): string {
  const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
