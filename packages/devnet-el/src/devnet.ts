import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createAddressFromString } from "@ethereumjs/util";
import { Chain } from "./chain/chain.ts";
import { Database } from "./chain/database.ts";
import { Engine } from "./engine/engine.ts";
import { jwtFault } from "./engine/jwt.ts";
import type { DevnetElError } from "./errors.ts";
import { EthContext } from "./eth/context.ts";
import { ethMethods } from "./eth/methods.ts";
import { makeGenesisState } from "./genesis/state.ts";
import type { Inputs } from "./inputs.ts";
import type { Log } from "./log.ts";
import type { Options } from "./options.ts";
import { PoolJournal } from "./pool/journal.ts";
import { TxPool } from "./pool/pool.ts";
import type { SenderAccount } from "./pool/rules.ts";
import { type HttpServer, serveHttp } from "./server/http.ts";
import type { Methods } from "./server/jsonrpc.ts";
import { createCommon } from "./vm/common.ts";
import { loadCrypto } from "./vm/crypto.ts";
import { openState } from "./vm/state.ts";

/** A running client. */
export interface DevnetEl {
  readonly httpUrl: string;
  readonly engineUrl: string;
  readonly chainId: bigint;
  readonly genesisHash: string;
  /** Stops serving, lets writes end and closes the store. */
  close(): Promise<void>;
}

const MIB = 1024 * 1024;
/** Greatest request on the public port, as in Geth. */
const MAX_PUBLIC_BODY = 5 * MIB;
/** Greatest request on the Engine port, as in Geth. */
const MAX_ENGINE_BODY = 128 * MIB;
const MAX_RESPONSE_BYTES = 25 * MIB;

async function senderAt(
  chain: Chain,
  common: Parameters<typeof openState>[0],
  address: string,
): Promise<SenderAccount> {
  const overlay = chain.overlayOn(chain.headHash);
  const state = openState(common, overlay, chain.head.header.stateRoot);
  const account = await state.getAccount(createAddressFromString(address));
  if (account === undefined) return { nonce: 0n, balance: 0n, isContract: false };
  let isContract = account.isContract();
  if (isContract) {
    const code = await state.getCode(createAddressFromString(address));
    isContract = !(code.length === 23 && code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00);
  }
  return { nonce: account.nonce, balance: account.balance, isContract };
}

/**
 * Starts the client: opens the store, restores the pool, serves both ports. `fatal` is called when the store refuses
 * a write, after which nothing more may be acknowledged. Throws DevnetElError.
 */
export async function startDevnetEl(
  options: Options,
  { spec, secret }: Inputs,
  log: Log,
  fatal: (error: DevnetElError) => void,
): Promise<DevnetEl> {
  const crypto = await loadCrypto();
  const environment = { common: createCommon(spec, crypto.custom), crypto };
  mkdirSync(options.dataDir, { recursive: true });
  const database = await Database.open(join(options.dataDir, "chain"), options.cacheMiB * MIB);
  const closers: (() => Promise<void>)[] = [() => database.close()];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const chain = await Chain.open(database, environment, spec, () =>
      makeGenesisState(spec, environment.common),
    );
    const pool = new TxPool({
      common: environment.common,
      head: () => chain.head,
      account: (address) => senderAt(chain, environment.common, address),
    });
    const journal = await PoolJournal.open(join(options.dataDir, "transactions.journal"), pool);
    closers.push(() => journal.close());
    const engine = new Engine(
      {
        environment,
        spec,
        chain,
        pool,
        gasTarget: options.gasLimit ?? spec.header.gasLimit,
        extraData: new Uint8Array(Buffer.from("quorate devnet-el")),
        budget: { eager: options.buildBudget, refresh: Math.ceil(options.buildBudget / 3) },
        onDropped: (hash, reason) =>
          log("warn", "transaction dropped: no block can hold it", { hash, reason }),
      },
      { validationBudget: options.validationBudget },
    );
    const publicMethods = ethMethods(new EthContext(chain, pool, spec, environment));
    const methods: Methods = { ...publicMethods, ...engine.methods() };
    const serve = (
      port: number,
      methodsOfPort: Methods,
      maxBodyBytes: number,
      maxBatch: number,
      guarded: boolean,
    ): Promise<HttpServer> =>
      serveHttp({
        host: options.httpAddr,
        port,
        methods: methodsOfPort,
        maxBodyBytes,
        maxBatch,
        maxResponseBytes: MAX_RESPONSE_BYTES,
        corsOrigins: guarded ? [] : options.corsOrigins,
        virtualHosts: guarded ? ["localhost"] : options.virtualHosts,
        fatal,
        ...(guarded ? { refuse: (authorization) => jwtFault(authorization, secret, Date.now()) } : {}),
      });
    closers.push(() => engine.idle());
    const http = await serve(options.httpPort, publicMethods, MAX_PUBLIC_BODY, 1000, false);
    closers.push(() => http.close());
    const auth = await serve(options.enginePort, methods, MAX_ENGINE_BODY, 2000, true);
    closers.push(() => auth.close());
    log("info", "opened", {
      chainId: String(spec.chainId),
      genesis: chain.genesisHash,
      fork: spec.fork,
      head: chain.headNumber,
      pooled: pool.size,
      secp256k1: crypto.names.secp256k1,
      bls12381: crypto.names.bls12381,
      bn254: crypto.names.bn254,
    });
    return {
      httpUrl: http.url,
      engineUrl: auth.url,
      chainId: spec.chainId,
      genesisHash: chain.genesisHash,
      close: closeAll,
    };
  } catch (thrown) {
    await closeAll();
    throw thrown;
  }
}
