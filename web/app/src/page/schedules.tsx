import { useMutation } from '@apollo/client/react';
import { Button, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useLocation } from 'wouter';

import { CreateScheduleDocument, DeleteScheduleDocument, FireScheduleDocument, PauseScheduleDocument, type ScheduleLineFragment, SchedulesDocument, SchedulesLiveDocument } from '../api.gen';
import { useLiveList } from '../live/list';
import { useMay } from '../live/viewer';
import { State } from '../part/bar';
import { BusyButton } from '../part/busybutton';
import { ConfirmButton } from '../part/confirm';
import { Empty } from '../part/empty';
import { FormActions } from '../part/formactions';
import { Listing } from '../part/listing';
import { Problem } from '../part/problem';
import { selected, selector } from '../part/selection';
import { several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { addressOf, To } from '../part/work';

/** What is done at which times, and what came of it last. */
export default function Schedules() {
  const may = useMay('OPERATOR');
  const [making, setMaking] = useState(false);
  const pages = useLiveList(SchedulesDocument, SchedulesLiveDocument, {}, (data) => data.schedules);
  return (
    <>
      <PageTitle title="Schedules" about="What is done by itself, and when">
        {may && <Button aria-expanded={making} onClick={() => setMaking(!making)}>New schedule</Button>}
      </PageTitle>
      {making && <div className="panel" style={{ marginBottom: '1rem' }}><NewSchedule onDone={() => { setMaking(false); pages.reload(); }} /></div>}
      <div className="panel">
        <Listing pages={pages} empty={<Empty title="No schedules">A schedule mirrors repositories every night, say.</Empty>}>
          {(schedules) => <ul className="lines">{schedules.map((schedule) => <Line key={schedule.id} schedule={schedule} may={may} reload={pages.reload} />)}</ul>}
        </Listing>
      </div>
    </>
  );
}

function operation(schedule: ScheduleLineFragment): string {
  const { operation } = schedule;
  switch (operation.__typename) {
    case 'ScheduledSync': return `sync ${selected(operation.repositories)}`;
    case 'ScheduledPublish': return `publish ${selected(operation.repositories)}`;
    case 'ScheduledMirror': return `mirror ${selected(operation.repositories)}`;
    case 'ScheduledPurge': return `purge the history of work that finished ${several(operation.olderThanDays, 'day')} ago`;
    default: return otherOperation(operation);
  }
}

/** An operation that the pages know by its name alone: ScheduledCleanOrphans is to clean orphans. */
function otherOperation({ __typename }: { __typename: string }): string {
  return __typename.replace(/^Scheduled/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}

function Line({ schedule, may, reload }: { schedule: ScheduleLineFragment; may: boolean; reload: () => void }) {
  const [, go] = useLocation();
  const [pause, pausing] = useMutation(PauseScheduleDocument);
  const [remove, removing] = useMutation(DeleteScheduleDocument);
  const [fire, firing] = useMutation(FireScheduleDocument);
  const problem = pausing.error ?? removing.error ?? firing.error;
  const then = (done: Promise<unknown>, next: () => void) => void done.then(next, () => undefined);
  return (
    <li>
      <div className="line">
        <span className="grow"><strong>{schedule.name}</strong>: {operation(schedule)}</span>
        {may && (
          <>
            <BusyButton size="compact-sm" variant="default" busy={firing.loading} aria-label={`Do it now: ${schedule.name}`}
              onClick={() => void fire({ variables: { id: schedule.id } }).then(({ data }) => data && go(addressOf(data.fireSchedule.id)), () => undefined)}>Do it now</BusyButton>
            <BusyButton size="compact-sm" variant="default" busy={pausing.loading} aria-label={`${schedule.paused ? 'Resume' : 'Pause'}: ${schedule.name}`}
              onClick={() => then(pause({ variables: { id: schedule.id, paused: !schedule.paused } }), reload)}>{schedule.paused ? 'Resume' : 'Pause'}</BusyButton>
            <ConfirmButton label="Delete" name={`Delete ${schedule.name}`} question="Really delete it?" onConfirm={() => then(remove({ variables: { id: schedule.id } }), reload)} />
          </>
        )}
      </div>
      <Text component="div" size="sm" c="dimmed">
        <code>{schedule.cron}</code> {schedule.timeZone}
        {schedule.paused ? ' · paused' : schedule.nextFiringAt && <> · next {new Date(schedule.nextFiringAt).toLocaleString()}, <Ago at={schedule.nextFiringAt} /></>}
        {schedule.lastFiredAt && <> · last <Ago at={schedule.lastFiredAt} /></>}
        {schedule.lastWork && <> · <To id={schedule.lastWork.id}>{schedule.lastWork.name}</To> <State state={schedule.lastWork.state} /></>}
      </Text>
      {schedule.lastError && <Text size="sm" c="var(--state-failed)">{schedule.lastError.message}</Text>}
      {problem && <Problem error={problem} />}
    </li>
  );
}

function NewSchedule({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState('');
  const [cron, setCron] = useState('30 2 * * *');
  const [zone, setZone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const [verb, setVerb] = useState<'mirror' | 'sync' | 'publish'>('mirror');
  const [by, setBy] = useState<'all' | 'names' | 'labels'>('all');
  const [which, setWhich] = useState('');
  const [create, { loading, error }] = useMutation(CreateScheduleDocument);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const input = { repositories: selector(by, which) };
    const operation = verb === 'mirror' ? { mirror: input } : verb === 'sync' ? { sync: input } : { publish: input };
    void create({ variables: { input: { name, cron, timeZone: zone, operation } } }).then(onDone, () => undefined);
  };
  return (
    <form onSubmit={submit}>
      <Stack maw="36rem">
        <TextInput label="Name" required autoFocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <NativeSelect label="What" value={verb} onChange={(event) => setVerb(event.currentTarget.value as typeof verb)} data={[
          { value: 'mirror', label: 'Mirror: sync, publish and serve' }, { value: 'sync', label: 'Sync' }, { value: 'publish', label: 'Publish' },
        ]} />
        <NativeSelect label="Which repositories" value={by} onChange={(event) => setBy(event.currentTarget.value as typeof by)} data={[
          { value: 'all', label: 'All of them' }, { value: 'names', label: 'By name' }, { value: 'labels', label: 'By label' },
        ]} />
        {by !== 'all' && <TextInput label={by === 'names' ? 'Names, with commas between them' : 'Labels, such as env=prod,!old'} required value={which} onChange={(event) => setWhich(event.currentTarget.value)} />}
        <TextInput label="When" description="Minute, hour, day of the month, month, day of the week: 30 2 * * * is every night at half past two" required value={cron} onChange={(event) => setCron(event.currentTarget.value)} />
        <TextInput label="Time zone" required value={zone} onChange={(event) => setZone(event.currentTarget.value)} />
        {error && <Problem error={error} />}
        <FormActions label="Make it" busy={loading} onCancel={onDone} />
      </Stack>
    </form>
  );
}
