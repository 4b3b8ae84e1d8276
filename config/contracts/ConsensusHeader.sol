// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the validators signed, proven to a contract
/// @notice The parent beacon block root of each block is the hash of the consensus header one height below: 32 bytes that more
/// than 2/3 of the voting power signed, which the execution client keeps for 8191 blocks (EIP-4788). Any field of that header
/// can be proven against it, and from `app_hash` and `data_hash` the registry, the params and the transactions.
/// @dev Stateless and without an owner: deploy it once, or call its functions from a contract of your own. A timestamp names a
/// block of the execution client; what it proves is the header of the height before that block's.
contract ConsensusHeader {
    address private constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    /// A header is a Merkle tree (RFC 6962) of 14 fields.
    uint256 private constant FIELDS = 14;
    uint256 private constant FIRST_HASH = 5;
    uint256 private constant LAST_HASH = 12;

    /// No block with this timestamp, or it is more than 8191 blocks old.
    error Unknown(uint256 timestamp);
    /// The proof leads elsewhere than to the header of that block.
    error Unproven(bytes32 headerHash);
    /// Only fields 5 to 12 are hashes.
    error NotAHash(uint256 index);

    /// @notice Three facts of a header, proven together: cheaper than one by one.
    struct Facts {
        uint64 height;
        bytes32 validatorsHash;
        bytes32 appHash;
        /// From left to right: fields 0-1, 3, 4-5, 6, 8-9, 11, 12-13.
        bytes32[7] siblings;
    }

    /// @notice Hash of the consensus header below the block with this timestamp.
    function hashAt(uint256 timestamp) public view returns (bytes32) {
        (bool known, bytes memory root) = BEACON_ROOTS.staticcall(abi.encode(timestamp));
        if (!known || root.length != 32) revert Unknown(timestamp);
        return bytes32(root);
    }

    /// @notice Reverts unless the header has this height, this set of validators and this app hash.
    /// @return headerHash what the validators signed.
    function requireFacts(uint256 timestamp, Facts calldata facts) external view returns (bytes32 headerHash) {
        headerHash = hashAt(timestamp);
        bytes32[7] calldata siblings = facts.siblings;
        bytes32 left = _inner(
            _inner(siblings[0], _inner(_leaf(abi.encodePacked(hex"08", _varint(facts.height))), siblings[1])),
            _inner(siblings[2], _inner(siblings[3], _hashLeaf(facts.validatorsHash)))
        );
        bytes32 right = _inner(
            _inner(siblings[4], _inner(_hashLeaf(facts.appHash), siblings[5])),
            siblings[6]
        );
        if (_inner(left, right) != headerHash) revert Unproven(headerHash);
    }

    /// @notice Reverts unless field `index` of the header is this hash: 5 last_commit, 6 data, 7 validators,
    /// 8 next_validators, 9 consensus, 10 app, 11 last_results, 12 evidence.
    /// @param aunts siblings from the field upwards.
    /// @return headerHash what the validators signed.
    function requireHash(
        uint256 timestamp,
        uint256 index,
        bytes32 value,
        bytes32[] calldata aunts
    ) external view returns (bytes32 headerHash) {
        if (index < FIRST_HASH || index > LAST_HASH) revert NotAHash(index);
        headerHash = hashAt(timestamp);
        if (_rootFrom(_hashLeaf(value), index, FIELDS, aunts) != headerHash) revert Unproven(headerHash);
    }

    /// @notice Whether `leaf` is leaf `index` of the `total` under a root (RFC 6962): transactions under data_hash, the
    /// registry's root under app_hash, entries under that. Who relies on `total` must know it.
    function included(
        bytes32 root,
        uint256 index,
        uint256 total,
        bytes calldata leaf,
        bytes32[] calldata aunts
    ) external pure returns (bool) {
        return root != 0 && index < total && _rootFrom(_leaf(leaf), index, total, aunts) == root;
    }

    /// Root that a leaf and its aunts lead to (RFC 9162 §2.1.3.2); 0, which is no root, when their number does not fit.
    function _rootFrom(
        bytes32 node,
        uint256 index,
        uint256 total,
        bytes32[] calldata aunts
    ) private pure returns (bytes32) {
        uint256 last = total - 1;
        for (uint256 i = 0; i < aunts.length; i++) {
            if (last == 0) return 0;
            if (index & 1 == 1 || index == last) {
                node = _inner(aunts[i], node);
                while (index & 1 == 0 && index != 0) {
                    index >>= 1;
                    last >>= 1;
                }
            } else {
                node = _inner(node, aunts[i]);
            }
            index >>= 1;
            last >>= 1;
        }
        return last == 0 ? node : bytes32(0);
    }

    /// A field that is 32 bytes: protobuf BytesValue.
    function _hashLeaf(bytes32 value) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"000a20", value));
    }

    function _leaf(bytes memory encoded) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", encoded));
    }

    function _inner(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }

    function _varint(uint64 value) private pure returns (bytes memory encoded) {
        while (value >= 0x80) {
            encoded = abi.encodePacked(encoded, bytes1(uint8(value) | 0x80));
            value >>= 7;
        }
        return abi.encodePacked(encoded, bytes1(uint8(value)));
    }
}
