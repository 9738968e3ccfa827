import { useApolloClient } from '@apollo/client/react';
import { Button, Text } from '@mantine/core';
import { useState } from 'react';

import { DeleteRemoteDocument, type RemoteSettingsFragment, RemotesDocument } from '../api.gen';
import { useList } from '../live/list';
import { useMay } from '../live/viewer';
import { ConfirmButton } from '../part/confirm';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { Problem } from '../part/problem';
import { RemoteFacts } from '../part/remotefacts';
import { RemoteForm } from '../part/remoteform';
import { PageTitle } from '../part/title';

/** Where repositories sync from, and how. */
export default function Remotes() {
  const may = useMay('OPERATOR');
  const [making, setMaking] = useState(false);
  const pages = useList(RemotesDocument, {}, (data) => data.remotes);
  const made = () => { setMaking(false); pages.reload(); };
  return (
    <>
      <PageTitle title="Remotes" about="Where repositories sync from">
        {may && <Button aria-expanded={making} onClick={() => setMaking(!making)}>New remote</Button>}
      </PageTitle>
      {making && <div className="panel" style={{ marginBottom: '1rem' }}><RemoteForm onDone={made} onCancel={() => setMaking(false)} /></div>}
      <div className="panel">
        <Listing pages={pages} empty={<Empty title="No remotes yet">One says where a repository syncs from. Mirroring an upstream makes one.</Empty>}>
          {(remotes) => <ul className="lines">{remotes.map((remote) => <Line key={remote.id} remote={remote} may={may} reload={pages.reload} />)}</ul>}
        </Listing>
      </div>
    </>
  );
}

function Line({ remote, may, reload }: { remote: RemoteSettingsFragment; may: boolean; reload: () => void }) {
  const client = useApolloClient();
  const [open, setOpen] = useState<'facts' | 'form'>();
  const [error, setError] = useState<unknown>();
  const toggle = (what: 'facts' | 'form') => setOpen(open === what ? undefined : what);
  const remove = () => void client.mutate({ mutation: DeleteRemoteDocument, variables: { id: remote.id } }).then(reload, setError);
  return (
    <li>
      <div className="line">
        <span className="grow"><strong>{remote.name}</strong><Text size="sm" c="dimmed" className="wrap">{remote.url}</Text></span>
        <Button size="compact-sm" variant="default" aria-expanded={open === 'facts'} aria-label={`Show ${remote.name}`} onClick={() => toggle('facts')}>Show</Button>
        {may && <Button size="compact-sm" variant="default" aria-expanded={open === 'form'} aria-label={`Change ${remote.name}`} onClick={() => toggle('form')}>Change</Button>}
        {may && <ConfirmButton label="Delete" name={`Delete ${remote.name}`} question="Really delete it?" onConfirm={remove} />}
      </div>
      {error !== undefined && <Problem error={error} />}
      {open === 'facts' && <RemoteFacts remote={remote} />}
      {open === 'form' && <RemoteForm remote={remote} onDone={() => { setOpen(undefined); reload(); }} onCancel={() => setOpen(undefined)} />}
    </li>
  );
}
