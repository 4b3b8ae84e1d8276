// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What wallets and staking tools call: names, types and meaning are those of Ethereum's deposit contract.
interface IDepositContract {
    function deposit(
        bytes calldata pubkey,
        bytes calldata withdrawal_credentials,
        bytes calldata signature,
        bytes32 deposit_data_root
    ) external payable;

    function get_deposit_root() external view returns (bytes32);

    function get_deposit_count() external view returns (bytes memory);
}

interface IERC165 {
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}

/// @title The deposit contract of a Quorate chain in stake mode
/// @notice Stands where Ethereum's deposit contract stands, with its interface, its events, its verdicts and its root: a
/// depositor's tools need not know the difference. Nobody owns it and nothing leaves it.
/// @dev It judges amounts and lengths alone, as the original does. Keys, credentials and proofs are judged by the chain
/// (docs/protocol.md §3), which ignores a deposit that is against its rules: its ether is lost. Unlike the original it
/// computes the hashes of empty subtrees when the root is asked for, so that code is all that a genesis must give it.
contract DepositContract is IDepositContract, IERC165 {
    uint256 private constant DEPTH = 32;
    uint256 private constant MAX_DEPOSITS = 2 ** 32 - 1;

    /// Left siblings that the next leaves need, by height: an incremental Merkle tree.
    bytes32[DEPTH] private branch;
    uint256 private count;

    /// @notice What the chain reads (EIP-6110). Numbers are little-endian; `amount` is gwei.
    event DepositEvent(bytes pubkey, bytes withdrawal_credentials, bytes amount, bytes signature, bytes index);

    error KeyLength(uint256 length);
    error CredentialsLength(uint256 length);
    error SignatureLength(uint256 length);
    /// Less than an ether, no whole number of gwei, or more gwei than 64 bits hold.
    error Amount(uint256 value);
    /// The root that was given is not that of these fields and this value.
    error DataRoot(bytes32 expected);
    error Full();

    /// @notice Deposits the value of the call for a key.
    /// @param deposit_data_root SSZ root of (pubkey, credentials, gwei, signature): guards against a mangled call.
    function deposit(
        bytes calldata pubkey,
        bytes calldata withdrawal_credentials,
        bytes calldata signature,
        bytes32 deposit_data_root
    ) external payable {
        if (pubkey.length != 48) revert KeyLength(pubkey.length);
        if (withdrawal_credentials.length != 32) revert CredentialsLength(withdrawal_credentials.length);
        if (signature.length != 96) revert SignatureLength(signature.length);
        uint256 gweis = msg.value / 1 gwei;
        if (msg.value < 1 ether || msg.value % 1 gwei != 0 || gweis > type(uint64).max) revert Amount(msg.value);
        bytes memory amount = _littleEndian(uint64(gweis));
        uint256 size = count;
        emit DepositEvent(pubkey, withdrawal_credentials, amount, signature, _littleEndian(uint64(size)));

        bytes32 signatureRoot = _pair(sha256(signature[:64]), _pair(bytes32(signature[64:]), 0));
        bytes32 node = _pair(
            _pair(sha256(abi.encodePacked(pubkey, bytes16(0))), bytes32(withdrawal_credentials)),
            _pair(bytes32(amount), signatureRoot)
        );
        if (node != deposit_data_root) revert DataRoot(node);
        if (size >= MAX_DEPOSITS) revert Full();

        count = ++size;
        // The lowest set bit of the new size names the height at which a left sibling is complete; below 2^32 there is one.
        uint256 height = 0;
        for (; size & 1 == 0; size >>= 1) node = _pair(branch[height++], node);
        branch[height] = node;
    }

    /// @notice Root of all deposits: SSZ list of 2^32, its length mixed in.
    function get_deposit_root() external view returns (bytes32) {
        bytes32 node = 0;
        bytes32 empty = 0;
        uint256 size = count;
        for (uint256 height = 0; height < DEPTH; height++) {
            node = size & 1 == 1 ? _pair(branch[height], node) : _pair(node, empty);
            empty = _pair(empty, empty);
            size >>= 1;
        }
        return _pair(node, bytes32(_littleEndian(uint64(count))));
    }

    /// @notice Number of deposits, 8 bytes little-endian.
    function get_deposit_count() external view returns (bytes memory) {
        return _littleEndian(uint64(count));
    }

    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IDepositContract).interfaceId;
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(left, right));
    }

    function _littleEndian(uint64 value) private pure returns (bytes memory bytes8le) {
        bytes8le = new bytes(8);
        for (uint256 i = 0; i < 8; i++) {
            bytes8le[i] = bytes1(uint8(value >> (8 * i)));
        }
    }
}
