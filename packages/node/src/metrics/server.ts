import type { LogPort } from "@quorate/gossip";
import { NodeError, reasonOf } from "../errors.ts";
import type { Metrics } from "./index.ts";

/** Not by an import, which for a module of Node reads all that it exports: here that loads undici, 13 MB that nobody uses. */
const { createServer } = process.getBuiltinModule("node:http");

export interface MetricsServer {
  /** http URL of `/metrics`; empty when switched off. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves `GET /metrics` for Prometheus on `listen` ("host:port"; port 0 = any free one; empty = off). */
export async function startMetricsServer(
  listen: string,
  metrics: Metrics,
  log: LogPort,
): Promise<MetricsServer> {
  if (listen === "") return { url: "", close: () => Promise.resolve() };
  const { host, port } = splitHostPort(listen);
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
    const path = (request.url ?? "").split("?")[0];
    if (request.method !== "GET" || (path !== "/metrics" && path !== "/")) {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      (error: unknown) => {
        log.error("metrics could not be collected", { reason: reasonOf(error) });
        response.writeHead(500).end();
      },
    );
  });
  server.maxConnections = 64;
  server.requestTimeout = 5_000;
  server.headersTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new NodeError({
          exitCode: error.code === "EADDRINUSE" ? 4 : 3,
          code: error.code === "EADDRINUSE" ? "METRICS_PORT_IN_USE" : "METRICS_LISTEN",
          what: `metrics cannot listen on ${listen} (${error.code ?? reasonOf(error)})`,
          do: "free the port or set another one in [metrics] listen of config.toml",
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host}:${bound}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** "127.0.0.1:26660" or "[::1]:26660"; a scheme such as tcp:// is allowed, as CometBFT's users write it. */
export function splitHostPort(listen: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\w+:\/\/)?(\[[^\]]+\]|[^:]*):(\d+)$/.exec(listen);
  const port = Number(match?.[2] ?? Number.NaN);
  if (match === null || !(port >= 0 && port <= 65535)) {
    throw new NodeError({
      exitCode: 3,
      code: "LISTEN_ADDRESS",
      what: `"${listen}" is not a listen address`,
      do: 'write host:port, for example "127.0.0.1:26657"',
    });
  }
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, "") || "127.0.0.1", port };
}
