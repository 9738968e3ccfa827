import type { GroupLineFragment } from '../api.gen';
import { Line } from './bar';
import { done } from './state';
import { between, bytes, count, duration } from './text';
import { useNow } from './time';

type Work = Pick<GroupLineFragment, 'state' | 'createdAt' | 'startedAt' | 'finishedAt' | 'progress'>;

/** The numbers of a task or a group: how much is done, how fast, how long it waited and ran, and when it will end. */
export function Numbers({ work, finished, total, bar = false }: { work: Work; finished?: number; total?: number; bar?: boolean }) {
  const now = useNow();
  const { progress } = work;
  const share = done(progress);
  return (
    <>
      {bar && !work.finishedAt && share !== undefined && (
        <div style={{ marginTop: '.75rem' }}><Line share={share} label="Done" state={work.state} /></div>
      )}
      <dl className="tiles" style={{ marginTop: '.75rem' }}>
        {total !== undefined && <Number name="Tasks" value={`${count(finished ?? 0)} of ${count(total)}`} />}
        {progress.itemsTotal > 0 && <Number name="Files" value={`${count(progress.itemsDone)} of ${count(progress.itemsTotal)}`} />}
        {progress.bytesTotal > 0 && <Number name="Bytes" value={`${bytes(progress.bytesDone)} of ${bytes(progress.bytesTotal)}`} />}
        {progress.bytesDone > 0 && <Number name="Rate" value={`${bytes(progress.bytesPerSecond)} a second`} />}
        <Number name="Waited" value={duration(between(work.createdAt, work.startedAt ?? work.finishedAt, now))} />
        {work.startedAt && <Number name={work.finishedAt ? 'Ran' : 'Runs since'} value={duration(between(work.startedAt, work.finishedAt, now))} />}
        {!work.finishedAt && progress.remainingSeconds != null && <Number name="Still to go" value={`about ${duration(progress.remainingSeconds)}`} />}
      </dl>
    </>
  );
}

/** A number with its name, in a list of tiles. */
export function Number({ name, value }: { name: string; value: string }) {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd style={{ fontSize: '1rem' }} data-number={name}>{value}</dd>
    </div>
  );
}
