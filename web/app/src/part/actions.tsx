import { useMutation } from '@apollo/client/react';
import { useLocation } from 'wouter';

import { MirrorDocument, PublishDocument, type RepositorySelector, SyncDocument } from '../api.gen';
import { useMay } from '../live/viewer';
import { BusyButton } from './busybutton';
import { Problem } from './problem';
import { addressOf } from './work';

/** Buttons that sync, publish or mirror repositories, and go to the work. */
export function WorkActions({ repositories, disabled }: { repositories: RepositorySelector; disabled?: boolean }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [sync, syncing] = useMutation(SyncDocument);
  const [publish, publishing] = useMutation(PublishDocument);
  const [mirror, mirroring] = useMutation(MirrorDocument);
  const follow = (ask: () => Promise<string | undefined>) => () => void ask().then((id) => id && go(addressOf(id)), () => undefined);
  const problem = syncing.error ?? publishing.error ?? mirroring.error;
  if (!may) return null;
  return (
    <>
      <BusyButton variant="default" busy={syncing.loading} disabled={disabled || publishing.loading || mirroring.loading} onClick={follow(async () => (await sync({ variables: { repositories } })).data?.sync.id)}>Sync</BusyButton>
      <BusyButton variant="default" busy={publishing.loading} disabled={disabled || syncing.loading || mirroring.loading} onClick={follow(async () => (await publish({ variables: { repositories } })).data?.publish.id)}>Publish</BusyButton>
      <BusyButton busy={mirroring.loading} disabled={disabled || syncing.loading || publishing.loading} title="Sync, then publish, then serve" onClick={follow(async () => (await mirror({ variables: { repositories } })).data?.mirror.id)}>Mirror</BusyButton>
      {problem && <Problem error={problem} />}
    </>
  );
}
