import { Anchor, Button, Table } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';

import { DistributionsDocument, DistributionsLiveDocument } from '../api.gen';
import { useLiveList } from '../live/list';
import { useMay } from '../live/viewer';
import { DistributionActions } from '../part/distribution';
import { DistributionForm } from '../part/distributionform';
import { readers } from '../part/readers';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { To } from '../part/work';

/** What clients see below /content/, with the way into it. */
export default function Published() {
  const may = useMay('OPERATOR');
  const [making, setMaking] = useState(false);
  const pages = useLiveList(DistributionsDocument, DistributionsLiveDocument, {}, (data) => data.distributions);
  return (
    <>
      <PageTitle title="Content" about="What clients see; a path leads to its files">
        {may && <Button aria-expanded={making} onClick={() => setMaking(!making)}>New distribution</Button>}
      </PageTitle>
      {making && <div className="panel" style={{ marginBottom: '1rem' }}><DistributionForm onDone={() => { setMaking(false); pages.reload(); }} onCancel={() => setMaking(false)} /></div>}
      <div className="panel">
        <Listing pages={pages} empty={<Empty title="Nothing is served yet"><Anchor component={Link} href="/mirror" inherit>Mirror an upstream</Anchor>, which serves it.</Empty>}>
          {(distributions) => (
            <div className="scroll" tabIndex={0} role="region" aria-label="Distributions">
              <Table highlightOnHover className="cards">
                <Table.Thead><Table.Tr><Table.Th>Path</Table.Th><Table.Th>Repository</Table.Th><Table.Th>Files</Table.Th><Table.Th>Published</Table.Th><Table.Th>Readers</Table.Th>{may && <Table.Th><span className="hidden">What can be done</span></Table.Th>}</Table.Tr></Table.Thead>
                <Table.Tbody>
                  {distributions.map((distribution) => {
                    const { id, path, repository, publication } = distribution;
                    const of = repository ?? publication?.repository;
                    return (
                      <Table.Tr key={id}>
                        <Table.Td><To id={id}>{path}</To></Table.Td>
                        <Table.Td data-label="Repository">{of && <To id={of.id}>{of.name}</To>}{!repository && ', this publication alone'}</Table.Td>
                        <Table.Td className="numbers" data-label="Files">{publication ? `${several(publication.fileCount, 'file')}, ${bytes(publication.bytes)}` : 'nothing yet'}</Table.Td>
                        <Table.Td className="numbers" data-label="Published">{publication && <>version {publication.version.number}, <Ago at={publication.createdAt} /></>}</Table.Td>
                        <Table.Td data-label="Readers">{readers(distribution)}</Table.Td>
                        {may && <Table.Td><DistributionActions distribution={distribution} onChanged={pages.reload} /></Table.Td>}
                      </Table.Tr>
                    );
                  })}
                </Table.Tbody>
              </Table>
            </div>
          )}
        </Listing>
      </div>
    </>
  );
}
