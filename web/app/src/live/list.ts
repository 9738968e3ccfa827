import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useApolloClient, useSubscription } from '@apollo/client/react';
import { useCallback, useRef } from 'react';

import { RevisionDocument } from '../api.gen';
import type { ListPage } from './known';
import { type Pages, usePages } from './pages';
import { useSteady } from './steady';

/** Reads a list of the API page by page. What the variables say may change; that begins the list anew. Null where there is no such list is an error that names what is missing. */
export function useList<T extends { id: string }, Data, Variables extends OperationVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, 'after'>,
  take: (data: Data) => ListPage<T> | null | undefined,
): Pages<T> {
  const client = useApolloClient();
  const latest = useRef(take);
  latest.current = take;
  const said = JSON.stringify(variables);
  const read = useCallback(async (after: string | undefined) => {
    const { data } = await client.query({ query: document, variables: { ...JSON.parse(said), after } as Variables, fetchPolicy: 'network-only' });
    const page = data && latest.current(data as Data);
    if (!page) throw new Error('There is no such thing any more.');
    return page;
  }, [client, document, said]);
  return usePages(read);
}

/** A list whose first page is pushed as it changes: the subscription has the query's variables, but for the cursor. */
export function useLiveList<T extends { id: string }, Data, Variables extends OperationVariables, Pushed>(
  document: TypedDocumentNode<Data, Variables>,
  subscription: TypedDocumentNode<Pushed, NoInfer<Omit<Variables, 'after'>>>,
  variables: NoInfer<Omit<Variables, 'after'>>,
  take: (data: Data | Pushed) => ListPage<T>,
): Pages<T> {
  const pages = useList(document, variables, take);
  const { renew } = pages;
  useSubscription(subscription, {
    variables: variables as never,
    fetchPolicy: 'no-cache',
    ignoreResults: true,
    onData: ({ data: { data } }) => { if (data) renew(take(data as Pushed)); },
  });
  return pages;
}

/** Calls act when work begins or ends anywhere, at most every second. */
export function useWorkChanges(act: () => void) {
  const { data } = useSubscription(RevisionDocument, { fetchPolicy: 'no-cache' });
  const revision = data?.queue.counts.revision;
  useSteady(revision, 1000, async () => {
    if (revision !== undefined) act();
  });
}

/** Reads the beginning of a list again after something changed, at most every second; who reads further down is left in peace. */
export function useReload<T>(pages: Pages<T>, pageSize: number, changes: unknown) {
  const first = useRef(true);
  useSteady(changes, 1000, async () => {
    if (first.current) first.current = false; // which was read just now
    else if (pages.items.length <= pageSize) pages.reload();
  });
}

/** Keeps the beginning of a list up to date; who reads further down is left in peace. */
export function useNewest<T>(pages: Pages<T>, pageSize: number) {
  useWorkChanges(() => {
    if (pages.items.length <= pageSize) pages.reload();
  });
}
