import type { EngineTransport, HttpEndpoint, HttpRequest } from "@quorate/execution";
import type { Machine } from "../core/machine.ts";
import type { SimulatedClient } from "./execution-client.ts";

/** HTTP between a process and its execution client: requests and answers take their time, or do not come at all. */
export function clientTransport(client: SimulatedClient, machine: Machine): EngineTransport {
  return { secret: new Uint8Array(32), open: (url) => endpoint(url, client, machine) };
}

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

function endpoint(url: string, client: SimulatedClient, machine: Machine): HttpEndpoint {
  let closed = false;
  const running = new Set<() => void>();
  return {
    label: url,
    post: (request) =>
      new Promise((resolve) => {
        if (closed || request.signal?.aborted === true) {
          resolve({ kind: "aborted" });
          return;
        }
        const abort = (): void => settle({ kind: "aborted" });
        const settle = (outcome: Awaited<ReturnType<HttpEndpoint["post"]>>): void => {
          cancel();
          running.delete(abort);
          request.signal?.removeEventListener("abort", abort);
          resolve(outcome);
        };
        const cancel = machine.after(request.timeoutMs, () =>
          settle({ kind: "timeout", ms: request.timeoutMs }),
        );
        running.add(abort);
        request.signal?.addEventListener("abort", abort, { once: true });
        if (client.mood.away)
          machine.after(0.1, () => settle({ kind: "unreachable", reason: "ECONNREFUSED" }));
        else exchange(client, machine, request, settle);
      }),
    close() {
      closed = true;
      for (const abort of [...running]) abort();
    },
  };
}

function exchange(
  client: SimulatedClient,
  machine: Machine,
  request: HttpRequest,
  settle: (outcome: Awaited<ReturnType<HttpEndpoint["post"]>>) => void,
): void {
  const asked = JSON.parse(request.body.toString()) as Call | readonly Call[];
  const calls: readonly Call[] = Array.isArray(asked) ? asked : [asked as Call];
  const delay = calls.reduce((sum, { method }) => sum + client.delayMs(method), 0);
  machine.after(delay, () => {
    if (client.mood.away) {
      settle({ kind: "unreachable", reason: "ECONNRESET" });
      return;
    }
    const replies = calls.map(({ id, method, params }) => ({
      jsonrpc: "2.0",
      id,
      ...client.answer(method, params),
    }));
    const body = Buffer.from(JSON.stringify(Array.isArray(asked) ? replies : replies[0]));
    if (body.length > request.maxReplyBytes) settle({ kind: "too_large", limit: request.maxReplyBytes });
    else settle({ kind: "reply", status: 200, body, date: null });
  });
}
