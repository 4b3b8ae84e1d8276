/** From a call to its answer: looks the method up, runs it, turns every failure into an answer. No HTTP here. */
import { Arguments } from "./arguments.ts";
import { CallError, RpcCode } from "./errors.ts";
import { MAX_BATCH_ANSWER_BYTES } from "./limits.ts";
import { type Method, methodNotFound } from "./methods.ts";
import { type CallId, type Entry, errorText, parseRequest, resultText } from "./protocol.ts";
import type { RpcModules } from "./types.ts";

/** CometBFT answers URI calls with this id. */
const URI_CALL_ID = -1;

/** What goes back over HTTP: JSON text, and the status that fits it. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

export class Dispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #modules: RpcModules;
  #faults = 0;

  constructor(methods: ReadonlyMap<string, Method>, modules: RpcModules) {
    this.#methods = methods;
    this.#modules = modules;
  }

  /** A POST body: one call or a batch. Notifications get no answer (204 when there is nothing else). */
  async post(body: string): Promise<Answer> {
    let request: ReturnType<typeof parseRequest>;
    try {
      request = parseRequest(body);
    } catch (cause) {
      if (!(cause instanceof CallError)) throw cause;
      return { status: 400, text: errorText(null, cause) };
    }
    const answers: string[] = [];
    let size = 0;
    for (const entry of request.entries) {
      if (entry.kind === "notification") continue;
      const answer = size > MAX_BATCH_ANSWER_BYTES ? tooLarge(entry) : await this.#entry(entry);
      size += answer.length;
      answers.push(answer);
    }
    if (answers.length === 0) return { status: 204, text: "" };
    return { status: 200, text: request.batch ? `[${answers.join(",")}]` : answers.join("") };
  }

  /** GET /method?name=value. */
  async get(name: string, query: URLSearchParams): Promise<Answer> {
    const outcome = await this.#call(name, () => Arguments.fromQuery(query));
    if (outcome instanceof CallError) {
      const statuses: Readonly<Record<number, number>> = {
        [RpcCode.methodNotFound]: 404,
        [RpcCode.invalidParams]: 400,
      };
      return { status: statuses[outcome.code] ?? 500, text: errorText(URI_CALL_ID, outcome) };
    }
    return { status: 200, text: resultText(URI_CALL_ID, outcome.result) };
  }

  async #entry(entry: Exclude<Entry, { kind: "notification" }>): Promise<string> {
    if (entry.kind === "invalid") {
      return errorText(entry.id, new CallError(RpcCode.invalidRequest, entry.reason));
    }
    const outcome = await this.#call(entry.method, (method) =>
      Arguments.fromParams(method.parameters, entry.params),
    );
    return outcome instanceof CallError ? errorText(entry.id, outcome) : resultText(entry.id, outcome.result);
  }

  async #call(
    name: string,
    read: (method: Method) => Arguments,
  ): Promise<{ readonly result: unknown } | CallError> {
    const method = this.#methods.get(name);
    const started = performance.now();
    let outcome: { readonly result: unknown } | CallError;
    try {
      outcome =
        method === undefined
          ? methodNotFound(name, this.#methods)
          : { result: await method.answer(read(method)) };
    } catch (cause) {
      outcome = cause instanceof CallError ? cause : this.#fault(name, cause);
    }
    this.#modules.metrics?.call(
      method === undefined ? "unknown" : name,
      outcome instanceof CallError ? "error" : "ok",
      (performance.now() - started) / 1000,
    );
    return outcome;
  }

  /** An unexpected failure: its cause goes to the log under a number, the caller gets the number alone. */
  #fault(method: string, cause: unknown): CallError {
    this.#faults++;
    this.#modules.log.error("an RPC call failed unexpectedly", {
      method,
      fault: this.#faults,
      cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    });
    return new CallError(
      RpcCode.internal,
      `unexpected failure ${this.#faults}; the node's log has the cause`,
    );
  }
}

function tooLarge(entry: Exclude<Entry, { kind: "notification" }>): string {
  const id: CallId | null = entry.id;
  return errorText(
    id,
    new CallError(RpcCode.server, "the batch's answers are too large; ask in smaller batches"),
  );
}
