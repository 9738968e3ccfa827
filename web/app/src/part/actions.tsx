import { useMutation } from '@apollo/client/react';
import { Button } from '@mantine/core';
import { useLocation } from 'wouter';

import { MirrorDocument, PublishDocument, type RepositorySelector, SyncDocument } from '../api.gen';
import { useMay } from '../live/viewer';
import { Problem } from './problem';
import { addressOf } from './work';

/** Buttons that sync, publish or mirror repositories, and go to the work. */
export function WorkActions({ repositories, disabled }: { repositories: RepositorySelector; disabled?: boolean }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [sync, syncing] = useMutation(SyncDocument);
  const [publish, publishing] = useMutation(PublishDocument);
  const [mirror, mirroring] = useMutation(MirrorDocument);
  const busy = disabled || syncing.loading || publishing.loading || mirroring.loading;
  const follow = (ask: () => Promise<string | undefined>) => () => void ask().then((id) => id && go(addressOf(id)), () => undefined);
  const problem = syncing.error ?? publishing.error ?? mirroring.error;
  if (!may) return null;
  return (
    <>
      <Button variant="default" disabled={busy} onClick={follow(async () => (await sync({ variables: { repositories } })).data?.sync.id)}>Sync</Button>
      <Button variant="default" disabled={busy} onClick={follow(async () => (await publish({ variables: { repositories } })).data?.publish.id)}>Publish</Button>
      <Button disabled={busy} title="Sync, then publish, then serve" onClick={follow(async () => (await mirror({ variables: { repositories } })).data?.mirror.id)}>Mirror</Button>
      {problem && <Problem error={problem} />}
    </>
  );
}
