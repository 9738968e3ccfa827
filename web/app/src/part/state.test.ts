import { expect, test } from 'vitest';

import { done, shares, waitsFor } from './state';

const none = { __typename: 'StateCounts' as const, waiting: 0, running: 0, completed: 0, failed: 0, canceling: 0, canceled: 0, skipped: 0, total: 0, finished: 0, unfinished: 0, revision: 1 };

test('shares come in the order of bars and leave out what is not there', () => {
  expect(shares({ ...none, waiting: 2, completed: 1, failed: 1, total: 4 })).toEqual([
    { state: 'COMPLETED', count: 1, percent: 25 },
    { state: 'FAILED', count: 1, percent: 25 },
    { state: 'WAITING', count: 2, percent: 50 },
  ]);
  expect(shares(none)).toEqual([]);
});

test.each([
  ['nothing known', [0, 0, 0, 0], undefined],
  ['items alone', [1, 4, 0, 0], 0.25],
  ['bytes before items', [1, 4, 50, 100], 0.5],
  ['more than there should be', [9, 4, 0, 0], 1],
])('done, with %s', (_name, [itemsDone, itemsTotal, bytesDone, bytesTotal], want) => {
  expect(done({ itemsDone: itemsDone!, itemsTotal: itemsTotal!, bytesDone: bytesDone!, bytesTotal: bytesTotal! })).toBe(want);
});

test('a task waits for what holds it up, then for its turn', () => {
  const waiting = { state: 'WAITING' as const, ahead: 0, blockedBy: { nodes: [] } };
  expect(waitsFor({ ...waiting, blockedBy: { nodes: [{ id: 'task-1', name: 'sync a' }] } })).toBe('waits for sync a (task-1)');
  expect(waitsFor({ ...waiting, ahead: 1200 })).toBe('behind 1,200 other tasks');
  expect(waitsFor({ ...waiting, ahead: 1 })).toBe('behind 1 other task');
  expect(waitsFor(waiting)).toBe('next for a free worker');
  expect(waitsFor({ ...waiting, state: 'RUNNING' })).toBeUndefined();
});
