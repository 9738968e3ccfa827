import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Steady } from './steady';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

test('many changes are few acts, and the last one is seen', async () => {
  let acts = 0;
  const steady = new Steady(1000, async () => { acts++; });
  for (let i = 0; i < 100; i++) {
    steady.poke();
    await vi.advanceTimersByTimeAsync(25);
  }
  expect(acts).toBe(3); // at 0, 1 and 2 s
  await vi.advanceTimersByTimeAsync(1000);
  expect(acts).toBe(4); // for what came after the one at 2 s
  await vi.advanceTimersByTimeAsync(10_000);
  expect(acts).toBe(4);
});

test('an act is never begun beside another one, nor after the end', async () => {
  let release = () => {};
  let acts = 0;
  const steady = new Steady(10, () => new Promise<void>((resolve) => { acts++; release = resolve; }));
  steady.poke();
  steady.poke();
  await vi.advanceTimersByTimeAsync(1000);
  expect(acts).toBe(1);
  release();
  await vi.advanceTimersByTimeAsync(20);
  expect(acts).toBe(2);
  steady.poke();
  steady.stop();
  release();
  await vi.advanceTimersByTimeAsync(1000);
  expect(acts).toBe(2);
});
