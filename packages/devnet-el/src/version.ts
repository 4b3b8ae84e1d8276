/** Name that the client gives itself; it says what it is for. */
export const CLIENT = "quorate-devnet-el";
export const VERSION = "0.1.0";
/** web3_clientVersion: no one should take this for a production client. */
export const CLIENT_VERSION: string = `${CLIENT}/v${VERSION}-development-only/ethereumjs-10.1.3/node-${process.versions.node}`;
