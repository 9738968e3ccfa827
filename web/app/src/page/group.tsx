import { useMutation } from '@apollo/client/react';
import { SegmentedControl, Skeleton } from '@mantine/core';
import { useLocation, useSearchParams } from 'wouter';

import { CancelDocument, GroupDocument, type GroupSubscription, RetryDocument } from '../api.gen';
import { BusyButton } from '../part/busybutton';
import { Members } from '../part/members';
import { Numbers } from '../part/numbers';
import { Problem } from '../part/problem';
import { useFrames } from '../live/frames';
import { useMay } from '../live/viewer';
import { State, StatesBar } from '../part/bar';
import { filters, selected } from '../part/state';
import { several } from '../part/text';
import { PageTitle } from '../part/title';
import { addressOf, To } from '../part/work';
import type { PageProps } from '../routes';

type Group = GroupSubscription['taskGroup'];

/** A group, live: its states, its progress, its members, and what can be done about it. */
export default function GroupPage({ id }: PageProps) {
  const { data, error, restart } = useFrames(GroupDocument, { id });
  if (error) return <><PageTitle title={id} /><Problem error={error} onRetry={restart} /></>;
  if (!data) return <><PageTitle title={id} /><Skeleton height={480} radius="md" aria-label="Loading" /></>;
  return <Present group={data.taskGroup} />;
}

function Present({ group }: { group: Group }) {
  const { counts } = group;
  const [search, setSearch] = useSearchParams();
  const chosen = search.get('show') ?? 'all';
  const filter = filters[chosen] ?? filters.all!;
  const show = (value: string) => setSearch(value === 'all' ? {} : { show: value }, { replace: true });
  return (
    <>
      <PageTitle title={group.name} about={<About group={group} />}><Actions group={group} /></PageTitle>
      <section className="panel" aria-label="States and progress">
        <StatesBar counts={counts} tall legend />
        <Numbers work={group} finished={counts.finished} total={counts.total} bar />
      </section>
      <section className="panel" aria-labelledby="members" style={{ marginTop: '1rem' }}>
        <div className="line" style={{ marginBottom: '.75rem' }}>
          <h2 id="members" style={{ margin: 0, fontSize: '1rem', flex: 1 }}>Members</h2>
          <SegmentedControl size="xs" value={chosen} onChange={show} aria-label="Which members"
            data={Object.entries(filters).map(([value, { label }]) => ({ value, label }))} />
        </div>
        <Members key={chosen} group={group.id} states={filter.states} finished={filter.finished} revision={counts.revision} total={counts.total} listed={selected(counts, filter)} />
      </section>
    </>
  );
}

function About({ group }: { group: Group }) {
  return (
    <>
      <State state={group.state} /> · {group.id}
      {group.maxRunning != null && <> · at most {group.maxRunning} at once</>}
      {group.retryOf && <> · retry of <To id={group.retryOf.id}>{group.retryOf.id}</To></>}
      {group.retries.nodes.map((retry) => <span key={retry.id}> · retried as <To id={retry.id}>{retry.id}</To></span>)}
    </>
  );
}

function Actions({ group }: { group: Group }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [cancel, canceling] = useMutation(CancelDocument);
  const [retry, retrying] = useMutation(RetryDocument);
  const { counts } = group;
  const unsuccessful = counts.failed + counts.canceled + counts.skipped;
  const again = async () => {
    const { data } = await retry({ variables: { id: group.id } });
    if (data) go(addressOf(data.retry.id));
  };
  const problem = canceling.error ?? retrying.error;
  if (!may) return null;
  return (
    <>
      {!group.finished && (
        <BusyButton color="var(--state-failed)" variant="outline" busy={canceling.loading || group.state === 'CANCELING'}
          onClick={() => void cancel({ variables: { id: group.id } }).catch(() => undefined)}>Cancel</BusyButton>
      )}
      {group.finished && unsuccessful > 0 && (
        <BusyButton busy={retrying.loading} onClick={() => void again().catch(() => undefined)}>Retry {several(unsuccessful, 'member')}</BusyButton>
      )}
      {problem && <Problem error={problem} />}
    </>
  );
}
