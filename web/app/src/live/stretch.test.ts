import { expect, test } from 'vitest';

import { asked, edge, joined, kept, most, type Next, next, nothing, type Page, places, type Stretch } from './stretch';

/** A server with a list of so many items, which reads what is wanted. */
function server(total: number) {
  const page = (from: number, to: number): Page<number> => ({
    nodes: Array.from({ length: to - from }, (_, i) => from + i),
    pageInfo: {
      hasNextPage: to < total, hasPreviousPage: from > 0,
      startCursor: from < to ? String(from) : null, endCursor: from < to ? String(to - 1) : null,
    },
  });
  return (stretch: Stretch<number>, read: Next): Page<number> => {
    const { first, after, last, before } = asked(stretch, read);
    if (first !== undefined) {
      const from = after === undefined ? 0 : Number(after) + 1;
      return page(from, Math.min(total, from + first));
    }
    const to = before === undefined ? total : Number(before);
    return page(Math.max(0, to - last!), to);
  };
}

/** Looks at places until all of them are there, also if they are moved, and tells how many pages were read. */
function look(stretch: Stretch<number>, total: number, expected: number, from: number, to: number): [Stretch<number>, number] {
  const read = server(total);
  for (let n = 0; ; n++) {
    const wanted = next(stretch, expected, from, to);
    if (wanted === undefined) return [stretch, n];
    if (n === 1000) throw new Error('it never ends');
    const { moved } = stretch;
    stretch = joined(stretch, wanted, read(stretch, wanted), expected);
    from += stretch.moved - moved;
    to += stretch.moved - moved;
  }
}

const shown = (stretch: Stretch<number>, place: number) => stretch.pages.flatMap(({ nodes }) => nodes)[place - stretch.start];

test('the end of a long list is one page away, and so is its beginning', () => {
  let [stretch, pages] = look(nothing, 100_000, 100_000, 0, 20);
  expect([pages, places(stretch, 100_000), shown(stretch, 20)]).toEqual([1, 100_000, 20]);
  [stretch, pages] = look(stretch, 100_000, 100_000, 99_980, 99_999);
  expect([pages, places(stretch, 100_000), shown(stretch, 99_999), shown(stretch, 99_980)]).toEqual([1, 100_000, 99_999, 99_980]);
  [stretch, pages] = look(stretch, 100_000, 100_000, 0, 20);
  expect([pages, shown(stretch, 0)]).toEqual([1, 0]);
});

test('who scrolls finds every item in its place, and no more is kept than a few thousand', () => {
  let stretch: Stretch<number> = nothing;
  for (const places of [Array.from({ length: 1000 }, (_, i) => i * 10), Array.from({ length: 1000 }, (_, i) => 9990 - i * 10)]) {
    for (const place of places) {
      [stretch] = look(stretch, 10_000, 10_000, place, Math.min(place + 20, 9999));
      expect(shown(stretch, place)).toBe(place);
      expect(stretch.pages.length).toBeLessThanOrEqual(kept);
    }
  }
  expect(stretch.moved).toBe(0);
});

test('the middle of a list is reached from what is nearest', () => {
  const [start] = look(nothing, 10_000, 10_000, 0, 20);
  const [stretch, pages] = look(start, 10_000, 10_000, 8_000, 8_020);
  expect([shown(stretch, 8_000), pages]).toEqual([8_000, 21]);
});

test.each([0, 1, 99, 100, 101, 250])('a list of %d items that was said to be longer', (total) => {
  let [stretch] = look(nothing, total, 1000, 980, 999); // which begins with the first page
  for (let place = places(stretch, 1000) - 1; place >= 0; place -= 50) [stretch] = look(stretch, total, 1000, Math.max(0, place - 20), place);
  [stretch] = look(stretch, total, 1000, 0, 20);
  expect([places(stretch, 1000), stretch.start, shown(stretch, 0)]).toEqual([total, 0, total ? 0 : undefined]);
});

test('a list that was said to be shorter moves when there is more before it', () => {
  let [stretch] = look(nothing, 1000, 300, 0, 20);
  stretch = joined(stretch, 'last', server(1000)(stretch, 'last'), 300);
  expect([stretch.start, shown(stretch, 299), stretch.moved]).toEqual([200, 999, 0]);
  [stretch] = look(stretch, 1000, 300, 200, 220);
  [stretch] = look(stretch, 1000, 300, 100, 120);
  expect([stretch.start, stretch.moved]).toEqual([100, 100]);
});

test('a list that grows at its end goes on', () => {
  let [stretch] = look(nothing, 50, 50, 0, 20);
  expect(places(stretch, 50)).toBe(50);
  [stretch] = look(stretch, 120, 120, 40, 60);
  expect(places(stretch, 120)).toBe(120);
});

test('a list that is believed to have grown, and then grows, has each item once', () => {
  let [stretch] = look(nothing, 8, 7, 0, 8); // read when it had one more than it was said to have
  [stretch] = look(stretch, 8, 8, 0, 8); // after which nothing comes
  [stretch] = look(stretch, 9, 9, 0, 8);
  expect(stretch.pages.flatMap(({ nodes }) => nodes)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a list that has nothing more before it begins there', () => {
  const [stretch] = look(nothing, 300, 300, 280, 299);
  const page = { nodes: [], pageInfo: { hasNextPage: true, hasPreviousPage: false } }; // what was before it is gone
  const begun = joined(stretch, 'before', page, 300);
  expect([begun.start, next(begun, 300, 0, 20), shown(begun, 0)]).toEqual([0, undefined, shown(stretch, stretch.start)]);
});

test('a list that is longer than can be drawn has both its ends', () => {
  let [stretch] = look(nothing, 1_000_000, 1_000_000, 0, 20);
  expect(places(stretch, 1_000_000)).toBe(most);
  [stretch] = look(stretch, 1_000_000, 1_000_000, most - 20, most - 1);
  expect([shown(stretch, most - 1), places(stretch, 1_000_000)]).toEqual([999_999, most]);
});

test('whoever looks at an end of a list sees it anew with one page, however much of it was read', () => {
  let [stretch] = look(nothing, 9, 9, 0, 8);
  [stretch] = look(stretch, 12, 12, 0, 8); // three more came, not all of which belong at the end
  expect([stretch.pages.length, edge(stretch, 0, 11)]).toEqual([2, 'first']);
  [stretch] = look(nothing, 100_000, 100_000, 0, 20);
  expect([edge(stretch, 0, 20), edge(stretch, 90, 110)]).toEqual(['first', undefined]);
  [stretch] = look(stretch, 100_000, 100_000, 99_980, 99_999);
  expect([edge(stretch, 99_980, 99_999), edge(stretch, 99_890, 99_910)]).toEqual(['last', undefined]);
});
