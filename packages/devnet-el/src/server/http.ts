import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { DevnetElError, reasonOf } from "../errors.ts";
import { answerBody, type BatchLimits, type Fatal, type Methods } from "./jsonrpc.ts";

/** Not by an import, which for a module of Node reads all that it exports: here that loads undici, 13 MB that nobody uses. */
const { createServer } = process.getBuiltinModule("node:http");

/** One listening port. */
export interface HttpOptions extends BatchLimits {
  readonly host: string;
  /** 0 lets the system choose */
  readonly port: number;
  readonly methods: Methods;
  readonly maxBodyBytes: number;
  /** Why this Authorization header is refused; undefined when it is accepted. Absent: no authentication. */
  readonly refuse?: (authorization: string | undefined) => string | undefined;
  /** Origins that browsers may call from; "*" is any. None by default. */
  readonly corsOrigins: readonly string[];
  /** Host header names accepted besides IP addresses; "*" is any. Protects against DNS rebinding. */
  readonly virtualHosts: readonly string[];
  readonly fatal: Fatal;
}

/** A server that answers; `url` names the port it got. */
export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Idle connections are closed after this, as Geth does. */
const KEEP_ALIVE_MS = 120_000;
/** Who has not sent its headers, or its whole request, by then is cut off: looked for once a second. */
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const CHECKING_INTERVAL_MS = 1_000;
const MAX_CONNECTIONS = 512;

function hostAllowed(header: string | undefined, allowed: readonly string[]): boolean {
  if (allowed.includes("*") || header === undefined) return true;
  const name = header
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return isIP(name) !== 0 || allowed.includes(name);
}

/** Refuses, and closes: what the request still has to say is not waited for. */
function plain(response: ServerResponse, status: number, text: string): void {
  response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpOptions,
): Promise<void> {
  if (!hostAllowed(request.headers.host, options.virtualHosts)) {
    plain(response, 403, "invalid host specified");
    return;
  }
  const origin = request.headers.origin;
  if (origin !== undefined && (options.corsOrigins.includes("*") || options.corsOrigins.includes(origin))) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("vary", "Origin");
    response.setHeader("access-control-allow-methods", "POST, GET");
    response.setHeader("access-control-allow-headers", "content-type");
    response.setHeader("access-control-max-age", "600");
  }
  if (request.method === "OPTIONS") {
    response.writeHead(204);
    response.end();
    return;
  }
  const fault = options.refuse?.(request.headers.authorization);
  if (fault !== undefined) {
    plain(response, 401, fault);
    return;
  }
  if (request.method === "GET") {
    response.writeHead(200);
    response.end();
    return;
  }
  if (request.method !== "POST") {
    plain(response, 405, "method not allowed");
    return;
  }
  if (!/^application\/(json|json-rpc|jsonrequest)\b/i.test(request.headers["content-type"] ?? "")) {
    plain(response, 415, "invalid content type, only application/json is supported");
    return;
  }
  const tooLarge = `content length too large (limit ${options.maxBodyBytes})`;
  if (Number(request.headers["content-length"] ?? 0) > options.maxBodyBytes) {
    plain(response, 413, tooLarge);
    return;
  }
  const body = await readBody(request, options.maxBodyBytes);
  if (body === undefined) {
    plain(response, 413, tooLarge);
    return;
  }
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const answer = await answerBody(body, options.methods, options, gone.signal, options.fatal);
  if (response.destroyed) return;
  response.writeHead(200, { "content-type": "application/json" });
  response.end(answer ?? "");
}

function listen(server: Server, options: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${options.host}:${options.port}`;
      if (error.code === "EADDRINUSE")
        reject(new DevnetElError("BUSY", `port ${where} is in use; choose another`, { where }));
      else reject(new DevnetElError("USAGE", `cannot listen on ${where}: ${reasonOf(error)}`, { where }));
    });
    server.listen(options.port, options.host, resolve);
  });
}

/** Serves JSON-RPC over HTTP. Throws DevnetElError BUSY when the port is taken. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECKING_INTERVAL_MS,
    },
    (request, response) => {
      handle(request, response, options).catch((thrown: unknown) => {
        if (response.headersSent || response.destroyed) response.destroy();
        else plain(response, 500, reasonOf(thrown));
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      const force = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearTimeout(force);
    },
  };
}
