/** What one Geth of a chain is started with. */
export interface GethArgs {
  readonly dataDir: string;
  /** EVM chain id; also the network id. */
  readonly chainId: number;
  readonly jwtFile: string;
  readonly enginePort: number;
  readonly httpPort: number;
  readonly p2pPort: number;
  /** Final gas limit: the genesis value, else blocks drift toward it by 1/1024 each. */
  readonly gasLimit: number;
  /** Beyond loopback only behind a firewall. Default 127.0.0.1. */
  readonly address?: string;
  /** ms; also the time limit of one build. Default 100. */
  readonly recommitMs?: number;
  /** MiB. Default 256. */
  readonly cacheMb?: number;
}

/** Both must name the same database engine and state scheme. */
const STORAGE = ["--state.scheme", "hash", "--db.engine", "leveldb"] as const;

/** `geth init`: idempotent on the same genesis, refuses another one. */
export function gethInitArgs(dataDir: string, genesisFile: string): readonly string[] {
  return ["init", "--datadir", dataDir, ...STORAGE, genesisFile];
}

/**
 * Geth as an execution client of this chain: every state kept (archive, hash scheme) in a database that hands each
 * write to the kernel, so that kill -9 loses nothing acknowledged; no peers, because transactions travel with the
 * validators and recovery comes from their store; no blobs; a builder that refreshes every `recommitMs`.
 */
export function gethArgs(args: GethArgs): readonly string[] {
  const address = args.address ?? "127.0.0.1";
  return [
    ...["--datadir", args.dataDir, "--networkid", String(args.chainId)],
    ...["--syncmode", "full", "--gcmode", "archive", ...STORAGE, "--cache", String(args.cacheMb ?? 256)],
    ...["--authrpc.addr", address, "--authrpc.port", String(args.enginePort)],
    ...["--authrpc.vhosts", "localhost", "--authrpc.jwtsecret", args.jwtFile],
    ...["--http", "--http.addr", address, "--http.port", String(args.httpPort)],
    ...["--http.api", "eth,net,web3,txpool", "--ipcdisable"],
    ...["--port", String(args.p2pPort), "--nodiscover", "--nat", "none", "--netrestrict", "127.0.0.0/8"],
    ...["--maxpeers", "0"],
    ...["--miner.gasprice", "1", "--miner.recommit", `${args.recommitMs ?? 100}ms`],
    ...["--miner.gaslimit", String(args.gasLimit), "--engine.maxreorgdepth", "0", "--blobpool.datacap", "1"],
    ...["--txpool.globalslots", "100000", "--txpool.globalqueue", "100000"],
    ...["--txpool.accountslots", "2000", "--txpool.accountqueue", "2000"],
    ...["--rpc.txfeecap", "0"],
  ];
}
