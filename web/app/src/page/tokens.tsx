import { useMutation } from '@apollo/client/react';
import { Alert, Checkbox, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { CreateTokenDocument, RevokeTokenDocument, type Role, TokensDocument } from '../api.gen';
import { useList } from '../live/list';
import { useMay } from '../live/viewer';
import { BusyButton } from '../part/busybutton';
import { Copyable } from '../part/code';
import { ConfirmButton } from '../part/confirm';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { Problem } from '../part/problem';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';

/** By what programs and people get in. */
export default function Tokens() {
  const may = useMay('ADMIN');
  return (
    <>
      <PageTitle title="Tokens" about="By what programs and people get in" />
      {may ? <Present /> : <div className="panel"><Empty title="Only administrators see tokens" /></div>}
    </>
  );
}

function Present() {
  const [all, setAll] = useState(false);
  const [secret, setSecret] = useState<string>();
  const pages = useList(TokensDocument, { active: all ? undefined : true }, (data) => data.tokens);
  const [revoke, { error }] = useMutation(RevokeTokenDocument);
  return (
    <div className="stack">
      <section className="panel" aria-labelledby="new">
        <h2 id="new">New token</h2>
        <NewToken onMade={(made) => { setSecret(made); pages.reload(); }} />
        {secret !== undefined && (
          <Alert mt="md" variant="outline" color="var(--state-completed)" title="This is its secret, which is never shown again" role="status">
            <Copyable text={secret} label="Secret" />
          </Alert>
        )}
      </section>
      <section className="panel" aria-labelledby="tokens">
        <h2 id="tokens">Tokens</h2>
        <Checkbox mb="sm" label="Show those that are expired or revoked, too" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
        {error && <Problem error={error} />}
        <Listing pages={pages} empty={<Empty title="No tokens">Make one above, for a program or a person.</Empty>}>
          {(tokens) => (
            <div className="scroll" tabIndex={0} role="region" aria-label="Table of tokens">
              <Table>
                <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Role</Table.Th><Table.Th>State</Table.Th><Table.Th>Made</Table.Th><Table.Th>Last used</Table.Th><Table.Th>Expires</Table.Th><Table.Th><span className="hidden">What can be done</span></Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {tokens.map((token) => (
                    <Table.Tr key={token.id}>
                      <Table.Td>{token.name}</Table.Td>
                      <Table.Td>{token.role.toLowerCase()}{token.labels && <Text size="xs" c="dimmed">{token.labels}</Text>}</Table.Td>
                      <Table.Td>{token.state.toLowerCase()}</Table.Td>
                      <Table.Td><Ago at={token.createdAt} />{token.createdBy && ` by ${token.createdBy}`}</Table.Td>
                      <Table.Td>{token.lastUsedAt ? <Ago at={token.lastUsedAt} /> : 'never'}</Table.Td>
                      <Table.Td>{token.expiresAt ? <Ago at={token.expiresAt} /> : 'never'}</Table.Td>
                      <Table.Td>{token.state === 'ACTIVE' && <ConfirmButton label="Revoke" name={`Revoke ${token.name}`} question={`Really revoke ${token.name}?`} onConfirm={() => void revoke({ variables: { id: token.id } }).then(pages.reload, () => undefined)} />}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )}
        </Listing>
      </section>
    </div>
  );
}

function NewToken({ onMade }: { onMade: (secret: string) => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('READER');
  const [labels, setLabels] = useState('');
  const [days, setDays] = useState('90');
  const [create, { loading, error }] = useMutation(CreateTokenDocument);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const expiresAt = days === '' ? undefined : new Date(Date.now() + Number(days) * 86_400_000).toISOString();
    void create({ variables: { input: { name, role, labels: labels.trim() || undefined, expiresAt } } }).then(({ data }) => {
      setName('');
      if (data) onMade(data.createToken.secret);
    }, () => undefined);
  };
  return (
    <form onSubmit={submit}>
      <Stack maw="36rem">
        <TextInput label="Name" required value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <NativeSelect label="Role" value={role} onChange={(event) => setRole(event.currentTarget.value as Role)} data={[
          { value: 'READER', label: 'Reader: sees everything but tokens and the audit log' },
          { value: 'OPERATOR', label: 'Operator: also changes content and starts work' },
          { value: 'ADMIN', label: 'Administrator: also makes tokens and sees the audit log' },
        ]} />
        {role !== 'ADMIN' && <TextInput label="Only repositories with these labels" description="Such as env=prod,!old; all if left empty" value={labels} onChange={(event) => setLabels(event.currentTarget.value)} />}
        <NativeSelect label="Good for" value={days} onChange={(event) => setDays(event.currentTarget.value)} data={[{ value: '7', label: 'a week' }, { value: '90', label: '90 days' }, { value: '365', label: 'a year' }, { value: '', label: 'ever' }]} />
        {error && <Problem error={error} />}
        <div><BusyButton type="submit" busy={loading} disabled={name.trim() === ''}>Make it</BusyButton></div>
      </Stack>
    </form>
  );
}
