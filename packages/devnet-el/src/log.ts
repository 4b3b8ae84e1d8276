/** How log lines look. */
export type LogFormat = "json" | "human";

export type LogLevel = "info" | "warn" | "error";

/** Writes one line to stderr. */
export type Log = (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>) => void;

/** Log lines on a stream, which is stderr of the process: stdout carries only the `ready` line. */
export function createLog(format: LogFormat, stream: NodeJS.WritableStream): Log {
  return (level, message, facts = {}) => {
    const time = new Date().toISOString();
    if (format === "json") {
      stream.write(`${JSON.stringify({ time, level, module: "devnet-el", message, ...facts })}\n`);
      return;
    }
    const rest = Object.entries(facts).map(([name, value]) => ` ${name}=${String(value)}`);
    stream.write(`${time} ${level.toUpperCase().padEnd(5)} ${message}${rest.join("")}\n`);
  };
}
