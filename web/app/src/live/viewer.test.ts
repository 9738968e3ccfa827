import { expect, test } from 'vitest';

import { allows } from './viewer';

test.each([
  ['READER', 'READER', true], ['READER', 'OPERATOR', false], ['OPERATOR', 'READER', true],
  ['OPERATOR', 'ADMIN', false], ['ADMIN', 'OPERATOR', true], [undefined, 'READER', false],
] as const)('%s may do what needs %s: %s', (role, needs, want) => expect(allows(role, needs)).toBe(want));
