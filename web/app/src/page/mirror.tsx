import { useApolloClient, useMutation } from '@apollo/client/react';
import { Code, NumberInput, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';

import { CreateRemoteDocument, CreateRepositoryDocument, DeleteRemoteDocument, DeleteRepositoryDocument, MirrorDocument, type Policy, ProbeDocument, type ProbeMutation } from '../api.gen';
import { useForm } from '../live/form';
import { useMay } from '../live/viewer';
import { BusyButton } from '../part/busybutton';
import { Empty } from '../part/empty';
import { PolicyChoice } from '../part/policy';
import { explain, fieldProblem, FormProblem } from '../part/problem';
import { bytes, several } from '../part/text';
import { PageTitle } from '../part/title';
import { complaint } from '../part/upstream';
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

type Upstream = { url: string; username: string; password: string };

/** What the server found at an upstream, once nobody has typed for a moment. */
function useProbe(upstream: Upstream): { found?: ProbeMutation['probeUpstream']; error?: unknown; busy: boolean } {
  const client = useApolloClient();
  const [asked] = useDebouncedValue(JSON.stringify(upstream), 400);
  const [state, setState] = useState<{ of: string; found?: ProbeMutation['probeUpstream']; error?: unknown }>();
  useEffect(() => {
    const { url, username, password }: Upstream = JSON.parse(asked);
    if (url === '' || complaint(url) !== undefined) return;
    let latest = true;
    const input = { url, username: username || undefined, password: password || undefined };
    client.mutate({ mutation: ProbeDocument, variables: { input } }).then(
      ({ data }) => { if (latest) setState({ of: asked, found: data?.probeUpstream }); },
      (error: unknown) => { if (latest) setState({ of: asked, error }); },
    );
    return () => { latest = false; };
  }, [client, asked]);
  const present = JSON.stringify(upstream) === state?.of;
  return { found: present ? state.found : undefined, error: present ? state.error : undefined, busy: !present };
}

const fields = ['url', 'name', 'path', 'username', 'password', 'connections'];

function Wizard() {
  const [, go] = useLocation();
  const [pasted, setPasted] = useState('');
  const [ownName, setName] = useState<string>();
  const [ownPath, setPath] = useState<string>();
  const [policy, setPolicy] = useState<Policy>('IMMEDIATE');
  const [connections, setConnections] = useState(16);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [createRemote] = useMutation(CreateRemoteDocument);
  const [deleteRemote] = useMutation(DeleteRemoteDocument);
  const [createRepository] = useMutation(CreateRepositoryDocument);
  const [deleteRepository] = useMutation(DeleteRepositoryDocument);
  const [mirror] = useMutation(MirrorDocument);

  const url = pasted.trim();
  const wrong = url === '' ? undefined : complaint(url);
  const probe = useProbe({ url, username, password });
  const { found } = probe;
  const name = ownName ?? found?.name ?? '';
  const path = ownPath ?? name.toLowerCase().replaceAll(' ', '-');

  const { busy, error, submit } = useForm(async () => {
    if (!found) return;
    const remote = await createRemote({ variables: { input: { name, url: found.url, policy, connections, username: username || undefined, password: password || undefined } } });
    const remoteId = remote.data!.createRemote.id;
    // What was made is taken back if the rest fails, so that another try begins anew.
    const orUndo = async <T,>(step: Promise<T>, undo: () => Promise<unknown>) => {
      try {
        return await step;
      } catch (failure) {
        await undo();
        throw failure;
      }
    };
    const undoRemote = () => deleteRemote({ variables: { id: remoteId } });
    const repository = await orUndo(createRepository({ variables: { input: { name, format: found.format, remote: remoteId } } }), undoRemote);
    const repositoryId = repository.data!.createRepository.id;
    const group = await orUndo(mirror({ variables: { repositories: { ids: [repositoryId] }, path } }), async () => {
      await deleteRepository({ variables: { id: repositoryId } });
      await undoRemote();
    });
    go(addressOf(group.data!.mirror.id));
  });
  const unanswered = url !== '' && wrong === undefined && probe.busy;
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput label="URL of the upstream" description="A directory with a PULP_MANIFEST, or the manifest itself" placeholder="https://example.org/files/" type="url" required
          value={pasted} onChange={(event) => setPasted(event.currentTarget.value)} autoFocus
          error={wrong ?? (probe.error !== undefined ? explain(probe.error) : fieldProblem(error, 'url'))} />
        <Text size="sm" role="status" className="wrap" mih="1.5rem" c={found ? undefined : 'dimmed'}>
          {unanswered && 'Looking what is there…'}
          {found && <Found found={found} />}
        </Text>
        <TextInput label="Name" description="Of the repository and its remote" required value={name} error={fieldProblem(error, 'name')} disabled={!found} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="Path" description={`Clients will find it at ${new URL(`/content/${path}/`, location.href).href}`} required value={path} error={fieldProblem(error, 'path')} disabled={!found} onChange={(event) => setPath(event.currentTarget.value)} />
        <PolicyChoice value={policy} onChange={setPolicy} />
        <details>
          <summary>Credentials and limits</summary>
          <Stack mt="sm">
            <TextInput label="User name" autoComplete="off" value={username} error={fieldProblem(error, 'username')} onChange={(event) => setUsername(event.currentTarget.value)} />
            <PasswordInput label="Password" description="It is stored encrypted and never shown" autoComplete="new-password" value={password} error={fieldProblem(error, 'password')} onChange={(event) => setPassword(event.currentTarget.value)} />
            <NumberInput label="Downloads at once" min={1} max={64} value={connections} error={fieldProblem(error, 'connections')} onChange={(value) => setConnections(Number(value) || 16)} />
          </Stack>
        </details>
        <FormProblem error={error} fields={fields} />
        <BusyButton type="submit" busy={busy} disabled={!found || name === '' || path === ''}>Mirror it</BusyButton>
      </Stack>
    </form>
  );
}

function Found({ found: { url, unitCount, bytes: size } }: { found: ProbeMutation['probeUpstream'] }) {
  return (
    <>
      {unitCount == null ? 'Many files' : `${several(unitCount, 'file')}${size != null ? `, ${bytes(size)}` : ''}`}, listed in <Code className="wrap">{url}</Code>.
    </>
  );
}
