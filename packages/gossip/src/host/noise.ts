import { noise } from "@chainsafe/libp2p-noise";
import type { MessageStream } from "@libp2p/interface";

/**
 * Noise whose messages are written whole. It hands a message over as two buffers, length and ciphertext, which TCP
 * would send as two segments; the receiver would wake up twice and fail once to decode half a length.
 */
export function wholeNoise(): ReturnType<typeof noise> {
  const create = noise();
  return (components) => {
    const encrypter = create(components);
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureInbound = (connection, options) => secureInbound(writesWhole(connection), options);
    encrypter.secureOutbound = (connection, options) => secureOutbound(writesWhole(connection), options);
    return encrypter;
  };
}

function writesWhole<Connection extends MessageStream>(connection: Connection): Connection {
  const send = connection.send.bind(connection);
  connection.send = (data) => send(data instanceof Uint8Array ? data : data.subarray());
  return connection;
}
