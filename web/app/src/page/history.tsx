import { useApolloClient } from '@apollo/client/react';
import { Button, SegmentedControl, Skeleton, Tabs } from '@mantine/core';
import { type ReactNode, useCallback } from 'react';
import { useSearchParams } from 'wouter';

import { type GroupLineFragment, GroupsDocument, RevisionDocument, type TaskLineFragment, TasksDocument } from '../api.gen';
import { type Pages, usePages } from '../live/pages';
import { useSteady } from '../live/steady';
import { Empty } from '../part/empty';
import { Problem } from '../part/problem';
import { filters } from '../part/state';
import { PageTitle } from '../part/title';
import { GroupLine, TaskLine } from '../part/work';
import { useSubscription } from '@apollo/client/react';

/** All groups and tasks, newest first. */
export default function History() {
  const [search, setSearch] = useSearchParams();
  const kind = search.get('of') === 'tasks' ? 'tasks' : 'groups';
  const chosen = search.get('show') ?? 'all';
  return (
    <>
      <PageTitle title="Work" about="Everything that was asked for, newest first" />
      <div className="panel">
        <Tabs value={kind} onChange={(of) => setSearch(of === 'tasks' ? { of } : {}, { replace: true })}>
          <Tabs.List mb="md">
            <Tabs.Tab value="groups">Groups</Tabs.Tab>
            <Tabs.Tab value="tasks">Tasks</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="groups">{kind === 'groups' && <Groups />}</Tabs.Panel>
          <Tabs.Panel value="tasks">
            {kind === 'tasks' && (
              <>
                <SegmentedControl size="xs" mb="md" value={chosen} aria-label="Which tasks"
                  onChange={(show) => setSearch({ of: 'tasks', show }, { replace: true })}
                  data={Object.entries(filters).map(([value, { label }]) => ({ value, label }))} />
                <Tasks key={chosen} show={chosen} />
              </>
            )}
          </Tabs.Panel>
        </Tabs>
      </div>
    </>
  );
}

function Groups() {
  const client = useApolloClient();
  const read = useCallback(async (after: string | undefined) => {
    const { data } = await client.query({ query: GroupsDocument, variables: { after }, fetchPolicy: 'network-only' });
    return data!.taskGroups;
  }, [client]);
  const pages = usePages<GroupLineFragment>(read);
  useNewest(pages);
  return <Lines pages={pages} empty={<Empty title="No groups yet">A mirror, or work on several repositories, makes one.</Empty>} line={(group) => <GroupLine key={group.id} group={group} />} />;
}

function Tasks({ show }: { show: string }) {
  const client = useApolloClient();
  const read = useCallback(async (after: string | undefined) => {
    const { states, finished } = filters[show] ?? {};
    const { data } = await client.query({ query: TasksDocument, variables: { filter: { states, finished }, after }, fetchPolicy: 'network-only' });
    return data!.tasks;
  }, [client, show]);
  const pages = usePages<TaskLineFragment>(read);
  useNewest(pages);
  return <Lines pages={pages} empty={<Empty title="No tasks here">Sync, publish or mirror a repository to make some.</Empty>} line={(task) => <TaskLine key={task.id} task={task} />} />;
}

/** Keeps the beginning of a list up to date; who reads further down is left in peace. */
function useNewest<T extends { id: string }>(pages: Pages<T>) {
  const { data } = useSubscription(RevisionDocument);
  useSteady(data?.queue.counts.revision, 1000, async () => {
    if (data && pages.items.length <= 50) pages.reload();
  });
}

function Lines<T>({ pages, line, empty }: { pages: Pages<T>; line: (item: T) => ReactNode; empty: ReactNode }) {
  if (pages.error !== undefined) return <Problem error={pages.error} onRetry={pages.reload} />;
  if (pages.items.length === 0) return pages.loading ? <Skeleton height={240} aria-label="Loading" /> : empty;
  return (
    <>
      <ul className="lines">{pages.items.map(line)}</ul>
      {pages.hasMore && <Button mt="md" variant="default" loading={pages.loading} onClick={pages.more}>Show more</Button>}
    </>
  );
}
