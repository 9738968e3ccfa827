import { Skeleton } from '@mantine/core';
import { type ReactNode, useRef } from 'react';

import type { Pages } from '../live/pages';
import { BusyButton } from './busybutton';
import { Problem } from './problem';

/** A list that is read page by page, in whichever state it is: being read, empty, not to be had, or there. */
export function Listing<T>({ pages, empty, children }: { pages: Pages<T>; empty: ReactNode; children: (items: readonly T[]) => ReactNode }) {
  const end = useRef<HTMLDivElement>(null);
  if (pages.error !== undefined) return <Problem error={pages.error} onRetry={pages.reload} />;
  if (pages.items.length === 0) return pages.loading ? <Skeleton height={240} aria-label="Loading" /> : empty;
  return (
    <>
      {children(pages.items)}
      <div ref={end} tabIndex={-1} />
      {pages.hasMore && <BusyButton next={end} mt="md" variant="default" busy={pages.loading} onClick={pages.more}>Show more</BusyButton>}
    </>
  );
}
