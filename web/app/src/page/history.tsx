import { SegmentedControl, Tabs } from '@mantine/core';
import { useSearchParams } from 'wouter';

import { GroupsDocument, TasksDocument } from '../api.gen';
import { useList, useNewest } from '../live/list';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { filters } from '../part/state';
import { PageTitle } from '../part/title';
import { GroupLine, TaskLine } from '../part/work';

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
  const pages = useList(GroupsDocument, {}, (data) => data.taskGroups);
  useNewest(pages, 50);
  return (
    <Listing pages={pages} empty={<Empty title="No groups yet">A mirror, or work on several repositories, makes one.</Empty>}>
      {(groups) => <ul className="lines">{groups.map((group) => <GroupLine key={group.id} group={group} />)}</ul>}
    </Listing>
  );
}

function Tasks({ show }: { show: string }) {
  const { states, finished } = filters[show] ?? {};
  const pages = useList(TasksDocument, { filter: { states, finished } }, (data) => data.tasks);
  useNewest(pages, 50);
  return (
    <Listing pages={pages} empty={<Empty title="No tasks here">Sync, publish or mirror a repository to make some.</Empty>}>
      {(tasks) => <ul className="lines">{tasks.map((task) => <TaskLine key={task.id} task={task} />)}</ul>}
    </Listing>
  );
}
