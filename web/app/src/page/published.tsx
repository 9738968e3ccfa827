import { Anchor, Table } from '@mantine/core';
import { Link } from 'wouter';

import { DistributionsDocument } from '../api.gen';
import { useList, useNewest } from '../live/list';
import { Empty } from '../part/empty';
import { Listing } from '../part/listing';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { To } from '../part/work';

/** What clients see below /content/, with the way into it. */
export default function Published() {
  const pages = useList(DistributionsDocument, {}, (data) => data.distributions);
  useNewest(pages, 100);
  return (
    <>
      <PageTitle title="Content" about="What clients see; a path leads to its files" />
      <div className="panel">
        <Listing pages={pages} empty={<Empty title="Nothing is served yet"><Anchor component={Link} href="/mirror" inherit>Mirror an upstream</Anchor>, which serves it.</Empty>}>
          {(distributions) => (
            <div className="scroll" tabIndex={0} role="region" aria-label="Distributions">
              <Table highlightOnHover>
                <Table.Thead><Table.Tr><Table.Th>Path</Table.Th><Table.Th>Repository</Table.Th><Table.Th>Files</Table.Th><Table.Th>Published</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {distributions.map(({ id, path, url, repository, publication }) => {
                    const of = repository ?? publication?.repository;
                    return (
                      <Table.Tr key={id}>
                        <Table.Td><Anchor href={url} inherit>{path}</Anchor></Table.Td>
                        <Table.Td>{of && <To id={of.id}>{of.name}</To>}{!repository && ', this publication alone'}</Table.Td>
                        <Table.Td className="numbers">{publication ? `${several(publication.fileCount, 'file')}, ${bytes(publication.bytes)}` : 'nothing yet'}</Table.Td>
                        <Table.Td className="numbers">{publication && <><Ago at={publication.createdAt} /> ({publication.id})</>}</Table.Td>
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
