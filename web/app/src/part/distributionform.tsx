import { useApolloClient } from '@apollo/client/react';
import { NativeSelect, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { CreateDistributionDocument, type DistributionAccess, type DistributionLineFragment, RepositoryNamedDocument, UpdateDistributionDocument } from '../api.gen';
import { useForm } from '../live/form';
import { FormActions } from './formactions';
import { fieldProblem, FormProblem } from './problem';
import { accesses } from './readers';

const fields = ['path', 'repository', 'publication', 'access'];

/** Makes a distribution, of a repository if one is given, or changes one. */
export function DistributionForm({ distribution, repository, onDone, onCancel }: {
  distribution?: DistributionLineFragment; repository?: { id: string; name: string }; onDone: () => void; onCancel: () => void;
}) {
  const client = useApolloClient();
  const of = distribution?.repository ?? distribution?.publication?.repository ?? repository;
  const [path, setPath] = useState(distribution?.path ?? '');
  const [follows, setFollows] = useState(!distribution || distribution.repository !== null);
  const [name, setName] = useState(of?.name ?? '');
  const [publication, setPublication] = useState(distribution?.publication?.id ?? '');
  const [access, setAccess] = useState<DistributionAccess>(distribution?.access ?? 'SERVER');
  const [unknown, setUnknown] = useState<string>();
  const { busy, error, submit } = useForm(async () => {
    setUnknown(undefined);
    let target: { repository?: string; publication?: string } = { publication: publication.trim() };
    if (follows) {
      const found = await client.query({ query: RepositoryNamedDocument, variables: { name }, fetchPolicy: 'network-only' });
      if (!found.data?.repository) return setUnknown(`There is no repository ${name}.`);
      target = { repository: found.data.repository.id };
    }
    await (distribution
      ? client.mutate({ mutation: UpdateDistributionDocument, variables: { input: { id: distribution.id, path, access, ...target } } })
      : client.mutate({ mutation: CreateDistributionDocument, variables: { input: { path, access, ...target } } }));
    onDone();
  });
  return (
    <form onSubmit={submit} aria-label={distribution ? `Change ${distribution.path}` : 'New distribution'}>
      <Stack maw="36rem">
        <TextInput label="Path" description={`Clients find it at ${new URL(`/content/${path}/`, location.href).href}`} required autoFocus value={path} error={fieldProblem(error, 'path')} onChange={(event) => setPath(event.currentTarget.value)} />
        <NativeSelect label="What is served" value={follows ? 'newest' : 'one'} onChange={(event) => setFollows(event.currentTarget.value === 'newest')} data={[
          { value: 'newest', label: 'The newest publication of a repository, whenever there is one' }, { value: 'one', label: 'One publication, until it is changed here' },
        ]} />
        {follows
          ? <TextInput label="Repository" description="Its name" required value={name} error={unknown ?? fieldProblem(error, 'repository')} onChange={(event) => setName(event.currentTarget.value)} />
          : <TextInput label="Publication" description="Such as publication-5: repositories list theirs" required value={publication} error={fieldProblem(error, 'publication')} onChange={(event) => setPublication(event.currentTarget.value)} />}
        <NativeSelect label="Readers" description="A token goes as the password of any user, or as a bearer" value={access} error={fieldProblem(error, 'access')} data={accesses}
          onChange={(event) => setAccess(event.currentTarget.value as DistributionAccess)} />
        <FormProblem error={error} fields={fields} />
        <FormActions label={distribution ? 'Save' : 'Make it'} busy={busy} disabled={path.trim() === ''} onCancel={onCancel} />
      </Stack>
    </form>
  );
}
