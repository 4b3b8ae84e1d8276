/** Failures of a call and of the server, as data. */

/** Codes of JSON-RPC 2.0 as CometBFT uses them. */
export const RpcCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
} as const;
export type RpcCode = (typeof RpcCode)[keyof typeof RpcCode];

/** The fixed message that goes with a code; what happened stands in `data`, where CometBFT's clients look. */
export const RPC_MESSAGES: Readonly<Record<RpcCode, string>> = {
  [RpcCode.parse]: "Parse error. Invalid JSON",
  [RpcCode.invalidRequest]: "Invalid Request",
  [RpcCode.methodNotFound]: "Method not found",
  [RpcCode.invalidParams]: "Invalid params",
  [RpcCode.internal]: "Internal error",
  [RpcCode.server]: "Server error",
};

/** A call that cannot be answered, in words for its caller. */
export class CallError extends Error {
  readonly code: RpcCode;

  constructor(code: RpcCode, message: string) {
    super(message);
    this.name = "CallError";
    this.code = code;
  }
}

/** `LISTEN`: the address is malformed, taken or not ours. */
export class RpcError extends Error {
  readonly code: "LISTEN";
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: "LISTEN", message: string, facts: Readonly<Record<string, unknown>>) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.facts = facts;
  }
}
