import { expect, test } from 'vitest';

import { readers } from './readers';

test('readers are told as they are on this server', () => {
  expect(readers({ access: 'SERVER', needsToken: true })).toBe('who has a token, as the server says');
  expect(readers({ access: 'SERVER', needsToken: false })).toBe('everybody, as the server says');
  expect(readers({ access: 'PUBLIC', needsToken: false })).toBe('everybody');
  expect(readers({ access: 'TOKEN', needsToken: true })).toBe('who has a token');
});
