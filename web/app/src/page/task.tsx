import { useMutation } from '@apollo/client/react';
import { Alert, Anchor, Skeleton, Table, Text } from '@mantine/core';
import { useLocation } from 'wouter';

import { CancelDocument, RetryDocument, TaskDocument, type TaskSubscription } from '../api.gen';
import { useFrames } from '../live/frames';
import { useMay } from '../live/viewer';
import { Line, State } from '../part/bar';
import { BusyButton } from '../part/busybutton';
import { Numbers } from '../part/numbers';
import { Problem } from '../part/problem';
import { remedy, waitsFor } from '../part/state';
import { bytes, count, several } from '../part/text';
import { PageTitle } from '../part/title';
import { addressOf, TaskLine, To } from '../part/work';
import type { PageProps } from '../routes';

type Task = TaskSubscription['task'];

/** A task, live: how far it is, what it waits for, what it made, or why it failed. */
export default function TaskPage({ id }: PageProps) {
  const { data, error, restart } = useFrames(TaskDocument, { id });
  if (error) return <><PageTitle title={id} /><Problem error={error} onRetry={restart} /></>;
  if (!data) return <><PageTitle title={id} /><Skeleton height={480} radius="md" aria-label="Loading" /></>;
  return <Present task={data.task} />;
}

function Present({ task }: { task: Task }) {
  return (
    <>
      <PageTitle title={task.name} about={<About task={task} />}><Actions task={task} /></PageTitle>
      <div className="stack">
        {task.error && <Failure error={task.error} />}
        {task.state === 'WAITING' && <Waiting task={task} />}
        <section className="panel" aria-label="Progress">
          {task.reports.length > 0 && <Reports reports={task.reports} task={task} />}
          <Numbers work={task} />
        </section>
        {task.created.length > 0 && (
          <section className="panel" aria-labelledby="created">
            <h2 id="created">Made</h2>
            <ul className="lines">{task.created.map((made, i) => <li key={i}><Created made={made} /></li>)}</ul>
          </section>
        )}
        {task.reservations.length > 0 && <Reservations task={task} />}
        {task.spawned.nodes.length > 0 && (
          <section className="panel" aria-labelledby="spawned">
            <h2 id="spawned">Spawned{task.spawned.pageInfo.hasNextPage && ', the first 20'}</h2>
            <ul className="lines">{task.spawned.nodes.map((each) => <TaskLine key={each.id} task={each} />)}</ul>
          </section>
        )}
      </div>
    </>
  );
}

function About({ task }: { task: Task }) {
  return (
    <>
      <State state={task.state} /> · {task.id} · {task.kind}
      {task.priority !== 'NORMAL' && <> · {task.priority.toLowerCase()} priority</>}
      {task.group && <> · of <To id={task.group.id}>{task.group.name}</To></>}
      {task.parent && <> · spawned by <To id={task.parent.id}>{task.parent.name}</To></>}
      {task.attempt > 1 && <> · attempt {task.attempt}</>}
      {task.worker && <> · run by {task.worker.id} on {task.worker.host}</>}
      {task.retryOf && <> · retry of <To id={task.retryOf.id}>{task.retryOf.id}</To></>}
      {task.retries.nodes.map((retry) => <span key={retry.id}> · retried as <To id={retry.id}>{retry.id}</To></span>)}
    </>
  );
}

function Failure({ error }: { error: NonNullable<Task['error']> }) {
  const hint = remedy(error.code);
  return (
    <Alert color="var(--state-failed)" variant="outline" title={error.code === 'SKIPPED' ? 'It never ran' : 'It failed'} role="alert">
      <Text size="sm" className="wrap" style={{ whiteSpace: 'pre-line' }}>{error.message}</Text>
      {hint && <Text size="sm" mt="xs" c="dimmed">{hint}</Text>}
    </Alert>
  );
}

function Waiting({ task }: { task: Task }) {
  const blockers = task.blockedBy;
  return (
    <section className="panel" aria-labelledby="waiting">
      <h2 id="waiting">What it waits for</h2>
      {blockers.nodes.length === 0
        ? <Text size="sm">Nothing holds it up: it is {waitsFor(task)}.</Text>
        : (
          <>
            <ul className="lines">
              {blockers.nodes.map((blocker) => (
                <li key={blocker.id} className="line"><State state={blocker.state} /><span className="grow"><To id={blocker.id}>{blocker.name}</To></span><span className="aside">{blocker.id}</span></li>
              ))}
            </ul>
            {blockers.pageInfo.hasNextPage && <Text size="sm" c="dimmed" mt="xs">and more</Text>}
          </>
        )}
    </section>
  );
}

function Reports({ reports, task }: { reports: Task['reports']; task: Task }) {
  return (
    <ul className="lines">
      {reports.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt)).map((report) => {
        const amount = report.unit === 'BYTES' ? bytes : count;
        return (
          <li key={report.code}>
            <div className="line">
              <span className="grow">{report.message}</span>
              <span className="aside numbers">{amount(report.done)}{report.total != null && ` of ${amount(report.total)}`}</span>
            </div>
            {report.total != null && report.total > 0 && <Line share={Math.min(1, report.done / report.total)} label={report.message} state={task.state} />}
          </li>
        );
      })}
    </ul>
  );
}

function Reservations({ task }: { task: Task }) {
  return (
    <section className="panel" aria-labelledby="reservations">
      <h2 id="reservations">Reservations</h2>
      <div className="scroll" tabIndex={0} role="region" aria-labelledby="reservations">
        <Table>
          <Table.Thead><Table.Tr><Table.Th>Of</Table.Th><Table.Th>Kind</Table.Th><Table.Th>State</Table.Th><Table.Th>Held by</Table.Th><Table.Th>In line</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {task.reservations.map(({ resource, exclusive, granted, holders, waiting }) => (
              <Table.Tr key={resource}>
                <Table.Td>{resource}</Table.Td>
                <Table.Td>{exclusive ? 'exclusive' : 'shared'}</Table.Td>
                <Table.Td>{granted ? 'granted' : 'asked for'}</Table.Td>
                <Table.Td>{holders.map((holder) => holder.id === task.id ? <span key={holder.id}>this task </span> : <span key={holder.id}><To id={holder.id}>{holder.id}</To> </span>)}</Table.Td>
                <Table.Td>{several(waiting, 'task')}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </section>
  );
}

function Created({ made }: { made: Task['created'][number] }) {
  switch (made.__typename) {
    case 'RepositoryVersion': return <>Version {made.number} of <To id={made.repository.id}>{made.repository.name}</To></>;
    case 'Publication': return <>{made.id} of <To id={made.repository.id}>{made.repository.name}</To></>;
    case 'Distribution': return <>Served at <Anchor href={made.url} inherit>{made.url}</Anchor></>;
  }
}

function Actions({ task }: { task: Task }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [cancel, canceling] = useMutation(CancelDocument);
  const [retry, retrying] = useMutation(RetryDocument);
  const again = async () => {
    const { data } = await retry({ variables: { id: task.id } });
    if (data) go(addressOf(data.retry.id));
  };
  const problem = canceling.error ?? retrying.error;
  if (!may) return null;
  return (
    <>
      {!task.finished && (
        <BusyButton color="var(--state-failed)" variant="outline" busy={canceling.loading || task.state === 'CANCELING'}
          onClick={() => void cancel({ variables: { id: task.id } }).catch(() => undefined)}>Cancel</BusyButton>
      )}
      {task.finished && task.state !== 'COMPLETED' && (
        <BusyButton busy={retrying.loading} onClick={() => void again().catch(() => undefined)}>Retry</BusyButton>
      )}
      {problem && <Problem error={problem} />}
    </>
  );
}
