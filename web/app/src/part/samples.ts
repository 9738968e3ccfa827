import type { AlignedData } from 'uplot';

import { count, several } from './text';

/** What is known of an instant: what waited and ran then, and what ended since the one before. */
export type Sample = { at: string; waiting: number; running: number; completed: number; failed: number };

/** What the chart draws: times in seconds; how many tasks wait and run; how many ended each second since the sample before. */
export function chartData(samples: Sample[]): AlignedData {
  const times = samples.map(({ at }) => Date.parse(at) / 1000);
  const rate = (amount: (sample: Sample) => number) => samples.map((sample, i) => {
    const seconds = i > 0 ? times[i]! - times[i - 1]! : 0;
    return seconds > 0 ? amount(sample) / seconds : null;
  });
  return [
    times,
    samples.map(({ waiting }) => waiting),
    samples.map(({ running }) => running),
    rate(({ completed }) => completed),
    rate(({ failed }) => failed),
  ];
}

/** From when until when the chart goes, in seconds: five minutes at least, so that a few samples do not look like much. */
export function span(first: number, last: number): [number, number] {
  return [Math.min(first, last - 300), last];
}

/** The times of the chart's ticks, as the reader's language tells them, with seconds only where ticks are that near. */
export function clock(ticks: readonly number[]): string[] {
  const timeStyle = ticks.every((tick) => tick % 60 === 0) ? 'short' : 'medium';
  return ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString(undefined, { timeStyle }));
}

/** The chart in words. */
export function summary(samples: Sample[]): string {
  const last = samples.at(-1);
  if (!last) return 'No samples yet';
  const ended = samples.reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  const most = Math.max(...samples.map(({ waiting }) => waiting));
  return `${count(last.waiting)} waiting and ${count(last.running)} running at last; ${several(ended, 'task')} ended since ${new Date(samples[0]!.at).toLocaleTimeString()}; at most ${count(most)} waited`;
}
