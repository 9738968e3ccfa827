import { useApolloClient } from '@apollo/client/react';
import { Skeleton, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useRef } from 'react';

import { type MemberFragment, MembersDocument, MembersNowDocument, type TaskState } from '../api.gen';
import { usePages } from '../live/pages';
import { useSteady } from '../live/steady';
import { Line, State } from './bar';
import { Empty } from './empty';
import { Problem } from './problem';
import { done, waitsFor } from './state';
import { count } from './text';
import { To, WhenTask } from './work';

type Props = { group: string; states?: TaskState[]; finished?: boolean; revision: number; total: number };

/**
 * The members of a group, of which only those in sight are drawn and kept up to date. They are read as far
 * as somebody scrolls, and are not kept after the page: a hundred thousand would only grow the cache.
 */
export function Members({ group, states, finished, revision, total }: Props) {
  const client = useApolloClient();
  const read = useCallback(async (after: string | undefined) => {
    const { data } = await client.query({ query: MembersDocument, variables: { id: group, states, finished, after }, fetchPolicy: 'no-cache' });
    if (!data?.taskGroup) throw new Error(`${group} is not there any more.`);
    return data.taskGroup.tasks;
  }, [client, group, states, finished]);
  const { items, loading, error, hasMore, more, reload, replace } = usePages<MemberFragment>(read);

  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useMediaQuery('(max-width: 48rem)') ?? false;
  const height = narrow ? 72 : 48;
  const rows = useVirtualizer({
    count: items.length + (hasMore ? 1 : 0),
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
  });
  useEffect(() => rows.measure(), [rows, height]);
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= items.length - 20) more();
  }, [last, items.length, more]);

  // Whoever looks at the beginning of a filtered list sees who joins and leaves it.
  const filtered = states !== undefined || finished !== undefined;
  useSteady(revision, 1000, async () => {
    if (filtered && items.length <= 100) return reload();
    const ids = shown.map(({ index }) => items[index]).filter((member) => member && !member.finished).map((member) => member!.id);
    if (ids.length === 0) return;
    const { data } = await client.query({ query: MembersNowDocument, variables: { ids: ids.slice(0, 100) }, fetchPolicy: 'no-cache' });
    replace((data?.nodes ?? []).filter((node) => node?.__typename === 'Task'));
  });

  if (error !== undefined) return <Problem error={error} onRetry={reload} />;
  if (!loading && items.length === 0) return <Empty title={total === 0 ? 'The group has no members' : 'No member is like that'}>{total === 0 && 'What selected them matched nothing.'}</Empty>;
  if (items.length === 0) return <Skeleton height={320} aria-label="Loading" />;
  return (
    <div ref={scroller} className="members" tabIndex={0} role="region" aria-label="Members, a list that scrolls">
      <div role="list" style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {shown.map(({ index, start, key }) => {
          const member = items[index];
          return member
            ? <Member key={member.id} member={member} top={start} position={index + 1} total={filtered ? -1 : total} />
            : <div key={key} className="member aside" role="listitem" style={{ transform: `translateY(${start}px)` }}>Reading more…</div>;
        })}
      </div>
    </div>
  );
}

const Member = memo(function Member({ member, top, position, total }: { member: MemberFragment; top: number; position: number; total: number }) {
  const share = done(member.progress);
  const report = member.reports.at(-1);
  const note = member.error?.message ?? waitsFor(member) ?? (report && member.state === 'RUNNING'
    ? `${report.message}${report.unit === 'ITEMS' && report.total != null ? `: ${count(report.done)} of ${count(report.total)}` : ''}` : '');
  return (
    <div className="member" role="listitem" aria-posinset={position} aria-setsize={total} style={{ transform: `translateY(${top}px)` }} data-member={member.id}>
      <State state={member.state} />
      <span><To id={member.id}>{member.name}</To></span>
      <div className="what">
        <Text size="sm" c="dimmed" truncate title={note}>{note}</Text>
        {!member.finished && share !== undefined && <Line share={share} label={`${member.name}, done`} state={member.state} />}
      </div>
      <span className="aside numbers last"><WhenTask task={member} /></span>
    </div>
  );
});
