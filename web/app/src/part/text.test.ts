import { describe, expect, test } from 'vitest';

import { between, bytes, count, duration, relative, several } from './text';

describe('bytes', () => {
  test.each([
    [0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 KB'], [1500, '1.5 KB'], [99_400, '99 KB'],
    [123_456, '123 KB'], [999_499, '999 KB'], [999_500, '1 MB'], [2_000_000_000, '2 GB'], [5e18, '5000 PB'],
  ])('%d is %s', (n, want) => expect(bytes(n)).toBe(want));
});

describe('duration', () => {
  test.each([
    [-1, '0 ms'], [0.34, '340 ms'], [1, '1 s'], [8.25, '8.3 s'], [59.4, '59 s'], [60, '1 min'], [200, '3 min 20 s'],
    [3600, '1 h'], [7500, '2 h 5 min'], [86_400, '24 h'], [200_000, '2 days'],
  ])('%d seconds are %s', (seconds, want) => expect(duration(seconds)).toBe(want));
});

test('counts have groups of digits', () => expect(count(100_000)).toBe('100,000'));

test.each([[0, '0 tasks'], [1, '1 task'], [1200, '1,200 tasks']])('%d as a number of tasks', (n, want) => {
  expect(several(n, 'task')).toBe(want);
});

test.each([[5000, '5 s ago'], [400, 'now'], [83_000, '1 min ago'], [7_500_000, '2 h ago'], [200_000_000, '2 days ago'], [-200_000, 'in 3 min 20 s']])('%d ms later', (later, want) => {
  expect(relative(1_000_000, 1_000_000 + later)).toBe(want);
});

test('work that goes on is measured until now', () => {
  expect(between('2026-11-01T12:00:00Z', null, Date.parse('2026-11-01T12:00:07Z'))).toBe(7);
  expect(between('2026-11-01T12:00:00Z', '2026-11-01T12:00:03.5Z', 0)).toBe(3.5);
});
