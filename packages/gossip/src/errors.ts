/** What went wrong; the codes are metric labels and never change meaning. */
export type GossipErrorCode =
  | "CONFIG"
  | "MALFORMED"
  | "OVERSIZED"
  | "CLOSED"
  | "NOT_CONNECTED"
  | "TIMEOUT"
  | "FLOOD"
  | "BUSY"
  | "REFUSED"
  | "QUEUE_FULL"
  | "WORKER";

/** The one error of this package. `facts` carry the numbers behind the message. */
export class GossipError extends Error {
  readonly code: GossipErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: GossipErrorCode, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "GossipError";
    this.code = code;
    this.facts = facts;
  }
}

/** Bytes from a peer that no decoder of ours wrote. */
export function malformed(what: string, facts: Readonly<Record<string, unknown>> = {}): GossipError {
  return new GossipError("MALFORMED", `malformed ${what} from a peer; it is dropped`, facts);
}

/** The message of anything thrown, for a log line. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
