import { useMutation } from '@apollo/client/react';
import { Anchor, SegmentedControl, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';

import { AddedDocument, ChangesDocument, PublishDocument, RemovedDocument, RestoreDocument, type UnitLineFragment, UnitsDocument, type VersionLineFragment, VersionsDocument } from '../api.gen';
import { useList, useReload } from '../live/list';
import type { Pages } from '../live/pages';
import { useMay } from '../live/viewer';
import { Empty } from './empty';
import { Listing } from './listing';
import { Problem } from './problem';
import { Scrolling } from './scrolling';
import { bytes, count, several } from './text';
import { Ago } from './time';
import { addressOf } from './work';

/** The versions of a repository as a line of time, each with its units. */
export function Versions({ repository, changes }: { repository: string; changes: unknown }) {
  const [, go] = useLocation();
  const may = useMay('OPERATOR');
  const [publish, publishing] = useMutation(PublishDocument);
  const [restore, restoring] = useMutation(RestoreDocument);
  const error = publishing.error ?? restoring.error;
  const restoreVersion = (version: string) => void restore({ variables: { version } }).then(({ data }) => data && go(addressOf(data.restoreVersion.id)), () => undefined);
  const publishVersion = (version: number) => void publish({ variables: { repositories: { ids: [repository] }, version } })
    .then(({ data }) => data && go(addressOf(data.publish.id)), () => undefined);
  const pages = useList(VersionsDocument, { id: repository }, (data) => data.repository?.versions);
  useReload(pages, 30, changes);
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
  const [text, setText] = useState('');
  const [path] = useDebouncedValue(text.trim(), 300);
  const pages = useList(UnitsDocument, { version, path: path || undefined }, (data) => data.repositoryVersion?.units);
  return (
    <>
      <TextInput mb="xs" maw="24rem" label="Path" description="part of it" value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <UnitList pages={pages} empty={path ? 'No unit has a path like that' : 'None'} />
    </>
  );
}

function Added({ version }: { version: string }) {
  return <UnitList pages={useList(AddedDocument, { version }, (data) => data.repositoryVersion?.added)} />;
}

function Removed({ version }: { version: string }) {
  return <UnitList pages={useList(RemovedDocument, { version }, (data) => data.repositoryVersion?.removed)} />;
}

function UnitList({ pages, empty = 'None' }: { pages: Pages<UnitLineFragment>; empty?: string }) {
  return (
    <Listing pages={pages} empty={<Empty title={empty} />}>
      {(units) => (
        <Scrolling label="Units">
          <Table verticalSpacing={4} fz="sm">
            <Table.Thead><Table.Tr><Table.Th>Path</Table.Th><Table.Th>Size</Table.Th><Table.Th>SHA-256</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {units.map((unit) => (
                <Table.Tr key={unit.id}>
                  <Table.Td className="wrap">{unit.path}{!unit.stored && <Text size="xs" c="dimmed">not stored yet</Text>}</Table.Td>
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
