import { useCallback, useEffect, useRef, useState } from 'react';

import { connection } from './client';
import { type Known, type ListPage, renewed } from './known';
import { useStore } from './store';

/** Items of a list that is read page by page. */
export type Pages<T> = {
  items: readonly T[];
  loading: boolean;
  error?: unknown;
  hasMore: boolean;
  more: () => void;
  reload: () => void;
  replace: (newer: readonly T[]) => void;
  /** Takes a newer beginning of the list. Who reads further down keeps what is there, with the items that are newer. */
  renew: (page: ListPage<T>) => void;
};

/** Reads a list page by page, as far as it is asked for. What read does may not change from one rendering to the next but with the list. */
export function usePages<T extends { id: string }>(read: (after: string | undefined) => Promise<ListPage<T>>): Pages<T> {
  const [state, setState] = useState<Known<T> & { error?: unknown }>({ items: [], ended: false });
  const [loading, setLoading] = useState(true);
  const run = useRef(0); // of which reads that are overtaken know nothing
  const busy = useRef(false);

  const load = useCallback(async (after: string | undefined) => {
    const mine = ++run.current;
    busy.current = true;
    setLoading(true);
    try {
      const page = await read(after);
      if (mine !== run.current) return;
      setState(({ items }) => ({
        items: after === undefined ? page.nodes : [...items, ...page.nodes],
        next: page.pageInfo.endCursor ?? undefined,
        ended: !page.pageInfo.hasNextPage,
      }));
    } catch (error) {
      if (mine === run.current) setState((before) => ({ ...before, error }));
    } finally {
      if (mine === run.current) {
        busy.current = false;
        setLoading(false);
      }
    }
  }, [read]);

  useEffect(() => {
    void load(undefined);
    return () => { run.current++; };
  }, [load]);

  const more = useCallback(() => {
    if (!busy.current && !state.ended && state.error === undefined) void load(state.next);
  }, [load, state.ended, state.next, state.error]);

  const replace = useCallback((newer: readonly T[]) => {
    const byId = new Map(newer.map((item) => [item.id, item]));
    setState((before) => ({ ...before, items: before.items.map((item) => byId.get(item.id) ?? item) }));
  }, []);

  const renew = useCallback((page: ListPage<T>) => {
    run.current++; // what is being read is older
    busy.current = false;
    setLoading(false);
    setState((before) => renewed(before, page));
  }, []);

  const reload = useCallback(() => void load(undefined), [load]);

  // What could not be read while the server was away is read when it is back.
  const present = useStore(connection) === 'open';
  const failed = state.error !== undefined;
  useEffect(() => {
    if (present && failed) reload();
    // Only the server's return counts: an error that comes while it is there would come again.
  }, [present]);
  return { items: state.items, error: state.error, loading, hasMore: !state.ended, more, reload, replace, renew };
}
