/**
 * Shows contracts what the validators signed: arguments for config/contracts/ConsensusHeader.sol, made of a node's header.
 *
 * ```ts
 * const client = createPublicClient({ transport: http("http://127.0.0.1:8545") });
 * const { timestamp, facts } = await proveHeader("http://127.0.0.1:26657", client, 120);
 * await client.readContract({
 *   address, // of the deployed ConsensusHeader
 *   abi: consensusHeaderAbi,
 *   functionName: "requireFacts", // reverts unless more than 2/3 signed this height, set and app hash
 *   args: [timestamp, facts],
 * });
 * ```
 */
export { consensusHeaderAbi } from "./abi.ts";
export { ProofError, type ProofErrorCode } from "./errors.ts";
export {
  HASH_FIELDS,
  type HashField,
  type HashProof,
  type HeaderFacts,
  hashProof,
  headerFacts,
  inclusionProof,
} from "./header.ts";
export { fetchHeader, type ProvableHeader, proveHeader } from "./prove.ts";
