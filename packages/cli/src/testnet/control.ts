/** The control socket of a running network: one JSON request per connection, one JSON answer. */
import { rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join, relative } from "node:path";
import { CliError, ExitCode, errorCode, failureOf, reasonOf } from "../errors.ts";
import { at, numberAt, textAt } from "../rpc-client.ts";

export interface ControlRequest {
  readonly command: "status" | "kill" | "restart" | "add-node";
  readonly name: string;
}

const COMMANDS: readonly ControlRequest["command"][] = ["status", "kill", "restart", "add-node"];
const MAX_REQUEST_BYTES = 4096;
const MAX_RESPONSE_BYTES = 1_048_576;
/** A node that has to replay before it answers takes its time. */
const ANSWER_TIMEOUT_MS = 120_000;
/** sun_path of Linux holds 108 bytes, of macOS 104. */
const MAX_SOCKET_PATH = 100;

/**
 * Path by which the socket is bound or found. Socket paths are short, homes need not be: where the absolute one does not
 * fit, the one relative to the working directory may.
 */
export function controlPath(home: string): string {
  const absolute = join(home, "control.sock");
  if (Buffer.byteLength(absolute) <= MAX_SOCKET_PATH) return absolute;
  const short = relative(process.cwd(), absolute);
  if (Buffer.byteLength(short) <= MAX_SOCKET_PATH) return short;
  throw new CliError(
    ExitCode.config,
    `the path ${absolute} is too long for a socket`,
    "choose a shorter --home, or start inside it",
  );
}

export async function serveControl(
  home: string,
  handle: (request: ControlRequest) => Promise<unknown>,
): Promise<Server> {
  const path = controlPath(home);
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void answer(socket, handle);
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  return server;
}

async function answer(socket: Socket, handle: (request: ControlRequest) => Promise<unknown>): Promise<void> {
  socket.on("error", () => socket.destroy());
  let response: unknown;
  try {
    response = { result: await handle(parseRequest(await readAll(socket, MAX_REQUEST_BYTES))) };
  } catch (error) {
    const { exitCode, what, do: action } = failureOf(error);
    response = { error: { code: exitCode, what, do: action } };
  }
  socket.end(JSON.stringify(response));
}

function parseRequest(text: string): ControlRequest {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // the one refusal below covers every malformed request
  }
  const command = COMMANDS.find((known) => known === at(value, "command"));
  if (command !== undefined) return { command, name: textAt(value, "name") };
  throw new CliError(
    ExitCode.usage,
    "the control socket was asked something unknown",
    "use `validator testnet`",
  );
}

/** Sends a request to the network running in `home`. @throws CliError unreachable (9) when none runs there. */
export async function askControl(home: string, request: ControlRequest): Promise<unknown> {
  const document = await exchange(controlPath(home), JSON.stringify(request), home);
  const error = at(document, "error");
  if (error !== undefined)
    throw new CliError(numberAt(error, "code"), textAt(error, "what"), textAt(error, "do"));
  return at(document, "result");
}

async function exchange(path: string, text: string, home: string): Promise<unknown> {
  const socket = createConnection(path);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error("no answer")));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.end(text);
    return JSON.parse(await readAll(socket, MAX_RESPONSE_BYTES));
  } catch (error) {
    const absent = errorCode(error) === "ENOENT" || errorCode(error) === "ECONNREFUSED";
    throw new CliError(
      ExitCode.unreachable,
      absent ? `no network runs in ${home}` : `the network in ${home} does not answer (${reasonOf(error)})`,
      "start it with `validator testnet`, or name its --home",
    );
  } finally {
    socket.destroy();
  }
}

/** Whether somebody answers on the socket. A file that nobody listens on is a leftover. */
export async function controlInUse(home: string): Promise<boolean> {
  const socket = createConnection(controlPath(home));
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

async function readAll(socket: Socket, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) throw new Error(`more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
