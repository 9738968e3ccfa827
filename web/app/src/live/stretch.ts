/** A page of a list that can be read from both its ends. */
export type Page<T> = {
  nodes: readonly T[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor?: string | null; endCursor?: string | null };
};

/**
 * A stretch of a list: pages that follow each other, of which the first item is believed to be in the place start.
 * Where the list was read from its end, that is a guess until its beginning is reached.
 */
export type Stretch<T> = {
  pages: readonly Page<T>[];
  start: number;
  /** By how many places the items were moved in all, because a guess was wrong. */
  moved: number;
  /** How many items the list was said to have when its end was reached. */
  ended?: number;
};

/** What can be read next: the list's first or last page, or the page before or after the stretch. */
export type Next = 'first' | 'last' | 'before' | 'after';

/** How many items are read at a time. */
export const size = 100;

/** Items that lie beyond what is looked at, and are read all the same. */
const margin = 20;

/** How many pages a stretch has at most. Those at the other end of it are let go: they can be read again. */
export const kept = 50;

/** How many places are shown at most, as far as is known how many there are: no browser draws longer lists. */
export const most = 200_000;

export const nothing: Stretch<never> = { pages: [], start: 0, moved: 0 };

function length<T>({ pages }: Stretch<T>): number {
  return pages.reduce((sum, page) => sum + page.nodes.length, 0);
}

/** Whether items come after the stretch, in a list that is said to have so many. */
function goesOn<T>({ pages, ended }: Stretch<T>, expected: number): boolean {
  return (pages.at(-1)?.pageInfo.hasNextPage ?? true) || ended === undefined || expected > ended;
}

/** How many places a list has that is said to have so many items: where its end is known, what was said counts no more. */
export function places<T>(stretch: Stretch<T>, expected: number): number {
  const end = stretch.start + length(stretch);
  return goesOn(stretch, expected) ? Math.max(Math.min(expected, most), end + 1) : end;
}

/** What to read next, so that the places in sight can be filled, on the shortest way; nothing if they are. */
export function next<T>(stretch: Stretch<T>, expected: number, from: number, to: number): Next | undefined {
  const [first] = stretch.pages;
  if (first === undefined) return 'first';
  const end = stretch.start + length(stretch);
  const ways: [Next, number][] = [];
  if (goesOn(stretch, expected) && to >= end - margin) ways.push(['after', from - end], ['last', places(stretch, expected) - to]);
  if (first.pageInfo.hasPreviousPage && from < stretch.start + margin) ways.push(['before', stretch.start - to], ['first', from]);
  // What is in sight of the stretch is reached from there.
  return ways.map(([way, distance]): [Next, number] => [way, way === 'after' || way === 'before' ? Math.max(distance, 0) : distance + 2 * margin])
    .toSorted(([, a], [, b]) => a - b)[0]?.[0];
}

/** What a page of a connection is asked for by. */
export type Asked = { first?: number; after?: string; last?: number; before?: string };

/** How a page is asked for that is to be read next. */
export function asked<T>({ pages }: Stretch<T>, read: Next): Asked {
  switch (read) {
    case 'first': return { first: size };
    case 'last': return { last: size };
    case 'after': return { first: size, after: pages.at(-1)?.pageInfo.endCursor ?? undefined };
    case 'before': return { last: size, before: pages[0]?.pageInfo.startCursor ?? undefined };
  }
}

/** The page, at an end of the list, in which everything lies that is in sight: who reads it anew sees who joined and left. */
export function edge<T>(stretch: Stretch<T>, from: number, to: number): 'first' | 'last' | undefined {
  if (to < size) return 'first';
  if (stretch.pages.at(-1)?.pageInfo.hasNextPage === false && from >= stretch.start + length(stretch) - size) return 'last';
}

/** A page beside which the list was read, and was found to begin or to end there. */
function ending<T>(page: Page<T>, ends: Partial<Page<T>['pageInfo']>): Page<T> {
  return { ...page, pageInfo: { ...page.pageInfo, ...ends } };
}

/** The stretch with a page that was read, in a list that is said to have so many items. */
export function joined<T>(stretch: Stretch<T>, read: Next, page: Page<T>, expected: number): Stretch<T> {
  const { hasNextPage, hasPreviousPage } = page.pageInfo;
  const ended = hasNextPage ? undefined : expected;
  const { moved } = stretch;
  const empty = page.nodes.length === 0; // without cursors to read on from, so it is not kept beside others
  switch (read) {
    case 'first':
      return { pages: [page], start: 0, moved, ended };
    case 'last':
      return { pages: [page], start: hasPreviousPage ? Math.max(Math.min(expected, most) - page.nodes.length, page.nodes.length) : 0, moved, ended };
    case 'after': {
      const pages = empty ? stretch.pages.with(-1, ending(stretch.pages.at(-1)!, { hasNextPage })) : [...stretch.pages, page];
      const dropped = pages.splice(0, pages.length - kept).reduce((sum, { nodes }) => sum + nodes.length, 0);
      return { pages, start: stretch.start + dropped, moved, ended };
    }
    case 'before': {
      const believed = stretch.start - page.nodes.length;
      const start = hasPreviousPage ? Math.max(believed, page.nodes.length) : 0; // there must be places before it as long as there are items
      const pages = empty ? stretch.pages.with(0, ending(stretch.pages[0]!, { hasPreviousPage })) : [page, ...stretch.pages];
      return { pages: pages.slice(0, kept), start, moved: moved + start - believed, ended: pages.length > kept ? undefined : stretch.ended };
    }
  }
}

/** The stretch with newer ones of its items. */
export function replaced<T extends { id: string }>(stretch: Stretch<T>, newer: readonly T[]): Stretch<T> {
  const byId = new Map(newer.map((item) => [item.id, item]));
  return { ...stretch, pages: stretch.pages.map((page) => ({ ...page, nodes: page.nodes.map((item) => byId.get(item.id) ?? item) })) };
}
