import { Anchor, Button, Checkbox, Code, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';

import { RepositoriesDocument, RepositoriesLiveDocument, type RepositoryLineFragment } from '../api.gen';
import { useLiveList } from '../live/list';
import { useMay } from '../live/viewer';
import { WorkActions } from '../part/actions';
import { State } from '../part/bar';
import { Empty } from '../part/empty';
import { labelsText } from '../part/labels';
import { Listing } from '../part/listing';
import { RepositoryForm } from '../part/repositoryform';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { addressOf, To } from '../part/work';

/** All repositories, of which some can be chosen for work. */
export default function Repositories() {
  const [, go] = useLocation();
  const [name, setName] = useState('');
  const [text, setText] = useState('');
  const [making, setMaking] = useState(false);
  const [sought] = useDebouncedValue({ name: name.trim() || undefined, labels: text.trim() || undefined }, 300);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const may = useMay('OPERATOR');
  const pages = useLiveList(RepositoriesDocument, RepositoriesLiveDocument, sought, (data) => data.repositories);
  const ids = pages.items.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const choose = (id: string, on: boolean) => setChosen((before) => {
    const after = new Set(before);
    if (on) after.add(id);
    else after.delete(id);
    return after;
  });
  return (
    <>
      <PageTitle title="Repositories">
        {may && <Button variant="default" aria-expanded={making} onClick={() => setMaking(!making)}>New repository</Button>}
        {may && <Button component={Link} href="/mirror">Mirror an upstream</Button>}
      </PageTitle>
      {making && <div className="panel" style={{ marginBottom: '1rem' }}><RepositoryForm onDone={(id) => go(addressOf(id))} onCancel={() => setMaking(false)} /></div>}
      <div className="panel">
        <div className="line" style={{ marginBottom: '1rem', alignItems: 'flex-end' }}>
          <TextInput label="Name" description="part of it" value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <TextInput label="Labels" description="such as env=prod,!old" value={text} onChange={(event) => setText(event.currentTarget.value)} />
          {may && (
            <div className="line" style={{ marginLeft: 'auto' }}>
              <Text size="sm" c="dimmed" role="status">{several(ids.length, 'repository', 'repositories')} chosen</Text>
              <WorkActions repositories={{ ids }} disabled={ids.length === 0} />
            </div>
          )}
        </div>
        <Listing pages={pages} empty={sought.labels || sought.name
          ? <Empty title="No repository is like that">Look for another part of a name, or for other labels.</Empty>
          : <Empty title="No repositories yet"><Anchor component={Link} href="/mirror" inherit>Mirror an upstream</Anchor> by its URL; that makes one, and serves it. From a terminal, <Code>ream mirror URL</Code> does the same.</Empty>}>
          {(repositories) => <List repositories={repositories} chosen={chosen} choose={may ? choose : undefined} chooseAll={(on) => setChosen(new Set(on ? repositories.map(({ id }) => id) : []))} />}
        </Listing>
      </div>
    </>
  );
}

type ListProps = { repositories: readonly RepositoryLineFragment[]; chosen: ReadonlySet<string>; choose?: (id: string, on: boolean) => void; chooseAll: (on: boolean) => void };

function List({ repositories, chosen, choose, chooseAll }: ListProps) {
  const some = repositories.some(({ id }) => chosen.has(id)), all = repositories.every(({ id }) => chosen.has(id));
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Repositories">
      <Table verticalSpacing="xs" highlightOnHover className="cards">
        <Table.Thead>
          <Table.Tr>
            {choose && <Table.Th w={40}><Checkbox aria-label="Choose all" checked={all} indeterminate={some && !all} onChange={(event) => chooseAll(event.currentTarget.checked)} /></Table.Th>}
            <Table.Th>Name</Table.Th><Table.Th>Work</Table.Th><Table.Th>Newest version</Table.Th><Table.Th>Published</Table.Th><Table.Th>Served at</Table.Th><Table.Th>Labels</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {repositories.map((repository) => (
            <Table.Tr key={repository.id}>
              {choose && <Table.Td><Checkbox aria-label={`Choose ${repository.name}`} checked={chosen.has(repository.id)} onChange={(event) => choose(repository.id, event.currentTarget.checked)} /></Table.Td>}
              <Table.Td><To id={repository.id}>{repository.name}</To><Text size="xs" c="dimmed">{repository.format.toLowerCase()}{!repository.remote && ', without a remote'}</Text></Table.Td>
              <Table.Td><WorkOf repository={repository} /></Table.Td>
              <Table.Td className="numbers" data-label="Newest version">
                {repository.latestVersion
                  ? <>{repository.latestVersion.number}, <Ago at={repository.latestVersion.createdAt} /><Text size="xs" c="dimmed">{several(repository.latestVersion.unitCount, 'unit')}, {bytes(repository.latestVersion.bytes)}</Text></>
                  : 'none yet'}
              </Table.Td>
              <Table.Td className="numbers" data-label="Published">{repository.newestPublication ? `version ${repository.newestPublication.version.number}` : 'not yet'}</Table.Td>
              <Table.Td data-label="Served at">{repository.served.nodes.map(({ id, path, url }, i) => <span key={id}>{i > 0 && ', '}<Anchor href={url} inherit className="wrap">{path}</Anchor></span>)}</Table.Td>
              <Table.Td data-label="Labels">{labelsText(repository.labels)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** What is done about a repository, how its last sync ended, and when the next one is. */
export function WorkOf({ repository: { currentTask, lastSyncs, nextSyncAt } }: { repository: Pick<RepositoryLineFragment, 'currentTask' | 'lastSyncs' | 'nextSyncAt'> }) {
  const last = lastSyncs.nodes[0];
  return (
    <>
      {currentTask && <div className="line"><State state={currentTask.state} /><To id={currentTask.id}>{currentTask.name}</To></div>}
      {last && (
        <Text component="div" size="sm" c="dimmed">
          <State state={last.state} /> <To id={last.id}>sync</To>{last.finishedAt && <> <Ago at={last.finishedAt} /></>}
          {last.error && last.state === 'FAILED' && <Text size="xs" lineClamp={2} className="wrap">{last.error.message}</Text>}
        </Text>
      )}
      {!last && !currentTask && <Text size="sm" c="dimmed">not synced yet</Text>}
      {nextSyncAt && <Text size="xs" c="dimmed">next <Ago at={nextSyncAt} /></Text>}
    </>
  );
}
