import { useApolloClient } from '@apollo/client/react';
import { Anchor, Button, Skeleton, Tabs, Text } from '@mantine/core';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';

import { DeleteRepositoryDocument, PublicationsDocument, RepositoryDocument, type RepositorySubscription, TasksAboutDocument } from '../api.gen';
import { useFrames } from '../live/frames';
import { useList, useReload } from '../live/list';
import { useMay } from '../live/viewer';
import { WorkActions } from '../part/actions';
import { Copyable } from '../part/code';
import { configuration } from '../part/configuration';
import { ConfirmButton } from '../part/confirm';
import { DistributionActions } from '../part/distribution';
import { DistributionForm } from '../part/distributionform';
import { Empty } from '../part/empty';
import { Fact } from '../part/fact';
import { labelsText } from '../part/labels';
import { Listing } from '../part/listing';
import { isMissing, Problem } from '../part/problem';
import { readers } from '../part/readers';
import { RemoteFacts } from '../part/remotefacts';
import { RemoteForm } from '../part/remoteform';
import { RepositoryForm } from '../part/repositoryform';
import { StorageOf } from '../part/storage';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { Versions } from '../part/versions';
import { TaskLine, To } from '../part/work';
import type { PageProps } from '../routes';
import { NotFound } from './notfound';
import { WorkOf } from './repositories';

type Repository = RepositorySubscription['repository'];

const tabs = ['versions', 'publications', 'distributions', 'tasks', 'settings'] as const;

/** A repository, live: its versions and their units, what of it is published and served, how clients get it, and what is done about it. */
export default function RepositoryPage({ id }: PageProps) {
  const { data, error, ended, restart } = useFrames(RepositoryDocument, { id });
  const [search, setSearch] = useSearchParams();
  const tab = tabs.find((each) => each === search.get('show')) ?? 'versions';
  if (ended || isMissing(error)) return <NotFound what="repository" />;
  if (error) return <><PageTitle title={id} /><Problem error={error} onRetry={restart} /></>;
  if (!data) return <><PageTitle title={id} /><Skeleton height={480} radius="md" aria-label="Loading" /></>;
  const { repository } = data;
  return (
    <>
      <PageTitle title={repository.name} about={<About repository={repository} />}><WorkActions repositories={{ ids: [id] }} /></PageTitle>
      <div className="panel">
        <Tabs value={tab} onChange={(show) => setSearch(show && show !== 'versions' ? { show } : {}, { replace: true })} keepMounted={false}>
          <Tabs.List mb="md">
            {tabs.map((each) => <Tabs.Tab key={each} value={each}>{each[0]!.toUpperCase() + each.slice(1)}</Tabs.Tab>)}
          </Tabs.List>
          <Tabs.Panel value="versions"><Versions repository={id} changes={data} /></Tabs.Panel>
          <Tabs.Panel value="publications"><Publications repository={id} changes={data} /></Tabs.Panel>
          <Tabs.Panel value="distributions"><Distributions repository={repository} /></Tabs.Panel>
          <Tabs.Panel value="tasks"><Tasks repository={id} changes={data} /></Tabs.Panel>
          <Tabs.Panel value="settings"><Settings repository={repository} /></Tabs.Panel>
        </Tabs>
      </div>
    </>
  );
}

function About({ repository }: { repository: Repository }) {
  const { latestVersion } = repository;
  return (
    <>
      {repository.id} · {repository.format.toLowerCase()}
      {latestVersion && <> · version {latestVersion.number} with {several(latestVersion.unitCount, 'unit')}, {bytes(latestVersion.bytes)}</>}
      {repository.labels.length > 0 && <> · {labelsText(repository.labels)}</>}
      <StorageOf repository={repository.id} />
      <WorkOf repository={repository} />
    </>
  );
}

function Publications({ repository, changes }: { repository: string; changes: unknown }) {
  const pages = useList(PublicationsDocument, { id: repository }, (data) => data.repository?.publications);
  useReload(pages, 30, changes);
  return (
    <Listing pages={pages} empty={<Empty title="Nothing is published yet">Publish makes the newest version ready to be served.</Empty>}>
      {(publications) => (
        <ul className="lines">
          {publications.map((publication) => (
            <li key={publication.id} className="line">
              <span className="grow">{publication.id} of version {publication.version.number}</span>
              <span className="aside numbers">{several(publication.fileCount, 'file')}, {bytes(publication.bytes)}, <Ago at={publication.createdAt} /></span>
            </li>
          ))}
        </ul>
      )}
    </Listing>
  );
}

function Distributions({ repository }: { repository: Repository }) {
  const may = useMay('OPERATOR');
  const [making, setMaking] = useState(false);
  const { nodes } = repository.distributions;
  const nothing = () => undefined; // what changed is pushed
  return (
    <div className="stack">
      {nodes.length === 0 && <Empty title="It is not served yet">Mirror publishes it, and serves it at a path of its own name.</Empty>}
      {nodes.map((distribution) => (
        <section key={distribution.id} aria-label={distribution.path}>
          <Text fw={600}><Anchor href={distribution.url} inherit className="wrap">{new URL(distribution.url, location.href).href}</Anchor></Text>
          <Text size="sm" c="dimmed" mb="xs">
            {distribution.publication ? `serves version ${distribution.publication.version.number}, ${distribution.publication.id}` : 'serves nothing before the first publication'}
            {`, to ${readers(distribution)}`}
          </Text>
          {distribution.publication && <Text size="sm" mb="xs"><To id={distribution.id}>Browse its files</To></Text>}
          <DistributionActions distribution={distribution} onChanged={nothing} />
          {configuration(repository.format, new URL(distribution.url, location.href).href, distribution.needsToken).map(({ title, text }) => (
            <div key={title} style={{ marginTop: '.5rem' }}>
              <Text size="sm" mb={2}>{title}</Text>
              <Copyable text={text} label={`${title}, ${distribution.path}`} />
            </div>
          ))}
        </section>
      ))}
      {may && !making && <div><Button variant="default" onClick={() => setMaking(true)}>Serve it at another path</Button></div>}
      {making && <DistributionForm repository={repository} onDone={() => setMaking(false)} onCancel={() => setMaking(false)} />}
    </div>
  );
}

function Tasks({ repository, changes }: { repository: string; changes: unknown }) {
  const pages = useList(TasksAboutDocument, { id: repository }, (data) => data.repository?.tasks);
  useReload(pages, 50, changes);
  return (
    <Listing pages={pages} empty={<Empty title="Nothing was done yet">Sync, publish or mirror it.</Empty>}>
      {(tasks) => <ul className="lines">{tasks.map((task) => <TaskLine key={task.id} task={task} />)}</ul>}
    </Listing>
  );
}

function Settings({ repository }: { repository: Repository }) {
  const { remote } = repository;
  const client = useApolloClient();
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [open, setOpen] = useState<'repository' | 'remote'>();
  const [error, setError] = useState<unknown>();
  const close = () => setOpen(undefined);
  const remove = () => void client.mutate({ mutation: DeleteRepositoryDocument, variables: { id: repository.id } }).then(() => go('/repositories'), setError);
  return (
    <div className="stack">
      {open === 'repository' ? <RepositoryForm repository={repository} onDone={close} onCancel={close} /> : (
        <dl className="facts">
          <Fact name="Made"><Ago at={repository.createdAt} /></Fact>
          <Fact name="Labels">{labelsText(repository.labels) || 'none'}</Fact>
          <Fact name="Versions to keep">{repository.keepVersions ?? 'all of them'}</Fact>
          {!remote && <Fact name="Remote">none: it cannot be synced</Fact>}
        </dl>
      )}
      {may && open !== 'repository' && (
        <div className="line">
          <Button variant="default" onClick={() => setOpen('repository')}>Change it</Button>
          <ConfirmButton label="Delete it" question={`Really delete ${repository.name} with all of its versions?`} onConfirm={remove} />
        </div>
      )}
      {error !== undefined && <Problem error={error} />}
      {remote && (
        <section aria-labelledby="remote">
          <h2 id="remote" style={{ fontSize: '1rem' }}>Remote</h2>
          {open === 'remote' ? <RemoteForm remote={remote} onDone={close} onCancel={close} /> : <RemoteFacts remote={remote} />}
          {may && open !== 'remote' && <Button mt="sm" variant="default" onClick={() => setOpen('remote')}>Change the remote</Button>}
        </section>
      )}
    </div>
  );
}
