// The audits of GraphQL over HTTP, of the reference implementation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { url } from './stage.js';

// Each says how binding it is: MUST, SHOULD or MAY. All have to hold.
for (const audit of serverAudits({ url })) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
