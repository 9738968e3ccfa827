import { useApolloClient } from '@apollo/client/react';
import { Skeleton, Text } from '@mantine/core';
import { memo, useCallback, useRef } from 'react';

import { type MemberFragment, MembersDocument, MembersNowDocument, type TaskState } from '../api.gen';
import { useSteady } from '../live/steady';
import type { Asked } from '../live/stretch';
import { useStretch } from '../live/stretches';
import { Line, State } from './bar';
import { Empty } from './empty';
import { Problem } from './problem';
import { Rows, Unread } from './rows';
import { done, waitsFor } from './state';
import { count } from './text';
import { To, WhenTask } from './work';

type Props = {
  group: string;
  states?: TaskState[];
  finished?: boolean;
  revision: number;
  /** How many members the group has in all, and how many of them are listed. */
  total: number;
  listed: number;
};

/**
 * The members of a group, of which only those in sight are drawn and kept up to date. They are read where
 * somebody looks, from the beginning or from the end, and are not kept after the page: a hundred thousand would
 * only grow the cache.
 */
export function Members({ group, states, finished, revision, total, listed }: Props) {
  const client = useApolloClient();
  const read = useCallback(async (asked: Asked) => {
    const { data } = await client.query({ query: MembersDocument, variables: { id: group, states, finished, ...asked }, fetchPolicy: 'no-cache' });
    if (!data?.taskGroup) throw new Error(`${group} is not there any more.`);
    return data.taskGroup.tasks;
  }, [client, group, states, finished]);
  const list = useStretch<MemberFragment>(read, listed);
  const shown = useRef({ from: 0, to: -1 });
  const { look } = list;
  const onShown = useCallback((from: number, to: number) => {
    shown.current = { from, to };
    look(from, to);
  }, [look]);

  // Whoever looks at the beginning or the end of a filtered list sees who joins and leaves it.
  const filtered = states !== undefined || finished !== undefined;
  useSteady(revision, 1000, async () => {
    if (filtered && list.atEdge) return list.reload();
    const ids: string[] = [];
    for (let place = shown.current.from; place <= shown.current.to && ids.length < 100; place++) {
      const member = list.at(place);
      if (member && !member.finished) ids.push(member.id);
    }
    if (ids.length === 0) return;
    const { data } = await client.query({ query: MembersNowDocument, variables: { ids }, fetchPolicy: 'no-cache' });
    list.replace((data?.nodes ?? []).filter((node) => node?.__typename === 'Task'));
  });

  if (list.error !== undefined) return <Problem error={list.error} onRetry={list.reload} />;
  if (!list.loading && list.count === 0) return <Empty title={total === 0 ? 'The group has no members' : 'No member is like that'}>{total === 0 && 'What selected them matched nothing.'}</Empty>;
  if (!list.known) return <Skeleton height={320} aria-label="Loading" />;
  return (
    <Rows label="Members" count={list.count} moved={list.moved} onShown={onShown}>
      {(index, top) => {
        const member = list.at(index);
        return member ? <Member key={member.id} member={member} top={top} position={index + 1} total={filtered ? -1 : total} /> : <Unread key={index} top={top} />;
      }}
    </Rows>
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
