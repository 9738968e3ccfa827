import { useMutation } from '@apollo/client/react';
import { Button, Code, NumberInput, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useLocation } from 'wouter';

import { CreateRemoteDocument, CreateRepositoryDocument, DeleteRemoteDocument, MirrorDocument } from '../api.gen';
import { useMay } from '../live/viewer';
import { Empty } from '../part/empty';
import { Problem } from '../part/problem';
import { PageTitle } from '../part/title';
import { guess } from '../part/upstream';
import { addressOf } from '../part/work';

/** Makes a mirror of an upstream from its URL: a remote, a repository, and the group that syncs, publishes and serves it. */
export default function Mirror() {
  const may = useMay('OPERATOR');
  return (
    <>
      <PageTitle title="Mirror an upstream" about="From a URL to a copy of your own that clients can use" />
      <div className="panel" style={{ maxWidth: '44rem' }}>
        {may ? <Wizard /> : <Empty title="Your role may not mirror">Ask an administrator for a token of an operator.</Empty>}
      </div>
    </>
  );
}

function Wizard() {
  const [, go] = useLocation();
  const [pasted, setPasted] = useState('');
  const [ownName, setName] = useState<string>();
  const [ownPath, setPath] = useState<string>();
  const [connections, setConnections] = useState(16);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const [createRemote] = useMutation(CreateRemoteDocument);
  const [deleteRemote] = useMutation(DeleteRemoteDocument);
  const [createRepository] = useMutation(CreateRepositoryDocument);
  const [mirror] = useMutation(MirrorDocument);

  const guessed = guess(pasted);
  const known = typeof guessed !== 'string';
  const name = ownName ?? (known ? guessed.name : '');
  const path = ownPath ?? name.toLowerCase().replaceAll(' ', '-');

  const start = async () => {
    if (!known) return;
    const remote = await createRemote({ variables: { input: { name, url: guessed.url, connections, username: username || undefined, password: password || undefined } } });
    const remoteId = remote.data!.createRemote.id;
    let repository: string;
    try {
      const made = await createRepository({ variables: { input: { name, format: guessed.format, remote: remoteId } } });
      repository = made.data!.createRepository.id;
    } catch (error) {
      await deleteRemote({ variables: { id: remoteId } }); // so that another try begins anew
      throw error;
    }
    const { data } = await mirror({ variables: { repositories: { ids: [repository] }, path } });
    go(addressOf(data!.mirror.id));
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    start().catch(setProblem).finally(() => setBusy(false));
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput label="URL of the upstream" description="The directory, or its PULP_MANIFEST" placeholder="https://example.org/files/" type="url" required
          value={pasted} onChange={(event) => setPasted(event.currentTarget.value)} error={pasted.trim() !== '' && !known ? guessed : undefined} autoFocus />
        {known && (
          <>
            <Text size="sm" role="status">Files, listed in <Code className="wrap">{guessed.url}</Code>; all of their bytes are fetched now.</Text>
            <TextInput label="Name" description="Of the repository and its remote" required value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <TextInput label="Path" description={`Clients will find it at ${new URL(`/content/${path}/`, location.href).href}`} required value={path} onChange={(event) => setPath(event.currentTarget.value)} />
            <details>
              <summary>Credentials and limits</summary>
              <Stack mt="sm">
                <TextInput label="User name" autoComplete="off" value={username} onChange={(event) => setUsername(event.currentTarget.value)} />
                <PasswordInput label="Password" description="It is stored encrypted and never shown" autoComplete="new-password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
                <NumberInput label="Downloads at once" min={1} max={64} value={connections} onChange={(value) => setConnections(Number(value) || 16)} />
              </Stack>
            </details>
          </>
        )}
        {problem !== undefined && <Problem error={problem} />}
        <Button type="submit" disabled={!known || name === '' || path === ''} loading={busy}>Mirror it</Button>
      </Stack>
    </form>
  );
}
