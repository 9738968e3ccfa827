import { expect, test } from 'vitest';

import { backoff, isRefusal } from './retry';

test.each([[0, 0, 125], [0, 1, 250], [3, 0, 1000], [40, 1, 5000]])('attempt %d waits', (attempt, random, want) => {
  expect(backoff(attempt, random)).toBe(want);
});

test.each([[{ code: 4401 }, true], [{ code: 4403 }, true], [{ code: 1012 }, false], [new Error('x'), false], [null, false]])('%o', (event, want) => {
  expect(isRefusal(event)).toBe(want);
});
