import { useMutation, useQuery } from '@apollo/client/react';
import { Text } from '@mantine/core';
import { useLocation } from 'wouter';

import { CleanOrphansDocument, RepositoryStorageDocument, StorageDocument, type StorageQuery } from '../api.gen';
import { useMay } from '../live/viewer';
import { ConfirmButton } from './confirm';
import { Number } from './numbers';
import { Problem } from './problem';
import { bytes, count } from './text';
import { Ago } from './time';
import { addressOf } from './work';

// Nothing is pushed when the server has counted, which it does every five seconds at most.
const polling = { pollInterval: 3_000, skipPollAttempt: () => document.hidden };

/** What there is in the storage as a whole, and the way to remove what nothing needs. */
export function Storage() {
  const { data, error, refetch } = useQuery(StorageDocument, polling);
  return (
    <section className="panel" aria-labelledby="storage">
      <h2 id="storage">Storage</h2>
      {data?.storage && <Figures storage={data.storage} />}
      {data?.storage === null && <Text size="sm" c="dimmed">Not counted yet</Text>}
      {!data && error && <Problem error={error} onRetry={() => void refetch().catch(() => undefined)} />}
    </section>
  );
}

function Figures({ storage }: { storage: NonNullable<StorageQuery['storage']> }) {
  return (
    <>
      <dl className="tiles">
        <Number name="Artifacts" value={count(storage.artifactCount)} />
        <Number name="Bytes stored" value={bytes(storage.bytes)} />
        <Number name="Orphaned" value={storage.orphanedCount > 0 ? `${count(storage.orphanedCount)}, ${bytes(storage.orphanedBytes)}` : 'none'} />
        {storage.unfetchedCount > 0 && <Number name="Not fetched yet" value={`${count(storage.unfetchedCount)}, ${bytes(storage.unfetchedBytes)}`} />}
        {storage.quarantinedCount > 0 && <Number name="Damaged or missing" value={count(storage.quarantinedCount)} />}
      </dl>
      <div className="line" style={{ marginTop: '.5rem' }}>
        <span className="grow aside">{storage.orphanedCount > 0 && 'No version and no publication names what is orphaned. '}Counted <Ago at={storage.countedAt} /></span>
        {storage.orphanedCount > 0 && <Clean />}
      </div>
    </>
  );
}

/** Removes what is orphaned, and goes to the task that does. */
function Clean() {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [clean, { error }] = useMutation(CleanOrphansDocument);
  if (!may) return null;
  const confirmed = () => void clean().then(({ data }) => data && go(addressOf(data.cleanOrphans.id)), () => undefined);
  return (
    <>
      <ConfirmButton label="Clean orphans" question="Really remove those older than a day?" onConfirm={confirmed} />
      {error && <Problem error={error} />}
    </>
  );
}

/** What a repository takes of the storage, on a line. */
export function StorageOf({ repository }: { repository: string }) {
  const { data } = useQuery(RepositoryStorageDocument, { variables: { id: repository }, ...polling });
  if (!data?.repository) return null;
  const { storage } = data.repository;
  return (
    <div className="numbers" data-storage>
      Storage: {storage
        ? <>{bytes(storage.ownBytes)} of its own, {bytes(storage.sharedBytes)} shared with other repositories, counted <Ago at={storage.countedAt} /></>
        : 'not counted yet'}
    </div>
  );
}
