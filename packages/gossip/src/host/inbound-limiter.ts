import { isIPv4 } from "node:net";
import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";

interface Penalty {
  /** Bans of peers that came from there, each soon after the one before. */
  strikes: number;
  struckAt: number;
  /** Last strike, or the last connection that was let in after it. */
  since: number;
}

/**
 * Who may begin a handshake, judged by where the connection comes from: a peer id costs nothing, and by the time it is
 * known most of what a connection costs has been spent.
 *
 * An origin whose peers were banned is shut for a time that doubles with each ban, and then lets in one connection per
 * such time, for honest peers may share it. Where configured peers and validators of the set have been seen the time stays
 * short, and handshakes have a budget and places of their own, which no crowd of strangers can use up. Own dials do not
 * pass here: a validator that can be dialled is never shut out.
 */
export class InboundLimiter {
  readonly #now: () => number;
  /** Latest strike last. */
  readonly #penalties = new Map<string, Penalty>();
  /** Latest seen last. */
  readonly #trusted = new Set<string>();
  /** Handshakes under way. */
  readonly #pending = new Map<string, number>();
  #strangersPending = 0;
  readonly #ofStrangers: TokenBucket;
  readonly #ofTrusted: TokenBucket;

  /** `now`: monotonic, ms. */
  constructor(now: () => number) {
    this.#now = now;
    const { handshakesPerSecond, handshakeBurst, trustedHandshakeBurst } = LIMITS;
    this.#ofStrangers = new TokenBucket(handshakeBurst, handshakesPerSecond, now());
    this.#ofTrusted = new TokenBucket(trustedHandshakeBurst, handshakesPerSecond, now());
  }

  /** A connection from this multiaddr wants to begin. `null`: refused; else to be called when its handshake is over. */
  enter(address: string): (() => void) | null {
    const origin = originOf(address);
    const trusted = this.#trusted.has(origin);
    const pending = this.#pending.get(origin) ?? 0;
    if (pending >= (trusted ? LIMITS.pendingOfTrusted : LIMITS.pendingOfStranger)) return null;
    if (!trusted && this.#strangersPending >= LIMITS.pendingOfStrangers) return null;
    const now = this.#now();
    const penalty = this.#penaltyOf(origin, now);
    if (penalty !== undefined && now < penalty.since + shutMs(penalty, trusted)) return null;
    if (!(trusted ? this.#ofTrusted : this.#ofStrangers).take(1, now)) return null;
    if (penalty !== undefined) penalty.since = now;
    this.#pending.set(origin, pending + 1);
    if (!trusted) this.#strangersPending++;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      if (!trusted) this.#strangersPending--;
      const left = (this.#pending.get(origin) ?? 1) - 1;
      if (left === 0) this.#pending.delete(origin);
      else this.#pending.set(origin, left);
    };
  }

  /** A peer that connected from this multiaddr did what no honest one does. */
  penalise(address: string): void {
    const origin = originOf(address);
    const now = this.#now();
    const strikes = (this.#penaltyOf(origin, now)?.strikes ?? 0) + 1;
    this.#penalties.delete(origin);
    this.#penalties.set(origin, { strikes, struckAt: now, since: now });
    dropFirst(this.#penalties, LIMITS.penalisedOrigins);
  }

  /** A configured peer or a validator of the set is, or was, at this multiaddr. */
  trust(address: string): void {
    const origin = originOf(address);
    this.#trusted.delete(origin);
    this.#trusted.add(origin);
    dropFirst(this.#trusted, LIMITS.trustedOrigins);
  }

  #penaltyOf(origin: string, now: number): Penalty | undefined {
    const penalty = this.#penalties.get(origin);
    if (penalty === undefined || now - penalty.struckAt < LIMITS.forgivenMs) return penalty;
    this.#penalties.delete(origin);
    return undefined;
  }
}

function shutMs({ strikes }: Penalty, trusted: boolean): number {
  const most = trusted ? LIMITS.shutTrustedMs : LIMITS.shutMaxMs;
  return Math.min(most, LIMITS.shutMinMs * 2 ** Math.min(16, strikes - 1));
}

function dropFirst(of: Map<string, unknown> | Set<string>, most: number): void {
  if (of.size <= most) return;
  const [first] = of.keys();
  if (first !== undefined) of.delete(first);
}

const IPV6_GROUPS = 8;
/** Of the /64 that is the least a host is given. */
const PREFIX_GROUPS = 4;

/**
 * Where a connection comes from: the IPv4 address, also where IPv6 maps it, or the /64 of an IPv6 address. Of a multiaddr
 * of another kind, what follows its first name.
 */
export function originOf(multiaddr: string): string {
  const [, family, address = ""] = multiaddr.split("/");
  if (family !== "ip6") return address;
  const [plain = ""] = address.toLowerCase().split("%");
  const tail = plain.slice(plain.lastIndexOf(":") + 1);
  if (isIPv4(tail)) return tail;
  const [head = "", rest] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = rest === undefined || rest === "" ? [] : rest.split(":");
  const zeros = Array.from({ length: Math.max(0, IPV6_GROUPS - before.length - after.length) }, () => "0");
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".");
  }
  return `${groups
    .slice(0, PREFIX_GROUPS)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}
