import { useMutation, useQuery } from '@apollo/client/react';
import { Anchor, SegmentedControl, Skeleton, Table, Tabs, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';

import { AddedDocument, ChangesDocument, PublicationsDocument, PublishDocument, RemovedDocument, RepositoryDocument, type RepositoryQuery, RestoreDocument, type UnitLineFragment, UnitsDocument, type VersionLineFragment, VersionsDocument } from '../api.gen';
import { useList, useNewest, useWorkChanges } from '../live/list';
import type { Pages } from '../live/pages';
import { token } from '../live/session';
import { useMay } from '../live/viewer';
import { WorkActions } from '../part/actions';
import { Copyable } from '../part/code';
import { configuration } from '../part/configuration';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { Problem } from '../part/problem';
import { bytes, count, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { addressOf } from '../part/work';
import type { PageProps } from '../routes';
import { NotFound } from './notfound';

type Repository = NonNullable<RepositoryQuery['repository']>;

const tabs = ['versions', 'publications', 'distributions', 'settings'] as const;

/** A repository: its versions and their units, what of it is published and served, and how clients get it. */
export default function RepositoryPage({ id }: PageProps) {
  const { data, error, refetch } = useQuery(RepositoryDocument, { variables: { id } });
  useWorkChanges(() => void refetch());
  const [search, setSearch] = useSearchParams();
  const tab = tabs.find((each) => each === search.get('show')) ?? 'versions';
  if (error && !data) return <><PageTitle title={id} /><Problem error={error} onRetry={() => void refetch()} /></>;
  if (!data) return <><PageTitle title={id} /><Skeleton height={480} radius="md" aria-label="Loading" /></>;
  const { repository } = data;
  if (!repository) return <NotFound what="repository" />;
  return (
    <>
      <PageTitle title={repository.name} about={<About repository={repository} />}><WorkActions repositories={{ ids: [id] }} /></PageTitle>
      <div className="panel">
        <Tabs value={tab} onChange={(show) => setSearch(show && show !== 'versions' ? { show } : {}, { replace: true })} keepMounted={false}>
          <Tabs.List mb="md">
            {tabs.map((each) => <Tabs.Tab key={each} value={each}>{each[0]!.toUpperCase() + each.slice(1)}</Tabs.Tab>)}
          </Tabs.List>
          <Tabs.Panel value="versions"><Versions repository={id} /></Tabs.Panel>
          <Tabs.Panel value="publications"><Publications repository={id} /></Tabs.Panel>
          <Tabs.Panel value="distributions"><Distributions repository={repository} /></Tabs.Panel>
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
      {repository.labels.map(({ key, value }) => <span key={key}> · {value ? `${key}=${value}` : key}</span>)}
    </>
  );
}

function Versions({ repository }: { repository: string }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [publish, publishing] = useMutation(PublishDocument);
  const [restore, restoring] = useMutation(RestoreDocument);
  const error = publishing.error ?? restoring.error;
  const restoreVersion = (version: string) => void restore({ variables: { version } }).then(({ data }) => data && go(addressOf(data.restoreVersion.id)), () => undefined);
  const publishVersion = (version: number) => void publish({ variables: { repositories: { ids: [repository] }, version } })
    .then(({ data }) => data && go(addressOf(data.publish.id)), () => undefined);
  const pages = useList(VersionsDocument, { id: repository }, (data) => data.repository?.versions);
  useNewest(pages, 30);
  const [search, setSearch] = useSearchParams();
  const open = search.get('version');
  return (
    <Listing pages={pages} empty={<Empty title="No versions yet">A sync fetches what upstream has, and makes the first one.</Empty>}>
      {(versions) => (
        <ol className="timeline">
          {error && <li><Problem error={error} /></li>}
          {versions.map((version) => (
            <li key={version.id}>
              <div className="line">
                <strong>Version {version.number}</strong>
                <span className="grow numbers">
                  <span data-state="COMPLETED" className="change">+{count(version.addedCount)}</span>{' '}
                  <span data-state="FAILED" className="change">−{count(version.removedCount)}</span>{' '}
                  <span className="aside">{several(version.unitCount, 'unit')}, {bytes(version.bytes)}</span>
                </span>
                <span className="aside"><Ago at={version.createdAt} /></span>
                <Anchor component="button" type="button" size="sm" aria-expanded={open === version.id}
                  onClick={() => setSearch(open === version.id ? {} : { version: version.id }, { replace: true })}>
                  {open === version.id ? 'Hide units' : 'Show units'}
                </Anchor>
                {may && (
                  <Anchor component="button" type="button" size="sm" title="Makes it ready, and distributions of this repository serve it then" onClick={() => publishVersion(version.number)}>
                    Publish it
                  </Anchor>
                )}
                {may && version !== versions[0] && (
                  <Anchor component="button" type="button" size="sm" title="Makes a new version with the units of this one" onClick={() => restoreVersion(version.id)}>
                    Restore it
                  </Anchor>
                )}
              </div>
              {open === version.id && <UnitsOf version={version} newest={versions[0]!} />}
            </li>
          ))}
        </ol>
      )}
    </Listing>
  );
}

function UnitsOf({ version, newest }: { version: VersionLineFragment; newest: VersionLineFragment }) {
  const [which, setWhich] = useState('units');
  return (
    <div style={{ margin: '.75rem 0' }}>
      <div className="scroll">
        <SegmentedControl size="xs" mb="xs" value={which} onChange={setWhich} aria-label={`Units of version ${version.number}`} data={[
          { value: 'units', label: `All ${count(version.unitCount)}` },
          { value: 'added', label: `Added ${count(version.addedCount)}` },
          { value: 'removed', label: `Removed ${count(version.removedCount)}` },
          ...(version.id === newest.id ? [] : [{ value: 'changes', label: `Changed until ${newest.number}` }]),
        ]} />
      </div>
      {which === 'units' && <Units version={version.id} />}
      {which === 'added' && <Added version={version.id} />}
      {which === 'removed' && <Removed version={version.id} />}
      {which === 'changes' && <Changes from={version.id} to={newest.id} />}
    </div>
  );
}

/** What differs between two versions. */
function Changes({ from, to }: { from: string; to: string }) {
  const pages = useList(ChangesDocument, { from, to }, (data) => data.diff && {
    nodes: data.diff.nodes.map((change) => ({ ...change, id: change.path })),
    pageInfo: data.diff.pageInfo,
  });
  return (
    <Listing pages={pages} empty={<Empty title="They have the same units" />}>
      {(changes) => (
        <Scrolling label="Changes">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead><Table.Tr><Table.Th>Path</Table.Th><Table.Th>Change</Table.Th><Table.Th>Before</Table.Th><Table.Th>After</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {changes.map(({ path, kind, before, after }) => (
                <Table.Tr key={path}>
                  <Table.Td className="wrap">{path}</Table.Td>
                  <Table.Td>{kind.toLowerCase()}</Table.Td>
                  <Table.Td className="numbers">{before && bytes(before.size)}</Table.Td>
                  <Table.Td className="numbers">{after && bytes(after.size)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Scrolling>
      )}
    </Listing>
  );
}

function Units({ version }: { version: string }) {
  return <UnitList pages={useList(UnitsDocument, { version }, (data) => data.repositoryVersion?.units)} />;
}

function Added({ version }: { version: string }) {
  return <UnitList pages={useList(AddedDocument, { version }, (data) => data.repositoryVersion?.added)} />;
}

function Removed({ version }: { version: string }) {
  return <UnitList pages={useList(RemovedDocument, { version }, (data) => data.repositoryVersion?.removed)} />;
}

function UnitList({ pages }: { pages: Pages<UnitLineFragment> }) {
  return (
    <Listing pages={pages} empty={<Empty title="None" />}>
      {(units) => (
        <Scrolling label="Units">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead><Table.Tr><Table.Th>Path</Table.Th><Table.Th>Size</Table.Th><Table.Th>SHA-256</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {units.map((unit) => (
                <Table.Tr key={unit.id}>
                  <Table.Td className="wrap">{unit.path}</Table.Td>
                  <Table.Td className="numbers">{bytes(unit.size)}</Table.Td>
                  <Table.Td title={unit.sha256}><code>{unit.sha256.slice(0, 12)}…</code></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Scrolling>
      )}
    </Listing>
  );
}

function Publications({ repository }: { repository: string }) {
  const pages = useList(PublicationsDocument, { id: repository }, (data) => data.repository?.publications);
  useNewest(pages, 30);
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
  const { nodes } = repository.distributions;
  if (nodes.length === 0) return <Empty title="It is not served yet">Mirror publishes it, and serves it at a path of its own name.</Empty>;
  return (
    <div className="stack">
      {nodes.map(({ id, path, url, publication }) => (
        <section key={id} aria-label={path}>
          <Text fw={600}><Anchor href={url} inherit className="wrap">{new URL(url, location.href).href}</Anchor></Text>
          <Text size="sm" c="dimmed" mb="xs">{publication ? `serves ${publication.id}` : 'serves nothing before the first publication'}</Text>
          {configuration(repository.format, new URL(url, location.href).href, token() !== null).map(({ title, text }) => (
            <div key={title} style={{ marginBottom: '.5rem' }}>
              <Text size="sm" mb={2}>{title}</Text>
              <Copyable text={text} label={`${title}, ${path}`} />
            </div>
          ))}
        </section>
      ))}
    </div>
  );
}

function Settings({ repository: { remote, createdAt } }: { repository: Repository }) {
  return (
    <dl className="facts">
      <Fact name="Made"><Ago at={createdAt} /></Fact>
      {remote
        ? (
          <>
            <Fact name="Remote">{remote.name} ({remote.id})</Fact>
            <Fact name="Upstream">{remote.url}</Fact>
            <Fact name="Bytes are fetched">{remote.policy === 'IMMEDIATE' ? 'during the sync' : 'when somebody asks for them'}</Fact>
            <Fact name="Downloads at once">{remote.connections}</Fact>
          </>
        )
        : <Fact name="Remote">none: it cannot be synced</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div><dt>{name}</dt><dd className="wrap">{children}</dd></div>;
}

function Scrolling({ label, children }: { label: string; children: ReactNode }) {
  return <div className="scroll" tabIndex={0} role="region" aria-label={label}>{children}</div>;
}
