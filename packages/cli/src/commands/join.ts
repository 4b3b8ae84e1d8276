import { type Command, JSON_FLAG } from "../command.ts";
import { SENDER_FLAGS } from "../registry/target.ts";

export const join: Command = {
  words: ["join"],
  summary: "Have this home's key registered as a validator, or deposit for it in stake mode",
  arguments: [],
  flags: [
    {
      name: "power",
      kind: "integer",
      value: "N",
      min: 1,
      help: "permissioned chains: voting power to ask for (default 10)",
    },
    {
      name: "amount",
      kind: "string",
      value: "ETHER",
      help: "stake mode: ether to deposit (default 32, the least that a key begins with)",
    },
    {
      name: "operator",
      kind: "string",
      value: "ADDR",
      help: "account that will own the validator: fees, exit, stake (default: see below)",
    },
    {
      name: "registration",
      kind: "string",
      value: "FILE",
      help: "register, or deposit for, what --print wrote in another home",
    },
    { name: "print", kind: "boolean", help: "send nothing: print the registration and the call, as JSON" },
    ...SENDER_FLAGS,
    JSON_FLAG,
  ],
  details: `Permissioned chains: only the registry's owner can register a key. Where that is this home's account (the first
validator's of a new chain) or one named with --key, the call is signed and sent, and the command waits until the set has the
key. Else print it here, and have the owner send it: with its multisig (to and data of the call), or with --registration. The
validator is owned by --operator, else by this home's account.

  validator join --power 10
  validator join --print > me.json
  validator join --registration me.json --power 10 --key owner.keystore.json --password-file pw

Stake mode: the account that is named with --key, else this home's, pays and owns the validator, unless --operator names
another. A key that is registered already gets more stake. What the chain would ignore and keep is refused here: too little for a new
key, a proof that does not hold, a key that is leaving or was punished.

  validator join --amount 32 --key me.keystore.json --password-file pw

The registration proves that this home holds the key, for this chain and this operator alone: it is no secret. The key joins
two heights after the block, the power within a third of the total per height. Exit codes: 3 when this account is not the
registry's owner or the deposit would be lost, 9 when node or execution client do not answer, 10 when the set does not change in
time.`,
  async run(context) {
    const { runJoin } = await import("../registry/join.ts");
    return await runJoin(context);
  },
};
