/** This node's place among the validators, and which peers speak for which of them. */
import type { ChainState, ValidatorSet } from "@quorate/chain";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import type { Gossip, LogPort } from "@quorate/gossip";

/** Validators known by their own word beside the configured ones: a set, and those that were in earlier ones. */
const MAX_KNOWN_VALIDATORS = 2_048;

export interface MembershipModules {
  /** Address of the own key, `null` on a full node. */
  readonly own: Uint8Array | null;
  /** Addresses of validators whose peers the configuration names, hex. */
  readonly configured: readonly string[];
  readonly chain: () => ChainState;
  /** `null` before the network is open. */
  readonly gossip: () => Pick<Gossip, "peers" | "setValidating" | "report"> | null;
  readonly log: LogPort;
}

export class Membership {
  private readonly modules: MembershipModules;
  private readonly knownValidators: Set<string>;
  /** Whether its key was in the set at the last height; `null` before the first look. */
  private validating: boolean | null = null;

  constructor(modules: MembershipModules) {
    this.modules = modules;
    this.knownValidators = new Set(modules.configured.map((address) => address.toUpperCase()));
  }

  /** Validators whose peer is known, upper-case hex. */
  get known(): ReadonlySet<string> {
    return this.knownValidators;
  }

  /** Whether the own key is in one of these sets. */
  isIn(sets: readonly ValidatorSet[]): boolean {
    const { own } = this.modules;
    return own !== null && sets.some((set) => set.validators.some((v) => bytesEqual(v.address, own)));
  }

  /** Which peers speak for validators of the set, by their own word: missing, they are known to be missing. */
  learn(): void {
    const { chain, gossip } = this.modules;
    const { validators } = chain().validators;
    for (const { validator } of gossip()?.peers ?? []) {
      if (validator === null || this.knownValidators.size >= MAX_KNOWN_VALIDATORS) continue;
      if (validators.some(({ address }) => bytesEqual(address, validator))) {
        this.knownValidators.add(toHexUpper(validator));
      }
    }
  }

  /** Whoever votes at this height or the next joins the vote topics; a removed validator leaves them. */
  joinVotes(): void {
    const { chain, gossip, log } = this.modules;
    const { validators, nextValidators, lastHeight } = chain();
    const validating = this.isIn([validators, nextValidators]);
    gossip()?.setValidating(validating);
    if (this.validating !== null && this.validating !== validating) {
      if (validating) log.info("this node's key is in the set: it validates", { from: lastHeight + 2 });
      else log.info("this node's key left the set: it goes on as a full node", { after: lastHeight });
    }
    this.validating = validating;
    this.learn();
  }

  /** The peer that this validator's key is bound to, if it is here, is an equivocator's. */
  discredit(validator: Uint8Array): void {
    const gossip = this.modules.gossip();
    for (const peer of gossip?.peers ?? []) {
      if (peer.validator !== null && bytesEqual(peer.validator, validator))
        gossip?.report(peer.id, "equivocation");
    }
  }
}
