import { Anchor, Text } from '@mantine/core';
import { Link } from 'wouter';

import type { GroupLineFragment, TaskLineFragment } from '../api.gen';
import { Line, State, StatesBar } from './bar';
import { done } from './state';
import { between, count, duration } from './text';
import { Ago, useNow } from './time';

/** Where the page of anything with an id is. */
export function addressOf(id: string): string {
  if (id.startsWith('task-')) return `/tasks/${id}`;
  if (id.startsWith('group-')) return `/groups/${id}`;
  if (id.startsWith('distribution-')) return `/published/${id}`;
  if (id.startsWith('repository-')) return `/repositories/${id}`;
  return '/';
}

/** A link to the page of something. */
export function To({ id, children }: { id: string; children: React.ReactNode }) {
  return <Anchor component={Link} href={addressOf(id)} inherit className="wrap">{children}</Anchor>;
}

/** A task on a line, with what it does or why it failed. */
export function TaskLine({ task, note }: { task: TaskLineFragment; note?: string }) {
  const share = done(task.progress);
  return (
    <li>
      <div className="line">
        <State state={task.state} />
        <span className="grow"><To id={task.id}>{task.name}</To></span>
        <span className="aside numbers"><WhenTask task={task} /></span>
      </div>
      {task.state === 'RUNNING' && share !== undefined && <Line share={share} label={`${task.name}, done`} state={task.state} />}
      {note && <Text size="sm" c="dimmed">{note}</Text>}
      {task.error && <Text size="sm" c="dimmed" lineClamp={2} className="wrap">{task.error.message}</Text>}
    </li>
  );
}

/** How long a task runs, or when it ended. */
export function WhenTask({ task }: { task: Pick<TaskLineFragment, 'createdAt' | 'startedAt' | 'finishedAt'> }) {
  const now = useNow();
  if (task.finishedAt) return <Ago at={task.finishedAt} />;
  return <>{duration(between(task.startedAt ?? task.createdAt, null, now))}</>;
}

/** A group on a line, with its bar. */
export function GroupLine({ group }: { group: GroupLineFragment }) {
  return (
    <li>
      <div className="line">
        <State state={group.state} />
        <span className="grow"><To id={group.id}>{group.name}</To></span>
        <span className="aside numbers">{count(group.counts.finished)} of {count(group.counts.total)}, <Ago at={group.finishedAt ?? group.createdAt} /></span>
      </div>
      <StatesBar counts={group.counts} />
    </li>
  );
}
