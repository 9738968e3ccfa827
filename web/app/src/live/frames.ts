import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useSubscription } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';

/** What a subscription last told, or why it ended. */
export type Frames<Data> = { data?: Data; error?: unknown; restart: () => void };

/**
 * Subscribes to what may change more often than a screen is drawn: the newest frame is shown with the next drawing,
 * and those that nobody would see are passed over. They are not kept in the cache.
 */
export function useFrames<Data, Variables extends OperationVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Frames<Data> {
  const [shown, setShown] = useState<{ data?: Data; error?: unknown }>({});
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
  });
  return { ...shown, restart: () => { setShown({}); restart(); } };
}
