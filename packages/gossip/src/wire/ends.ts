import type { ByteStream, Connection } from "../host/network.ts";

/** An Error of anything thrown. */
export function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/**
 * Ends a connection now. libp2p throws from `abort` when the socket under the muxer is closed already, and has then
 * not told its listeners; the graceful end does.
 */
export function abortConnection(connection: Connection, reason: Error): void {
  try {
    connection.abort(reason);
  } catch {
    connection.close({ signal: AbortSignal.timeout(500) }).catch(() => {
      // Both ways to end it failed because it has ended.
    });
  }
}

/**
 * Pauses or resumes reading; a stream that ended in the same tick has nothing to pause. Resuming hands over what has
 * come meanwhile; a reader that pauses again while it gets that would stay paused here, and the other side would be told
 * all the same that there is room.
 */
export function setReading(stream: ByteStream, reading: boolean): void {
  try {
    if (reading && stream.readStatus === "paused") {
      stream.resume();
      if (stream.readStatus !== "paused") return;
      // Nothing waits any more: this resumes and pauses both ends of it.
      stream.resume();
      stream.pause();
    } else if (!reading && stream.readStatus === "readable") stream.pause();
  } catch (error) {
    stream.abort(errorOf(error));
  }
}
