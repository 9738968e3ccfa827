import { Skeleton, Text } from '@mantine/core';

import { WorkersDocument } from '../api.gen';
import { useFrames } from '../live/frames';
import { Empty } from '../part/empty';
import { Problem } from '../part/problem';
import { several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { TaskLine } from '../part/work';

/** The processes that take tasks, and what each of them runs. */
export default function Workers() {
  const { data, error, restart } = useFrames(WorkersDocument, {});
  return (
    <>
      <PageTitle title="Workers" about="The processes that take tasks" />
      {error && <Problem error={error} onRetry={restart} />}
      {!error && !data && <Skeleton height={240} radius="md" aria-label="Loading" />}
      {!error && data && (data.queue.workers.length === 0
        ? <div className="panel"><Empty title="No worker is alive">Nothing is done until one is: start <code>ream worker</code>, or the server with <code>--workers</code> above 0.</Empty></div>
        : (
          <div className="stack">
            {data.queue.workers.map((worker) => (
              <section key={worker.id} className="panel" aria-labelledby={worker.id}>
                <h2 id={worker.id}>{worker.id} on {worker.host}</h2>
                <Text size="sm" c="dimmed" mb="sm">
                  process {worker.pid} · version {worker.version} · {worker.tasks.nodes.length}{worker.tasks.pageInfo.hasNextPage && ' and more'} of {several(worker.slots, 'slot')} in use · started <Ago at={worker.startedAt} /> · heard of <Ago at={worker.heartbeatAt} />
                </Text>
                {worker.tasks.nodes.length > 0
                  ? <ul className="lines">{worker.tasks.nodes.map((task) => <TaskLine key={task.id} task={task} />)}</ul>
                  : <Text size="sm">It runs nothing.</Text>}
              </section>
            ))}
          </div>
        ))}
    </>
  );
}
