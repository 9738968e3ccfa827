import { useMediaQuery } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useLayoutEffect, useRef } from 'react';

type Props = {
  label: string;
  /** How many rows there are, whether or not they are known yet. */
  count: number;
  /** By how many rows all of them were moved since the list came: who looks at one goes on looking at it. */
  moved?: number;
  onShown: (from: number, to: number) => void;
  /** A row of the list, which lies so many pixels below its top. */
  children: (index: number, top: number) => ReactNode;
};

/** A list that scrolls, of which only the rows in sight are drawn. */
export function Rows({ label, count, moved = 0, onShown, children }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useMediaQuery('(max-width: 48rem)') ?? false;
  const height = narrow ? 72 : 48; // as the style sheet has it
  const rows = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => height, overscan: 8 });
  useEffect(() => rows.measure(), [rows, height]);
  const before = useRef(moved);
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop += (moved - before.current) * height;
    before.current = moved;
  }, [moved, height]);
  const shown = rows.getVirtualItems();
  const from = shown[0]?.index ?? 0;
  const to = shown.at(-1)?.index ?? 0;
  useEffect(() => onShown(from, to), [onShown, from, to]);
  return (
    <div ref={scroller} className="members" tabIndex={0} role="region" aria-label={`${label}, a list that scrolls`}>
      <div role="list" style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {shown.map(({ index, start }) => children(index, start))}
      </div>
    </div>
  );
}

/** A row that is not known yet. */
export function Unread({ top }: { top: number }) {
  return <div className="member aside" role="listitem" style={{ transform: `translateY(${top}px)` }}>Reading more…</div>;
}
