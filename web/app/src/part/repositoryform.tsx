import { useApolloClient, useQuery } from '@apollo/client/react';
import { NumberInput, Stack, TextInput } from '@mantine/core';
import { useId, useState } from 'react';

import { CreateRepositoryDocument, RemoteNamedDocument, RemotesDocument, UpdateRepositoryDocument } from '../api.gen';
import { useForm } from '../live/form';
import { FormActions } from './formactions';
import { labelsOf, labelsText } from './labels';
import { fieldProblem, FormProblem } from './problem';

type Repository = { id: string; name: string; labels: readonly { key: string; value: string }[]; keepVersions?: number | null; remote?: { name: string } | null };

const fields = ['name', 'labels', 'keepVersions', 'remote'];

/** Makes a repository, or changes one. */
export function RepositoryForm({ repository, onDone, onCancel }: { repository?: Repository; onDone: (id: string) => void; onCancel: () => void }) {
  const client = useApolloClient();
  const { data } = useQuery(RemotesDocument);
  const list = useId();
  const [name, setName] = useState(repository?.name ?? '');
  const [labels, setLabels] = useState(labelsText(repository?.labels ?? []));
  const [keep, setKeep] = useState<string | number>(repository?.keepVersions ?? '');
  const [remote, setRemote] = useState(repository?.remote?.name ?? '');
  const [unknown, setUnknown] = useState<string>();
  const { busy, error, submit } = useForm(async () => {
    setUnknown(undefined);
    let remoteId: string | null = null;
    if (remote !== '') {
      const found = await client.query({ query: RemoteNamedDocument, variables: { name: remote }, fetchPolicy: 'network-only' });
      if (!found.data?.remote) return setUnknown(`There is no remote ${remote}.`);
      remoteId = found.data.remote.id;
    }
    const input = { name, labels: labelsOf(labels), keepVersions: keep === '' ? null : Number(keep), remote: remoteId };
    if (repository) {
      await client.mutate({ mutation: UpdateRepositoryDocument, variables: { input: { ...input, id: repository.id } } });
      return onDone(repository.id);
    }
    const made = await client.mutate({ mutation: CreateRepositoryDocument, variables: { input: { ...input, format: 'FILE' } } });
    onDone(made.data!.createRepository.id);
  });
  return (
    <form onSubmit={submit} aria-label={repository ? `Change ${repository.name}` : 'New repository'}>
      <Stack maw="36rem">
        <TextInput label="Name" required autoFocus value={name} error={fieldProblem(error, 'name')} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="Remote" description="The name of where it syncs from; empty for none" list={list} value={remote} error={unknown ?? fieldProblem(error, 'remote')} onChange={(event) => setRemote(event.currentTarget.value)} />
        <datalist id={list}>{data?.remotes.nodes.map((each) => <option key={each.id} value={each.name} />)}</datalist>
        <TextInput label="Labels" description="Such as env=prod, mirror" value={labels} error={fieldProblem(error, 'labels')} onChange={(event) => setLabels(event.currentTarget.value)} />
        <NumberInput label="Versions to keep" description="Empty for all of them" min={1} value={keep} error={fieldProblem(error, 'keepVersions')} onChange={setKeep} />
        <FormProblem error={error} fields={fields} />
        <FormActions label={repository ? 'Save' : 'Make it'} busy={busy} disabled={name.trim() === ''} onCancel={onCancel} />
      </Stack>
    </form>
  );
}
