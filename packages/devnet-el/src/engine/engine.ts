import type { Block } from "@ethereumjs/block";
import type { ForkchoiceResult } from "../chain/chain.ts";
import { DevnetElError, RPC, RpcError, reasonOf } from "../errors.ts";
import {
  arrayParam,
  dataParam,
  type Hex,
  hashParam,
  objectParam,
  quantity,
  quantityParam,
  toHex,
  ZERO_HASH,
} from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import { CLIENT, VERSION } from "../version.ts";
import { requestsHash } from "../vm/requests.ts";
import { validateBlock } from "../vm/validate.ts";
import { attributesParam, type PayloadAttributes, payloadIdOf } from "./attributes.ts";
import { type BuildContext, PayloadBuilder } from "./builder.ts";
import {
  decodePayload,
  InvalidHeader,
  MalformedPayload,
  payloadJson,
  payloadParam,
  requestsParam,
  withdrawalJson,
} from "./payload.ts";

/** Payloads being built or kept for getPayload, as many as Geth keeps. */
const MAX_PAYLOADS = 10;
/** Invalid blocks remembered, so that their descendants are known to be invalid too. */
const MAX_INVALID = 512;
const MAX_BODIES = 1024;

type Verdict = { readonly valid: true } | { readonly valid: false; readonly reason: string };

interface PayloadStatus {
  readonly status: "VALID" | "INVALID" | "SYNCING" | "ACCEPTED";
  readonly latestValidHash: Hex | null;
  readonly validationError: string | null;
}

const SYNCING: PayloadStatus = { status: "SYNCING", latestValidHash: null, validationError: null };

/** Limits of the Engine API that depend on the machine. */
export interface EngineOptions {
  /** Milliseconds after which newPayload answers SYNCING while execution goes on; a later call gets the verdict. */
  readonly validationBudget: number;
}

/**
 * The Engine API over one chain. Statuses and codes are Geth's. Calls that change the fork choice run one after the
 * other, and so do validations; a block that is being validated already is not executed twice.
 */
export class Engine {
  private readonly context: BuildContext;
  private readonly options: EngineOptions;
  private readonly payloads = new Map<Hex, PayloadBuilder>();
  private readonly invalid = new Map<Hex, Hex>();
  private readonly validating = new Map<Hex, Promise<Verdict>>();
  private validations: Promise<unknown> = Promise.resolve();
  private forkchoices: Promise<unknown> = Promise.resolve();

  constructor(context: BuildContext, options: EngineOptions) {
    this.context = context;
    this.options = options;
  }

  /** Waits for what is being written. */
  async idle(): Promise<void> {
    for (const builder of this.payloads.values()) builder.abandon();
    await Promise.allSettled([this.forkchoices]);
  }

  private get getPayloadVersion(): number {
    return this.context.spec.fork === "osaka" ? 5 : 4;
  }

  methods(): Methods {
    const methods: Methods = {
      engine_exchangeCapabilities: (params) => {
        arrayParam(params[0] ?? [], "capabilities", 1000);
        return Object.keys(methods).filter(
          (name) => name !== "engine_exchangeCapabilities" && this.serves(name),
        );
      },
      engine_getClientVersionV1: () => [{ code: "QD", name: CLIENT, version: VERSION, commit: "0x00000000" }],
      engine_newPayloadV4: (params) => this.newPayload(params),
      engine_forkchoiceUpdatedV3: (params) => this.forkchoiceUpdated(params),
      engine_getPayloadBodiesByHashV1: (params) =>
        arrayParam(params[0], "hashes", MAX_BODIES).map((hash) => this.body(hashParam(hash, "hash"))),
      engine_getPayloadBodiesByRangeV1: (params) => this.bodiesByRange(params),
    };
    for (const version of [1, 2, 3, 5, 6]) methods[`engine_newPayloadV${version}`] = unsupportedFork;
    for (const version of [1, 2, 4, 5]) methods[`engine_forkchoiceUpdatedV${version}`] = unsupportedFork;
    for (const version of [1, 2, 3, 4, 5, 6]) {
      methods[`engine_getPayloadV${version}`] =
        version === this.getPayloadVersion ? (params) => this.getPayload(params) : unsupportedFork;
    }
    return methods;
  }

  private serves(method: string): boolean {
    if (method.startsWith("engine_newPayload")) return method.endsWith("V4");
    if (method.startsWith("engine_forkchoiceUpdated")) return method.endsWith("V3");
    if (/^engine_getPayloadV\d$/.test(method)) return method.endsWith(`V${this.getPayloadVersion}`);
    return true;
  }

  private async newPayload(params: readonly unknown[]): Promise<PayloadStatus> {
    const fields = payloadParam(params[0]);
    const versionedHashes = arrayParam(params[1], "versionedHashes", 4096).map((hash) =>
      hashParam(hash, "versionedHash"),
    );
    const parentBeaconBlockRoot = dataParam(params[2], "parentBeaconBlockRoot", { length: 32 });
    const requests = requestsParam(params[3]);
    const { chain, environment, pool } = this.context;
    if (versionedHashes.length > 0)
      return invalidStatus(null, "invalid number of versionedHashes: no blobs here");
    let block: Block;
    try {
      block = await decodePayload(
        fields,
        parentBeaconBlockRoot,
        requestsHash(requests),
        environment.common,
        (hash) => pool.get(hash)?.transaction,
      );
    } catch (thrown) {
      if (thrown instanceof MalformedPayload) return invalidStatus(null, thrown.message);
      if (thrown instanceof InvalidHeader)
        return this.rejected(fields.blockHash, fields.parentHash, thrown.message);
      throw thrown;
    }
    const hash = fields.blockHash;
    if (chain.has(hash)) return validStatus(hash);
    const ancestor = this.invalid.get(fields.parentHash);
    if (ancestor !== undefined) {
      this.remember(hash, ancestor);
      return invalidStatus(ancestor, "links to previously rejected block");
    }
    if (!chain.has(fields.parentHash)) return SYNCING;
    const verdict = await within(this.validate(hash, block), this.options.validationBudget);
    if (verdict === undefined) return SYNCING;
    if (verdict.valid) return validStatus(hash);
    return this.rejected(hash, fields.parentHash, verdict.reason);
  }

  private rejected(hash: Hex, parent: Hex, reason: string): PayloadStatus {
    if (!this.context.chain.has(parent))
      return this.invalid.has(parent) ? invalidStatus(this.invalid.get(parent) ?? null, reason) : SYNCING;
    this.remember(hash, parent);
    return invalidStatus(parent, reason);
  }

  private remember(hash: Hex, latestValid: Hex): void {
    this.invalid.set(hash, latestValid);
    for (const oldest of this.invalid.keys()) {
      if (this.invalid.size <= MAX_INVALID) break;
      this.invalid.delete(oldest);
    }
  }

  private validate(hash: Hex, block: Block): Promise<Verdict> {
    const running = this.validating.get(hash);
    if (running !== undefined) return running;
    const { chain, environment, spec } = this.context;
    const run = async (): Promise<Verdict> => {
      if (chain.has(hash)) return { valid: true };
      const parent = chain.block(toHex(block.header.parentHash));
      if (parent === undefined)
        throw new RpcError(RPC.INTERNAL, "the parent was dropped while the block waited");
      const outcome = await validateBlock(environment, spec, chain, block, parent);
      if (!outcome.valid) return outcome;
      await chain.addExecuted(outcome.executed);
      this.invalid.delete(hash);
      return { valid: true };
    };
    const verdict = this.validations.then(run, run);
    // Whoever asked has the failure. If nobody waited that long, the block is as unknown as before and asked for again.
    this.validations = verdict.catch(() => undefined);
    this.validating.set(hash, verdict);
    const done = (): void => {
      this.validating.delete(hash);
    };
    verdict.then(done, done);
    return verdict;
  }

  private forkchoiceUpdated(params: readonly unknown[]): Promise<unknown> {
    const state = objectParam(params[0], "forkchoice state");
    const head = hashParam(state["headBlockHash"], "headBlockHash");
    const safe = hashParam(state["safeBlockHash"], "safeBlockHash");
    const finalized = hashParam(state["finalizedBlockHash"], "finalizedBlockHash");
    const attributes = params[1] === undefined || params[1] === null ? undefined : attributesParam(params[1]);
    const update = (): Promise<unknown> => this.update(head, safe, finalized, attributes);
    const result = this.forkchoices.then(update, update);
    // The caller has the failure; the next update only waits for the end.
    this.forkchoices = result.catch(() => undefined);
    return result;
  }

  private async update(
    head: Hex,
    safe: Hex,
    finalized: Hex,
    attributes: PayloadAttributes | undefined,
  ): Promise<{ readonly payloadStatus: PayloadStatus; readonly payloadId: Hex | null }> {
    const { chain, pool } = this.context;
    const answer = (payloadStatus: PayloadStatus, payloadId: Hex | null = null) => ({
      payloadStatus,
      payloadId,
    });
    if (head === ZERO_HASH) return answer(invalidStatus(null, null));
    const ancestor = this.invalid.get(head);
    if (ancestor !== undefined) return answer(invalidStatus(ancestor, "links to previously rejected block"));
    const result: ForkchoiceResult = await chain.setForkchoice(head, safe, finalized);
    switch (result.kind) {
      case "unknown":
        return answer(SYNCING);
      case "refused":
        throw new RpcError(RPC.INVALID_FORKCHOICE, "Invalid forkchoice state", { err: result.reason });
      case "ancestor":
        return answer(validStatus(head));
      case "moved":
        await pool.onHead(result.change);
        break;
      case "unchanged":
        break;
      default: {
        const impossible: never = result;
        throw new DevnetElError("INTERNAL", `unknown fork choice result ${String(impossible)}`);
      }
    }
    if (attributes === undefined) return answer(validStatus(head));
    const parent = chain.head;
    if (attributes.timestamp <= parent.header.timestamp) {
      throw new RpcError(RPC.INVALID_ATTRIBUTES, "Invalid payload attributes", {
        err: `invalid timestamp, parent ${parent.header.timestamp} given ${attributes.timestamp}`,
      });
    }
    const id = payloadIdOf(head, attributes);
    if (!this.payloads.has(id)) {
      this.payloads.set(id, new PayloadBuilder(this.context, parent, attributes));
      for (const [oldest, builder] of this.payloads) {
        if (this.payloads.size <= MAX_PAYLOADS) break;
        builder.abandon();
        this.payloads.delete(oldest);
      }
    }
    return answer(validStatus(head), id);
  }

  private async getPayload(params: readonly unknown[]): Promise<unknown> {
    const id = toHex(dataParam(params[0], "payload id", { length: 8 }));
    if (!id.startsWith("0x03")) throw new RpcError(RPC.UNSUPPORTED_FORK, "Unsupported fork");
    const builder = this.payloads.get(id);
    if (builder === undefined) throw new RpcError(RPC.UNKNOWN_PAYLOAD, "Unknown payload");
    let built: Awaited<ReturnType<PayloadBuilder["resolve"]>>;
    try {
      built = await builder.resolve();
    } catch (thrown) {
      this.payloads.delete(id);
      throw thrown instanceof DevnetElError
        ? thrown
        : new RpcError(RPC.INTERNAL, `building failed: ${reasonOf(thrown)}`);
    }
    return {
      executionPayload: payloadJson(built.block),
      blockValue: quantity(built.value),
      blobsBundle: { commitments: [], proofs: [], blobs: [] },
      executionRequests: built.requests.map(toHex),
      shouldOverrideBuilder: false,
    };
  }

  private body(hash: Hex): unknown {
    const block = this.context.chain.block(hash);
    return block === undefined ? null : bodyJson(block);
  }

  private bodiesByRange(params: readonly unknown[]): unknown[] {
    const start = quantityParam(params[0], "start", 53);
    const count = quantityParam(params[1], "count", 53);
    if (start < 1n || count < 1n)
      throw new RpcError(RPC.INVALID_PARAMS, "start and count must be at least 1");
    if (count > BigInt(MAX_BODIES))
      throw new RpcError(RPC.TOO_LARGE, `at most ${MAX_BODIES} bodies in one request`);
    const { chain } = this.context;
    const bodies: unknown[] = [];
    for (let number = Number(start); number < Number(start + count) && number <= chain.headNumber; number++) {
      const block = chain.canonicalBlock(number);
      bodies.push(block === undefined ? null : bodyJson(block));
    }
    return bodies;
  }
}

function bodyJson(block: Block): unknown {
  return {
    transactions: block.transactions.map((transaction) => toHex(transaction.serialize())),
    withdrawals: (block.withdrawals ?? []).map(withdrawalJson),
  };
}

function unsupportedFork(): never {
  throw new RpcError(RPC.UNSUPPORTED_FORK, "Unsupported fork");
}

function validStatus(hash: Hex): PayloadStatus {
  return { status: "VALID", latestValidHash: hash, validationError: null };
}

function invalidStatus(latestValidHash: Hex | null, validationError: string | null): PayloadStatus {
  return { status: "INVALID", latestValidHash, validationError };
}

/** The value, or undefined when it takes longer than `ms`. */
async function within<T>(value: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
