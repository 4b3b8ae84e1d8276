/** Limits that hold for every chain, whatever its params say. */

/** Largest height: the largest integer that a JavaScript number holds exactly. */
export const MAX_HEIGHT: number = Number.MAX_SAFE_INTEGER;
/** Largest round: int32, as in CometBFT. */
export const MAX_ROUND: number = 2 ** 31 - 1;
/** Most rounds that one call of the proposer rotation walks: about half a year of failed rounds. */
export const MAX_ROUNDS_AHEAD: number = 10_000_000;
/** Bytes of one block part (types/part_set.go BlockPartSizeBytes). */
export const PART_SIZE: number = 65_536;
/** Largest encoded block (types/params.go MaxBlockSizeBytes). */
export const MAX_BLOCK_SIZE: number = 100 * 1024 * 1024;
/** Most parts of a block of the largest size. */
export const MAX_PARTS: number = MAX_BLOCK_SIZE / PART_SIZE;
/** Most validators of a set, hence signatures of a commit (types/vote_set.go MaxVotesCount). */
export const MAX_VALIDATORS: number = 10_000;
/** Largest total voting power: int64 / 8, so that priorities never overflow (types/validator_set.go). */
export const MAX_TOTAL_POWER: bigint = (2n ** 63n - 1n) / 8n;
/** Most UTF-8 bytes of a chain id (types/genesis.go MaxChainIDLen). */
export const MAX_CHAIN_ID_BYTES: number = 50;
/** Longest app hash taken from the wire; our own have 32 bytes, CometBFT sets no limit. */
export const MAX_APP_HASH_BYTES: number = 1024;
/** Most transactions of a block: what a gas limit of 10^10 has room for is below half of it. */
export const MAX_TXS: number = 1_048_576;
/** Most evidence items of a block or a list. */
export const MAX_EVIDENCE: number = 4096;
/** Bytes of an Ed25519 signature, public key and address. */
export const SIGNATURE_SIZE = 64;
export const PUBLIC_KEY_SIZE = 32;
export const ADDRESS_SIZE = 20;
export const HASH_SIZE = 32;
/** Protocol version of the block format that headers carry (version/version.go BlockProtocol). */
export const BLOCK_PROTOCOL = 11n;
