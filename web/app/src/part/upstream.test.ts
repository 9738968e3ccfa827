import { expect, test } from 'vitest';

import { complaint } from './upstream';

test.each([
  ['https://example.org/files/PULP_MANIFEST', undefined],
  [' https://example.org/a/b?key=1 ', undefined],
  ['file:///tmp/files', undefined],
  ['', 'whole URL'], ['example.org/files', 'whole URL'], ['http://', 'whole URL'], ['ftp://example.org/', 'not ftp'],
  ['https://me:secret@example.org/', 'user name and password'],
])('%s', (pasted, want) => (want === undefined ? expect(complaint(pasted)).toBeUndefined() : expect(complaint(pasted)).toContain(want)));
