import { useSyncExternalStore } from 'react';

import { relative } from './text';

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, which changes every second. One timer serves the whole page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** An instant as a distance from now, with the instant itself for those who point at it. */
export function Ago({ at }: { at: string }) {
  const now = useNow();
  return <time dateTime={at} title={new Date(at).toLocaleString()}>{relative(Math.min(Date.parse(at), Math.max(now, Date.parse(at) - 500)), now)}</time>;
}
