import { expect, test } from 'vitest';

import { chartData, clock, span, summary } from './samples';

const samples = [
  { at: '2026-11-01T12:00:00Z', waiting: 9, running: 1, completed: 5, failed: 0 },
  { at: '2026-11-01T12:00:10Z', waiting: 4, running: 2, completed: 20, failed: 1 },
];

test('what ended is drawn as a rate since the sample before', () => {
  expect(chartData(samples)).toEqual([[1793534400, 1793534410], [9, 4], [1, 2], [null, 2], [null, 0.1]]);
  expect(chartData([samples[0]!, samples[0]!])[3]).toEqual([null, null]);
});

test('the chart in words', () => {
  expect(summary([])).toBe('No samples yet');
  expect(summary(samples)).toMatch(/^4 waiting and 2 running at last; 26 tasks ended since .*; at most 9 waited$/);
});

test('ticks tell seconds where they need them', () => {
  expect(clock([0, 60, 120]).filter((time) => /\d\D\d\d\D\d\d/.test(time))).toEqual([]);
  expect(new Set(clock([0, 30, 60])).size).toBe(3);
});

test('the chart is never shorter than five minutes', () => {
  expect(span(1000, 1010)).toEqual([710, 1010]);
  expect(span(0, 1000)).toEqual([0, 1000]);
});
