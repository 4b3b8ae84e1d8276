/** Numbers and times as a person reads them. */

/** 83.4 -> "83.4 ms", 12345.6 -> "12.346 s", 75000 -> "1 min 15.0 s". */
export function duration(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${trimmed(ms, ms < 100 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1000, ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${trimmed((ms % 60_000) / 1000, 1)} s`;
}

/** A point of virtual time, to the millisecond: "12.346 s", "2:05.300". */
export function moment(ms: number): string {
  const sign = ms < 0 ? "-" : "";
  const abs = Math.abs(ms);
  if (abs < 60_000) return `${sign}${(abs / 1000).toFixed(3)} s`;
  const seconds = (abs % 60_000) / 1000;
  return `${sign}${Math.floor(abs / 60_000)}:${seconds.toFixed(3).padStart(6, "0")}`;
}

export function trimmed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** 1234567 -> "1 234 567", with thin spaces that do not break. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function byteCount(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${trimmed(bytes / 1000, 1)} kB`;
  return `${trimmed(bytes / 1_000_000, 1)} MB`;
}

/** "1 round", "3 rounds". */
export function plural(value: number, word: string, many = `${word}s`): string {
  return `${count(value)} ${value === 1 ? word : many}`;
}

/** "a", "a and b", "a, b and c"; beyond `most` "a, b and 7 more". */
export function listed(items: readonly string[], most = 6): string {
  if (items.length > most)
    return `${items.slice(0, most - 1).join(", ")} and ${items.length - most + 1} more`;
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
