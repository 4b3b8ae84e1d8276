import { createProof, nativeBackend, type SignatureCheck, type VerifierBackend } from "@quorate/crypto";

/** A verdict on which two backends differ. */
export interface Disagreement {
  readonly check: SignatureCheck;
  /** What the audited backend said; the oracle said the opposite. */
  readonly verdict: boolean;
}

export interface AuditOptions {
  /** Called for each disagreement, after the backend has been put out of use. */
  readonly onDisagreement: (found: Disagreement) => void;
  /** Share of verdicts asked again of the oracle, 0 to 1. Default {@link AUDITED_SHARE}. */
  readonly share?: number;
  /** A number from 0 up to 1. Default Math.random: what it chooses is no secret worth keeping from a peer. */
  readonly random?: () => number;
  /** Exactly ZIP-215, by other code. Default: the native backend. */
  readonly oracle?: VerifierBackend;
  /** Proves that a signature holds at little cost, when it says so. Default: OpenSSL's acceptance. */
  readonly proves?: (check: SignatureCheck) => boolean;
}

/** One verdict in so many: about 0.5 µs for each signature of a batch. */
const AUDITED_SHARE = 1 / 128;

/**
 * A backend that is trusted as long as others agree with it. A random share of its verdicts is asked again of the oracle,
 * and all its refusals of OpenSSL, because a peer is penalised for them: what an honest node signs OpenSSL accepts. Where
 * they differ the oracle's verdict counts, and from then on the oracle does everything (quarantine).
 */
export class AuditedBackend implements VerifierBackend {
  readonly name: VerifierBackend["name"];
  readonly #audited: VerifierBackend;
  readonly #oracle: VerifierBackend;
  readonly #proves: (check: SignatureCheck) => boolean;
  readonly #share: number;
  readonly #random: () => number;
  readonly #onDisagreement: (found: Disagreement) => void;
  #quarantined = false;

  constructor(audited: VerifierBackend, options: AuditOptions) {
    this.name = audited.name;
    this.#audited = audited;
    this.#oracle = options.oracle ?? nativeBackend;
    this.#proves = options.proves ?? createProof();
    this.#share = options.share ?? AUDITED_SHARE;
    this.#random = options.random ?? Math.random;
    this.#onDisagreement = options.onDisagreement;
  }

  /** Whether the oracle does everything now. */
  get quarantined(): boolean {
    return this.#quarantined;
  }

  /** For good: what was wrong once is not trusted again before the process has been looked at. */
  quarantine(): void {
    this.#quarantined = true;
  }

  verify(check: SignatureCheck): boolean {
    if (this.#quarantined) return this.#oracle.verify(check);
    return this.#judge(check, this.#audited.verify(check));
  }

  verifyBatch(checks: readonly SignatureCheck[]): boolean[] {
    if (this.#quarantined) return this.#oracle.verifyBatch(checks);
    const verdicts = this.#audited.verifyBatch(checks);
    const judged = verdicts.map((verdict, i) => this.#judge(checks[i]!, verdict));
    // A batch in which one verdict was wrong is worth nothing.
    return this.#quarantined ? this.#oracle.verifyBatch(checks) : judged;
  }

  #judge(check: SignatureCheck, verdict: boolean): boolean {
    const proven = !verdict && this.#proves(check);
    if (!proven && this.#random() >= this.#share) return verdict;
    const right = proven || this.#oracle.verify(check);
    if (right === verdict) return verdict;
    this.#quarantined = true;
    this.#onDisagreement({ check, verdict });
    return right;
  }
}
