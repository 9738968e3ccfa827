import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { connection } from './client';
import { type Asked, asked, edge, joined, type Next, next, nothing, type Page, places, replaced, type Stretch } from './stretch';
import { useStore } from './store';

/** The part of a long list that somebody looks at, and what lies about it. */
export type Look<T> = {
  /** How many places the list has, as far as is known. */
  count: number;
  at: (place: number) => T | undefined;
  loading: boolean;
  /** Whether some of its items were read, if it has any. */
  known: boolean;
  error?: unknown;
  /** By how many places the items were moved in all. */
  moved: number;
  /** Whether all that is in sight lies in the first or the last page, so that a reload shows who joined and left. */
  atEdge: boolean;
  look: (from: number, to: number) => void;
  reload: () => Promise<void>;
  replace: (newer: readonly T[]) => void;
};

/**
 * Reads of a long list what somebody looks at, from either end of it, and keeps a few thousand items about that.
 * The list is said to have so many items as are expected; of another list, the component has another key.
 */
export function useStretch<T extends { id: string }>(read: (asked: Asked) => Promise<Page<T>>, expected: number): Look<T> {
  const [stretch, setStretch] = useState<Stretch<T>>(nothing);
  const [seen, setSeen] = useState({ from: 0, to: 0 });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const reading = useRef<symbol>(undefined); // the read that counts: those that it overtook change nothing

  const load = useCallback(async (from: Stretch<T>, what: Next, expected: number) => {
    const mine = Symbol(what);
    reading.current = mine;
    setBusy(true);
    try {
      const page = await read(asked(from, what));
      if (mine !== reading.current) return;
      setError(undefined);
      setStretch((before) => joined(before, what, page, expected));
    } catch (problem) {
      if (mine === reading.current) setError(problem);
    } finally {
      if (mine === reading.current) {
        reading.current = undefined;
        setBusy(false);
      }
    }
  }, [read]);
  useEffect(() => () => { reading.current = undefined; }, []);

  const wanted = error === undefined && !busy ? next(stretch, expected, seen.from, seen.to) : undefined;
  useEffect(() => {
    if (wanted !== undefined && reading.current === undefined) void load(stretch, wanted, expected);
    // The same page is wanted for as long as the stretch is the same.
  }, [wanted, stretch]);

  const items = useMemo(() => stretch.pages.flatMap(({ nodes }) => nodes), [stretch]);
  const at = useCallback((place: number) => items[place - stretch.start], [items, stretch.start]);
  const look = useCallback((from: number, to: number) => setSeen((before) => before.from === from && before.to === to ? before : { from, to }), []);
  const replace = useCallback((newer: readonly T[]) => setStretch((before) => replaced(before, newer)), []);
  const end = edge(stretch, seen.from, seen.to);
  const reload = useCallback(() => load(stretch, end ?? 'first', expected), [load, stretch, end, expected]);

  // What could not be read while the server was away is read when it is back.
  const present = useStore(connection) === 'open';
  const failed = error !== undefined;
  useEffect(() => {
    if (present && failed) void reload();
    // Only the server's return counts: an error that comes while it is there would come again.
  }, [present]);
  return { count: places(stretch, expected), at, loading: busy || stretch.pages.length === 0, known: items.length > 0, error, moved: stretch.moved, atEdge: end !== undefined, look, reload, replace };
}
