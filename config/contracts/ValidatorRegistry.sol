// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may validate: the registry of a permissioned Quorate chain
/// @notice Stands at the deposit contract address of the execution client's genesis, so that every change it logs reaches
/// the validators inside the block (EIP-6110, EIP-7685), two heights before it acts. One owner, which may be a multisig or
/// a governance contract, decides; the operator of a validator may leave by itself.
/// @dev The contract keeps no validator set: the chain does, and ignores what is against its rules (docs/protocol.md §3).
/// It can emit no other length than the 576 bytes of a deposit event: any other would make blocks impossible.
contract ValidatorRegistry {
    /// @notice Decides on validators, params and upgrades. Slot 0: genesis writes it there.
    address public owner;
    /// @notice Becomes the owner once it accepts.
    address public pendingOwner;
    /// @notice Changes logged so far: the index of the next one.
    uint64 public count;
    /// @notice Who may take a validator out besides the owner; zero for validators of genesis, whose owners leave by the
    /// withdrawal request contract (EIP-7002).
    mapping(bytes32 key => address operator) public operatorOf;

    /// @notice What the chain reads. Topic and layout are those of Ethereum's deposit contract.
    event DepositEvent(bytes pubkey, bytes withdrawal_credentials, bytes amount, bytes signature, bytes index);

    /// @notice A key was registered for `operator`, who receives the fees of its blocks, with this power to begin with.
    event ValidatorRegistered(bytes32 indexed key, address indexed operator, uint64 power, uint64 index);
    /// @notice The power that a registered key is to have; 0 removes it.
    event PowerSet(bytes32 indexed key, uint64 power, uint64 index);
    /// @notice The operator of a key takes it out.
    event ValidatorExited(bytes32 indexed key, address indexed operator, uint64 index);
    /// @notice A param of the chain is to have this value two heights on.
    event ParamSet(string name, uint64 value, uint64 index);
    /// @notice From `height` on blocks follow `version` of the rules; version 0 withdraws what was scheduled for it.
    event UpgradeScheduled(uint64 indexed height, uint64 version, uint64 index);
    event OwnershipTransferStarted(address indexed owner, address indexed pendingOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed owner);

    error NotOwner(address caller);
    error NotPendingOwner(address caller);
    error NotOperator(address caller);
    error ZeroAddress();
    error ProofLength(uint256 length);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor(address firstOwner) {
        if (firstOwner == address(0)) revert ZeroAddress();
        owner = firstOwner;
        emit OwnershipTransferred(address(0), firstOwner);
    }

    /// @notice Registers an Ed25519 key.
    /// @param operator owns the validator: it receives the fees and may leave.
    /// @param power voting power, absolute.
    /// @param proof 64 bytes: proof of possession, made by the key's holder for this chain and this operator.
    function register(bytes32 key, address operator, uint64 power, bytes calldata proof) external onlyOwner {
        if (operator == address(0)) revert ZeroAddress();
        if (proof.length != 64) revert ProofLength(proof.length);
        operatorOf[key] = operator;
        bytes32 credentials = bytes32((uint256(1) << 248) | uint160(operator));
        uint64 index = _log(key, credentials, power, abi.encodePacked(proof, bytes32(0)));
        emit ValidatorRegistered(key, operator, power, index);
    }

    /// @notice Sets the power of a registered key, absolute; 0 removes it.
    function setPower(bytes32 key, uint64 power) external onlyOwner {
        emit PowerSet(key, power, _log(key, 0, power, new bytes(96)));
    }

    /// @notice Takes a validator out, by its operator. Once: registering it again names an operator again.
    function exit(bytes32 key) external {
        if (msg.sender != operatorOf[key]) revert NotOperator(msg.sender);
        delete operatorOf[key];
        emit ValidatorExited(key, msg.sender, _log(key, 0, 0, new bytes(96)));
    }

    /// @notice Sets a param of the chain by its name in genesis.
    function setParam(string calldata name, uint64 value) external onlyOwner {
        uint64 index = _log(bytes32("QUORATE-PARAM-1"), sha256(bytes(name)), value, new bytes(96));
        emit ParamSet(name, value, index);
    }

    /// @notice Schedules a version of the rules; version 0 withdraws the one of that height.
    function scheduleUpgrade(uint64 height, uint64 version) external onlyOwner {
        uint64 index = _log(bytes32("QUORATE-UPGRADE-1"), bytes32(uint256(height)), version, new bytes(96));
        emit UpgradeScheduled(height, version, index);
    }

    /// @notice First step of a hand-over; the zero address calls it off.
    function transferOwnership(address next) external onlyOwner {
        pendingOwner = next;
        emit OwnershipTransferStarted(owner, next);
    }

    /// @notice Second step: only who accepts becomes the owner, so a wrong address loses nothing.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    function _log(bytes32 key, bytes32 credentials, uint64 amount, bytes memory signature) private returns (uint64 index) {
        index = count++;
        emit DepositEvent(
            abi.encodePacked(key, bytes16(0)),
            abi.encodePacked(credentials),
            _littleEndian(amount),
            signature,
            _littleEndian(index)
        );
    }

    function _littleEndian(uint64 value) private pure returns (bytes memory bytes8le) {
        bytes8le = new bytes(8);
        for (uint256 i = 0; i < 8; i++) {
            bytes8le[i] = bytes1(uint8(value >> (8 * i)));
        }
    }
}
