export interface NodePorts {
  readonly p2p: number;
  readonly rpc: number;
  readonly metrics: number;
  readonly ethRpc: number;
  readonly engine: number;
  readonly elP2p: number;
  readonly admin: number;
}

/** The ports of one node whose first port is `base`. */
export function portsFrom(base: number): NodePorts {
  return {
    p2p: base,
    rpc: base + 1,
    metrics: base + 2,
    ethRpc: base + 3,
    engine: base + 4,
    elP2p: base + 5,
    admin: base + 6,
  };
}
