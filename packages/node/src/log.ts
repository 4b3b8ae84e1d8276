import type { LogPort } from "@quorate/gossip";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** `info`, or per module: `consensus:debug,gossip:warn,*:info`. */
  readonly level: string;
  readonly format: "human" | "json";
  readonly write: (line: string) => void;
  /** Sees every warning and error, e.g. for the live table's last warning. */
  readonly tap?: (level: LogLevel, module: string, message: string) => void;
  readonly now: () => number;
}

/** Parses `level` of {@link LoggerOptions}; returns the text that is wrong, or the levels. */
export function parseLogLevel(
  text: string,
):
  | { readonly ok: true; readonly levels: ReadonlyMap<string, LogLevel> }
  | { readonly ok: false; readonly bad: string } {
  const levels = new Map<string, LogLevel>();
  for (const item of text.split(",")) {
    const [left, right] = item.trim().split(":");
    const module = right === undefined ? "*" : (left ?? "");
    const level = LOG_LEVELS.find((known) => known === (right ?? left));
    if (level === undefined || module === "") return { ok: false, bad: item };
    levels.set(module, level);
  }
  return { ok: true, levels };
}

/** A logger per module. A line never carries secrets: callers pass facts, not configuration objects. */
export function createLogger(options: LoggerOptions): (module: string) => LogPort {
  const parsed = parseLogLevel(options.level);
  const levels = parsed.ok ? parsed.levels : new Map<string, LogLevel>([["*", "info"]]);
  return (module) => {
    const minimum = LOG_LEVELS.indexOf(levels.get(module) ?? levels.get("*") ?? "info");
    const at =
      (level: LogLevel) =>
      (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
        if (level === "warn" || level === "error") options.tap?.(level, module, message);
        if (LOG_LEVELS.indexOf(level) < minimum) return;
        options.write(
          options.format === "json"
            ? jsonLine(options.now(), level, module, message, facts)
            : humanLine(options.now(), level, module, message, facts),
        );
      };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  };
}

function jsonLine(
  now: number,
  level: LogLevel,
  module: string,
  message: string,
  facts: Readonly<Record<string, unknown>>,
): string {
  const time = new Date(now).toISOString();
  return JSON.stringify({ time, level, module, message, ...plainFacts(facts) });
}

function humanLine(
  now: number,
  level: LogLevel,
  module: string,
  message: string,
  facts: Readonly<Record<string, unknown>>,
): string {
  const time = new Date(now).toISOString().slice(11, 23);
  const tail = Object.entries(plainFacts(facts))
    .map(
      ([key, value]) =>
        `${key}=${typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`,
    )
    .join(" ");
  return `${time} ${level.padEnd(5)} ${module.padEnd(10)} ${message}${tail === "" ? "" : ` ${tail}`}`;
}

/** Bytes as hex, bigint as decimal, errors as their message: a log line is always serialisable. */
function plainFacts(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, plain(value)]));
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Error) return value.message;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return value;
}
