import { Anchor } from '@mantine/core';
import { Link } from 'wouter';

import { Empty } from '../part/empty';
import { PageTitle } from '../part/title';

/** Says that there is no such thing, or no such page. */
export function NotFound({ what = 'page' }: { what?: string }) {
  return (
    <>
      <PageTitle title={`There is no such ${what}`} />
      <Empty title="It may have been deleted, or the address is mistyped.">
        <Anchor component={Link} href="/">Go to the overview</Anchor>
      </Empty>
    </>
  );
}
