/** Interface of config/contracts/ConsensusHeader.sol, typed for viem. */
export const consensusHeaderAbi = [
  { inputs: [{ internalType: "uint256", name: "index", type: "uint256" }], name: "NotAHash", type: "error" },
  {
    inputs: [{ internalType: "uint256", name: "timestamp", type: "uint256" }],
    name: "Unknown",
    type: "error",
  },
  {
    inputs: [{ internalType: "bytes32", name: "headerHash", type: "bytes32" }],
    name: "Unproven",
    type: "error",
  },
  {
    inputs: [{ internalType: "uint256", name: "timestamp", type: "uint256" }],
    name: "hashAt",
    outputs: [{ internalType: "bytes32", name: "", type: "bytes32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { internalType: "bytes32", name: "root", type: "bytes32" },
      { internalType: "uint256", name: "index", type: "uint256" },
      { internalType: "uint256", name: "total", type: "uint256" },
      { internalType: "bytes", name: "leaf", type: "bytes" },
      { internalType: "bytes32[]", name: "aunts", type: "bytes32[]" },
    ],
    name: "included",
    outputs: [{ internalType: "bool", name: "", type: "bool" }],
    stateMutability: "pure",
    type: "function",
  },
  {
    inputs: [
      { internalType: "uint256", name: "timestamp", type: "uint256" },
      {
        components: [
          { internalType: "uint64", name: "height", type: "uint64" },
          { internalType: "bytes32", name: "validatorsHash", type: "bytes32" },
          { internalType: "bytes32", name: "appHash", type: "bytes32" },
          { internalType: "bytes32[7]", name: "siblings", type: "bytes32[7]" },
        ],
        internalType: "struct ConsensusHeader.Facts",
        name: "facts",
        type: "tuple",
      },
    ],
    name: "requireFacts",
    outputs: [{ internalType: "bytes32", name: "headerHash", type: "bytes32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { internalType: "uint256", name: "timestamp", type: "uint256" },
      { internalType: "uint256", name: "index", type: "uint256" },
      { internalType: "bytes32", name: "value", type: "bytes32" },
      { internalType: "bytes32[]", name: "aunts", type: "bytes32[]" },
    ],
    name: "requireHash",
    outputs: [{ internalType: "bytes32", name: "headerHash", type: "bytes32" }],
    stateMutability: "view",
    type: "function",
  },
] as const;
