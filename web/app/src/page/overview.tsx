import { Anchor, Skeleton, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Link } from 'wouter';

import { OverviewDocument, type OverviewSubscription } from '../api.gen';
import { useFrames } from '../live/frames';
import { useViewer } from '../live/viewer';
import { Empty } from '../part/empty';
import { Problem } from '../part/problem';
import { waitsFor } from '../part/state';
import { Storage } from '../part/storage';
import { count, duration, several } from '../part/text';
import { Ago, useNow } from '../part/time';
import { PageTitle } from '../part/title';
import { GroupLine, TaskLine } from '../part/work';

const Throughput = lazy(() => import('../part/throughput'));

type Queue = OverviewSubscription['queue'];

/** What goes on, pushed as it changes: of the repositories that who looks at it may see. */
export function Overview() {
  const viewer = useViewer();
  const { data, error, restart } = useFrames(OverviewDocument, {});
  return (
    <>
      <PageTitle title="Overview" about={viewer?.labels != null && `Of the repositories that you see: ${viewer.labels}`} />
      {error && <Problem error={error} onRetry={restart} />}
      {!error && (data ? <Present queue={data.queue} whole={viewer !== undefined && viewer.labels == null} /> : <Skeleton height={520} radius="md" aria-label="Loading" />)}
    </>
  );
}

/** What goes on, and if that is the whole, its history and what is stored. */
function Present({ queue, whole }: { queue: Queue; whole: boolean }) {
  return (
    <div className="stack">
      <Tiles queue={queue} />
      {whole && (
        <section className="panel" aria-labelledby="throughput">
          <h2 id="throughput">Queue and throughput</h2>
          <Suspense fallback={<Skeleton height={240} />}><Throughput samples={queue.throughput.samples} /></Suspense>
        </section>
      )}
      <div className="halves">
        <section className="panel" aria-labelledby="running">
          <h2 id="running">Running</h2>
          {queue.running.nodes.length > 0
            ? <ul className="lines">{queue.running.nodes.map((task) => <TaskLine key={task.id} task={task} />)}</ul>
            : <Empty title="Nothing runs">What is synced, published or mirrored shows here while it runs.</Empty>}
        </section>
        <section className="panel" aria-labelledby="groups">
          <h2 id="groups">Newest groups</h2>
          {queue.taskGroups.nodes.length > 0
            ? <ul className="lines">{queue.taskGroups.nodes.map((group) => <GroupLine key={group.id} group={group} />)}</ul>
            : <Empty title="No work yet">A mirror, or work on several repositories, makes a group that can be followed here.</Empty>}
        </section>
        <section className="panel" aria-labelledby="waiting">
          <h2 id="waiting">Waiting longest</h2>
          {queue.waiting.nodes.length > 0
            ? <ul className="lines">{queue.waiting.nodes.toReversed().map((task) => <TaskLine key={task.id} task={task} note={waitsFor(task)} />)}</ul>
            : <Empty title="Nothing waits" />}
        </section>
        <section className="panel" aria-labelledby="failed">
          <h2 id="failed">Last failures</h2>
          {queue.failed.nodes.length > 0
            ? <ul className="lines">{queue.failed.nodes.map((task) => <TaskLine key={task.id} task={task} />)}</ul>
            : <Empty title="Nothing failed" />}
        </section>
      </div>
      {whole && <Storage />}
      <Workers workers={queue.workers} />
    </div>
  );
}

function Tiles({ queue: { counts, oldestWaiting, throughput, workers } }: { queue: Queue }) {
  const now = useNow();
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  return (
    <dl className="tiles">
      <Tile name="Running" value={count(counts.running + counts.canceling)} note={`of ${several(slots, 'slot')}`} />
      <Tile name="Waiting" value={count(counts.waiting)} note={oldestWaiting ? `the oldest for ${duration((now - Date.parse(oldestWaiting)) / 1000)}` : 'nothing queued'} />
      <Tile name="Finished a second" value={throughput.perSecond < 10 ? throughput.perSecond.toFixed(1) : count(Math.round(throughput.perSecond))} note="in the last minute" />
      <Tile name="Completed" value={count(counts.completed)} />
      <Tile name="Failed" value={count(counts.failed)} />
    </dl>
  );
}

function Tile({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div className="panel tile">
      <dt>{name}</dt>
      <dd data-tile={name}>{value}{note && <small>{note}</small>}</dd>
    </div>
  );
}

function Workers({ workers }: { workers: Queue['workers'] }) {
  return (
    <section className="panel" aria-labelledby="workers">
      <h2 id="workers">Workers</h2>
      {workers.length > 0
        ? (
          <ul className="lines">
            {workers.map((worker) => (
              <li key={worker.id} className="line">
                <span className="grow">{worker.id} on {worker.host}</span>
                <span className="aside numbers">{worker.tasks.nodes.length} of {several(worker.slots, 'slot')} in use, heard of <Ago at={worker.heartbeatAt} /></span>
              </li>
            ))}
          </ul>
        )
        : <Empty title="No worker is alive">Nothing is done until one is: start <code>ream worker</code>, or the server with <code>--workers</code> above 0.</Empty>}
      <Text size="sm" mt="xs"><Anchor component={Link} href="/work" inherit>All tasks and groups</Anchor></Text>
    </section>
  );
}
