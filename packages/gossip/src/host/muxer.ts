import { yamux } from "@chainsafe/libp2p-yamux";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";

/**
 * yamux over a connection that may be written to after its end. yamux opens a stream in a microtask of its own and says
 * goodbye while listeners of the same abort close the connection under it; each write would then throw where nobody can
 * catch it, and the end of one connection would be the end of the process.
 */
export function safeYamux(init: Parameters<typeof yamux>[0]): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)();
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => create(dropsLateWrites(connection));
    return factory;
  };
}

function dropsLateWrites(connection: MessageStream): MessageStream {
  const send = connection.send.bind(connection);
  connection.send = (data) => {
    try {
      return send(data);
    } catch (error) {
      if (connection.status === "open") throw error;
      // Not saturated: nobody is to wait for a drain that cannot come.
      return true;
    }
  };
  return connection;
}
