import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useSubscription } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';

/** What a subscription last told, or why it failed, and whether the server ended it: nothing more will come. */
export type Frames<Data> = { data?: Data; error?: unknown; ended?: boolean; restart: () => void };

/**
 * Subscribes to what may change more often than a screen is drawn: the newest frame is shown with the next drawing,
 * and those that nobody would see are passed over. They are not kept in the cache.
 */
export function useFrames<Data, Variables extends OperationVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Frames<Data> {
  const [shown, setShown] = useState<Omit<Frames<Data>, 'restart'>>({});
  const latest = useRef<Data>(undefined);
  const drawing = useRef(0);
  useEffect(() => () => cancelAnimationFrame(drawing.current), []);
  const { restart } = useSubscription(document, {
    variables: variables as never,
    fetchPolicy: 'no-cache',
    ignoreResults: true,
    onData: ({ data: { data } }) => {
      latest.current = data as Data | undefined;
      if (drawing.current !== 0) return;
      drawing.current = requestAnimationFrame(() => {
        drawing.current = 0;
        setShown({ data: latest.current });
      });
    },
    onError: (error) => setShown(({ data }) => ({ data, error })),
    onComplete: () => setShown((before) => ({ ...before, ended: true })),
  });
  return { ...shown, restart: () => { setShown({}); restart(); } };
}
