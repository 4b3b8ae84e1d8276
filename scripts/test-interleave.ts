/**
 * Two runs of Node's test runner at a time, told as one: its reporters take events for those of a single run, so what one
 * suite says must stay together.
 */

/** An event of Node's test runner, as `run()` yields it. */
export interface TestEvent {
  readonly type: string;
  readonly data: unknown;
}

/** A top-level suite or test begins (1) or has ended (-1), or neither. */
function floor({ type, data }: TestEvent): 1 | 0 | -1 {
  const { nesting } = (data ?? {}) as { nesting?: unknown };
  if (nesting !== 0) return 0;
  if (type === "test:start") return 1;
  return type === "test:pass" || type === "test:fail" ? -1 : 0;
}

/**
 * The events of all runs, each top-level suite's in one piece: a run whose suite is speaking keeps the floor until the
 * suite ends, and what the others say meanwhile is held back. The earlier in the list goes first.
 * @throws what a run throws, after the events that it had yielded.
 */
export async function* interleave(runs: readonly AsyncIterable<TestEvent>[]): AsyncGenerator<TestEvent> {
  const speakers = runs.map(() => ({ held: [] as TestEvent[], ended: false, failure: null as unknown }));
  let wake = (): void => undefined;
  let owner: (typeof speakers)[number] | null = null;
  runs.forEach(async (run, i) => {
    const speaker = speakers[i];
    if (speaker === undefined) return;
    try {
      for await (const event of run) {
        speaker.held.push(event);
        wake();
      }
    } catch (error) {
      speaker.failure = { error };
    }
    speaker.ended = true;
    wake();
  });
  for (;;) {
    const speaker: (typeof speakers)[number] | undefined =
      owner ?? speakers.find(({ held }) => held.length > 0);
    const event = speaker?.held.shift();
    if (speaker !== undefined && event !== undefined) {
      const change = floor(event);
      if (change !== 0) owner = change === 1 ? speaker : null;
      yield event;
      continue;
    }
    const failed = speakers.find(
      ({ ended, failure, held }) => ended && failure !== null && held.length === 0,
    );
    if (failed !== undefined) throw (failed.failure as { error: unknown }).error;
    if (owner?.ended === true) owner = null;
    else if (speakers.every(({ ended, held }) => ended && held.length === 0)) return;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
