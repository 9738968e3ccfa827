import { useApolloClient } from '@apollo/client/react';
import { Checkbox, NumberInput, PasswordInput, Stack, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { CreateRemoteDocument, type Policy, type RemoteSettingsFragment, UpdateRemoteDocument } from '../api.gen';
import { useForm } from '../live/form';
import { FormActions } from './formactions';
import { PolicyChoice } from './policy';
import { fieldProblem, FormProblem } from './problem';

const fields = ['name', 'url', 'username', 'password', 'token', 'caCert', 'proxyUrl', 'connections', 'bytesPerSecond', 'retries'];

/** Makes a remote, or changes one. Secrets can be given and removed, and are never shown: one that is left empty stays. */
export function RemoteForm({ remote, onDone, onCancel }: { remote?: RemoteSettingsFragment; onDone: () => void; onCancel: () => void }) {
  const client = useApolloClient();
  const [name, setName] = useState(remote?.name ?? '');
  const [url, setUrl] = useState(remote?.url ?? '');
  const [policy, setPolicy] = useState<Policy>(remote?.policy ?? 'IMMEDIATE');
  const [username, setUsername] = useState(remote?.username ?? '');
  const [password, setPassword] = useState('');
  const [token, setToken] = useState('');
  const [forget, setForget] = useState(false);
  const [caCert, setCaCert] = useState(remote?.caCert ?? '');
  const [verifyTls, setVerifyTls] = useState(remote?.verifyTls ?? true);
  const [proxyUrl, setProxyUrl] = useState(remote?.proxyUrl ?? '');
  const [connections, setConnections] = useState<string | number>(remote?.connections ?? 16);
  const [rate, setRate] = useState<string | number>(remote?.bytesPerSecond ?? 0);
  const [retries, setRetries] = useState<string | number>(remote?.retries ?? 4);
  const secret = (text: string) => (text !== '' ? text : forget ? '' : undefined);
  const { busy, error, submit } = useForm(async () => {
    const input = {
      name, url: url.trim(), policy, username: forget && username === remote?.username ? '' : username, password: secret(password), token: secret(token),
      caCert, verifyTls, proxyUrl, connections: Number(connections), bytesPerSecond: Number(rate), retries: Number(retries),
    };
    await (remote
      ? client.mutate({ mutation: UpdateRemoteDocument, variables: { input: { ...input, id: remote.id } } })
      : client.mutate({ mutation: CreateRemoteDocument, variables: { input } }));
    onDone();
  });
  const problem = (field: string) => fieldProblem(error, field);
  return (
    <form onSubmit={submit} aria-label={remote ? `Change ${remote.name}` : 'New remote'}>
      <Stack maw="36rem">
        <TextInput label="Name" required autoFocus value={name} error={problem('name')} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="URL" description="Of the PULP_MANIFEST" type="url" required value={url} error={problem('url')} onChange={(event) => setUrl(event.currentTarget.value)} />
        <PolicyChoice value={policy} onChange={setPolicy} />
        <TextInput label="User name" autoComplete="off" value={username} error={problem('username')} onChange={(event) => setUsername(event.currentTarget.value)} />
        <PasswordInput label="Password" description={remote?.hasPassword ? 'One is set; empty leaves it as it is' : 'It is stored encrypted and never shown'} autoComplete="new-password"
          value={password} error={problem('password')} onChange={(event) => setPassword(event.currentTarget.value)} />
        <PasswordInput label="Bearer token, instead" description={remote?.hasToken ? 'One is set; empty leaves it as it is' : 'It is stored encrypted and never shown'} autoComplete="new-password"
          value={token} error={problem('token')} onChange={(event) => setToken(event.currentTarget.value)} />
        {(remote?.hasPassword || remote?.hasToken) && <Checkbox label="Forget the credentials that are set" checked={forget} onChange={(event) => setForget(event.currentTarget.checked)} />}
        <details>
          <summary>Limits, certificates and a proxy</summary>
          <Stack mt="sm">
            <NumberInput label="Downloads at once" min={1} max={64} value={connections} error={problem('connections')} onChange={setConnections} />
            <NumberInput label="Bytes a second" description="0 for any number" min={0} value={rate} error={problem('bytesPerSecond')} onChange={setRate} />
            <NumberInput label="Attempts after failures that may pass" min={0} max={10} value={retries} error={problem('retries')} onChange={setRetries} />
            <Textarea label="Certificates of the authorities to trust" description="PEM; empty for those of the system" autosize maxRows={8} value={caCert} error={problem('caCert')} onChange={(event) => setCaCert(event.currentTarget.value)} />
            <Checkbox label="The certificate of upstream must be valid" checked={verifyTls} onChange={(event) => setVerifyTls(event.currentTarget.checked)} />
            <TextInput label="Proxy" description="http, https or socks5; empty for that of the server's environment" value={proxyUrl} error={problem('proxyUrl')} onChange={(event) => setProxyUrl(event.currentTarget.value)} />
          </Stack>
        </details>
        <FormProblem error={error} fields={fields} />
        <FormActions label={remote ? 'Save' : 'Make it'} busy={busy} disabled={name.trim() === '' || url.trim() === ''} onCancel={onCancel} />
      </Stack>
    </form>
  );
}
