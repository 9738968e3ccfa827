import { useApolloClient } from '@apollo/client/react';
import { Button, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { DeleteDistributionDocument, DistributionAtDocument, type DistributionLineFragment, PromoteDocument, RollbackDocument } from '../api.gen';
import { useForm } from '../live/form';
import { useMay } from '../live/viewer';
import { ConfirmButton } from './confirm';
import { DistributionForm } from './distributionform';
import { FormActions } from './formactions';
import { FormProblem, Problem } from './problem';

/** What can be done about a distribution: change it, serve what it served before, serve the same elsewhere, end it. */
export function DistributionActions({ distribution, onChanged }: { distribution: DistributionLineFragment; onChanged: () => void }) {
  const client = useApolloClient();
  const may = useMay('OPERATOR');
  const [open, setOpen] = useState<'change' | 'promote'>();
  const [error, setError] = useState<unknown>();
  if (!may) return null;
  const { id, path, publication, rollbackTo } = distribution;
  const act = (done: Promise<unknown>) => void done.then(() => { setError(undefined); onChanged(); }, setError);
  const finish = () => { setOpen(undefined); onChanged(); };
  const toggle = (what: 'change' | 'promote') => setOpen(open === what ? undefined : what);
  return (
    <Stack gap="xs">
      <div className="line">
        <Button size="compact-sm" variant="default" aria-expanded={open === 'change'} aria-label={`Change ${path}`} onClick={() => toggle('change')}>Change</Button>
        {publication && <Button size="compact-sm" variant="default" aria-expanded={open === 'promote'} aria-label={`Promote ${path}`} onClick={() => toggle('promote')}>Promote</Button>}
        {rollbackTo && (
          <ConfirmButton label="Roll back" name={`Roll back ${path}`}
            question={`Serve version ${rollbackTo.version.number}${rollbackTo.repository.id === publication?.repository.id ? '' : ` of ${rollbackTo.repository.name}`} again?`}
            onConfirm={() => act(client.mutate({ mutation: RollbackDocument, variables: { id, publication: rollbackTo.id } }))} />
        )}
        <ConfirmButton label="Delete" name={`Delete ${path}`} question="Really delete it?" onConfirm={() => act(client.mutate({ mutation: DeleteDistributionDocument, variables: { id } }))} />
      </div>
      {error !== undefined && <Problem error={error} />}
      {open === 'change' && <DistributionForm distribution={distribution} onDone={finish} onCancel={() => setOpen(undefined)} />}
      {open === 'promote' && <PromoteForm distribution={distribution} onDone={finish} onCancel={() => setOpen(undefined)} />}
    </Stack>
  );
}

function PromoteForm({ distribution, onDone, onCancel }: { distribution: DistributionLineFragment; onDone: () => void; onCancel: () => void }) {
  const client = useApolloClient();
  const [path, setPath] = useState('');
  const [unknown, setUnknown] = useState<string>();
  const { busy, error, submit } = useForm(async () => {
    setUnknown(undefined);
    const { data } = await client.query({ query: DistributionAtDocument, variables: { path }, fetchPolicy: 'network-only' });
    if (!data?.distribution) return setUnknown(`Nothing is served at ${path}: make a distribution there first.`);
    await client.mutate({ mutation: PromoteDocument, variables: { input: { from: distribution.id, to: data.distribution.id, publication: distribution.publication!.id } } });
    onDone();
  });
  return (
    <form onSubmit={submit} aria-label={`Promote ${distribution.path}`}>
      <Stack maw="36rem">
        <TextInput label="To the path" description={`Which serves version ${distribution.publication!.version.number} from then on, whatever it served before`} required autoFocus
          value={path} error={unknown} onChange={(event) => setPath(event.currentTarget.value)} />
        <FormProblem error={error} fields={[]} />
        <FormActions label="Promote it" busy={busy} disabled={path.trim() === ''} onCancel={onCancel} />
      </Stack>
    </form>
  );
}
