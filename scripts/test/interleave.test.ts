import assert from "node:assert/strict";
import { test } from "node:test";
import { interleave, type TestEvent } from "../test-interleave.ts";

/** A run that yields an event when it is told to. */
function told() {
  const events: TestEvent[] = [];
  let wake = (): void => undefined;
  let ended: { readonly error?: Error } | null = null;
  return {
    say(type: string, name: string, nesting = 0): void {
      events.push({ type: `test:${type}`, data: { name, nesting } });
      wake();
    },
    end(error?: Error): void {
      ended = error === undefined ? {} : { error };
      wake();
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<TestEvent> {
      for (;;) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else if (ended?.error !== undefined) throw ended.error;
        else if (ended !== null) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}

function lines(merged: AsyncGenerator<TestEvent>) {
  const next = async (): Promise<string | undefined> => {
    const { value, done } = await merged.next();
    const { name } = (value?.data ?? {}) as { name?: string };
    return done === true ? undefined : `${value?.type.slice("test:".length)} ${name}`;
  };
  return {
    next,
    async all(): Promise<string[]> {
      const all: string[] = [];
      for (let line = await next(); line !== undefined; line = await next()) all.push(line);
      return all;
    },
  };
}

test("what one suite says stays together, the other run's is held back", async () => {
  const [a, b] = [told(), told()];
  const merged = lines(interleave([a, b]));
  b.say("start", "B");
  assert.equal(await merged.next(), "start B");
  a.say("start", "A");
  a.say("pass", "A");
  b.say("start", "B.1", 1);
  b.say("pass", "B.1", 1);
  b.say("fail", "B");
  a.end();
  b.end();
  assert.deepEqual(await merged.all(), ["start B.1", "pass B.1", "fail B", "start A", "pass A"]);
});

test("a run that ends in the middle of a suite leaves the floor to the other", async () => {
  const [a, b] = [told(), told()];
  const merged = lines(interleave([a, b]));
  a.say("start", "A");
  assert.equal(await merged.next(), "start A");
  b.say("start", "B");
  b.say("pass", "B");
  a.end();
  b.end();
  assert.deepEqual(await merged.all(), ["start B", "pass B"]);
});

test("what a run throws comes after what it had said, and is not lost", async () => {
  const [a, b] = [told(), told()];
  const merged = lines(interleave([a, b]));
  a.say("pass", "A");
  a.end(new Error("the runner broke"));
  b.end();
  assert.equal(await merged.next(), "pass A");
  await assert.rejects(merged.next(), /the runner broke/);
});
