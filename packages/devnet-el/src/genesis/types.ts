/** One account of a Geth genesis file. */
export interface ElGenesisAccount {
  /** wei, decimal or 0x-hex */
  readonly balance: string;
  readonly nonce?: string;
  readonly code?: string;
  readonly storage?: Readonly<Record<string, string>>;
}

/** A genesis file in Geth's format, as `geth init` and this client read it. */
export interface ElGenesis {
  readonly config: Readonly<Record<string, unknown>>;
  readonly nonce: string;
  readonly timestamp: string;
  readonly extraData: string;
  readonly gasLimit: string;
  readonly difficulty: string;
  readonly mixHash: string;
  readonly coinbase: string;
  readonly baseFeePerGas?: string;
  readonly alloc: Readonly<Record<string, ElGenesisAccount>>;
}
