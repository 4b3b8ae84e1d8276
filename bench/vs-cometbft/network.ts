/** What a scenario asks of either side: a network of processes on this machine, each with CometBFT's RPC. */

export interface NetworkOptions {
  readonly validators: number;
  /** Set up, and started only by {@link Network.startNode}; they follow the validators by index. */
  readonly fullNodes?: number;
  /** Largest block, bytes; the side's own default otherwise. */
  readonly blockBytes?: number;
  /** Whether transactions spread before they are in a block. Without, each proposer has its own: consensus alone carries them. */
  readonly spreadTxs?: boolean;
}

export interface Network {
  readonly validators: number;
  rpcPort(index: number): number;
  /** Starts every validator; resolves when the first blocks were decided. */
  start(limitMs: number): Promise<void>;
  startNode(index: number): Promise<void>;
  /** Sends the signal; resolves when the process has ended. */
  end(index: number, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Forgets what a stopped node stored; its keys stay. */
  wipe(index: number): Promise<void>;
  /** Of the nodes that run. */
  pids(): readonly number[];
  /** Ends every process and removes the files. */
  free(): Promise<void>;
}

export interface Side {
  readonly name: "quorate" | "cometbft";
  make(options: NetworkOptions): Promise<Network>;
}
