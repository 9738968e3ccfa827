import { Checkbox, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';

import { AuditDocument } from '../api.gen';
import { useList } from '../live/list';
import { useMay } from '../live/viewer';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { PageTitle } from '../part/title';
import { addressOf, To } from '../part/work';

/** Who changed what, when and from where. */
export default function Audit() {
  const may = useMay('ADMIN');
  return (
    <>
      <PageTitle title="Audit log" about="Every change of the last 365 days, newest first, whether it succeeded or not" />
      <div className="panel">{may ? <Present /> : <Empty title="Only administrators see the audit log" />}</div>
    </>
  );
}

function Present() {
  const [name, setName] = useState('');
  const [operation, setOperation] = useState('');
  const [failed, setFailed] = useState(false);
  const [filter] = useDebouncedValue({ name: name.trim() || undefined, operation: operation.trim() || undefined, failed: failed || undefined }, 300);
  const pages = useList(AuditDocument, { filter }, (data) => data.auditEntries);
  return (
    <>
      <div className="line" style={{ marginBottom: '1rem', alignItems: 'flex-end' }}>
        <TextInput label="Who" description="the whole name" value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="What" description="such as sync" value={operation} onChange={(event) => setOperation(event.currentTarget.value)} />
        <Checkbox label="Only what failed" checked={failed} onChange={(event) => setFailed(event.currentTarget.checked)} />
      </div>
      <Listing pages={pages} empty={<Empty title="Nothing like that was done" />}>
        {(entries) => (
          <div className="scroll" tabIndex={0} role="region" aria-label="Audit log">
            <Table fz="sm">
              <Table.Thead><Table.Tr><Table.Th>When</Table.Th><Table.Th>Who</Table.Th><Table.Th>What</Table.Th><Table.Th>On what</Table.Th><Table.Th>Outcome</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {entries.map((entry) => (
                  <Table.Tr key={entry.id}>
                    <Table.Td className="numbers"><time dateTime={entry.at}>{new Date(entry.at).toLocaleString()}</time></Table.Td>
                    <Table.Td>{entry.principal.name || entry.principal.kind.toLowerCase()}<Text size="xs" c="dimmed">{entry.principal.role.toLowerCase()}{entry.address && `, ${entry.address}`}</Text></Table.Td>
                    <Table.Td>{entry.operation}<Text size="xs" c="dimmed" className="wrap">{entry.arguments}</Text></Table.Td>
                    <Table.Td>{entry.results.map((id) => <span key={id}>{addressOf(id) === '/' ? id : <To id={id}>{id}</To>} </span>)}</Table.Td>
                    <Table.Td>{entry.code}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Listing>
    </>
  );
}
