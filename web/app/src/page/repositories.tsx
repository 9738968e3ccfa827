import { Anchor, Button, Checkbox, Code, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link } from 'wouter';

import { RepositoriesDocument, type RepositoryLineFragment } from '../api.gen';
import { useList, useNewest } from '../live/list';
import { useMay } from '../live/viewer';
import { WorkActions } from '../part/actions';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { To } from '../part/work';

/** All repositories, of which some can be chosen for work. */
export default function Repositories() {
  const [text, setText] = useState('');
  const [name, setName] = useState('');
  const [labels] = useDebouncedValue(text.trim(), 300);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const may = useMay('OPERATOR');
  const pages = useList(RepositoriesDocument, { labels: labels || undefined }, (data) => data.repositories);
  useNewest(pages, 100);
  const shown = pages.items.filter((repository) => repository.name.toLowerCase().includes(name.trim().toLowerCase()));
  const ids = shown.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const choose = (id: string, on: boolean) => setChosen((before) => {
    const after = new Set(before);
    if (on) after.add(id);
    else after.delete(id);
    return after;
  });
  return (
    <>
      <PageTitle title="Repositories">{may && <Button component={Link} href="/mirror">Mirror an upstream</Button>}</PageTitle>
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
        <Listing pages={pages} empty={labels
          ? <Empty title="No repository has labels like that" />
          : <Empty title="No repositories yet"><Anchor component={Link} href="/mirror" inherit>Mirror an upstream</Anchor> by its URL; that makes one, and serves it. From a terminal, <Code>ream mirror URL</Code> does the same.</Empty>}>
          {() => shown.length === 0
            ? <Empty title="No repository here has a name like that">{pages.hasMore && 'There are more that were not read yet.'}</Empty>
            : <List repositories={shown} chosen={chosen} choose={may ? choose : undefined} chooseAll={(on) => setChosen(new Set(on ? shown.map(({ id }) => id) : []))} />}
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
      <Table verticalSpacing="xs" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {choose && <Table.Th w={40}><Checkbox aria-label="Choose all" checked={all} indeterminate={some && !all} onChange={(event) => chooseAll(event.currentTarget.checked)} /></Table.Th>}
            <Table.Th>Name</Table.Th><Table.Th>Newest version</Table.Th><Table.Th>Units</Table.Th><Table.Th>Published</Table.Th><Table.Th>Served at</Table.Th><Table.Th>Labels</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {repositories.map((repository) => (
            <Table.Tr key={repository.id}>
              {choose && <Table.Td><Checkbox aria-label={`Choose ${repository.name}`} checked={chosen.has(repository.id)} onChange={(event) => choose(repository.id, event.currentTarget.checked)} /></Table.Td>}
              <Table.Td><To id={repository.id}>{repository.name}</To><Text size="xs" c="dimmed">{repository.format.toLowerCase()}{!repository.remote && ', without a remote'}</Text></Table.Td>
              <Table.Td className="numbers">{repository.latestVersion ? <>{repository.latestVersion.number}, <Ago at={repository.latestVersion.createdAt} /></> : 'none yet'}</Table.Td>
              <Table.Td className="numbers">{repository.latestVersion && <>{several(repository.latestVersion.unitCount, 'unit')}, {bytes(repository.latestVersion.bytes)}</>}</Table.Td>
              <Table.Td className="numbers">{repository.newestPublication ? `version ${repository.newestPublication.version.number}` : 'not yet'}</Table.Td>
              <Table.Td>{repository.served.nodes.map(({ id, path, url }) => <div key={id}><Anchor href={url} inherit>{path}</Anchor></div>)}</Table.Td>
              <Table.Td><Text size="sm" c="dimmed">{repository.labels.map(({ key, value }) => value ? `${key}=${value}` : key).join(', ')}</Text></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
