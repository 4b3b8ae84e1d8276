/** The HTTP server: bounds on everything a client sends or holds, and nothing but routing between them. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Answer, Dispatcher } from "./dispatch.ts";
import { CallError, RpcCode, RpcError } from "./errors.ts";
import {
  CLOSE_GRACE_MS,
  HEADERS_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  MAX_BODY_BYTES,
  MAX_CONNECTIONS,
  MAX_IN_FLIGHT,
  MAX_REQUESTS_PER_SOCKET,
  MAX_URL_CHARACTERS,
  REQUEST_TIMEOUT_MS,
} from "./limits.ts";
import { parseListen, urlOf } from "./listen.ts";
import { createMethods, type Method } from "./methods.ts";
import { PAGE_POLICY, statusPage } from "./page.ts";
import { errorText } from "./protocol.ts";
import type { RpcModules, RpcOptions, RpcServer, RpcView } from "./types.ts";

/** Not by an import, which for a module of Node reads all that it exports: here that loads undici, 13 MB that nobody uses. */
const { createServer } = process.getBuiltinModule("node:http");

const JSON_TYPE = "application/json; charset=utf-8";

/**
 * Starts the RPC server and resolves when it accepts connections.
 * @throws RpcError `LISTEN` when the address is malformed, taken or not ours.
 */
export async function createRpcServer(
  options: RpcOptions,
  view: RpcView,
  modules: RpcModules,
): Promise<RpcServer> {
  const wanted = parseListen(options.listen);
  const methods = createMethods(view, modules.log);
  const handler = new Handler(view, methods, modules);
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: MAX_URL_CHARACTERS + 16_384,
    },
    (request, response) => handler.handle(request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  server.setTimeout(IDLE_TIMEOUT_MS, (socket: Socket) => socket.destroy());
  server.on("connection", (socket: Socket) => {
    reportConnections(server, modules);
    socket.once("close", () => reportConnections(server, modules));
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  await listen(server, wanted.host, wanted.port, options.listen);
  server.on("error", (error) =>
    modules.log.error("the RPC server reports an error", { cause: error.message }),
  );
  const bound = server.address();
  const port = isAddressInfo(bound) ? bound.port : wanted.port;
  const url = urlOf({ host: wanted.host, port });
  modules.log.info("RPC server listens", { url });
  return { url, close: () => close(server) };
}

class Handler {
  readonly #view: RpcView;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #modules: RpcModules;
  readonly #dispatcher: Dispatcher;
  #inFlight = 0;

  constructor(view: RpcView, methods: ReadonlyMap<string, Method>, modules: RpcModules) {
    this.#view = view;
    this.#methods = methods;
    this.#modules = modules;
    this.#dispatcher = new Dispatcher(methods, modules);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#respond(request, response).catch((cause: unknown) => {
      this.#modules.log.error("an RPC request failed unexpectedly", { cause: String(cause) });
      response.destroy();
    });
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#inFlight >= MAX_IN_FLIGHT && !isProbe(request)) {
      request.resume();
      send(request, response, 503, failure(RpcCode.server, "too many requests are under way; try again"));
      return;
    }
    this.#inFlight++;
    this.#modules.metrics?.inFlight?.(this.#inFlight, MAX_IN_FLIGHT);
    try {
      await this.#route(request, response);
    } finally {
      this.#inFlight--;
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? "/";
    const url = target.length > MAX_URL_CHARACTERS ? null : URL.parse(target, "http://node.invalid");
    if (url === null) {
      send(
        request,
        response,
        414,
        failure(RpcCode.invalidRequest, "the request's address is too long or malformed"),
      );
      return;
    }
    if (request.method === "POST") {
      await this.#post(request, response, url);
    } else if (request.method === "GET" || request.method === "HEAD") {
      await this.#get(request, response, url);
    } else {
      response.setHeader("Allow", "GET, HEAD, POST");
      send(request, response, 405, failure(RpcCode.invalidRequest, "only GET, HEAD and POST are served"));
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (url.pathname !== "/") {
      request.resume();
      send(request, response, 404, failure(RpcCode.invalidRequest, "POST goes to /"));
      return;
    }
    const body = await readBody(request);
    if (body === "too large") {
      response.setHeader("Connection", "close");
      send(
        request,
        response,
        413,
        failure(RpcCode.invalidRequest, `the body exceeds ${MAX_BODY_BYTES} bytes`),
      );
      return;
    }
    if (body === "aborted") {
      response.destroy();
      return;
    }
    const answer = await this.#dispatcher.post(body.text);
    sendAnswer(request, response, answer);
  }

  async #get(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const name = url.pathname.slice(1);
    if (name === "") {
      response.setHeader("Content-Security-Policy", PAGE_POLICY);
      send(request, response, 200, statusPage(this.#view, this.#methods), "text/html; charset=utf-8");
    } else if (name === "ready") {
      const readiness = this.#view.readiness();
      send(request, response, readiness.ready ? 200 : 503, JSON.stringify(readiness));
    } else {
      sendAnswer(request, response, await this.#dispatcher.get(name, url.searchParams));
    }
  }
}

/** Probes answer at once and must not call a busy node dead. */
function isProbe(request: IncomingMessage): boolean {
  return request.method !== "POST" && (request.url === "/health" || request.url === "/ready");
}

type Body = { readonly text: string } | "too large" | "aborted";

/** The body as text, at most {@link MAX_BODY_BYTES} of it: what is beyond is never kept. */
async function readBody(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) {
    request.resume();
    return "too large";
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      if (!(chunk instanceof Uint8Array)) return "aborted";
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return "too large";
      chunks.push(chunk);
    }
  } catch {
    // The client went away or was too slow: there is nobody to tell.
    return "aborted";
  }
  return { text: Buffer.concat(chunks).toString("utf8") };
}

function failure(code: RpcCode, what: string): string {
  return errorText(null, new CallError(code, what));
}

function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  send(request, response, answer.status, answer.text);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  type: string = JSON_TYPE,
): void {
  const bytes = Buffer.from(text, "utf8");
  response.statusCode = status;
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  if (status !== 204) {
    response.setHeader("Content-Type", type);
    response.setHeader("Content-Length", bytes.length);
  }
  response.end(request.method === "HEAD" || status === 204 ? undefined : bytes);
}

function reportConnections(server: Server, modules: RpcModules): void {
  if (modules.metrics === null) return;
  const { metrics } = modules;
  server.getConnections((error, count) => {
    if (error === null) metrics.connections(count);
  });
}

function listen(server: Server, host: string, port: number, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      const code = "code" in error ? String(error.code) : "unknown";
      const advice =
        code === "EADDRINUSE" ? "another process listens there; stop it or choose another port" : code;
      reject(
        new RpcError("LISTEN", `RPC cannot listen on ${text}: ${advice}`, { listen: text, cause: code }),
      );
    };
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function isAddressInfo(address: ReturnType<Server["address"]>): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
